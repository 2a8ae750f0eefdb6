"""Each file of a run that is damaged is named in one line, and no command shows or goes on from other numbers."""

import hashlib
import json
import pickle
import re
import shutil
import sys
import zipfile

import numpy as np
import pytest
import zstandard
from omegaconf import OmegaConf

from envs.errors import SettingError
from learners.online import PROGRAM
from runs import compare, report
from runs.analysis.reading import load, load_numbers
from runs.launch.start import start
from runs.store.checkpoint import load_newest, newest, save
from runs.store.folder import RunFolder
from runs.store.metrics import Metrics, read, read_mistakes, read_samples
from runs.store.preview import load_preview, save_preview
from runs.store.record import BOOKKEEPING, sealed
from tests.helpers.online import SMALL, assert_same_run, outcome
from tests.helpers.runs import fake_run, furnished

TINY = ["run.frames=32", "eval.every=0", "watch.every=0", "run.save_every=16", "run.log_every=16"]


@pytest.fixture
def run(tmp_path):
    return furnished(fake_run(tmp_path))


@pytest.fixture
def learned(tmp_path, capsys):
    """A run that learned, with three checkpoints."""
    assert start([*SMALL, *TINY, f"results_dir={tmp_path}", "run.name=one"], PROGRAM) == 0
    capsys.readouterr()
    return tmp_path / "one"


CONFIGS = {
    "zeros": (bytes(100), "config.yaml is damaged"),
    "no UTF-8": (b"\xff\xfea: 1\n", "config.yaml is damaged (it is not UTF-8)"),
    "empty": (b"", "config.yaml is damaged (it holds no settings)"),
    "a list": (b"- a\n", "config.yaml is damaged (it holds no settings)"),
    "no YAML": (b"a: [\n", "config.yaml is damaged"),
    "no seed": (b"run:\n  frames: 128\nlearner:\n  name: bp\n", "config.yaml is damaged (it lacks seed)"),
    "a seed that is none": (b"seed: x\n", "config.yaml is damaged (it says seed=x)"),
}


@pytest.mark.parametrize("content", CONFIGS)
def test_damaged_settings_are_named_where_they_are_read(run, say, content):
    data, line = CONFIGS[content]
    (run / ".hydra" / "config.yaml").write_bytes(data)
    status, out, err = say(run)
    assert status == (2 if say.reads_settings else 0)
    assert (line if say.reads_settings else "config.yaml was altered since the run began") in err
    assert err.count("\n") == 1
    assert bool(out) != say.reads_settings


@pytest.mark.parametrize("content", ["zeros", "no UTF-8", "empty", "a list", "no YAML"])
def test_damaged_settings_are_not_gone_on_with(learned, content):
    data, line = CONFIGS[content]
    (learned / ".hydra" / "config.yaml").write_bytes(data)
    with pytest.raises(SettingError) as caught:
        start([f"run.resume={learned}"], PROGRAM)
    assert line in str(caught.value)


@pytest.mark.parametrize(("data", "why"), [
    (bytes(50), "characters are not allowed"), (b"a: 1\n", "it holds no list of texts"), (b"[", ""),
    (b"- 1\n", "it holds no list of texts"), (None, "it is missing"),
])  # fmt: skip
def test_a_damaged_command_line_is_named(learned, monkeypatch, capsys, data, why):
    path = learned / ".hydra" / "overrides.yaml"
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(SettingError, match="overrides.yaml is damaged") as caught:
        start([f"run.resume={learned}"], PROGRAM)
    assert why in str(caught.value)
    monkeypatch.setattr(sys, "argv", ["report", str(learned)])
    report.main()
    assert "overrides.yaml is damaged" in capsys.readouterr().err
    assert "To repeat it" not in (learned / "report.html").read_text()


def test_settings_that_no_schema_checks_are_of_the_type_that_they_were(run):
    path = run / ".hydra" / "config.yaml"
    path.write_text(path.read_text().replace("num_worlds: 16", "num_worlds: many"))
    with pytest.raises(SettingError, match="config.yaml is damaged .it says env.num_worlds=many"):
        RunFolder(run).settings_over(OmegaConf.create({"env": {"num_worlds": 16, "size": 32}}))


@pytest.mark.parametrize("data", [b"{", b"[]", None])
def test_a_damaged_versions_file_is_named_and_is_no_lack_of_room(run, say, data):
    path = run / "versions.json"
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    status, _, err = say(run)
    assert status == 0
    assert f"{path} " in err
    assert "make room" not in err


def root_of(run):
    return json.loads((run / "metrics.zarr" / "zarr.json").read_text())


