"""What a probe is asked of a recording of pictures, and recordings of which nothing can be asked."""

from contextlib import closing
from dataclasses import asdict

import pytest
import torch

from envs.errors import SettingError
from runs.evaluation.recorded_tasks import recorded_task
from streams.recording.reader import Recording
from streams.recording.writer import Writer
from streams.sources import ImportedSettings
from streams.types import Frames


def written(tmp_path, factors, steps=40):
    """A recording of one world whose pixels are its steps."""
    writer = Writer(
        f"{tmp_path}/x.zarr", {"env": asdict(ImportedSettings(size=4)), "seed": 0, "gaze": "fixed"}, setting="path"
    )
    with closing(writer):
        writer.open(fresh=True)
        for step in range(steps):
            pixels = torch.full((1, 4, 4, 3), step, dtype=torch.uint8)
            writer.add(Frames(pixels, torch.tensor([step]), step, factors(step)))
        writer.commit()
    return f"{tmp_path}/x.zarr"


def asked(path):
    return recorded_task(path, images={"train": 20, "validation": 5, "test": 10}, seed=0, device=torch.device("cpu"))


def test_no_frame_is_in_two_splits_and_each_has_its_category(tmp_path):
    task = asked(written(tmp_path, lambda step: {"category": torch.tensor([step % 3])}))
    parts = [part.images[:, 0, 0, 0].long() for part in (task.train, task.validation, task.test)]
    assert [len(part) for part in parts] == [20, 5, 10]
    assert len(torch.cat(parts).unique()) == 35
    assert torch.equal(parts[0] % 3, task.train.labels)
    assert task.classes == 3


@pytest.mark.parametrize(
    ("factors", "line"),
    [
        (lambda _: {"angle": torch.tensor([1.0])}, "does not say of what category its frames are; set eval.every=0"),
        (lambda step: {"category": torch.tensor([-step])}, "shows categories from -.* to .*, and not 0, 1, 2"),
        (lambda step: {"category": torch.tensor([10**12 * step])}, "shows categories from .* to .*, and not 0, 1, 2"),
        (lambda step: {"category": torch.tensor([step / 2])}, "factors/category is not int64"),
        (lambda step: {"category": torch.tensor([[step]])}, "factors/category is not int64"),
    ],
)
def test_what_is_no_category_is_one_line(tmp_path, factors, line):
    with pytest.raises(SettingError, match=line):
        asked(written(tmp_path, factors))


def test_a_phase_is_a_whole_number(tmp_path):
    path = written(tmp_path, lambda step: {"phase": torch.tensor([step / 2])})
    with pytest.raises(SettingError, match="factors/phase is not int64"):
        Recording(path)


def test_categories_with_gaps_are_as_many_as_occur(tmp_path):
    task = asked(written(tmp_path, lambda step: {"category": torch.tensor([20_000 * (step % 3) + 7])}))
    assert task.classes == 3
    assert task.kinds == [7, 20_007, 40_007]
    kinds = torch.tensor(task.kinds)
    for part in (task.train, task.validation, task.test):
        steps = part.images[:, 0, 0, 0].long()
        assert torch.equal(kinds[part.labels], 20_000 * (steps % 3) + 7)
        assert torch.equal(kinds[part.labels], part.factors["category"])
