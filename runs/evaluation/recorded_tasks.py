"""Recorded frames as a classification task, for recordings of which no world can show other frames."""

import numpy as np
import torch

from envs.errors import SettingError
from envs.images.pictures import MAX_LABEL
from runs.evaluation.features import LabelledImages, Task, numbered
from streams.recording.reader import Recording
from streams.replay.mixing import opened, shared
from streams.seeding import generator


def recorded_task(paths: str | list[str], *, images: dict[str, int], seed: int, device: torch.device) -> Task:
    """The categories of recorded frames: `images[split]` frames for each split, fewer where there are not so many.

    They are other frames of the same recording, so that where a category has one episode, as on a turntable, it is
    scored on other views of the objects that were learned from. They are a function of the seed.

    Raises SettingError: too few frames for three splits, or no categories.
    """
    recordings = opened(paths)
    names = [name for name in shared(recordings) if name.startswith("factors/")]
    if "factors/category" not in names:
        raise SettingError(f"stream.path={paths} does not say of what category its frames are; set eval.every=0")
    total = sum(one.committed * one.worlds for one in recordings)
    if total < len(images):
        raise SettingError(f"stream.path={paths} has {total} frames, too few to score on; set eval.every=0")
    order = torch.randperm(total, generator=generator(seed, "evaluation/recorded")).numpy()
    share, parts, past = min(1.0, total / sum(images.values())), [], 0
    for count in images.values():
        first, past = past, past + max(1, int(count * share))
        arrays = _frames(recordings, np.sort(order[first:past]), ["images", *names])
        factors = {name.removeprefix("factors/"): torch.from_numpy(arrays[name]).to(device) for name in names}
        pixels = torch.from_numpy(arrays["images"]).to(device).permute(0, 3, 1, 2)
        parts.append(LabelledImages(pixels, factors["category"], factors))
    kinds = torch.cat([part.labels for part in parts]).unique().tolist()
    if not 0 <= kinds[0] <= kinds[-1] <= MAX_LABEL:
        between = f"from {kinds[0]} to {kinds[-1]}"
        raise SettingError(f"stream.path={paths} shows categories {between}, and not 0, 1, 2 and so on")
    train, validation, test = (part._replace(labels=numbered(part.labels, kinds)) for part in parts)
    return Task("linear", train, validation, test, len(kinds), kinds=kinds)


def _frames(recordings: list[Recording], places: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
    """The frames at these places, counted through all recordings."""
    parts, first = [], 0
    for one in recordings:
        past = first + one.committed * one.worlds
        mine = places[(first <= places) & (places < past)] - first
        steps, worlds = mine // one.worlds, mine % one.worlds
        shown = ~one.masked(steps, worlds)
        parts.append(one.gather(steps[shown], worlds[shown], names=names))
        first = past
    return {name: np.concatenate([part[name] for part in parts]) for name in names}
