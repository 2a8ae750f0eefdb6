"""A run that leaves the finite numbers is stopped before a mean, a score or a checkpoint of it is kept."""

import torch
from torch import Tensor

from envs.errors import SettingError
from runs.store.checkpoint import newest
from streams.process.ranks import OWN_ROWS


def check_finite(run, folder, metrics) -> None:
    """Called where numbers are due, so that nothing waits for the device in between.

    `run` has `means`, `learner`, `settings`, `frames`, `updates` and `ranks`. What the metrics know is written down
    first.

    Raises SettingError: a loss since the last call, or a weight, is NaN or infinite: which block's, at which update, on
    which of several ranks, and the newest checkpoint, which is from before.
    """
    found = [(*bad, rank) for rank, bad in enumerate(run.ranks.gather(_first_bad(run))) if bad]
    if not found:
        return
    update, _, what, value, rank = min(found, key=lambda bad: (bad[0], not bad[1]))
    what += f" on rank {rank}" if run.ranks.size > 1 else ""
    metrics.commit()
    rates = [f"learner.{name}={rate}" for name, rate in run.settings.learner.items() if name in ("lr", "inverse_lr")]
    raise SettingError(
        f"{what} became {value} at update {update:,} (seen at {run.frames:,} frames); the last good checkpoint is "
        f"{newest(folder.checkpoints)}; {' or '.join(rates)} may be too high: begin again with less"
    )


def _first_bad(run) -> tuple[int, bool, str, float | str] | None:
    """Of this rank: at which update, whether it began in its own rows, what, and its value."""
    bad = run.means.first_bad()
    if bad:
        name, value, ago = bad
        block = name if "/" in name else f"block{len(run.learner.network.blocks)}/{name}"  # at the top
        own = name.endswith(OWN_ROWS)
        what = block.replace(OWN_ROWS, "embedding").replace("/", "'s ").replace("_", " ")
        return run.updates - ago, own, what, value
    name = first_bad_weight(run.learner.network.state_dict())
    if name is None:
        return None
    part, number, _ = name.split(".", 2)
    return run.updates, False, f"{part.removesuffix('s')}{int(number) + 1}'s weights", "nan or inf"


def first_bad_weight(weights: dict[str, Tensor]) -> str | None:
    """The first of named tensors with an element that is NaN or infinite; None where all are sound."""
    sound = torch.stack([weight.isfinite().all() for weight in weights.values()]).tolist()
    return next((name for name, fine in zip(weights, sound, strict=True) if not fine), None)
