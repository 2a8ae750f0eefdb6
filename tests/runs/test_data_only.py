"""A run's folder is data: it executes nothing, refers to nothing, and does nothing to a terminal."""

import json
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from rich.console import Console

from envs.errors import SettingError
from learners.online import PROGRAM
from learners.run import named_code
from runs import compare, report, show
from runs.config import composing
from runs.launch import start as commands
from runs.store.folder import flat
from runs.store.metrics import Metrics
from streams.process.progress import Bar
from tests.helpers.online import SMALL
from tests.helpers.runs import fake_run, furnished

TINY = ["run.frames=16", "eval.every=0", "watch.every=0"]
EVIL = "evil_payload"  # a module that leaves a file where it is imported
CHOICES = {  # of each group: what has settings that others lack
    "env": ("counting", "moving_objects", "moving_images"),
    "stream": ("live", "replay"),
    "pairs": ("temporal", "both"),
    "memory": ("none", "minred"),
    "learner": ("dgl", "gll", "dtp"),
    "loss": ("hinge", "ntxent", "clapp", "vicreg", "barlow_twins"),
    "network": ("conv4",),
}


@pytest.fixture
def sprung(tmp_path, monkeypatch):
    """Whether a module that nobody asked for was imported."""
    (tmp_path / f"{EVIL}.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w').close()\nSPEC = None\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda: (tmp_path / "sprung").exists()
    sys.modules.pop(EVIL, None)


@pytest.fixture
def run(tmp_path):
    assert commands.start([*SMALL, *TINY, f"results_dir={tmp_path}", "run.name=one"], PROGRAM) == 0
    return tmp_path / "one"


def say_in(run: Path, **values):
    """Settings that somebody has put into a run's file, by their dotted names."""
    path = run / ".hydra" / "config.yaml"
    config = OmegaConf.load(path)
    for name, value in values.items():
        OmegaConf.update(config, name, value, force_add=True)
    path.write_text(OmegaConf.to_yaml(config))


def resumed(run, *overrides):
    return commands.start([f"run.resume={run}", "run.frames=24", *overrides], PROGRAM)


def texts() -> dict[str, tuple[dict, bool]]:
    """Every setting that holds a text, with settings that have it, and whether it is a list: {name: (settings, is)}."""
    found = {}
    for group, names in CHOICES.items():
        for name in names:
            config = composing.read([f"{group}={name}"])
            for key, value in flat(config).items():
                if isinstance(value, str | list) or value is None:
                    of = OmegaConf.to_container(config)[group] if key.startswith(f"{group}.") else None
                    found.setdefault(key, ({group: of} if of else {}, isinstance(value, list)))
    return found


def test_no_setting_of_a_folder_leads_to_code_by_itself(run, sprung, monkeypatch):
    monkeypatch.setattr(commands, "_follow", lambda *_: 0)
    monkeypatch.setattr(composing, "_with_recorded_env", lambda config, *_: config)  # of a recording that is not there
    composed = cache(lambda overrides: composing.read(list(overrides)))
    monkeypatch.setattr(commands.Program, "read", lambda _, overrides: composed(tuple(overrides)).copy())
    whole = (run / ".hydra" / "config.yaml").read_text()
    tried = texts()
    assert {"learner.schedule", "loss.kind", "network.name", "env.id", "env.dataset", "stream.path"} <= tried.keys()
    for key, (others, is_list) in tried.items():
        for value in (f"{EVIL}.SPEC", f"{EVIL}:X-v0"):
            (run / ".hydra" / "config.yaml").write_text(whole)
            say_in(run, **others, **{key: [value] if is_list else value})
            with suppress(SettingError):
                resumed(run)
            assert not sprung(), key
            assert EVIL not in sys.modules, key


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("network.name", f"{EVIL}.SPEC"),
        ("loss.kind", f"{EVIL}.SPEC"),
        ("learner.schedule", f"{EVIL}.SPEC"),
        ("env.id", f"{EVIL}:X-v0"),
        ("stream.record", "reference::file:///refs.json"),
    ],
)
def test_a_name_that_leads_to_code_counts_where_the_command_line_says_it_again(run, sprung, name, value, monkeypatch):
    say_in(run, **{name: value})
    with pytest.raises(SettingError, match=f"counts only if it is said again; if you trust it, add {name}={value}"):
        resumed(run)
    with pytest.raises(SettingError, match="counts only if"):
        resumed(run, f"{name}={value}x")
    assert not sprung()
    monkeypatch.setattr(commands, "differences", lambda *_, **__: [])  # from how it began
    with pytest.raises(Exception, match=r"evil_payload|refs.json|X"):  # of what it is led to
        resumed(run, f"{name}={value}")
    assert sprung() == (name != "stream.record")


def test_data_sets_of_torchvision_are_named_again():
    settings = composing.read(["env=moving_images", "env.path=pictures", "env.dataset=CIFAR10"])
    assert named_code(settings) == {"env.dataset": "CIFAR10"}
    assert named_code(composing.read([])) == {}


