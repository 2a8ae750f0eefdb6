"""Any encoder, also somebody else's, on the tasks of this project.

>>> runs.evaluate(lambda images: resnet(images), tasks=["world", "digits"], size=64)
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from envs.arguments import typed
from envs.devices import device as device_of
from envs.errors import SettingError, in_words_of, unknown
from envs.settings import world
from runs.evaluation import transfer
from runs.evaluation.evaluation import EvalSettings, baselines
from runs.evaluation.features import Encoder, Task, encoded
from runs.evaluation.probes.registry import find_probe, probe_scores, registered
from runs.evaluation.probes.ridge import Scores
from runs.evaluation.world_tasks import of_settings, world_task
from runs.scores import ScoreKey
from streams.pairing.features import FeaturesOf

OWN = "world"  # the task of the world's own categories
ARGUMENTS = {  # what the settings of a run are called here, in messages
    r"eval\.transfer=": "tasks=",
    r"eval\.transfer\b": "tasks",
    r"eval\.probes=": "probes=",
    r", or set eval\.download=true": "",
    r"eval\.(data_root|meshes|train|validation|test|seed)\b": r"\1",
    r"try env\.categories=(\d+)": r"try env_settings={'categories': \1}",
}


@typed
@in_words_of(ARGUMENTS)
def evaluate(
    encode: Encoder,
    tasks: str | Path | Sequence[str | Path] = (OWN,),
    *,
    probes: str | Sequence[str] = ("linear",),
    env: str = "moving_objects",
    env_settings: Mapping[str, Any] | None = None,
    size: int = 32,
    train: int = 8_000,
    validation: int = 1_000,
    test: int = 4_000,
    seed: int = 0,
    device: torch.device | str = "cpu",
    data_root: str | Path | None = None,
    meshes: str | Path | None = None,
    with_baselines: bool = False,
) -> dict[ScoreKey, Scores]:
    """The scores of an encoder on tasks, as runs score their own.

    Args:
        encode: images (B, 3, size, size) float in [0, 1] to features (B, D), on the device; arrays will do.
        tasks: `world` (the categories of `env`), names that eval.transfer takes (digits, unseen_categories, cifar10,
            ...), or paths of a .npz, .npy, Zarr, recording or folder of pictures.
        probes: those of the world: linear, knn, few, factors; on other tasks it is linear.
        env: the world; `env_settings` are others of its settings, without `env.`.
        size: pixels along an edge of the images.
        train: images that a probe learns from, at most.
        validation: images that its strength is chosen on, at most.
        test: images that it is scored on, at most.
        seed: of the images.
        data_root: folder of the data sets that `tasks` names.
        meshes: folder of meshes, whose sub-folders are categories, for the task `moving_meshes`.
        with_baselines: also those of raw pixels, mean colour, the commonest class and chance.

    Returns:
        By key, whose `path` is what metrics call it: {"top1": share of the test images that are right, ...}.

    Raises:
        SettingError: an unknown task or probe, data that is not there, or what is no features.
    """
    tasks = [tasks] if isinstance(tasks, str | Path) else tasks
    probes = [probes] if isinstance(probes, str) else probes
    for name, given in {"tasks": tasks, "probes": probes}.items():
        if not given:
            raise SettingError(f"{name}=[] leaves nothing to score; give 1 or more")
    for name, count in {"train": train, "validation": validation, "test": test}.items():
        if count < 1:
            raise SettingError(f"{name}={count} leaves nothing to score; give 1 or more")
    probes = [find_probe(name) for name in probes]
    for name in probes:
        if name not in registered():
            raise unknown("probes", name, registered())
    places = {"data_root": data_root and str(data_root), "meshes": meshes and str(meshes)}
    sizes = {"train": train, "validation": validation, "test": test}
    settings = _settings(env, dict(env_settings or {}) | {"size": size}, **places, **sizes, seed=seed)
    where, encode = device_of(device), FeaturesOf(encode)
    named = [str(task) for task in tasks if task != OWN]
    settings.eval.transfer = named
    transfer.check(settings, others=[OWN])
    scores: dict[ScoreKey, Scores] = {}
    if OWN in tasks:
        task = world_task(**of_settings(settings), device=where)
        chosen = [probe for name, probe in registered().items() if name in probes]
        scores |= _scores(encode, ScoreKey(), task, chosen, device=where, with_baselines=with_baselines)
    for name, task in transfer.load_all(settings, where)[0].items():
        linear = [registered()["linear"]]
        scores |= _scores(encode, ScoreKey(name), task, linear, device=where, with_baselines=with_baselines)
    return scores


def _scores(encode: Encoder, key: ScoreKey, task: Task, chosen, *, device, with_baselines: bool):
    features = encoded(encode, task, device=device)
    scores = probe_scores(features, task, probes=chosen, device=device)[0]
    scores = {replace(own, task=key.task): score for own, score in scores.items()}
    return scores | (baselines({key: task}, device=device) if with_baselines else {})


def _settings(env: str, values: dict[str, Any], **of_eval: Any) -> Any:
    given = EvalSettings(**{name: value for name, value in of_eval.items() if value is not None})
    return OmegaConf.create({"env": asdict(world(env, values)), "eval": asdict(given)})  # type: ignore[call-overload]
