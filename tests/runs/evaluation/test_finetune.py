import os
import signal

import pytest
import torch
from rich.console import Console
from torch.nn.functional import conv2d, cross_entropy, max_pool2d

from learners.online import PROGRAM
from learners.run import learner_of
from runs.analysis.reading import load_numbers
from runs.analysis.summary import summary, summary_table
from runs.config.composing import read
from runs.evaluation import evaluation, finetune
from runs.evaluation.features import LabelledImages, Task
from runs.evaluation.finetune import Classifier, fine_tune
from runs.evaluation.probes.registry import linear_probe
from runs.launch import start as commands
from tests.helpers.learners import learner, same
from tests.helpers.online import SMALL, assert_same_run, outcome, run

CPU = torch.device("cpu")


def striped(count, seed):
    """Noise with faint stripes, whose class is whether they lie or stand; not where they begin."""
    draws = torch.Generator().manual_seed(seed)
    labels, phase = torch.randint(2, (2, count), generator=draws)
    noise = torch.randint(0, 225, (count, 3, 16, 16), generator=draws)
    lying = ((torch.arange(16)[:, None] + phase[:, None, None]) % 2).expand(-1, 16, 16)  # (count, 16, 16)
    stripes = torch.where(labels[:, None, None] == 0, lying, lying.transpose(1, 2))
    return LabelledImages((noise + 30 * stripes[:, None]).to(torch.uint8), labels)


def task(**counts):
    counts = {"train": 400, "validation": 100, "test": 200} | counts
    return Task("striped", *(striped(count, seed) for seed, count in enumerate(counts.values())), classes=2)


@pytest.fixture
def short(monkeypatch):
    """Few steps, and no pictures: for what does not depend on them."""
    shortened(monkeypatch)


def shortened(patch):
    patch.setattr(finetune, "STEPS", 6)
    patch.setattr(finetune, "LOOK", 2)
    patch.setattr(commands, "pictures", lambda *_: [])


def test_where_frozen_features_fail_fine_tuning_does_not(monkeypatch):
    monkeypatch.setattr(finetune, "STEPS", 200)
    encoder = learner("none")
    tuned = fine_tune(encoder, task(), seed=0, device=CPU)
    assert tuned.top1 > 0.9 > 0.8 > linear_probe(encoder.encode, task(), device=CPU)["top1"]
    assert tuned.lr in finetune.RATES
    assert 0 < tuned.epochs <= 200 / 8


@pytest.mark.parametrize("rule", ["rf", "dgl", "dtp", "sign"])
def test_a_copy_learns_by_true_gradients_and_the_learner_is_not_touched(rule):
    one = learner(rule)
    before = {name: value.clone() for name, value in one.network.state_dict().items()}
    images, labels = torch.rand(8, 3, 16, 16), torch.arange(8) % 2
    model = Classifier(one.trainable(), one.encode(images), classes=2)
    torch.nn.init.normal_(model.weight)
    cross_entropy(model(images), labels).backward()

    weights = [block[0].weight.detach().clone().requires_grad_() for block in one.network.blocks]
    x = (images - 0.5) * 4
    for weight in weights:
        x = max_pool2d(conv2d(x, weight, padding=1), 2).tanh()
    x = (x.permute(0, 2, 3, 1).flatten(1) - model.mean) / model.deviation
    cross_entropy(x @ model.weight.detach(), labels).backward()
    for block, weight in zip(model.encoder.blocks, weights, strict=True):
        assert torch.allclose(block[0].weight.grad, weight.grad, rtol=1e-4, atol=1e-6)
    assert same(before, one.network.state_dict())
    assert all(weight.grad is None for weight in one.network.parameters())


def test_fine_tuning_repeats_itself_and_leaves_what_training_depends_on(short):
    one, state = learner("rf"), torch.get_rng_state()
    before = learner("rf").state_dict()
    first, again = (fine_tune(one, task(), seed=0, device=CPU) for _ in range(2))
    assert first == again
    assert torch.equal(state, torch.get_rng_state())
    assert same(before, one.state_dict())


def test_test_images_play_no_part_in_the_choice(short):
    a, b = (fine_tune(learner("bp"), task(test=count), seed=0, device=CPU) for count in (200, 60))
    assert a[1:] == b[1:]
    assert a.top1 != b.top1