def write_root(run, attributes, *, seal):
    facts = root_of(run)
    facts["attributes"] = sealed(attributes) if seal else attributes
    (run / "metrics.zarr" / "zarr.json").write_text(json.dumps(facts))


@pytest.mark.parametrize("seal", [False, True])
@pytest.mark.parametrize(
    "committed", [None, [], {"../x": 3}, {"eval/linear": "3"}, {"eval/finetune/phases/phase0": 3}, 200_000_000]
)
def test_a_damaged_commit_record_is_named(run, say, committed, seal):
    attributes = root_of(run)["attributes"]
    if isinstance(committed, int):
        attributes["committed"]["eval/linear"] = committed
    else:
        attributes["committed"] = committed
    if committed is None:
        del attributes["committed"]
    write_root(run, attributes, seal=seal)
    status, out, err = say(run)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "is damaged" in err
    assert "no numbers yet" not in err


@pytest.mark.parametrize("content", [b"", b"{", b"[]", bytes(500), None])
def test_a_damaged_root_is_not_taken_for_a_run_without_numbers(run, say, content):
    path = run / "metrics.zarr" / "zarr.json"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    status, _, err = say(run)
    assert (status, err.count("\n")) == (2, 1)
    assert f"{path} is damaged" in err
    status, _, err = say(run.parent)
    assert f"{path} is damaged" in err or not say.reads_settings


@pytest.mark.parametrize("series", ["eval/linear/top1", "eval/linear/frames", "train/loss", "watch/block1/update_norm"])
@pytest.mark.parametrize("kind", ["flips", "deleted", "exchanged", "document"])
def test_a_damaged_series_is_named_and_no_other_number_is_shown(run, series, kind):
    whole = load_numbers(run)
    place, store = run / "metrics.zarr" / series / "c" / "0", run / "metrics.zarr"
    content = place.read_bytes()
    harmed = {"flips": [content[:bit] + bytes([content[bit] ^ 4]) + content[bit + 1 :] for bit in range(len(content))]}
    harmed["exchanged"] = [(store / "eval/transfer/digits/top1/c/0").read_bytes(), (store / "speed").name.encode()]
    for data in harmed.get(kind, [None]):
        place.unlink(missing_ok=True)
        if data is not None:
            place.write_bytes(data)
        if kind == "document":
            (store / series / "zarr.json").write_text("{}")
        group = series.rpartition("/")[0]
        if group == "eval/linear" and not (data is not None and _harmless(run, whole)):
            with pytest.raises(SettingError, match="eval/linear is damaged"):
                load_numbers(run)
        elif group != "eval/linear":
            again = load_numbers(run)
            assert again.damaged.keys() == {group} or _same(again, whole)
            assert len(again.scores) + len(again.series) + len(again.damaged) == len(whole.scores) + len(whole.series)


def _harmless(run, whole):
    try:
        return _same(load_numbers(run), whole)
    except SettingError:
        return False


def _same(a, b):
    one, other = ({**run.scores, **run.series} for run in (a, b))
    return one.keys() == other.keys() and all(
        np.array_equal(values, other[key][name], equal_nan=True)
        for key, series in one.items()
        for name, values in series.items()
    )


def test_a_compared_score_that_somebody_named_is_not_left_out(tmp_path, monkeypatch, capsys):
    paths = [str(fake_run(tmp_path, seed=seed)) for seed in (0, 1)]
    shutil.rmtree(f"{paths[1]}/metrics.zarr/eval/transfer/digits/top1")
    monkeypatch.setattr(sys, "argv", ["compare", *paths])
    compare.main()
    assert capsys.readouterr().err.count("eval/transfer/digits is damaged") == 1
    monkeypatch.setattr(sys, "argv", ["compare", *paths, "--task", "transfer/*"])
    with pytest.raises(SystemExit):
        compare.main()
    assert "eval/transfer/digits is damaged" in capsys.readouterr().err


def test_a_chunk_that_claims_more_than_it_can_hold_takes_no_memory(run):
    chunk = run / "metrics.zarr" / "eval" / "linear" / "top1" / "c" / "0"
    frame = bytearray(zstandard.compress(bytes(8192)))
    huge = b"\x28\xb5\x2f\xfd\xe0" + (100 << 30).to_bytes(8, "little") + bytes(frame[8:])
    bomb = zstandard.compress(bytes(1 << 26))
    for data in (huge, bomb):
        chunk.write_bytes(data)
        with pytest.raises(SettingError, match="it does not hold 8,192 bytes"):
            load_numbers(run)
    document = chunk.parents[1] / "zarr.json"
    whole = json.loads(document.read_text())
    for shape, chunks in (([10**11], [1024]), ([3], [10**11]), ([3, 10**9], [1, 10**9])):
        whole["shape"], whole["chunk_grid"]["configuration"]["chunk_shape"] = shape, chunks
        document.write_text(json.dumps(whole))
        with pytest.raises(SettingError, match="eval/linear is damaged"):
            load_numbers(run)


