"""The whole report: a header, then every section that has something to show."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from runs.analysis.grouping import grouped, whole
from runs.analysis.reading import LoadedRun, baseline, baseline_degenerate, degenerate, load, marked, scored, values
from runs.page.charts import TEMPLATES
from runs.page.section import Groups, rendered, series_of_all
from runs.scores import BASELINES, MEASURES, WORLD

TOP1 = MEASURES["top1"]
NAMED = 6  # groups that the title names

MOST = 16  # groups that are shown one by one: more make a page that no browser opens


class Page(NamedTuple):
    """A report."""

    text: str  # HTML
    notes: list[str]  # lines about what is damaged or was altered


def load_all(paths: list[Path]) -> list[LoadedRun]:
    """Runs for a page: of each group one as a whole, of the others what is shown. Raises SettingError: as `load`."""
    few = len(paths) <= MOST
    runs = [load(path, series=("*",) if few else series_of_all()) for path in paths]
    firsts = {group[0].path for group in list(grouped(runs).values())[:MOST]} if not few else set()
    return [load(run.path) if run.path in firsts else run for run in runs]


def page(runs: list[LoadedRun], *, made_by: str) -> Page:
    """HTML about runs, each as far as it was committed. Raises SettingError: one seed twice."""
    groups = grouped(runs)
    damage = [note for run in runs for note in run.notes]
    unfinished = [
        f"{run.path.name} is at {run.frames:,} of {run.settings['run.frames']:,} frames; this is what it has committed."
        for run in runs
        if run.frames < run.settings["run.frames"]
    ]
    each_run = [
        {"title": f"{name}: {group[0].path.name}", "sections": rendered(group[0], each_run=True, notes=damage)}
        for name, group in list(groups.items())[:MOST]
    ]
    if len(groups) > MOST:
        damage.append(f"the first {MOST} of {len(groups)} groups are shown one by one; name fewer runs to see others")
    beside = {name: kept for name, group in groups.items() if (kept := _furthest(group))} or groups
    sections, template = rendered(beside, each_run=False, notes=damage), TEMPLATES.get_template("report.html")
    notes = [*unfinished, *damage]
    text = template.render(**_header(groups), notes=notes, sections=sections, runs=each_run, made_by=made_by)
    return Page(text, damage)


def _furthest(group: list[LoadedRun]) -> list[LoadedRun]:
    """The runs that have come to their end; before any has, those that have a score."""
    kept, _ = whole([run for run in group if scored(run)], named=(), at=None)
    return kept


def _header(groups: Groups) -> dict[str, Any]:
    """The title, a sentence, and the numbers that matter most."""
    runs = [run for group in groups.values() for run in group]
    first, seeds = runs[0], sorted({run.seed for run in runs})
    world, frames = first.settings["env.name"].replace("_", " "), max(run.frames for run in runs)
    lead = f"Watched {world} for {frames:,} frames; seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}."
    if len(groups) > 1:
        names, more = list(groups)[:NAMED], len(groups) - NAMED
        title = " · ".join(names) + (f" and {more} more" if more > 0 else "")
        return {"title": title, "lead": lead, "figures": [("runs", len(runs)), ("groups", len(groups))]}
    learner, network, loss = (first.settings[f"{part}.name"] for part in ("learner", "network", "loss"))
    title = first.path.name if len(runs) == 1 else f"{learner}, {len(runs)} seeds"
    figures = []
    if WORLD in first.scores:
        last = float(np.mean([values(run, WORLD)[-1] for run in runs]))
        levels = {name: float(np.mean([baseline(run, name, WORLD) for run in runs])) for name in BASELINES}
        gain = TOP1.text(last - levels["random_encoder"], signed=True)
        score = marked(TOP1.text(last), any(degenerate(run, WORLD) for run in runs))
        figures = [(f"linear probe, {TOP1.label} {TOP1.unit}", score), ("gain over random", gain)]
        for name in (name for name, level in levels.items() if np.isfinite(level)):
            little = any(baseline_degenerate(run, name, WORLD) for run in runs)
            figures.append((BASELINES[name], marked(TOP1.text(levels[name]), little)))
    return {"title": title, "lead": f"{learner} trains {network} with the {loss} loss. {lead}", "figures": figures}
