"""The probe `few`: what a few labels a class are enough for."""

from runs.evaluation.features import Split, ranks
from runs.evaluation.probes.registry import probe
from runs.evaluation.probes.ridge import Scores, ridge_probes

FEW = {1: 5, 10: 5, 100: 1}  # labels a class of the few-label probes, and how many sets of them; a score is their mean


@probe("few", every_block=True)
def few_label_probes(features: Split, labels: Split, *, classes: int) -> dict[str, Scores]:
    """The ridge probe with only so many labels a class: {"1": {top1, deviation}, "10": ...}.

    Mean and standard deviation over disjoint sets of training images; a number of labels that some class does not have
    is left out. Strengths are chosen on all validation images.
    """
    features = Split(features.train, features.validation.double(), features.test.double())  # once for all of them
    rank = ranks(labels.train)  # (M,) the how-manieth of its class an image is
    most = int(labels.train.bincount(minlength=classes).min())
    scores = {}
    for count, draws in FEW.items():
        tops, useless = [], []
        for draw in range(min(draws, most // count)):
            rows = (rank >= draw * count) & (rank < (draw + 1) * count)
            few = features._replace(train=features.train[rows]), labels._replace(train=labels.train[rows])
            each = ridge_probes(few[0], {"labels": few[1]})["labels"]
            tops.append(each["top1"])
            useless.append(each["degenerate"])
        if tops:
            mean = sum(tops) / len(tops)
            deviation = (sum((top - mean) ** 2 for top in tops) / max(len(tops) - 1, 1)) ** 0.5
            scores[str(count)] = {"top1": mean, "deviation": deviation, "degenerate": sum(useless) / len(useless)}
    return scores