@pytest.mark.parametrize(
    "override", ["hydra.searchpath=[pkg://evil_payload]", "+hydra.x=1", "eval.transfer=['reference::file:///x']"]
)
def test_overrides_that_lead_elsewhere_count_where_they_are_said_again(run, sprung, override):
    path = run / ".hydra" / "overrides.yaml"
    path.write_text(OmegaConf.to_yaml(OmegaConf.create([*OmegaConf.load(path), override])))
    with pytest.raises(SettingError, match="counts only if it is said again"):
        resumed(run)
    assert not sprung()


def test_a_folder_that_names_code_executes_nothing_when_it_is_shown(run, sprung, monkeypatch, capsys):
    names = {"network.name": f"{EVIL}.SPEC", "loss.kind": f"{EVIL}.SPEC", "env.id": f"{EVIL}:X-v0"}
    say_in(run, **names, **{"env.name": EVIL, "learner.schedule": f"{EVIL}.SPEC"})
    for command in (show, report):
        monkeypatch.setattr(sys, "argv", ["command", str(run)])
        command.main()
    furnished(fake_run(run.parent))
    say_in(run.parent / "bp-seed0", **names)
    monkeypatch.setattr(sys, "argv", ["command", str(run.parent / "bp-seed0")])
    compare.main()
    assert not sprung()
    assert EVIL not in sys.modules
    assert capsys.readouterr().err.count("config.yaml was altered since the run began\n") == 3


@pytest.mark.parametrize("file", [".hydra/config.yaml", ".hydra/overrides.yaml"])
def test_stored_settings_refer_to_nothing(run, monkeypatch, file):
    monkeypatch.setenv("TOKEN", "the secret")
    path = run / file
    path.write_text(path.read_text().replace("one", "${oc.env:TOKEN}"))
    with pytest.raises(SettingError, match="stored settings are values") as caught:
        resumed(run)
    assert "secret" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_command_line_brings_nothing_from_the_environment_into_a_run(tmp_path, monkeypatch, online):
    monkeypatch.setenv("TOKEN", "the secret")
    status, text = online(*SMALL, *TINY, f"results_dir={tmp_path}/results", "run.name=${oc.env:TOKEN}")
    assert (status, text.count("\n")) == (2, 1)
    assert "run.name=${oc.env:TOKEN} takes a value from elsewhere" in text
    assert not (tmp_path / "results").exists()


def test_what_refers_to_other_settings_is_kept_as_what_it_came_to(tmp_path):
    name = "run.name=${learner.name}-${seed}"
    assert commands.start([*SMALL, *TINY, f"results_dir={tmp_path}", name], PROGRAM) == 0
    assert "run.name=dgl-0" in OmegaConf.load(tmp_path / "dgl-0" / ".hydra" / "overrides.yaml")
    assert resumed(tmp_path / "dgl-0") == 0


def test_bombs_of_yaml_and_odd_tags_are_named(run):
    path = run / ".hydra" / "config.yaml"
    for text in ("a: &a [x]\nb: *a\n", "a: !!python/object/apply:os.getcwd []\n", "[" * 200, "a: ???\n"):
        path.write_text(text)
        with pytest.raises(SettingError, match="config.yaml is damaged"):
            resumed(run)


NASTY = "[/x]\x1b[2J:smile:\u202e"


def called(monkeypatch, capsys, command, *arguments):
    monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
    command.main()
    return capsys.readouterr()


def test_names_from_files_do_nothing_to_a_terminal(tmp_path, monkeypatch, capsys):
    place = tmp_path / "a[" / "b]\x1b[2J"
    for rule in ("bp", "dgl"):
        path = furnished(fake_run(place, learner=rule, env__split=NASTY + rule, loss__name=NASTY))
        metrics = Metrics.open(path / "metrics.zarr", cut_to=128)
        metrics.add(f"eval/transfer/{NASTY}", 128, {"top1": 0.5})
        metrics.commit(run=NASTY, learner=NASTY)
    (path / "versions.json").write_text(json.dumps({"torch": NASTY}))
    outputs = [called(monkeypatch, capsys, show, path)]
    outputs += [called(monkeypatch, capsys, compare, place, *more) for more in ([], ["--csv"], ["--latex"])]
    outputs += [called(monkeypatch, capsys, report, path)]
    for out, err in outputs:
        assert "\x1b" not in out + err
        assert "\u202e" not in out + err
    assert "[/x]\\x1b[2J:smile:\\u202e" in outputs[0].out
    assert r"b]\x1b[2J/dgl-seed0/versions.json was altered" in outputs[0].err


def test_an_error_is_one_visible_line(tmp_path, monkeypatch, capsys):
    for command in (show, compare, report):
        monkeypatch.setattr(sys, "argv", ["command", str(tmp_path / NASTY)])
        with pytest.raises(SystemExit) as left:
            command.main()
        err = capsys.readouterr().err
        assert (left.value.code, err.count("\n")) == (2, 1)
        assert "\x1b" not in err
        assert r"[/x]\x1b[2J:smile:" in err


def test_a_line_of_progress_is_shown_as_it_is(capsys):
    for terminal in (False, True):
        console = Console(force_terminal=terminal, width=200)
        with Bar(console, done=0, total=10) as bar:
            bar.say(f"a{NASTY}b")
            bar.show(5, f"c{NASTY}d", at_once=True)
        out = capsys.readouterr().out
        assert r"a[/x]\x1b[2J:smile:\u202eb" in out
        assert r"c[/x]\x1b[2J:smile:\u202ed" in out
