from pathlib import Path

import pytest

from envs.errors import SettingError
from runs.analysis.grouping import comparison_step, grouped, refuse, whole
from runs.analysis.reading import load
from runs.scores import ScoreKey
from tests.helpers.runs import fake_run


def runs(*paths: Path):
    return [load(path) for path in paths]


def test_groups_are_told_apart_by_the_fewest_settings_that_do(tmp_path):
    a = [fake_run(tmp_path / "a", learner=learner, seed=seed) for learner in ("bp", "dgl", "rll") for seed in (0, 1)]
    assert {label: len(group) for label, group in grouped(runs(*a)).items()} == {"bp": 2, "dgl": 2, "rll": 2}
    b = [fake_run(tmp_path / "b", seed=0, pairs__gap=6), fake_run(tmp_path / "c", seed=0, loss__negatives=5)]
    assert list(grouped(runs(*a[:2], *b))) == ["negatives=0, gap=4", "negatives=0, gap=6", "negatives=5, gap=4"]
    assert list(grouped(runs(a[0]))) == ["bp"]


def test_where_a_run_was_kept_and_computed_makes_no_other_group(tmp_path):
    a = fake_run(tmp_path / "a", seed=0)
    b = fake_run(tmp_path / "b", seed=1, device="cuda", results_dir="elsewhere", run__keep=9, stream__record="b")
    assert len(grouped(runs(a, b))) == 1


def test_one_seed_is_not_counted_twice(tmp_path):
    paths = [fake_run(tmp_path / name, seed=3) for name in "ab"]
    with pytest.raises(SettingError, match="one run twice"):
        grouped(runs(*paths))


@pytest.mark.parametrize(
    ("setting", "value", "task", "refused"),
    [
        ("eval__test", 10, "linear", True),
        ("eval__seed", 1, "transfer/digits", True),
        ("env__episode_length", 5, "linear", True),
        ("env__episode_length", 5, "transfer/digits", False),
        ("env__size", 16, "transfer/digits", True),
        ("env__episode_length", 5, "transfer/unseen_categories", True),
        ("env__episode_length", 5, "finetune/linear", True),
        ("env__episode_length", 5, "finetune/transfer/digits", False),
        ("env__num_worlds", 2, "linear", False),
        ("env__phases", 2, "linear", False),
        ("env__phases", 2, "phases/phase1", True),
        ("stream__path", "other.zarr", "linear", False),
        ("eval__samples", 2, "linear", False),
    ],
)
def test_scores_of_different_images_are_not_set_beside_one_another(tmp_path, setting, value, task, refused):
    both = runs(fake_run(tmp_path / "a"), fake_run(tmp_path / "b", **{setting: value}))
    if not refused:
        return refuse(both, [ScoreKey.named(task)])
    with pytest.raises(SettingError, match=setting.replace("__", r"\.")) as caught:
        refuse(both, [ScoreKey.named(task)])
    assert "\n" not in str(caught.value)


def test_of_runs_in_different_worlds_the_world_is_named(tmp_path):
    both = runs(fake_run(tmp_path / "a"), fake_run(tmp_path / "b", env__name="moving_objects", env__categories=12))
    with pytest.raises(SettingError, match=r"env\.name is counting in .* and moving_objects in"):
        refuse(both, [ScoreKey.named("linear")])


def test_of_imported_recordings_the_test_images_are_their_own(tmp_path):
    one, again, other = runs(
        *(
            fake_run(tmp_path / str(seed), seed=seed, env__id="", stream__path=f"{'aab'[seed]}.zarr")
            for seed in range(3)
        )
    )
    refuse([one, again], [ScoreKey.named("linear")])
    refuse([one, other], [ScoreKey.named("transfer/digits")])
    with pytest.raises(SettingError, match=r"stream.path is a.zarr in .* and b.zarr in"):
        refuse([one, other], [ScoreKey.named("linear")])


def test_budgets_are_not_mixed_unless_a_common_moment_is_named(tmp_path):
    both = runs(fake_run(tmp_path / "a"), fake_run(tmp_path / "b", seed=1, frames=(0, 64)))
    with pytest.raises(SettingError, match=r"run.frames: .*/b/bp-seed1 was last scored at 64 .* try --at 64"):
        comparison_step(both, ScoreKey(), at=None)
    assert comparison_step(both, ScoreKey(), at=64) == 64
    with pytest.raises(SettingError, match=r"--at 100: .* try --at 64"):
        comparison_step(both, ScoreKey(), at=100)
    other = runs(fake_run(tmp_path / "c", seed=2, frames=(0, 100)))
    with pytest.raises(SettingError, match="no number of frames but 0 is common to all"):
        comparison_step([both[0], *other], ScoreKey(), at=None)


def test_what_has_not_come_to_its_end_is_passed_over_unless_it_is_named_or_all_there_is(tmp_path):
    done, short = runs(fake_run(tmp_path, seed=0), fake_run(tmp_path, seed=1, frames=(0, 64)))
    assert whole([done, short], named=[str(tmp_path)], at=None) == ([done], [short])
    assert whole([done, short], named=[str(short.path)], at=None) == ([done, short], [])
    assert whole([done, short], named=[str(tmp_path)], at=64) == ([done, short], [])
    assert whole([short], named=[str(tmp_path)], at=None) == ([short], [])
    unscored = done._replace(scores={})
    assert whole([done, unscored], named=[str(tmp_path)], at=None) == ([done], [unscored])


def test_transfer_sets_of_one_name_from_two_places_are_not_averaged(tmp_path):
    paths = ["one/set.npz", "one/set.npz", "two/set.npz"]
    a, b, c = runs(*(fake_run(tmp_path / str(n), seed=n, eval__transfer=[path]) for n, path in enumerate(paths)))
    refuse([a, b], [ScoreKey.named("transfer/set")])
    refuse([a, c], [ScoreKey.named("linear")])
    with pytest.raises(SettingError, match=r"eval.transfer names one/set.npz .* two/set.npz"):
        refuse([a, c], [ScoreKey.named("transfer/set")])
