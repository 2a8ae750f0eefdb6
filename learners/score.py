"""Scores the encoder of a run on other data than it was scored on, beside the random encoder and the baselines.

python -m runs.score results/NAME own.npz          # .npz, .npy, Zarr, a recording, a folder of pictures by class
python -m runs.score results/NAME digits world     # or sets by the names that eval.transfer takes
"""

import argparse
import json
from pathlib import Path
from typing import Any

from learners.api import Encoder, load
from runs.analysis.tables import new_table
from runs.evaluation.own_encoder import evaluate
from runs.evaluation.probes.ridge import Scores
from runs.scores import BASELINES, MEASURES, ScoreKey
from streams.process.errors import guarded
from streams.process.terminal import Terminal

RANDOM = next(iter(BASELINES))
PLACES = ("data_root", "meshes")  # of what tasks are made of
SIZES = ("train", "validation", "test")  # images of each part, as in the run's own evaluations
WORDS = {  # of messages, as the command line has them
    r"trust=True": "--trust",
    r"^frames=": "--frames ",
    r"tasks=\[([^\]]*)\]": r"\1",
    r"tasks=": "",
    r"\btasks\b": "DATA",
    r"\bdata_root=": "--data-root ",
    r"\bmeshes=": "--meshes ",
    r"\bdata_root\b": "--data-root",
    r"; try env_settings=.*": ", so that this run is not scored on it",
}
NOT_OF_THE_WORLD = ("name", "id", "num_worlds", "split", "stagger", "size")  # which evaluation sets itself


def score(
    path: str | Path,
    tasks: list[str],
    *,
    frames: int | None = None,
    device: str = "cpu",
    trust: bool = False,
    **places: str | None,
) -> dict[ScoreKey, Scores]:
    """The scores of a run's encoder, of the random one that it began as, and of the baselines.

    Args:
        path: the run's folder.
        tasks: as in `runs.evaluate`; `world` is the run's own.
        frames: of which checkpoint; None for the newest.
        device: where the encoder is.
        trust: whether code that the run's settings name may be imported.
        places: `data_root` and `meshes`, as in `runs.evaluate`, where not the run's own.

    Raises:
        SettingError: no run, or a task that is not there.
    """
    encoder = load(path, frames=frames, device=device, trust=trust)
    options = _options(encoder) | {name: place for name, place in places.items() if place} | {"device": device}
    before = evaluate(load(path, frames=0, device=device, trust=trust), tasks, **options)
    random = {ScoreKey(key.task, encoder=RANDOM): scores for key, scores in before.items()}
    return evaluate(encoder, tasks, with_baselines=True, **options) | random


def _options(encoder: Encoder) -> dict[str, Any]:
    """The keywords of `runs.evaluate` by which a run scores itself."""
    settings = encoder.settings
    world = {name.removeprefix("env."): value for name, value in settings.items() if name.startswith("env.")}
    sizes = {name: settings[f"eval.{name}"] for name in (*SIZES, *PLACES, "seed") if f"eval.{name}" in settings}
    if not world["id"]:  # a recording of what no world of ours shows
        return {"recording": settings["stream.path"], "size": world["size"], **sizes}
    inner = {name: value for name, value in world.items() if name not in NOT_OF_THE_WORLD}
    return {"env": world["name"], "env_settings": inner, "size": world["size"], **sizes}


def _score(args: argparse.Namespace) -> None:
    places = {name: getattr(args, name) for name in PLACES}
    scores = score(args.run, args.data, frames=args.frames, trust=args.trust, **places)
    if args.json:
        print(json.dumps({key.path: one for key, one in scores.items()}, indent=2, default=float))  # noqa: T201
        return
    table = new_table("linear probe top-1, %")
    for name in ("", "encoder", *BASELINES.values()):
        table.add_column(name, justify="right" if name else "left")
    for key in [key for key in scores if key.encoder is None]:
        beside = [ScoreKey(key.task, encoder=name) for name in BASELINES]
        numbers = [scores[each]["top1"] for each in (key, *beside)]
        table.add_row(key.task or "world", *(MEASURES["top1"].text(number) for number in numbers))
    Terminal().print(table)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m runs.score", description="Scores the encoder of a run on other data."
    )
    parser.add_argument("run", type=Path, help="the run's folder, results/NAME")
    parser.add_argument(
        "data", nargs="+", metavar="DATA", help="paths, names that eval.transfer takes, or world: the run's own"
    )
    parser.add_argument("--frames", type=int, help="of which checkpoint; by default the newest")
    parser.add_argument("--data-root", help="the folder of data sets by name; by default the run's eval.data_root")
    parser.add_argument("--meshes", help="the folder of meshes of moving_meshes; by default the run's eval.meshes")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--trust", action="store_true", help="import the code that the run's settings name")
    guarded(_score, parser.parse_args(), place="the folder", stopped="nothing was kept", words=WORDS)


if __name__ == "__main__":
    main()
