"""How far a run of the default world is from what labels give, and where; all of it on validation instances.

    python benchmarks/headroom.py settings           # one setting changed at a time: top-1, frames, updates and time
    python benchmarks/headroom.py labels             # what each network learns from 1,000, 8,000 and 64,000 labels
    python benchmarks/headroom.py lost RUN           # which categories, poses and lights the run RUN misses
    python benchmarks/headroom.py settings --frames 32_768 --only network=conv6,learner.lr=5e-4

Runs are those of runs/conf/experiment/headroom.yaml; further arguments are settings for all of them. Stopped,
`settings` and `labels` go on where they were. Copies that learn from labels, and readouts, are chosen by 1,000
validation images and scored on 4,000 others. Time is that of updates on this machine, in turns, in units of the
default's.
"""

import argparse
import statistics
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from machine import Row, call, in_turns, kept, markdown, noise_pairs, show
from matplotlib import rc_context
from matplotlib.figure import Figure
from torch import Tensor

from envs.errors import unknown
from envs.scene.motion import rotation_matrix
from envs.scene.settings import BACKGROUNDS
from learners import online
from learners.api import load
from learners.run import learner_of
from runs.analysis.figures import CURVE, QUIET, STYLE, save
from runs.analysis.reading import LoadedRun
from runs.analysis.reading import load as numbers_of
from runs.evaluation.features import Encoder, LabelledImages, Task, encode_images, encoded, labels_of
from runs.evaluation.finetune import RATES, TunedCopy, tuned_copy
from runs.evaluation.probes.factors import factor_targets
from runs.evaluation.probes.linear import top1
from runs.evaluation.probes.ridge import ridge_predictions, scored
from runs.evaluation.world_tasks import of_settings, world_task
from runs.scores import WORLD
from streams.process.errors import guarded
from streams.process.terminal import Terminal

CPU = torch.device("cpu")
CHANGES = {  # what is changed: to what; worlds and rows change together with updates, so that as many rows are drawn
    "rule": ("learner=bp", "learner=gll", "learner=rll", "learner=urf", "learner=dtp"),
    "loss": ("loss=barlow_twins", "loss=vicreg", "loss=ntxent", "loss=lpl", "loss=sfa"),
    "network": ("network=conv4", "network=conv6"),
    "gap": ("pairs.gap=1", "pairs.gap=2", "pairs.gap=8", "pairs.gap=16"),
    "worlds": ("env.num_worlds=32 memory.updates=2", "env.num_worlds=512 memory.updates=32"),
    "memory": ("memory.capacity=1024", "memory.capacity=4096", "memory=none"),
    "batch": ("memory.batch=16 memory.updates=16", "memory.batch=64 memory.updates=4"),
    "updates": ("memory.updates=2", "memory.updates=4", "memory.updates=16"),
    "learning rate law": ("learner.lr_schedule=inverse_sqrt learner.warmup=50",),
    "size of a step": ("learner.lr=2e-4", "learner.lr=5e-4", "learner.lr=2e-3"),
}
SEEDS = (0, 1, 2)  # of the default, whose spread says which differences mean something
STEPS = {8_000: 2_000, 1_000: 500, 64_000: 6_000}  # labels: steps of 50 images; the first choose the learning rate
ROUNDS = 7  # in which updates are timed
CHOOSING, SCORED = 1_000, 4_000  # validation images
PARTS = ("low", "middle", "high")  # thirds of the images


def settings(args: argparse.Namespace, given: list[str]) -> None:
    """Runs what is not there yet, one after another, and tells what each change is worth."""
    known = [to for each in CHANGES.values() for to in each]
    for name in args.only or ():
        if name not in known:
            raise unknown("--only", name, known)
    wanted = [("default", "", seed) for seed in SEEDS]
    wanted += [(what, to, 0) for what, each in CHANGES.items() for to in each if not args.only or to in args.only]
    rows = []
    for what, to, seed in wanted:
        group, name = f"headroom-{args.frames}", f"{to or 'default'}-seed{seed}".replace(" ", "-").replace("=", "-")
        where = f"results_dir={args.results}", f"run.group={group}", f"run.name={name}", f"seed={seed}"
        length = f"run.frames={args.frames}", f"eval.every={args.frames // 2}"
        call(online.main, "experiment=headroom", *where, *length, *to.split(), *given)
        rows.append({"what": what, "to": to, "seed": seed} | course(numbers_of(args.results / group / name)))
    base, costs = sum(row["top1"][-1] for row in rows[: len(SEEDS)]) / len(SEEDS), times(rows, given)
    for row in rows:
        row["time"] = costs[row["to"]] * row["updates"] / rows[0]["updates"]
    table = [(row["what"], row["to"] or f"seed {row['seed']}", *shown(row, base)) for row in rows]
    head = ("what", "changed to", "half-way", "at the end", "less default", "updates", "time")
    title = f"{args.frames:,} frames: linear probe on validation instances, top-1 %"
    notes = markdown(head, table)
    if args.figure:
        draw(rows, args.figure)
    show(f"headroom_{args.frames}", {"rows": rows, "default": base}, *notes, title=title, head=head, rows=table)


