from dataclasses import replace

import pytest
import torch

from learners.run import learner_of
from runs.config.composing import read
from runs.evaluation import evaluation
from runs.evaluation.evaluation import baselines, linear_scores
from runs.evaluation.features import PLAIN, encoded, labels_of, pooled
from runs.evaluation.probes.few_labels import few_label_probes
from runs.evaluation.probes.knn import knn_probe
from runs.evaluation.probes.registry import PROBES
from runs.evaluation.probes.ridge import ridge_probes
from runs.evaluation.world_tasks import world_task
from runs.scores import ScoreKey

CPU = torch.device("cpu")
pixels, mean_colour = PLAIN.values()


def small(**images):
    return {"train": 60, "validation": 40, "test": 50} | images


def test_evaluation_images_are_a_function_of_seed_and_split():
    one, again, other = (
        world_task("MovingObjects-v0", images=small(), seed=seed, device=CPU, size=16) for seed in (0, 0, 1)
    )
    assert torch.equal(one.test.images, again.test.images)
    assert not torch.equal(one.test.images, other.test.images)
    larger = world_task("MovingObjects-v0", images=small(train=70), seed=0, device=CPU, size=16)
    assert torch.equal(one.train.images, larger.train.images[:60])


def test_a_run_is_scored_on_its_own_world_and_on_the_transfer_sets():
    settings = read(["env.size=16", "eval.train=60", "eval.validation=40", "eval.test=50"])
    of_run = evaluation.Evaluation(settings, CPU)
    all_tasks = of_run.tasks
    assert not of_run.notes
    sets = ("linear", "transfer/digits", "transfer/unseen_categories")
    assert [key.path for key in all_tasks] == [f"eval/{name}" for name in sets]
    assert all_tasks[ScoreKey()].test.images.shape == (50, 3, 16, 16)
    scores = baselines(all_tasks, device=CPU) | linear_scores(pixels, all_tasks, device=CPU)
    scores = {key.path: score for key, score in scores.items()}
    encoders = ("baseline/pixels", "baseline/mean_colour", "baseline/majority_class", "baseline/chance", "eval")
    assert {f"{encoder}/{task}" for encoder in encoders for task in sets} == set(scores)
    assert scores["eval/linear"]["top1"] == scores["baseline/pixels/linear"]["top1"]
    assert scores["baseline/chance/transfer/digits"]["top1"] == 1 / 10


@pytest.mark.parametrize("categories", [12, 24])
def test_nothing_leaks_through_mean_colour(categories):
    """A probe on the mean colour of a frame stays within eight points of chance."""
    images = small(train=3000, validation=1000, test=2000)
    task = world_task("MovingObjects-v0", images=images, seed=5, device=CPU, categories=categories)
    scores = linear_scores(mean_colour, {ScoreKey(): task}, device=CPU)
    assert scores[ScoreKey()]["top1"] <= 1 / categories + 0.08


def test_a_probe_of_a_block_is_the_probe_of_its_pooled_features(monkeypatch):
    """Neighbours are asked of the first test images; all else is done as at the top."""
    settings = read(
        ["env=counting", "env.size=16", "eval.train=60", "eval.validation=40", "eval.test=50", "device=cpu"]
    )
    monkeypatch.setitem(PROBES, "knn", replace(PROBES["knn"], block_images=20))
    evaluated, learner = evaluation.Evaluation(settings, CPU), learner_of(settings)
    scores = {str(key): score for key, score in evaluated.scores(learner, frames=0).items()}
    task = evaluated.tasks[ScoreKey()]
    labels = labels_of(task, CPU)
    features = encoded(lambda images: pooled(learner.encode_blocks(images)[1]), task, device=CPU)
    width = {"features": features.train.shape[1]}
    linear = ridge_probes(features, {"labels": labels})["labels"]
    assert scores["eval/blocks/block2"] == pytest.approx(linear | width)
    first = (of._replace(test=of.test[:20]) for of in (features, labels))
    assert scores["eval/blocks/knn/block2"] == knn_probe(*first, classes=task.classes) | width
    few = few_label_probes(features, labels, classes=task.classes)
    assert few
    for count, score in few.items():
        assert scores[f"eval/blocks/few/{count}/block2"] == score | width
    assert "eval/blocks/logistic/block2" not in scores