def test_of_all_copies_the_one_that_validates_best_is_scored(short):
    """As many looks as there are, by hand."""
    whole, one, scores = task(), learner("bp"), []
    labels = whole.validation.labels
    for rate in finetune.RATES:
        features = finetune.encode_images(one.encode, whole.train.images, device=CPU)
        model = Classifier(one.trainable(), features, classes=2)
        orders = finetune.batches(400, seed=0, name="striped", device=CPU)
        learning = {"orders": orders, "rate": rate, "steps": finetune.STEPS}
        for step in finetune.train_steps(model, whole.train.images, whole.train.labels, **learning):
            with torch.no_grad():
                logits = model(whole.validation.images / 255)
                tested = model(whole.test.images / 255).argmax(1) == whole.test.labels
            top1 = float((logits.argmax(1) == labels).float().mean())
            scores.append((top1, -float(cross_entropy(logits, labels)), rate, step / 8, float(tested.float().mean())))
    best = max(scores)
    assert len(scores) == 6
    assert fine_tune(one, whole, seed=0, device=CPU) == pytest.approx((best[4], best[0], *best[2:4]))


def test_a_stop_is_heeded_at_once(short):
    nothing = None  # is asked of an encoder
    assert fine_tune(nothing, task(), seed=0, device=CPU, stop=[signal.SIGINT]) is None


TUNED = [
    "learner=rf",
    "eval.probes=[linear]",
    "eval.ends=[finetune]",
    "run.frames=32",
    "eval.every=32",
    "watch.every=0",
]


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    place = tmp_path_factory.mktemp("straight")
    with pytest.MonkeyPatch.context() as patch:
        shortened(patch)
        run(place, "one", *TUNED)
    return place / "one"


def stopping(monkeypatch, number, how):
    """Ends the process' patience, gently or at once, in the middle of the fine-tuning of this number."""
    whole, begun = evaluation.fine_tune, []

    def fine_tune(encoder, *arguments, tell, **named):
        begun.append(None)

        def stop(text):
            if len(begun) == number:
                os.kill(os.getpid(), signal.SIGINT)
                if how == "at once":
                    raise KeyboardInterrupt
            tell(text)

        return whole(encoder, *arguments, tell=stop, **named)

    monkeypatch.setattr(evaluation, "fine_tune", fine_tune)


@pytest.mark.parametrize(
    ("number", "end", "how", "done"),
    [(2, 0, "gently", ["linear"]), (3, 32, "at once", []), (4, 32, "gently", ["linear"])],
)
def test_a_run_stopped_while_it_fine_tunes_goes_on_with_its_pending_tasks(
    tmp_path, monkeypatch, capsys, short, straight, number, end, how, done
):
    with monkeypatch.context() as patch:
        stopping(patch, number, how)
        if how == "gently":
            assert run(tmp_path, "halves", *TUNED) == 130
            assert "stopped and saved at 32 frames" in capsys.readouterr().out
        else:
            with pytest.raises(KeyboardInterrupt):
                run(tmp_path, "halves", *TUNED)
    assert outcome(tmp_path, "halves")[1]["frames"] == 32
    series = outcome(tmp_path, "halves")[2]
    last = {name for name, of in series.items() if "finetune" in name and end in of["frames"]}
    assert last == {f"eval/finetune/{name}" for name in done}
    overrides = [*SMALL, *TUNED, f"results_dir={tmp_path}", "run.name=halves"]
    assert commands.start_or_resume(overrides, varied=[], program=PROGRAM) == 0  # as a sweep that is begun again does
    assert_same_run(outcome(straight.parent, "one"), outcome(tmp_path, "halves"))
    assert "passed over" not in capsys.readouterr().out
    assert commands.start_or_resume(overrides, varied=[], program=PROGRAM) == 0
    assert "passed over" in capsys.readouterr().out


def test_fine_tuning_cannot_change_training(tmp_path, straight):
    run(tmp_path, "one", *TUNED, "eval.every=0")
    (sha, state, _), (untuned, other, _) = outcome(straight.parent, "one"), outcome(tmp_path, "one")
    assert sha == untuned
    assert same(state, other)


def test_both_ends_are_fine_tuned_and_shown_beside_the_probe(straight, capsys):
    shown = summary(straight)
    Console(width=100).print(summary_table(load_numbers(straight)))
    text = capsys.readouterr().out
    assert "fine-tuned on the task" in text
    assert "from scratch" in text
    curve = shown["eval"]["finetune"]["transfer"]["digits"]
    assert curve["frames"] == [0, 32]
    assert shown["baseline"]["random_encoder"]["finetune"]["transfer"]["digits"] == curve["top1"][0]
    series = outcome(straight.parent, "one")[2]["eval/finetune/linear"]
    assert set(series) == {"frames", "top1", "validation_top1", "lr", "epochs"}


def test_a_rule_of_ones_own_has_an_encoder_to_fine_tune():
    overrides = ["hydra.searchpath=[examples/conf]", "learner=perturbation", "env.size=16", "device=cpu"]
    one = learner_of(read(overrides))
    images = torch.rand(4, 3, 16, 16)
    assert torch.equal(one.trainable()(images), one.encode(images))