def test_samples_and_previews_are_checked_too(run, monkeypatch, capsys):
    store = run / "metrics.zarr"
    strip = store / "seen" / "strip" / "c" / "0" / "0" / "0" / "0" / "0"
    strip.write_bytes(zstandard.compress(bytes(zstandard.frame_content_size(strip.read_bytes()))))
    embeddings = store / "samples" / "embeddings" / "c"
    (embeddings / "0" / "0" / "0").write_bytes((embeddings / "1" / "0" / "0").read_bytes())
    worst = store / "mistakes" / "linear" / "worst" / "c"
    (worst / "0" / "0" / "0" / "0" / "0").write_bytes((worst / "1" / "0" / "0" / "0" / "0").read_bytes())
    for read_part, name in (
        (load_preview, "seen"),
        (read_samples, "samples"),
        (read_mistakes, r"mistakes.linear"),
    ):
        with pytest.raises(SettingError, match=f"{name} is damaged"):
            read_part(store)
    monkeypatch.setattr(sys, "argv", ["report", str(run)])
    report.main()
    err = capsys.readouterr().err
    assert "seen is damaged (strip: it is not what was written there); put back a copy of it; preview is left" in err
    assert "samples is damaged" in err
    assert "mistakes/linear is damaged" in err
    assert "is damaged" in (run / "report.html").read_text()


def test_a_stride_that_was_altered_is_named(run):
    path = run / "metrics.zarr" / "seen" / "zarr.json"
    path.write_text(path.read_text().replace('"stride": 4', '"stride": 5'))
    with pytest.raises(SettingError, match="seen is damaged"):
        load_preview(run / "metrics.zarr")


def test_numbers_of_another_run_are_refused(tmp_path):
    one, other = fake_run(tmp_path, seed=0), fake_run(tmp_path, seed=1)
    shutil.rmtree(one / "metrics.zarr")
    shutil.copytree(other / "metrics.zarr", one / "metrics.zarr")
    with pytest.raises(SettingError, match=f"{one}/metrics.zarr and {one}/checksums.json are of two runs"):
        load(one)


def test_settings_of_another_run_are_noted(tmp_path):
    one, other = fake_run(tmp_path, seed=0), fake_run(tmp_path, seed=1)
    shutil.copy(other / ".hydra" / "config.yaml", one / ".hydra" / "config.yaml")
    assert load(one).notes == [f"{one}/.hydra/config.yaml was altered since the run began"]


def not_ours(folder, number, kind):
    """Writes a checkpoint whose name fits a content that is none."""
    state = load_newest(folder)[0] | {"frames": 1000 + number}
    if kind in ("list", "text as frames", "no parts"):
        odd = {"list": [1, 2], "text as frames": state | {"frames": "x"}, "no parts": {"frames": 1000 + number}}
        return save(folder, odd[kind], frames=1000 + number, keep=9)
    data = {"no pickle": b"rubbish", "a plain pickle": pickle.dumps(state["updates"])}.get(kind)
    if data is None:  # a zip whose part claims more than is there
        with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("data.pkl", bytes(1 << 24))
        data = (folder / "bomb.zip").read_bytes()
        (folder / "bomb.zip").unlink()
    path = folder / f"{1000 + number:012d}-{hashlib.sha256(data).hexdigest()[:16]}.pt"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", ["no pickle", "a plain pickle", "list", "text as frames", "no parts", "bomb"])
def test_a_checkpoint_whose_name_fits_and_that_is_none_of_ours_is_passed_over(learned, capsys, kind):
    sound = load_newest(learned / "checkpoints")[0]
    path = not_ours(learned / "checkpoints", 1, kind)
    state, passed = load_newest(learned / "checkpoints")
    assert (state["frames"], passed) == (sound["frames"], [path])
    assert start([f"run.resume={learned}"], PROGRAM) == 0
    assert f"{path} is damaged or not ours; the checkpoint before it is used\n" in capsys.readouterr().err


