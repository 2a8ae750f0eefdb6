import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from envs.errors import SettingError
from runs.probes import STRENGTHS, LabelledImages, Task, chance, linear_probe, mean_colour, pixels, ridge

CPU = torch.device("cpu")


def labelled(count, seed, classes=3):
    """Pictures whose class is where a bright patch lies, among noise."""
    draws = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (count,), generator=draws)
    images = torch.randint(0, 120, (count, 3, 8, 8), generator=draws, dtype=torch.uint8)
    for row, label in enumerate(labels.tolist()):
        images[row, :, 2 * label : 2 * label + 2, 3:5] += 40
    return LabelledImages(images, labels)


def task(classes=3, **counts):
    counts = {"train": 300, "validation": 100, "test": 200} | counts
    return Task("toy", *(labelled(count, seed, classes) for seed, count in enumerate(counts.values())), classes)


@pytest.mark.parametrize(("rows", "columns"), [(80, 12), (30, 60)])
def test_ridge_is_scikit_learns_at_every_strength(rows, columns):
    draws = np.random.default_rng(0)
    x, labels = draws.normal(1, 2, (rows, columns)), draws.integers(4, size=rows)
    strengths = (1e-2, 1.0, 1e3)
    found = ridge(torch.from_numpy(x), torch.from_numpy(labels), classes=4, strengths=strengths)
    for weight, strength in zip(found, strengths, strict=True):
        oracle = Ridge(alpha=strength, solver="svd").fit(x, np.eye(4)[labels])
        assert np.allclose(weight[:-1].numpy(), oracle.coef_.T, atol=1e-8)
        assert np.allclose(weight[-1].numpy(), oracle.intercept_, atol=1e-8)


def test_a_probe_finds_what_is_there_and_not_what_is_not():
    assert linear_probe(pixels, task(), device=CPU).top1 > 0.9
    assert linear_probe(mean_colour, task(), device=CPU).top1 < 0.5


def test_strength_is_chosen_on_validation_images_alone():
    whole = task()
    other = whole._replace(test=labelled(50, 9))
    a, b = linear_probe(pixels, whole, device=CPU), linear_probe(pixels, other, device=CPU)
    assert (a.strength, a.validation_top1) == (b.strength, b.validation_top1)
    assert a.top1 != b.top1


def test_probes_draw_nothing():
    state = torch.get_rng_state()
    first, again = (linear_probe(pixels, task(), device=CPU) for _ in range(2))
    assert first == again
    assert torch.equal(state, torch.get_rng_state())


def test_chance_is_the_commonest_class():
    assert chance(task()) == pytest.approx(1 / 3, abs=0.1)


def test_a_task_of_one_class_is_refused():
    with pytest.raises(SettingError, match="toy shows one class only"):
        linear_probe(pixels, task(classes=1), device=CPU)


def test_the_strength_is_that_of_least_validation_error():
    toy = task(train=60)
    x, y = (part.images.flatten(1).double().numpy() / 255 for part in (toy.train, toy.validation))
    mean, deviation = x.mean(0), x.std(0, ddof=1)
    wanted = [np.eye(3)[part.labels] for part in (toy.train, toy.validation)]
    errors = {
        strength: np.square(
            Ridge(alpha=strength).fit((x - mean) / deviation, wanted[0]).predict((y - mean) / deviation) - wanted[1]
        ).sum()
        for strength in STRENGTHS
    }
    assert linear_probe(pixels, toy, device=CPU).strength == min(errors, key=errors.get)