def course(run: LoadedRun) -> dict[str, Any]:
    """What a run scored, and when."""
    score = run.scores[WORLD]
    known = {"frames": score["frames"].tolist(), "top1": score["validation_top1"].tolist()}
    return known | {"updates": run.facts["updates"]}


def times(rows: list[dict[str, Any]], given: list[str]) -> dict[str, float]:
    """How many times as long as the default's an update of each takes, in turns; of greedy rules at the first block."""
    jobs: dict[str, Callable[[], object]] = {}
    for to in dict.fromkeys(row["to"] for row in rows):
        chosen = online.PROGRAM.read([*to.split(), *given, "device=cpu"])
        count = chosen.memory.batch if chosen.memory.name != "none" else chosen.env.num_worlds
        jobs[to] = partial(learner_of(chosen).update, noise_pairs(count, chosen.env.size))
    took = in_turns(jobs, rounds=ROUNDS)
    return {to: statistics.median(own / one for own, one in zip(took[to], took[""], strict=True)) for to in jobs}


def shown(row: dict[str, Any], base: float) -> Row:
    """The numbers of a row of the table."""
    *_, half, end = (100 * top1 for top1 in row["top1"])
    return f"{half:.1f}", f"{end:.1f}", f"{end - 100 * base:+.1f}", f"{row['updates']:,}", f"{row['time']:.2f}"


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """A row for each change: what it scores half-way (a ring) and at the end (a dot), and what it costs."""
    seeds = [100 * row["top1"][-1] for row in rows if not row["to"]]
    changed = [row for row in rows if row["to"]][::-1]
    heights = range(len(changed))
    with rc_context(STYLE):
        figure = Figure(figsize=(8.2, 0.7 + 0.24 * len(changed)), layout="constrained")
        scores, costs = figure.subplots(1, 2, sharey=True, width_ratios=(2, 1))
        scores.axvspan(min(seeds), max(seeds), color=QUIET, alpha=0.2, lw=0)
        for height, row in zip(heights, changed, strict=True):
            *_, half, end = (100 * top1 for top1 in row["top1"])
            scores.plot([half, end], [height, height], color=CURVE, lw=1, alpha=0.5)
            scores.plot(half, height, "o", mfc="white", mec=CURVE, markersize=4)
            scores.plot(end, height, "o", color=CURVE, markersize=5)
        costs.axvline(1, color=QUIET, lw=1, ls=":")
        costs.plot([row["time"] for row in changed], heights, "o", color=CURVE, markersize=5)
        costs.set_xscale("log", base=2)
        costs.xaxis.set_major_formatter("{x:g}")
        scores.set_yticks(heights, [row["to"] for row in changed])
        scores.tick_params(axis="y", length=0)
        costs.tick_params(axis="y", length=0)
        scores.set_ylim(-0.6, len(changed) - 0.4)
        scores.set_title("half-way (ring), at the end; grey: the default", loc="left", fontsize=9)
        costs.set_title("time", loc="left", fontsize=9)
        scores.set_xlabel("linear probe top-1 (%)")
        costs.set_xlabel("in the default's")
        save(figure, path)


def labels(args: argparse.Namespace, given: list[str]) -> None:
    """Teaches every network the categories from labels alone; each score is kept as it comes."""
    scores: dict[str, Any] = {} if args.anew else kept("headroom_labels").get("scores", {})
    for network in args.networks.split(","):
        chosen = online.PROGRAM.read([f"network={network}", "device=cpu", *given])
        for count, steps in STEPS.items():
            key = f"{network}/{count}"
            if key not in scores:
                rates = (scores[f"{network}/8000"]["lr"],) if count != 8_000 else RATES
                model, *of = taught(chosen, task := task_of(chosen, count), steps=steps, rates=rates)
                scores[key] = dict(zip(("validation_top1", "lr", "epochs"), of, strict=True))
                scores[key] |= {"top1": top1(logits_of(model, task), task.test.labels), "steps": steps}
            rows = [
                (*name.split("/"), f"{100 * of['top1']:.1f}", f"{of['epochs']:.1f}", f"{of['lr']:g}")
                for name, of in scores.items()
            ]
            head = ("network", "labels", "top-1 %", "epochs", "learning rate")
            title = "Networks that learn from labels, on validation instances"
            show("headroom_labels", {"scores": scores}, *markdown(head, rows), title=title, head=head, rows=rows)


