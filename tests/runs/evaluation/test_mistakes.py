import numpy as np
import pytest
import torch

from runs.evaluation.features import LabelledImages
from runs.evaluation.mistakes import SHOWN, mistakes_of


def images(labels):
    shades = torch.arange(len(labels), dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 4, 4)
    return LabelledImages(shades, torch.tensor(labels))


def test_a_row_of_the_matrix_is_a_class_and_a_column_an_answer():
    labels, answered = [0, 0, 0, 1, 2, 2], [0, 2, 2, 1, 1, 2]
    kept = mistakes_of(torch.eye(3)[answered], images(labels))
    expected = np.zeros((3, 3), int)
    for label, answer in zip(labels, answered, strict=True):
        expected[label, answer] += 1
    assert np.array_equal(kept["confusion"], expected)


def test_the_worst_image_is_the_one_whose_own_class_falls_farthest_behind():
    answers = torch.tensor([[0.9, 0.1], [0.2, 0.7], [0.45, 0.55], [1.5, -0.5], [0.3, 0.6]])
    kept = mistakes_of(answers, images([1, 0, 0, 1, 1]))
    assert kept["worst"][:, 0, 0, 0].tolist()[:4] == [3, 0, 1, 2]
    assert kept["worst_labels"].tolist()[:4] == [1, 1, 0, 0]
    assert kept["worst_answers"].tolist()[:4] == [0, 0, 1, 1]
    assert kept["worst"].shape == (5, 4, 4, 3)


@pytest.mark.parametrize(("classes", "count"), [(3, 40), (256, 300)])
def test_no_more_images_than_are_shown_and_every_answer_counted(classes, count):
    labels = np.random.default_rng(0).integers(0, classes, count)
    kept = mistakes_of(torch.rand(count, classes, generator=torch.manual_seed(0)), images(labels.tolist()))
    assert len(kept["worst"]) == SHOWN
    assert kept["confusion"].sum() == count
    assert np.array_equal(kept["confusion"].sum(1), np.bincount(labels, minlength=classes))


def test_a_matrix_of_too_many_classes_is_not_kept():
    assert mistakes_of(torch.zeros(2, 257), images([0, 1])) == {}
