"""Runs that nobody ran: folders with settings and numbers, for what reads them."""

from functools import cache
from pathlib import Path

from omegaconf import OmegaConf

from runs.folder import RunFolder
from runs.metrics import Metrics
from runs.settings import read

FRAMES = (0, 64, 128)


@cache
def _settings(learner: str):
    return OmegaConf.to_yaml(read(["env=counting", f"learner={learner}", "run.frames=128"]))


def fake_run(folder: Path, *, learner="bp", seed=0, gain=0.2, random=0.3, frames=FRAMES, **settings) -> Path:
    """A run whose linear score climbs from `random` by `gain`; `settings` as {dotted name with __ for dots: value}."""
    config = OmegaConf.create(_settings(learner))
    config.seed = seed
    for name, value in settings.items():
        OmegaConf.update(config, name.replace("__", "."), value)
    name = f"{learner}-seed{seed}"
    with RunFolder.create(folder, name, config, [f"learner={learner}", f"seed={seed}"]) as place:
        metrics = Metrics.create(
            place.metrics, {"run": name, "learner": learner, "loss": "hinge", "seed": seed, "device": "cpu"}
        )
        for task in ("linear", "transfer/digits"):
            for baseline, level in (("pixels", 0.2), ("mean_colour", 0.15), ("chance", 0.1)):
                metrics.add(f"baseline/{baseline}/{task}", 0, {"top1": level})
            for now in frames:
                top1 = random + gain * now / FRAMES[-1]
                metrics.add(f"eval/{task}", now, {"top1": top1, "validation_top1": top1, "strength": 1.0})
        for now in frames[1:]:
            metrics.add("train", now, {"loss": 1.0 - gain * now / FRAMES[-1]})
        metrics.commit(frames=frames[-1], updates=frames[-1] // 16, weights_sha256="0")
    return place.path
