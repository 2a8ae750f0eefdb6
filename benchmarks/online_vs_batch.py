"""Online against batch: {temporal, augmentation, both} pairs x {in order, in order with memory, shuffled}, three seeds.

    python benchmarks/online_vs_batch.py
    python benchmarks/online_vs_batch.py --views lighting,simclr,crops   # other views than the paper's, in order, too
    python benchmarks/online_vs_batch.py --frames 65_536 --memory minred learner=bp env.num_worlds=32

All runs learn from one recording of as many frames, in equally many updates. What is not set here is in
runs/conf/experiment/online_vs_batch.yaml. Stopped, it goes on where it was; begun again, it only tells.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from machine import call, keep
from rich.console import Console

from learners import online
from runs.analysis.comparison import Comparison, compare
from runs.analysis.figures import draw_comparison
from runs.analysis.reading import find, load
from runs.analysis.tables import comparison_table
from runs.scores import group_patterns
from streams import record

BASE = "temporal, in order"  # what the others are set against


def main() -> None:
    """Records, runs, and prints a table; keeps benchmarks/results/online_vs_batch.json and draws a figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--frames", default="24_576", help="that are recorded, and learnt from")
    parser.add_argument("--memory", default="reservoir", help="fifo, reservoir or minred")
    parser.add_argument("--views", default="", help="of pairs.views, with commas between: runs beside the others")
    parser.add_argument("--results", type=Path, default=Path("results"), help="where the recording and the runs go")
    parser.add_argument("--figure", type=Path, help="where to draw it (default: in the results)")
    args, overrides = parser.parse_known_args()
    folder = args.results / "online_vs_batch"
    world, memory = (tuple(text for text in overrides if text.startswith(group)) for group in ("env", "memory."))
    others = [text for text in overrides if text not in world + memory]
    recording = args.results / "online_vs_batch.zarr"
    call(record.main, *(world or ("env=moving_objects",)), f"record.path={recording}", f"record.frames={args.frames}")
    given = (f"stream.path={recording}", f"results_dir={args.results}", f"run.frames={args.frames}", *others)
    in_order = ("stream.order=sequential", "memory=none")
    for arrangement in (
        in_order,
        ("stream.order=sequential", f"memory={args.memory}", "memory.updates=1", *memory),
        ("stream.order=shuffled", "memory=none"),
    ):
        call(online.main, "experiment=online_vs_batch", *given, *arrangement)
    if args.views:
        views = ("pairs=augmentation,both", f"pairs.views={args.views}", "run.group=online_vs_batch_views")
        name = "run.name=${pairs.name}-${pairs.views}-seed${seed}"
        call(online.main, "experiment=online_vs_batch", *given, *in_order, *views, name)
    comparison = compared([folder, folder.with_name("online_vs_batch_views")] if args.views else [folder])
    figure = args.figure or args.results / "online_vs_batch.png"
    draw_comparison(comparison, figure)
    kept = keep("online_vs_batch", comparison.as_json())
    for line in (comparison_table(comparison), f"drawn in {figure}, kept in {kept}"):
        Console().print(line, highlight=False, soft_wrap=True)


def compared(folders: list[Path]) -> Comparison:
    """What `runs.compare` finds of the runs in folders, its groups named by their pairs and arrangement."""
    runs = [load(path, series=group_patterns(["linear"])) for path in find([*map(str, folders)])]
    (task,) = compare(runs, tasks=("linear",)).tasks
    settings = {str(run.path): run.settings for run in runs}
    names = {row.group: named_after(settings[row.seeds[0].run]) for row in task.groups}
    against = next(group for group, name in names.items() if name == BASE)
    (task,) = compare(runs, tasks=("linear",), against=against).tasks
    groups = [replace(row, group=names[row.group]) for row in task.groups]
    return Comparison(BASE, [replace(task, groups=groups)])


def named_after(settings: dict[str, Any]) -> str:
    """As in `both, in order with reservoir`, or `both (lighting), in order`."""
    order = "in order" if settings["stream.order"] == "sequential" else settings["stream.order"]
    memory, views = settings["memory.name"], settings.get("pairs.views", "tang2022")
    pairs = settings["pairs.name"] + (f" ({views})" if views != "tang2022" else "")
    return f"{pairs}, {order}" + (f" with {memory}" if memory != "none" else "")


if __name__ == "__main__":
    main()
