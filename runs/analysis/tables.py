"""A comparison as text: tables for the terminal and the page, CSV, and LaTeX."""

import csv
import io
import math
from dataclasses import dataclass
from textwrap import fill

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from runs.analysis.bootstrap import Estimate
from runs.analysis.comparison import Comparison, GroupScores, TaskComparison, as_json
from runs.analysis.reading import marked
from runs.scores import BASELINES, MARK_NOTE, MEASURES, Measure

HEAD, GROUP = 14, 28  # characters of a heading and of a group's name, beyond which they take another line

LATEX: dict[str, str | int | None] = {letter: f"\\{letter}" for letter in "_%&#${}"}  # what has another meaning there
LATEX |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "²": "$^2$"}


@dataclass(frozen=True)
class TextTable:
    """One task's table as text."""

    title: str
    head: list[str]
    rows: list[list[str]]
    baselines: str  # a line below it


def text_tables(comparison: Comparison) -> list[TextTable]:
    """The comparison as text, a table for each task."""
    tables = []
    for task in comparison.tasks:
        measure, updates = MEASURES[task.measure], [_updates(row) for row in task.groups]
        alike = len(set(updates)) == 1
        title = f"{task.key.name}: {measure.title}{',' if measure.unit else ''} at {task.frames:,} frames"
        title += f", {updates[0]} updates" if alike and updates[0] else ""
        widths = [_features(row) for row in task.groups]
        of_one_width = len(set(widths)) == 1
        title += f", {widths[0]} features" if of_one_width and widths[0] else ""
        head = ["", "mean", "over random", f"less {comparison.against}", *([] if alike else ["updates"])]
        head += [*([] if of_one_width else ["features"]), "seeds"]
        lines = []
        for row, count, width in zip(task.groups, updates, widths, strict=True):
            cells = [_score(row, measure)]
            cells += [_interval(each, measure, signed=True) for each in (row.gain, row.difference)]
            seeds = " ".join(marked(measure.text(seed.score), seed.degenerate) for seed in row.seeds)
            lines.append([row.group, *cells, *([] if alike else [count]), *([] if of_one_width else [width]), seeds])
        baselines = ", ".join(f"{BASELINES[name]} {_level(task, name)}" for name in task.baseline)
        tables.append(TextTable(title, head, lines, baselines))
    return tables


def new_table(title: str) -> Table:
    """An empty table in the one style of all commands; it leaves room for its columns in 80 characters."""
    return Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))


def comparison_table(comparison: Comparison) -> Group:
    """The comparison for a terminal."""
    parts: list[Table | Text] = []
    for each in text_tables(comparison):
        table = new_table(each.title)
        for name in each.head:
            head, justify = fill(name, HEAD, break_long_words=False), "left" if name in ("", "seeds") else "right"
            table.add_column(head, justify=justify, no_wrap=name != "seeds")  # type: ignore[arg-type]
        for name, *cells in each.rows:
            table.add_row(fill(name, GROUP, break_long_words=False), *cells)
        parts += [table, Text(each.baselines)]
    return Group(*parts, Text(explained(comparison)))


def explained(comparison: Comparison) -> str:
    """What the numbers in brackets are."""
    rows = [row for task in comparison.tasks for row in task.groups]
    differences = [row.difference for row in rows if row.difference]
    text = "In brackets: 95 % bootstrap intervals over seeds"
    if differences:
        unpaired = not all(each.paired for each in differences)
        text += "; differences are paired by seed" + (" where two or more are shared" if unpaired else "")
    text += "; one seed alone has none." if any(len(row.seeds) < 2 for row in rows) else "."
    marks = any(task.degenerate for task in comparison.tasks) or any(
        seed.degenerate for row in rows for seed in row.seeds
    )
    return text + (f" {MARK_NOTE}." if marks else "")


def as_csv(comparison: Comparison) -> str:
    """One line for each task, group and seed."""
    text = io.StringIO()
    names = ["task", "measure", "frames", "group", "seed", "score", "random_encoder", "updates", "run"]
    names += ["features", "degenerate"]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for task in comparison.tasks:
        shared = {"task": task.key.name, "measure": task.measure, "frames": task.frames}
        for row in task.groups:
            writer.writerows(shared | {"group": row.group} | as_json(seed) for seed in row.seeds)
    return text.getvalue()


def as_latex(comparison: Comparison) -> str:
    """A booktabs table: a row for each group, a column for each task, the random encoder last."""
    tasks = comparison.tasks
    scores = [{row.group: _score(row, MEASURES[task.measure]) for row in task.groups} for task in tasks]
    rows = [["", *(f"{task.key.label}, {MEASURES[task.measure].label}" for task in tasks)]]
    rows += [[group, *(of[group] for of in scores)] for group in scores[0]]
    rows += [["random encoder", *(_level(task, "random_encoder") for task in tasks)]]
    head, *body, last = (" & ".join(cell.translate(str.maketrans(LATEX)) for cell in row) + r" \\" for row in rows)
    begin, end = r"\begin{tabular}{l" + "r" * len(tasks) + "}", r"\end{tabular}"
    lines = [begin, r"\toprule", head, r"\midrule", *body, r"\midrule", last, r"\bottomrule", end]
    return "\n".join(lines) + "\n"


def _score(row: GroupScores, measure: Measure) -> str:
    """A group's mean with its interval, marked where one of its probes says little."""
    return marked(_interval(row.score, measure), any(seed.degenerate for seed in row.seeds))


def _level(task: TaskComparison, name: str) -> str:
    return marked(MEASURES[task.measure].text(task.baseline.get(name)), name in task.degenerate)


def _interval(estimate: Estimate | None, measure: Measure, *, signed: bool = False) -> str:
    if estimate is None or math.isnan(estimate.mean):
        return "-"
    mean, low, high = (measure.text(each, signed=signed) for each in (estimate.mean, estimate.low, estimate.high))
    return mean if math.isnan(estimate.low) else f"{mean} [{low}, {high}]"


def _features(row: GroupScores) -> str:
    counts = sorted({seed.features for seed in row.seeds if seed.features is not None})
    return " to ".join(f"{count:,}" for count in dict.fromkeys([*counts[:1], *counts[-1:]]))


def _updates(row: GroupScores) -> str:
    counts = sorted({seed.updates for seed in row.seeds if seed.updates is not None})
    return " to ".join(f"{count:,}" for count in dict.fromkeys([*counts[:1], *counts[-1:]]))
