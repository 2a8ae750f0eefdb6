import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss

from envs.errors import SettingError
from runs.evaluation.features import PLAIN, LabelledImages, Split, Task, majority_class
from runs.evaluation.probes.few_labels import few_label_probes
from runs.evaluation.probes.knn import knn_probe
from runs.evaluation.probes.logistic import LOGISTIC_STRENGTHS, LOGISTIC_STRONGER, LOGISTIC_WEAKER, logistic_probe
from runs.evaluation.probes.registry import linear_probe
from runs.evaluation.probes.ridge import STRENGTHS, STRONGER, Fit, degenerate, ridge_probes, search, standardised

CPU = torch.device("cpu")
pixels, mean_colour = PLAIN.values()


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


def toy_features(counts=(120, 60, 90), classes=3, features=10, seed=0):
    """Clouds that overlap, one a class."""
    draws = np.random.default_rng(seed)
    middles = 2 * draws.normal(size=(classes, features))
    labels = [draws.permutation(np.arange(count) % classes) for count in counts]
    points = [middles[label] + 2 * draws.normal(size=(len(label), features)) for label in labels]
    return Split(*map(torch.from_numpy, points)), Split(*map(torch.from_numpy, labels))


def test_a_probe_finds_what_is_there_and_not_what_is_not():
    assert linear_probe(pixels, task(), device=CPU)["top1"] > 0.9
    assert linear_probe(mean_colour, task(), device=CPU)["top1"] < 0.5


def test_strength_is_chosen_on_validation_images_alone():
    whole = task()
    other = whole._replace(test=labelled(50, 9))
    a, b = linear_probe(pixels, whole, device=CPU), linear_probe(pixels, other, device=CPU)
    assert (a["strength"], a["validation_top1"]) == (b["strength"], b["validation_top1"])
    assert a["top1"] != b["top1"]


def test_probes_draw_nothing():
    state = torch.get_rng_state()
    first, again = (linear_probe(pixels, task(), device=CPU) for _ in range(2))
    assert first == again
    assert torch.equal(state, torch.get_rng_state())


def test_the_majority_class_is_the_commonest():
    assert majority_class(task()) == pytest.approx(1 / 3, abs=0.1)


def test_a_task_of_one_class_is_refused():
    with pytest.raises(SettingError, match="toy shows one class only"):
        linear_probe(pixels, task(classes=1), device=CPU)


def test_the_strength_is_that_of_least_validation_error():
    toy = task(train=60)
    x, y = (part.images.flatten(1).double().numpy() / 255 for part in (toy.train, toy.validation))
    mean, deviation = x.mean(0), x.std(0, ddof=1)
    targets = [np.eye(3)[part.labels] for part in (toy.train, toy.validation)]
    errors = {
        strength: np.square(
            Ridge(alpha=strength).fit((x - mean) / deviation, targets[0]).predict((y - mean) / deviation) - targets[1]
        ).sum()
        for strength in STRENGTHS
    }
    assert linear_probe(pixels, toy, device=CPU)["strength"] == min(errors, key=errors.get)


def test_the_logistic_strength_is_that_of_least_validation_loss():
    features, labels = toy_features()
    x = standardised(features)
    fits = {
        strength: LogisticRegression(C=1 / strength, tol=1e-10, max_iter=9999).fit(x.train, labels.train)
        for strength in LOGISTIC_STRENGTHS + LOGISTIC_WEAKER
    }
    losses = {strength: log_loss(labels.validation, fit.predict_proba(x.validation)) for strength, fit in fits.items()}
    scores = logistic_probe(features, labels, classes=3)
    best = min(losses, key=losses.get)
    assert scores["strength"] == best
    assert scores["top1"] == pytest.approx(fits[best].score(x.test, labels.test), abs=1e-6)
    assert scores["validation_top1"] == pytest.approx(fits[best].score(x.validation, labels.validation), abs=1e-6)


def test_everything_read_off_at_once_is_what_is_read_off_alone():
    features, labels = toy_features()
    place = Split(*(part[:, :2] + 1 for part in features))
    both = ridge_probes(features, {"labels": labels, "place": place})
    assert both["labels"] == pytest.approx(ridge_probes(features, {"labels": labels})["labels"])
    assert both["place"] == pytest.approx(ridge_probes(features, {"place": place})["place"])
    assert both["place"]["r2"] > 0.999  # two of the features themselves
    noise = Split(*(torch.randn(len(part), 2, generator=torch.Generator().manual_seed(4)) for part in features))
    assert ridge_probes(features, {"noise": noise})["noise"]["r2"] < 0.1


