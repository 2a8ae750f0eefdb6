import pytest
import torch

from envs.errors import SettingError
from runs.transfer import load


def test_digits_come_in_three_parts_that_share_no_image():
    task = load("digits", size=24)
    parts = [task.train, task.validation, task.test]
    assert [len(part.labels) for part in parts] == [500, 297, 1000]
    assert all(part.images.shape[1:] == (3, 24, 24) and part.images.dtype == torch.uint8 for part in parts)
    assert all(part.labels.bincount(minlength=10).min() > 8 for part in parts)
    assert all(torch.equal(part.images[:, 0], part.images[:, 2]) for part in parts)


def test_digits_are_the_same_every_time():
    first, again = load("digits", size=16), load("digits", size=16)
    assert torch.equal(first.test.images, again.test.images)


def test_an_unknown_set_is_named_with_the_near_miss():
    with pytest.raises(SettingError, match="eval.transfer=digit is unknown; did you mean digits"):
        load("digit", size=16)