def lost(args: argparse.Namespace, given: list[str]) -> None:
    """Sets a run's probe beside the random encoder's and a copy that learned from as many labels, part by part."""
    random, trained = load(args.run, frames=0), load(args.run)
    chosen = online.PROGRAM.read([f"network={trained.settings['network.name']}", "device=cpu", *given])
    task = task_of(chosen, 8_000)
    model = taught(chosen, task, steps=STEPS[8_000])[0]
    read = [encoded(encoder, task, device=CPU) for encoder in (random, trained, model.encoder)]
    own = {"": labels_of(task, CPU)}
    answers = [ridge_predictions(features, own)[""].test for features in read[:2]]
    right = [(each.argmax(1) == task.test.labels).double() for each in (*answers, logits_of(model, task))]
    results: dict[str, Any] = {"run": str(args.run), "parts": {}, "factors": {}}
    for what, part, rows in parts_of(task.test, task.class_names):
        results["parts"][f"{what}: {part}"] = [float(each[rows].mean()) for each in right] + [int(rows.sum())]
    targets = factor_targets(task, device=CPU)
    for features in read:
        for name, of in ridge_predictions(features, targets).items():
            score = scored(of, targets[name])
            results["factors"].setdefault(name, []).append(score.get("top1", score.get("r2")))
    head = ("", "images", "random", "run", "labels", "lost")
    table = [
        (part, f"{images:,}", *(f"{100 * each:.1f}" for each in of), f"{100 * (of[2] - of[1]):.1f}")
        for part, (*of, images) in results["parts"].items()
    ]
    table += [(f"reads {name}", "", *(f"{each:.2f}" for each in of), "") for name, of in results["factors"].items()]
    title = "Top-1 % on validation instances, by part; below, what else is read off (share right, or R2)"
    show("headroom_lost", results, *markdown(head, table), title=title, head=head, rows=table)


def task_of(settings, count: int) -> Task:
    """So many labelled images of training instances; validation instances choose, and others of them are scored."""
    sizes = {"train": count, "validation": CHOOSING + SCORED, "test": settings.env.categories}
    whole = world_task(**of_settings(settings) | {"images": sizes}, device=CPU)
    choosing, others = (part_of(whole.validation, rows) for rows in (slice(CHOOSING), slice(CHOOSING, None)))
    return whole._replace(validation=choosing, test=others)


def part_of(images: LabelledImages, rows: slice) -> LabelledImages:
    """Some of the images."""
    factors = {name: of[rows] for name, of in images.factors.items()}
    return LabelledImages(images.images[rows], images.labels[rows], factors)


def taught(settings, task: Task, *, steps: int, rates: Sequence[float] = RATES) -> TunedCopy:
    """The copy of a network at its random start that learned the task best from labels, as `tuned_copy` returns it."""
    tell = partial(Terminal().print, settings.network.name)
    copy = tuned_copy(learner_of(settings), task, seed=0, device=CPU, steps=steps, rates=rates, tell=tell)
    assert copy  # nothing stops it
    return copy


def logits_of(classify: Encoder, task: Task) -> Tensor:
    """What a copy that learned from labels says (M, K) of the test images."""
    return encode_images(classify, task.test.images, device=CPU)


def parts_of(images: LabelledImages, names: list[str]) -> Iterator[tuple[str, str, Tensor]]:
    """What images are grouped by, a group, and which are in it, bool (M,)."""
    of = images.factors
    yield "all", "", torch.ones_like(images.labels, dtype=torch.bool)
    for label, name in enumerate(names):
        yield "category", name, images.labels == label
    front = rotation_matrix(of["orientation"])[
        ..., 2
    ]  # where the object's front looks, in the eye's frame; z to the eye
    turned = torch.atan2(front[:, 0], front[:, 2]).abs().rad2deg()
    for name, low, high in (("front", 0, 45), ("side", 45, 135), ("back", 135, 181)):
        yield "seen from", name, (low <= turned) & (turned < high)
    numbers = {
        "distance": of["distance"],
        "from the middle": of["bearing"].norm(dim=1),
        "light intensity": of["light_intensity"],
        "light from the eye": of["light_direction"][:, 2],
    }
    for what, values in numbers.items():
        edges = values.flatten().double().quantile(torch.tensor([1 / 3, 2 / 3], dtype=torch.float64))
        third = torch.bucketize(values.flatten().double(), edges)
        for number, name in enumerate(PARTS):
            yield what, name, third == number
    for kind in of["background"].unique().tolist():
        yield "background", BACKGROUNDS[kind], of["background"] == kind


def main() -> None:
    """Answers one question, and keeps benchmarks/results/headroom_*.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    questions = parser.add_subparsers(required=True, metavar="settings|labels|lost")
    one = questions.add_parser("settings", help=settings.__doc__)
    one.add_argument("--frames", type=int, default=8_192, help="that each run sees")
    one.add_argument("--only", type=lambda text: text.split(","), help="of the changes, with commas between")
    one.add_argument("--figure", type=Path, help="where to draw it: .png, .pdf or .svg")
    one.add_argument("--results", type=Path, default=Path("results"), help="folder of the runs")
    two = questions.add_parser("labels", help=labels.__doc__)
    two.add_argument("--networks", default="conv4,conv5,conv6", help="with commas between")
    two.add_argument("--anew", action="store_true", help="those that are known as well")
    three = questions.add_parser("lost", help=lost.__doc__)
    three.add_argument("run", type=Path, help="the folder of a run of the default world")
    for parts, question in ((one, settings), (two, labels), (three, lost)):
        parts.set_defaults(question=question)
    args, given = parser.parse_known_args()
    guarded(args.question, args, given, place="--results", stopped="the same command goes on where it was")


if __name__ == "__main__":
    main()
