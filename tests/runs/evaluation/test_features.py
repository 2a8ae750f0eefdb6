import pytest
import torch

from runs.evaluation.features import LabelledImages, Task, majority_class, numbered, pooled, ranks


def test_the_majority_class_is_the_commonest_of_training():
    images = torch.zeros(6, 3, 2, 2, dtype=torch.uint8)
    train, test = (LabelledImages(images, torch.tensor(labels)) for labels in ([0, 2, 2, 2, 1, 1], [1, 1, 1, 2, 2, 0]))
    assert majority_class(Task("toy", train, train, test, classes=3)) == pytest.approx(1 / 3)


def test_blocks_are_pooled_to_the_largest_grid_that_fits():
    draws = torch.Generator().manual_seed(0)
    small, large = torch.rand(2, 64, 4, 4, generator=draws), torch.rand(2, 32, 16, 16, generator=draws)
    assert torch.equal(pooled(small), small.permute(0, 2, 3, 1).flatten(1))
    assert pooled(large).shape == (2, 5 * 5 * 32)
    assert torch.allclose(pooled(large).reshape(2, 25, 32).mean(1), large.mean((2, 3)), atol=0.05)
    assert pooled(torch.rand(2, 2048, 2, 2, generator=draws)).shape == (2, 2048)


def test_rows_are_counted_within_their_label_whatever_its_number():
    labels = torch.tensor([5, 20_000, 5, 5, 10**9, 20_000])
    assert ranks(labels).tolist() == [0, 0, 1, 2, 0, 1]
    assert numbered(labels, [5, 20_000, 10**9]).tolist() == [0, 1, 0, 0, 2, 1]
