"""Runs that nobody ran: folders with settings and numbers, for what reads them."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from omegaconf import OmegaConf

from runs.config.composing import read
from runs.evaluation.features import LabelledImages
from runs.evaluation.mistakes import mistakes_of
from runs.store.folder import RunFolder
from runs.store.metrics import Metrics
from runs.store.preview import save_preview

FRAMES = (0, 64, 128)
LEVELS = {"pixels": 0.2, "mean_colour": 0.15, "majority_class": 0.1, "chance": 0.05}


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
            place.metrics,
            {"run": name, "learner": learner, "loss": "hinge", "seed": seed, "device": "cpu"},
            run_id=place.run_id,
        )
        for task in ("linear", "transfer/digits"):
            for encoder, level in LEVELS.items():
                metrics.add(f"baseline/{encoder}/{task}", 0, {"top1": level})
            for now in frames:
                top1 = random + gain * now / FRAMES[-1]
                metrics.add(f"eval/{task}", now, {"top1": top1, "validation_top1": top1, "strength": 1.0})
        for now in frames[1:]:
            metrics.add("train", now, {"loss": 1.0 - gain * now / FRAMES[-1]})
        metrics.commit(frames=frames[-1], updates=frames[-1] // 16, weights_sha256="0")
    return place.path


def furnished(path: Path, *, ended=True) -> Path:
    """The same run with all else that a run may have measured, and a preview where it has come to its end."""
    random = np.random.default_rng(0)
    with RunFolder.open(path) as place:
        metrics = Metrics.open(place.metrics, cut_to=FRAMES[-1])
    labels = random.integers(0, 4, 24)
    images = random.integers(0, 256, (24, 8, 8, 3)).astype(np.uint8)
    metrics.show_samples({"images": images, "labels": labels})
    for now in FRAMES:
        done = now / FRAMES[-1]
        for block in (1, 2):
            watched = {"effective_rank": 40 - 5 * block * done, "update_norm": 0.1}
            watched |= {"positive_distance": 2.0 - done, "negative_distance": 3.0 + block * done}
            metrics.add(f"watch/block{block}", now, watched)
            metrics.add(f"alignment/block{block}", now, {"own_gradient": 0.9 - 0.1 * done, "top_gradient": 0.5})
            metrics.add(f"eval/blocks/block{block}", now, {"top1": 0.3 + 0.1 * done})
            metrics.add(f"eval/blocks/knn/block{block}", now, {"top1": 0.2 + 0.1 * block * done})
            metrics.add(f"eval/blocks/few/10/block{block}", now, {"top1": 0.1 + 0.05 * done, "deviation": 0.01})
        metrics.add("eval/factors/position", now, {"r2": 0.6 - 0.2 * done})
        metrics.add("eval/factors/light_direction", now, {"r2": 0.2})
        for task in ("linear", "transfer/digits"):
            if now in (0, FRAMES[-1]):
                tuned = {"top1": 0.5 + 0.25 * done, "validation_top1": 0.7, "lr": 1e-3, "epochs": 12.5}
                metrics.add(f"eval/finetune/{task}", now, tuned)
        metrics.add("samples", now, {"embeddings": random.normal(size=(24, 6)).astype(np.float16)})
        if now in (0, FRAMES[-1]):
            answers = torch.from_numpy(random.normal(size=(24, 4)))
            pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
            metrics.add("mistakes/linear", now, mistakes_of(answers, LabelledImages(pixels, torch.from_numpy(labels))))
    metrics.name_classes({"linear": ["mug", "chair", "car", "fish"]})
    metrics.commit()
    pixels = random.integers(0, 256, (2, 3, 8, 8, 3)).astype(np.uint8)
    if ended:
        save_preview(place.metrics, stride=4, strip=pixels, first=pixels[0], second=pixels[1], gap=np.array([4, 2, 4]))
    return path
