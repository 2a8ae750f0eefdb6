"""The probe `logistic`: multinomial logistic regression."""

from torch.nn.functional import cross_entropy

from runs.evaluation.features import Split
from runs.evaluation.probes.linear import logistic, read_out, top1
from runs.evaluation.probes.registry import probe
from runs.evaluation.probes.ridge import Fit, Scores, degenerate, search, standardised

LOGISTIC_STRENGTHS = (1e4, 1e3, 1e2, 1e1, 1.0)  # the same of logistic regression
LOGISTIC_STRONGER, LOGISTIC_WEAKER = (1e5, 1e6, 1e8), (0.1, 1e-2, 1e-3)


@probe("logistic", every_block=True)
def logistic_probe(features: Split, labels: Split, *, classes: int) -> Scores:
    """Multinomial logistic regression, each from where the last ended, at the strength of least validation loss."""
    x, ended = standardised(features), None

    def fit(strength: float) -> dict[str, Fit]:
        nonlocal ended
        tolerance = 0.01 * min(1.0, strength)  # a weak penalty slopes little, and would end where it began
        ended = logistic(x.train, labels.train, classes=classes, strength=strength, start=ended, tolerance=tolerance)
        validation = read_out(x.validation, ended)
        return {"": Fit(float(cross_entropy(validation, labels.validation)), strength, validation, ended)}

    beyond = {"stronger": LOGISTIC_STRONGER, "weaker": LOGISTIC_WEAKER}
    best = search(fit, LOGISTIC_STRENGTHS, **beyond)[""]
    tested = read_out(x.test, best.weights)
    return {
        "top1": top1(tested, labels.test),
        "validation_top1": top1(best.validation, labels.validation),
        "strength": best.strength,
        "degenerate": degenerate(best.strength, tested, **beyond),
    }
