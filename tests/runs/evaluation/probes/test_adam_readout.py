"""The readout by Adam with dropout, and which features probes read."""

import pytest
import torch

from learners.run import SCHEMAS, learner_of
from runs.analysis.summary import summary
from runs.config import composing
from runs.evaluation.evaluation import Evaluation
from runs.evaluation.features import FEATURES, Split
from runs.evaluation.probes.adam_readout import DROPOUT, adam_probe, mask
from runs.launch.validate import check
from runs.scores import ScoreKey

composing.register(SCHEMAS)
CPU = torch.device("cpu")
ONE = ["learner=bp", "network=conv4", "device=cpu"]


def blobs(count, *, seed):
    draws = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (count,), generator=draws)
    return torch.eye(3)[labels].repeat(1, 4) + 0.4 * torch.randn(count, 12, generator=draws), labels


def test_a_readout_by_adam_tells_blobs_apart_and_says_what_validation_chose():
    parts = [blobs(count, seed=seed) for seed, count in enumerate((600, 100, 300))]
    features, labels = Split(*(x for x, _ in parts)), Split(*(y for _, y in parts))
    scores, again = (adam_probe(features, labels, classes=3) for _ in range(2))
    assert scores == again
    assert scores["top1"] > 0.9
    assert scores["lr"] in (1e-3, 2e-4)
    assert 1 <= scores["epochs"] <= 30


@pytest.mark.parametrize(("rows", "features"), [(4_000, 19), (19, 4_001)])  # the last word of eight bytes is not full
def test_what_a_step_leaves_out_is_drawn_for_each_row_and_feature_by_itself(rows, features):
    kept, again = (mask(rows, features, draws=torch.Generator().manual_seed(3)).float() for _ in range(2))
    assert torch.equal(kept, again)
    few = kept.T if rows > features else kept  # (19, thousands)
    bound = 5 * few.shape[1] ** -0.5  # five deviations of a correlation, ten of a mean
    assert float((few.mean(1) - (1 - DROPOUT)).abs().max()) < bound / 2
    assert float((torch.corrcoef(few) - torch.eye(len(few))).abs().max()) < bound


def test_features_are_the_last_block_every_block_pooled_or_the_last_over_space():
    images, one = torch.rand(2, 3, 32, 32), learner_of(composing.read(ONE))
    maps = one.encode_blocks(images)
    last, every, pooled = (FEATURES[name](maps) for name in ("last", "all_blocks", "pooled"))
    assert torch.equal(last, one.encode(images))
    assert every.shape == (2, 32 * 25 + 64 * 16 + 128 * 4 + 256 * 4)
    assert torch.allclose(pooled, maps[-1].mean((2, 3)))


@pytest.mark.parametrize(("kind", "count"), [("last", 1024), ("all_blocks", 3360), ("pooled", 256)])
def test_every_probe_and_transfer_task_reads_the_features_asked_for_and_says_how_many(kind, count):
    sizes = ["eval.train=60", "eval.validation=40", "eval.test=40", "eval.probes=[linear,adam]", "eval.ends=[blocks]"]
    settings = composing.read([*sizes, f"eval.features={kind}", "eval.samples=0", "device=cpu"])
    scores = Evaluation(settings, CPU).scores(learner_of(composing.read(ONE)), frames=0)
    for key in (ScoreKey(), ScoreKey(probe="adam"), ScoreKey("digits"), ScoreKey("digits", probe="adam")):
        assert scores[key]["features"] == count
    assert scores[ScoreKey(block=4)]["features"] == 1024
    assert scores[ScoreKey(block=2)]["features"] == 1024


def test_a_readout_on_another_task_has_a_path_of_its_own():
    key = ScoreKey("cifar10", probe="adam")
    assert key.path == "eval/adam/transfer/cifar10"
    assert ScoreKey.parse(key.path) == key
    assert ScoreKey.parse("eval/adam") == ScoreKey(probe="adam")
    assert key.label == "Adam readout: cifar10"


def test_features_that_are_none_are_refused():
    with pytest.raises(ValueError, match="eval.features=first is unknown"):
        check(composing.read(["eval.features=first"]))


def test_json_holds_what_a_readout_has_of_the_own_task_beside_others(online, tmp_path):
    sizes = [f"eval.{part}=40" for part in ("train", "validation", "test")]
    probes = ["eval.probes=[linear,adam]", "eval.ends=[]", "eval.transfer=[digits]"]
    where = [f"results_dir={tmp_path}", "run.name=read", "run.frames=64", "env.num_worlds=8", "memory=none"]
    assert online(*ONE, *sizes, *probes, *where)[0] == 0
    json = summary(tmp_path / "read")
    for tree in (json["eval"], json["baseline"]["random_encoder"]):
        assert set(tree["adam"]) == {"linear", "transfer"}
        assert set(tree["adam"]["transfer"]) == {"digits"}
    assert json["eval"]["adam"]["linear"]["frames"] == json["eval"]["linear"]["frames"]