def test_more_labels_help_and_what_a_class_lacks_is_left_out():
    features, labels = toy_features()
    scores = few_label_probes(features, labels, classes=3)
    assert list(scores) == ["1", "10"]  # no class has 100
    assert scores["1"]["top1"] < scores["10"]["top1"] < ridge_probes(features, {"all": labels})["all"]["top1"] + 0.05
    assert scores["1"]["deviation"] > 0
    some = torch.cat([torch.nonzero(labels.train == label)[:1] for label in range(3)])[:, 0]
    first = features._replace(train=features.train[some]), labels._replace(train=labels.train[some])
    alone = few_label_probes(*first, classes=3)["1"]
    assert alone["top1"] == ridge_probes(first[0], {"all": first[1]})["all"]["top1"]


def test_neighbours_of_the_same_class_are_found():
    assert knn_probe(*toy_features(), classes=3)["top1"] > 0.8


def misleading():
    """Features that say one class in training images and the next one in all others."""
    labels = Split(*(torch.arange(count) % 6 for count in (200, 100, 100)))
    return Split(*map(one_hot, (labels[0], labels[1] + 1, labels[2] + 1))), labels


def one_hot(labels):
    return torch.nn.functional.one_hot(labels % 6, 6).double()


def test_a_probe_that_finds_nothing_is_at_the_edge_of_its_strengths_and_says_so():
    features, labels = misleading()
    scores = ridge_probes(features, {"labels": labels})["labels"]
    assert (scores["strength"], scores["degenerate"]) == (STRONGER[-1], 1)
    scores = logistic_probe(features, labels, classes=6)
    assert (scores["strength"], scores["degenerate"]) == (LOGISTIC_STRONGER[-1], 1)
    assert few_label_probes(features, labels, classes=6)["10"]["degenerate"] == 1


def errors_least_at(best, tried):
    """A readout whose error is least at a strength."""

    def fit(strength):
        tried.append(strength)
        distances = {name: abs(np.log10(strength) - np.log10(one)) for name, one in best.items()}
        return {name: Fit(distance, strength, torch.zeros(1), torch.zeros(1)) for name, distance in distances.items()}

    return fit


@pytest.mark.parametrize(
    ("best", "found", "tried"),
    [
        ({"a": 1e3}, {"a": 1e3}, [1e4, 1e3, 1e2]),
        ({"a": 1e6}, {"a": 1e6}, [1e4, 1e3, 1e5, 1e6, 1e7]),
        ({"a": 1e9}, {"a": 1e7}, [1e4, 1e3, 1e5, 1e6, 1e7]),
        ({"a": 1e0}, {"a": 1e0}, [1e4, 1e3, 1e2, 1e1, 1e0]),
        ({"a": 1e-9}, {"a": 1e0}, [1e4, 1e3, 1e2, 1e1, 1e0]),
        ({"a": 1e5, "b": 1e2}, {"a": 1e5, "b": 1e2}, [1e4, 1e3, 1e2, 1e5, 1e6, 1e1]),
    ],
)
def test_a_choice_at_the_edge_widens_the_grid_and_one_within_does_not(best, found, tried):
    asked = []
    beyond = {"stronger": (1e5, 1e6, 1e7), "weaker": (1e1, 1e0)}
    fits = search(errors_least_at(best, asked), (1e4, 1e3, 1e2), **beyond)
    assert {name: fit.strength for name, fit in fits.items()} == found
    assert asked == tried


def test_strengths_within_the_grid_are_chosen_as_they_were():
    scores = linear_probe(pixels, task(train=60), device=CPU)
    assert STRENGTHS[-1] < scores["strength"] < STRENGTHS[0]
    assert scores["degenerate"] == 0


def test_a_probe_that_gives_one_answer_says_little_whatever_its_strength():
    one = torch.tensor([[0.4, 0.3, 0.3]]).repeat(200, 1)
    assert degenerate(1e3, one) == 1
    one[:2] = one[:2].flip(1) + torch.tensor([0.0, 0.0, 1.0])
    assert degenerate(1e3, one) == 1  # two in two hundred
    one[2:40] = one[2:40] + torch.tensor([0.0, 1.0, 0.0])
    assert degenerate(1e3, one) == 0
    assert degenerate(1e3, None) == 0  # of numbers, which have no classes
