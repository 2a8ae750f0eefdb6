"""What a report shows of the numbers of runs: charts and a table. What was not measured is left out."""

from typing import Any

import numpy as np

from runs.analysis.bootstrap import interval
from runs.analysis.figures import title_of
from runs.analysis.reading import MEASURES, Found, baseline, measure, scored
from runs.compare import BASELINES
from runs.page.charts import Level, Line, line_chart

SCALE = {"top1": 100, "r2": 1}  # of a score as it is shown
FRAMES = "world frames seen (thousands)"
WORDS = {"knn": "k-NN", "logistic": "logistic regression", "linear": "linear probe"}
LABELS = {"pixels": "raw pixels"}  # of baselines whose name does not say it
INSIDE = {  # series of the watch: what it is
    "effective_rank": "Effective rank of each block's output",
    "positive_distance": "Mean distance of a pair's two embeddings",
    "negative_distance": "Mean distance of embeddings of different episodes",
    "weight_norm": "Norm of the weights",
    "update_norm": "Norm of one update",
    "own_gradient": "Update · gradient of the rule's own loss (cosine)",
    "top_gradient": "Update · gradient of the loss at the top (cosine)",
    "feedback": "Feedback · forward weights (cosine)",
    "head_feedback": "Feedback · forward weights, in the head (cosine)",
}


def curves(groups: dict[str, list[Found]]) -> list[dict[str, str]]:
    """Scores over time, a chart for each task and a line for each group; the loss last."""
    runs = [run for group in groups.values() for run in group]
    tasks = [task for task in scored(runs[0], ("linear", "transfer/*")) if all(task in scored(run) for run in runs)]
    charts = [_scores(groups, task) for task in tasks]
    if all("train" in run.series for run in runs):
        lines = [over_time(name, [run.series["train"] for run in group], "loss") for name, group in groups.items()]
        charts += chart("Training loss", lines)
    return charts


def _scores(groups: dict[str, list[Found]], task: str) -> dict[str, str]:
    runs = [run for group in groups.values() for run in group]
    kind, title = measure(runs[0].series[f"eval/{task}"]), title_of(task)
    lines = [over_time(name, [run.series[f"eval/{task}"] for run in group], kind) for name, group in groups.items()]
    levels = {name: np.mean([baseline(run, name, task) for run in runs]) for name in BASELINES}
    found = [Level(label(name), SCALE[kind] * level) for name, level in levels.items() if np.isfinite(level)]
    return chart(title, lines, found, unit=unit(kind))[0]


def every_score(run: Found) -> dict[str, Any] | None:
    """A table of all scores where they were first and last measured, with what the baselines reach."""
    tasks = scored(run)
    if not tasks:
        return None
    others = [name for name in BASELINES[1:] if any(np.isfinite(baseline(run, name, task)) for task in tasks)]
    lines = []
    for task in tasks:
        series = run.series[f"eval/{task}"]
        kind = measure(series)
        first, last = (shown(float(series[kind][at]), kind) for at in (0, -1))
        levels = [shown(baseline(run, name, task), kind) for name in others]
        lines.append([in_words(task), unit(kind), last if len(series["frames"]) > 1 else "", first, *levels])
    return {"head": ["", "last", "first", *(label(name) for name in others)], "rows": lines}


def in_words(task: str) -> str:
    """`few/10` as it would be said."""
    kind, _, name = task.partition("/")
    if kind == "few":
        return f"{name} label{'s' if name != '1' else ''} a class"
    if kind == "blocks":
        probe, _, block = name.rpartition("/")
        return f"{in_words(probe or 'linear')}, {block.replace('block', 'block ')}"
    if kind == "finetune":
        return "fine-tuned" if name == "linear" else f"fine-tuned: {in_words(name.removeprefix('transfer/'))}"
    return WORDS.get(task, f"{'transfer: ' if kind == 'transfer' else ''}{name or kind}".replace("_", " "))


def block_scores(run: Found) -> list[dict[str, str]]:
    """A chart for each probe of all blocks, a line for each of the moments when it was made: the first and the last."""
    kinds: dict[str, list[str]] = {}
    for task in scored(run, ("blocks/*",)):
        kinds.setdefault(task.removeprefix("blocks/").rpartition("/")[0] or "linear", []).append(task)
    charts = []
    for kind, tasks in sorted(kinds.items(), key=lambda item: item[0] != "linear"):
        blocks = [run.series[f"eval/{task}"] for task in sorted(tasks, key=lambda name: (len(name), name))]
        numbers, frames = np.arange(1, len(blocks) + 1), blocks[0]["frames"]
        moments = {0: "before learning", **({-1: "after learning"} if len(frames) > 1 else {})}
        lines = [
            Line(name, numbers, np.array([100 * series["top1"][at] for series in blocks]))
            for at, name in moments.items()
        ]
        title = in_words(kind) if kind == "knn" else in_words(kind).capitalize()
        charts += chart(title, lines[::-1], unit=unit("top1"), x_label="block")
    return charts


def factors(run: Found) -> list[dict[str, str]]:
    """A small chart for each factor, the random encoder's level in it; all on one scale."""
    charts = []
    for task in scored(run, ("factors/*",)):
        series = run.series[f"eval/{task}"]
        kind = measure(series)
        level = Level("random", SCALE[kind] * float(series[kind][0]))
        name = in_words(task).capitalize()
        charts += chart(
            name, [over_time("", [series], kind)], [level], unit=unit(kind), span=(0, SCALE[kind]), size=(330, 170)
        )
    return charts


def inside(run: Found) -> list[dict[str, str]]:
    """Collapse and alignment: a chart for each key, a line for each block."""
    charts = []
    for key, title in INSIDE.items():
        lines = [
            over_time(name.rpartition("/")[2].replace("block", "block "), [series], key)
            for name, series in run.series.items()
            if name.startswith(("watch/block", "alignment/block")) and key in series
        ]
        charts += chart(title, lines)
    return charts


def over_time(name: str, series: list[dict[str, np.ndarray]], key: str) -> Line:
    """The mean of runs at the frames that all have, with its interval."""
    shared = sorted(set.intersection(*({int(n) for n in each["frames"]} for each in series)))
    values = SCALE.get(key, 1) * np.stack([each[key][np.isin(each["frames"], shared)] for each in series])
    return Line(name, np.array(shared) / 1000, values.mean(0), *interval(values))


def chart(
    title: str, lines: list[Line], levels: list[Level] | None = None, *, unit: str = "", x_label: str = FRAMES, **how
) -> list[dict[str, str]]:
    """A chart with its title, or none where there is no number."""
    lines = [line for line in lines if np.isfinite(line.y).any()]
    if not lines:
        return []
    svg = line_chart(lines, levels=levels or [], x_label=x_label, y_label=f"{title} {unit}", **how)
    return [{"title": title, "unit": unit, "svg": svg}]


def label(name: str) -> str:
    """A baseline's name as it would be said."""
    return LABELS.get(name, name.replace("_", " "))


def unit(kind: str) -> str:
    """What a score is, and in what."""
    return MEASURES[kind] + (", %" if SCALE[kind] == 100 else "")


def shown(value: float, kind: str = "top1") -> str:
    """Shares in percent, anything else as it is, nothing where there is no number."""
    if not np.isfinite(value):
        return ""
    return f"{100 * value:.1f}" if kind == "top1" else f"{value:.2f}"
