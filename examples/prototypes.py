"""A probe of one's own: a function of features and labels under `runs.probe`.

python -m learners.online eval.probes=[linear,factors,examples.prototypes:prototypes]
python -m learners.online run.resume=results/NAME eval.probes=[linear,factors,examples.prototypes:prototypes]

Its score is kept, shown, compared and drawn like those of the other probes.
"""

import torch

import runs


@runs.probe("prototypes", label="nearest class mean")
def prototypes(features, labels, *, classes: int) -> dict[str, float]:
    """Each test image gets the class whose mean training feature is nearest (Snell et al. 2017, without learning).

    `features.train`, `.validation`, `.test` (M, D) are of the frozen encoder, `labels` (M,) int64 of the same images.
    """
    members = torch.nn.functional.one_hot(labels.train, classes).to(features.train)  # (M, K)
    means = (members.T @ features.train) / members.sum(0).clamp_min(1)[:, None]  # (K, D)
    nearest = torch.cdist(features.test, means).argmin(1)
    return {"top1": float((nearest == labels.test).float().mean())}