def test_a_checkpoint_of_another_run_is_not_gone_on_from(learned, capsys):
    folder = learned.parent
    assert start([*SMALL, *TINY, f"results_dir={folder}", "run.name=two", "seed=1"], PROGRAM) == 0
    theirs = newest(folder / "two" / "checkpoints")
    for path in (learned / "checkpoints").glob(f"{theirs.name[:12]}-*.pt"):
        path.unlink()
    shutil.copy(theirs, learned / "checkpoints")
    capsys.readouterr()
    assert start([f"run.resume={learned}"], PROGRAM) == 0
    err = capsys.readouterr().err
    assert f"{learned}/checkpoints/{theirs.name} is damaged or not ours" in err
    assert re.search("goes on from its checkpoint at [0-9]+ frames; numbers up to 32 are made again", err)


def test_no_number_is_erased_when_all_checkpoints_are_gone(learned):
    before = read(learned / "metrics.zarr")
    for path in (learned / "checkpoints").iterdir():
        path.unlink()
    with pytest.raises(SettingError) as caught:
        start([f"run.resume={learned}"], PROGRAM)
    assert f"{learned} has numbers up to 32 frames and no checkpoint to go on from" in str(caught.value)
    assert "begin another run: python -m learners.online env=counting" in str(caught.value)
    after = read(learned / "metrics.zarr")
    assert before[0] == after[0]
    assert np.array_equal(before[1]["train"]["loss"], after[1]["train"]["loss"])


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_anew(tmp_path):
    for name in ("straight", "killed"):
        start([*SMALL, *TINY, f"results_dir={tmp_path}", f"run.name={name}"], PROGRAM)
    place = tmp_path / "killed"
    shutil.rmtree(place / "metrics.zarr")
    for path in (place / "checkpoints").iterdir():
        path.unlink()
    assert start([f"run.resume={place}"], PROGRAM) == 0
    assert_same_run(outcome(tmp_path, "straight"), outcome(tmp_path, "killed"))


def test_settings_altered_by_hand_are_said_when_a_run_goes_on(learned, capsys):
    path = learned / ".hydra" / "config.yaml"
    assert start([f"run.resume={learned}"], PROGRAM) == 0
    assert "altered" not in capsys.readouterr().err
    path.write_text(path.read_text().replace("keep: 3", "keep: 2"))
    assert start([f"run.resume={learned}", "run.frames=48"], PROGRAM) == 0
    assert f"{path} was altered since the run began\n" in capsys.readouterr().err


def test_a_run_that_moved_to_another_device_has_not_been_altered(learned):
    folder = RunFolder(learned)
    folder.moves_to("cuda:1")
    assert folder.settings.device == "cuda:1"
    assert folder.check(folder.run_id) == []


def test_a_damaged_series_is_not_gone_on_with_until_its_folder_is_removed(learned, capsys):
    place = learned / "metrics.zarr" / "train"
    chunk = place / "loss" / "c" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-3])
    with pytest.raises(SettingError, match="train is damaged .*, or remove that folder, and the run goes on without"):
        start([f"run.resume={learned}", "run.frames=48"], PROGRAM)
    shutil.rmtree(place)
    assert start([f"run.resume={learned}", "run.frames=48"], PROGRAM) == 0
    assert f"{place} is gone; the run goes on without it" in capsys.readouterr().err
    assert read(learned / "metrics.zarr")[1]["train"]["frames"].tolist() == [48]


def test_a_store_without_checksums_has_them_once_it_is_gone_on_with(tmp_path):
    path = fake_run(tmp_path)
    attributes = root_of(path)["attributes"]
    write_root(path, {name: of for name, of in attributes.items() if name not in BOOKKEEPING}, seal=False)
    (path / "checksums.json").unlink()
    before, notes = read(path / "metrics.zarr"), load(path).notes
    metrics = Metrics.open(path / "metrics.zarr", cut_to=128)
    RunFolder(path).vouch(metrics.run_id)
    metrics.add("eval/linear", 192, {"top1": 0.6})
    metrics.commit()
    after = read(path / "metrics.zarr")
    assert notes == load(path).notes == []
    assert before[1]["eval/linear"]["top1"].tolist() == after[1]["eval/linear"]["top1"].tolist()[:3]
    chunk = path / "metrics.zarr" / "train" / "loss" / "c" / "0"
    chunk.unlink()
    assert "train" in load(path).damaged


def test_a_preview_that_is_made_again_takes_the_place_of_the_one_before(run):
    pixels = np.full((1, 2, 4, 4, 3), 9, np.uint8)
    save_preview(run / "metrics.zarr", stride=2, strip=pixels, first=pixels[0], second=pixels[0], gap=np.array([1, 1]))
    again = load_preview(run / "metrics.zarr")
    assert (again["stride"], again["strip"].shape, again["gap"].tolist()) == (2, (1, 2, 4, 4, 3), [1, 1])
    assert not load_numbers(run).damaged
