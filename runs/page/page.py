"""The whole report: a header, then every section that has something to show."""

from typing import Any, NamedTuple

import numpy as np

from runs.analysis.grouping import grouped
from runs.analysis.reading import LoadedRun, baseline, baseline_degenerate, degenerate, marked, values
from runs.page.charts import TEMPLATES
from runs.page.section import Groups, rendered
from runs.scores import BASELINES, MEASURES, WORLD

TOP1 = MEASURES["top1"]


class Page(NamedTuple):
    """A report."""

    text: str  # HTML
    notes: list[str]  # lines about what is damaged or was altered


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
        for name, group in groups.items()
    ]
    sections, template = rendered(groups, each_run=False, notes=damage), TEMPLATES.get_template("report.html")
    notes = [*unfinished, *damage]
    text = template.render(**_header(groups), notes=notes, sections=sections, runs=each_run, made_by=made_by)
    return Page(text, damage)


def _header(groups: Groups) -> dict[str, Any]:
    """The title, a sentence, and the numbers that matter most."""
    runs = [run for group in groups.values() for run in group]
    first, seeds = runs[0], sorted({run.seed for run in runs})
    world, frames = first.settings["env.name"].replace("_", " "), max(run.frames for run in runs)
    lead = f"Watched {world} for {frames:,} frames; seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}."
    if len(groups) > 1:
        return {"title": " · ".join(groups), "lead": lead, "figures": [("runs", len(runs)), ("groups", len(groups))]}
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
