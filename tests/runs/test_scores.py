from itertools import product

import pytest

from runs.scores import BASELINES, ScoreKey, measure_of

PATHS = {
    "eval/linear": ScoreKey(),
    "eval/knn": ScoreKey(probe="knn"),
    "eval/few/1": ScoreKey(probe="few/1"),
    "eval/factors/position": ScoreKey(probe="factors/position"),
    "eval/blocks/block1": ScoreKey(block=1),
    "eval/blocks/knn/block1": ScoreKey(probe="knn", block=1),
    "eval/blocks/few/10/block2": ScoreKey(probe="few/10", block=2),
    "eval/transfer/digits": ScoreKey("digits"),
    "eval/finetune/linear": ScoreKey(probe="finetune"),
    "eval/finetune/transfer/digits": ScoreKey("digits", "finetune"),
    "eval/phases/phase0": ScoreKey(split="phase0"),
    "baseline/pixels/linear": ScoreKey(encoder="pixels"),
    "baseline/mean_colour/transfer/digits": ScoreKey("digits", encoder="mean_colour"),
}


@pytest.mark.parametrize(("path", "key"), PATHS.items())
def test_a_score_lies_where_it_always_lay(path, key):
    assert key.path == str(key) == path
    assert ScoreKey.parse(path) == key


def keys():
    """Every combination that is evaluated."""
    tasks, probes = (None, "digits", "a_set", "world"), ("linear", "finetune", "knn", "few/10", "factors/position")
    for given in product(tasks, probes, (None, 1, 12), ("test", "phase0", "phase11"), (None, *BASELINES)):
        try:
            yield ScoreKey(*given)
        except ValueError:
            continue


def test_every_path_is_of_one_key():
    every = list(keys())
    assert len(every) == (5 * 3 + 3 * 2 + 2) * 6
    assert [ScoreKey.parse(key.path) for key in every] == every
    assert len({key.path for key in every}) == len(every)
    assert [ScoreKey.named(key.name) for key in every if key.encoder is None] == every[: len(every) : 6]


@pytest.mark.parametrize("group", ["train", "watch/block1", "alignment/block1", "samples", "eval", "baseline/x"])
def test_what_is_no_score_has_no_key(group):
    assert ScoreKey.parse(group) is None


def test_labels_are_said_once_for_all():
    labels = [key.label for key in PATHS.values()]
    assert labels == [
        "linear probe", "k-NN", "1 label a class", "position", "linear probe, block 1", "k-NN, block 1",
        "10 labels a class, block 2", "transfer: digits", "fine-tuned", "fine-tuned: digits", "phase 0",
        "linear probe", "transfer: digits",
    ]  # fmt: skip
    titles = [ScoreKey(probe=probe).title for probe in ("finetune", "knn", "factors/light_direction")]
    assert titles == ["Fine-tuned", "k-NN", "Light direction"]


def test_a_score_is_measured_in_one_number():
    assert measure_of({"frames": [], "strength": [], "r2": []}) == "r2"
    assert measure_of({"loss": []}) is None
