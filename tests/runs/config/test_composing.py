import pytest
from omegaconf import OmegaConf

from envs.errors import SettingError
from runs.config.composing import ALIASES, choices, one_at_a_time, read, sweep
from runs.launch.validate import check


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("lerner=bp", "did you mean learner?"),
        ("learner=bpp", "did you mean bp?"),
        ("loss=simclr", "did you mean ntxent?"),
        ("env.sise=32", "did you mean env.size?"),
        ("learner.lrr=1", "did you mean learner.lr?"),
        ("run.frame=9", "did you mean run.frames?"),
        ("seed=abc", "seed=abc"),
        ("env.num_worlds=many", "env.num_worlds=many"),
        ("+new=1", "new is no setting"),
        ("rubbish", "name=value"),
        ("loss=mine:nearer", "where FOLDER/loss/NAME.yaml says kind: mine.nearer (see examples/conf)"),
        ("learner=mine.Rule", "is given as learner.schedule=mine.Rule, or learner=NAME hydra.searchpath=[FOLDER]"),
        ("network=mine:SPEC", "is given as network.name=mine.SPEC"),
    ],
)
def test_an_unknown_or_unfit_setting_is_told_in_one_line_with_the_near_miss(override, message):
    with pytest.raises(SettingError) as caught:
        read([override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_of_a_setting_that_is_said_twice_it_is_the_last_word_that_is_told():
    with pytest.raises(SettingError, match="^eval.every=often: "):
        read(["eval.every=32", "eval.every=often"])


def test_what_a_choice_is_called_elsewhere_leads_to_one_that_there_is():
    assert all(set(names.values()) <= set(choices()[group]) for group, names in ALIASES.items())


def test_every_choice_of_every_group_makes_settings():
    for group, names in choices().items():
        for name in names:
            if name in ("replay", "online_vs_batch"):  # which need a recording
                with pytest.raises(SettingError, match="stream.path is not given"):
                    read([f"{group}={name}"])
                continue
            settings = read([f"{group}={name}"])
            if name.startswith(("table1", "published")):  # which need data sets
                with pytest.raises(SettingError, match=r"eval\.data_root, which is not given"):
                    check(settings)
                continue
            check(settings)
            assert not OmegaConf.missing_keys(settings)


def test_every_value_of_a_sweep_comes_up_once():
    asked, values = sweep(["learner=bp,gll", "seed=range(3)", "run.frames=64"])
    assert not asked
    assert list(one_at_a_time(values)) == [
        ["learner=bp", "seed=0", "run.frames=64"],
        ["learner=gll", "seed=0", "run.frames=64"],
        ["learner=bp", "seed=1", "run.frames=64"],
        ["learner=bp", "seed=2", "run.frames=64"],
    ]


def test_an_experiment_is_a_sweep_of_which_the_command_line_has_the_last_word():
    asked, values = sweep(["experiment=plausible_vs_backprop", "seed=7"])
    assert asked
    assert [text.removeprefix("learner=") for text in values["learner"]] == ["bp", "dgl", "gll", "rll", "dtp", "rf"]
    assert values["seed"] == ["seed=7"]
    settings = read(["experiment=plausible_vs_backprop", "learner=rf", "seed=7"])
    assert (settings.run.group, settings.run.name) == ("plausible_vs_backprop", "rf-seed7")


def test_an_experiment_in_a_folder_is_named_with_it(tmp_path, monkeypatch):
    (tmp_path / "experiment" / "table1").mkdir(parents=True)
    (tmp_path / "experiment" / "table1" / "bp.yaml").write_text("")
    monkeypatch.setattr("runs.config.choices.files", lambda _: tmp_path)
    assert choices() == {"experiment": ["table1/bp"]}


@pytest.mark.parametrize(
    ("name", "message"),
    [("plausible", "did you mean plausible_vs_backprop?"), ("plausible_vs_backprop,null", "is a sweep already")],
)
def test_an_experiment_that_cannot_be_is_told_in_one_line(name, message):
    with pytest.raises(SettingError, match=message.replace("?", r"\?")):
        sweep([f"experiment={name}"])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["memory=none", "memory.capacity=64"],
            "memory.capacity is a setting of memory=batches or fifo or minred or reservoir alone; add memory=batches",
        ),
        (
            ["pairs.views=simclr"],
            "pairs.views is a setting of pairs=augmentation or both or simclr or tang2022_conv4 or tang2022_conv6 or "
            "unchanged alone; add pairs=augmentation",
        ),
        (["env.moving=rotation"], "env.moving=rotation: give a list, as in name=[a,b]"),
    ],
)
def test_a_setting_of_another_choice_is_told_as_one(overrides, message):
    with pytest.raises(SettingError) as caught:
        read(overrides)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("override", "example"),
    [
        ("run.frames=1e5", "give a whole number, as in 100_000"),
        ("learner.lr=fast", "give a number, as in 0.001"),
        ("eval.transfer=digits", "give a list, as in name=.a,b."),
        ("env.stagger=maybe", "'maybe' is not a valid bool"),
    ],
)
def test_a_value_of_another_type_is_told_with_one_that_would_do(override, example):
    with pytest.raises(SettingError, match=f"{override}: .*{example}"):
        read([override])
