"""One self-contained page about a run, or about several: python -m runs.report RUN ... [--out PAGE.html]

It opens from disk without a network. What was not measured is left out.
"""

import argparse
import shlex
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader

from envs.errors import SettingError
from runs.analysis.reading import Found, baseline, find, grouped, load, scored
from runs.compare import BASELINES, compare, explained, rows
from runs.page.embedding import embedding_map
from runs.page.filters import first_filters
from runs.page.sections import block_scores, curves, every_score, factors, inside, label, shown
from runs.page.tiles import data_uri, mosaic
from runs.store.folder import RunFolder
from runs.store.metrics import read_samples
from runs.store.preview import read_seen
from streams.process.errors import guarded
from streams.recording.storage import replace

ROWS, COLUMNS = 3, 16  # of test images that are shown, at most


def page(runs: list[Found], *, made_by: str) -> str:
    """HTML about runs, each as far as it was committed.

    Raises:
        SettingError: one seed twice.
    """
    groups = grouped(runs)
    chosen = [group[0] for group in groups.values()]
    notes = [
        f"{run.path.name} is at {run.frames:,} of {run.settings['run.frames']:,} frames; this is what it has committed."
        for run in runs
        if run.frames < run.settings["run.frames"]
    ]
    comparison, how = [], ""
    if len(runs) > 1:
        try:
            found = compare(runs)
            comparison, how = rows(found), explained(found)
        except SettingError as error:
            notes.append(f"Not set beside one another: {error}")
    template = Environment(
        loader=PackageLoader("runs.page"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    ).get_template("report.html")
    return template.render(
        **header(groups),
        notes=notes,
        strip=strip(runs[0]),
        tested=tested(runs[0]),
        comparison=comparison,
        how=how,
        curves=curves(groups),
        bands=any(len(group) > 1 for group in groups.values()),
        runs=[about(run, title=f"{name}: {run.path.name}") for name, run in zip(groups, chosen, strict=True)],
        made_by=made_by,
    )


def header(groups: dict[str, list[Found]]) -> dict[str, Any]:
    """The title, a sentence, and the numbers that matter most."""
    runs = [run for group in groups.values() for run in group]
    first = runs[0]
    seeds = sorted({run.seed for run in runs})
    world, frames = first.settings["env.name"].replace("_", " "), max(run.frames for run in runs)
    said = f"Watched {world} for {frames:,} frames; seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}."
    if len(groups) > 1:
        return {"title": " · ".join(groups), "lead": said, "figures": [("runs", len(runs)), ("groups", len(groups))]}
    title = first.path.name if len(runs) == 1 else f"{first.settings['learner.name']}, {len(runs)} seeds"
    learner, network = first.settings["learner.name"], first.settings["network.name"]
    said = f"{learner} trains {network} with the {first.settings['loss.name']} loss. {said}"
    figures = []
    if "linear" in scored(first):
        last = float(np.mean([run.series["eval/linear"]["top1"][-1] for run in runs]))
        levels = {name: float(np.mean([baseline(run, name, "linear") for run in runs])) for name in BASELINES}
        figures = [
            ("linear probe, top-1 %", shown(last)),
            ("gain over random", f"{100 * (last - levels['random_encoder']):+.1f}"),
        ]
        figures += [(label(name), shown(level)) for name, level in levels.items() if np.isfinite(level)]
    return {"title": title, "lead": said, "figures": figures}


def about(run: Found, *, title: str) -> dict[str, Any]:
    """What one run has to show."""
    folder = RunFolder(run.path)
    overrides = shlex.join(folder.overrides)
    return {
        "title": title,
        "scores": every_score(run),
        "blocks": block_scores(run),
        "factors": factors(run),
        "map": embedding_map(run.path / "metrics.zarr", run.settings),
        "inside": inside(run),
        "filters": filters(folder),
        "command": f"python -m learners.online {overrides}".strip(),
        "versions": ", ".join(f"{name} {of}" for name, of in folder.versions.items() if of is not None),
        "sha": run.facts.get("weights_sha256", "unknown"),
        "settings": [(name, value) for name, value in run.settings.items() if value is not None],
    }


def strip(run: Found) -> dict[str, Any] | None:
    """The film strip and the pairs."""
    seen = read_seen(run.path / "metrics.zarr")
    if not seen:
        return None
    worlds, times = seen["strip"].shape[:2]
    gaps = sorted({int(gap) for gap in seen["gap"]})
    return {
        "image": data_uri(mosaic(seen["strip"])),
        "pairs": data_uri(mosaic(np.stack([seen["first"], seen["second"]]))),
        "stride": seen["stride"],
        "steps": times * seen["stride"],
        "worlds": worlds,
        "of": run.settings["env.num_worlds"],
        "gaps": "two views of one frame" if gaps == [0] else f"{' or '.join(map(str, gaps))} steps apart",
    }


def tested(run: Found) -> dict[str, Any] | None:
    """Some of the test images, to look at where a run was interrupted before there was a film strip."""
    images = read_samples(run.path / "metrics.zarr").get("images", np.empty(0))
    if not len(images):
        return None
    columns = min(COLUMNS, len(images))
    rows = min(ROWS, len(images) // columns)
    grid = images[: rows * columns].reshape(rows, columns, *images.shape[1:])
    return {"image": data_uri(mosaic(grid)), "count": len(grid) * columns}


def filters(folder: RunFolder) -> dict[str, str] | None:
    """The first layer's weights as a picture."""
    found = first_filters(folder.checkpoints)
    return found and {"image": data_uri(mosaic(found.images, scale=8)), "frames": f"{found.frames:,}"}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m runs.report", description="One self-contained page about runs.")
    parser.add_argument("places", nargs="+", help="runs, folders of runs, or patterns")
    parser.add_argument(
        "--out", type=Path, help="the page (default: report.html in the run's folder, or beside the runs)"
    )
    told = parser.parse_args()
    print(guarded(_written, told.places, place="--out", stopped="nothing was kept", out=told.out))  # noqa: T201


def _written(places: list[str], *, out: Path | None) -> Path:
    """The page of these places, and where it was put."""
    paths = find(places)
    out = out or (paths[0] if len(paths) == 1 else paths[0].parent) / "report.html"
    text = page([load(path) for path in paths], made_by=shlex.join(["python", "-m", "runs.report", *places]))
    out.parent.mkdir(parents=True, exist_ok=True)
    replace(out, text.encode())
    return out


if __name__ == "__main__":
    main()
