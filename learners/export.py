"""Exports the encoder of a run, with a card that says what it was trained on and how it scores.

python -m learners.export results/NAME --to safetensors      # weights and settings, to be loaded by name
python -m learners.export results/NAME --to onnx             # for onnxruntime and others: uint8 images to features
python -m learners.export results/NAME --to torch            # torch.export, to be loaded without this project
"""

import argparse
import json
import warnings
from collections.abc import Callable
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from envs.errors import SettingError, unknown
from learners.api import FRAMES, Encoder, load
from runs.analysis.frames import OpenedRun, open_run
from streams.process.errors import guarded
from streams.process.versions import versions

SUFFIXES = {"safetensors": ".safetensors", "onnx": ".onnx", "torch": ".pt2"}
WORDS = {r"trust=True": "--trust", r"^frames=": "--frames "}  # of messages, as the command line has them
EXAMPLES = 2  # images that a graph is traced with


class Plain(nn.Module):
    """An encoder as a graph: images (B, 3, H, W) uint8 to features (B, D), without heads, or the original's checks."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.network = deepcopy(encoder.network)
        self.network.heads = nn.ModuleList()
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) uint8 to features (B, D)."""
        return self.network(images.float() / 255)


def export(
    path: str | Path, to: str, *, out: Path | None = None, frames: int | None = None, trust: bool = False
) -> tuple[Path, Path]:
    """Writes the encoder of a run, and its card beside it.

    Args:
        path: the run's folder.
        to: safetensors, onnx or torch.
        out: the file; by default `encoder` in the run's folder, with the suffix of its kind.
        frames: of which checkpoint; None for the newest.
        trust: whether code that the run's settings name may be imported.

    Returns:
        The paths of the file and of the card.

    Raises:
        SettingError: no run, an unknown kind, or a package that it needs is missing.
    """
    if to not in SUFFIXES:
        raise unknown("--to", to, SUFFIXES, aliases={suffix[1:]: kind for kind, suffix in SUFFIXES.items()})
    encoder = load(path, frames=frames, trust=trust)
    file = (out or Path(path) / "encoder").with_suffix(SUFFIXES[to])
    WRITERS[to](encoder, file)
    about = file.with_suffix(".md")
    about.write_text(card(open_run(path), encoder, file, to))
    return file, about


def _safetensors(encoder: Encoder, file: Path) -> None:
    save = _needed("safetensors.torch").save_file
    state = Plain(encoder).network.state_dict().items()
    weights = {name: value.contiguous() for name, value in state if "feedback_weight" not in name}
    about = {name: json.dumps(value) for name, value in encoder.settings.items()}
    save(weights, file, metadata=about | {FRAMES: str(encoder.frames)})


def _onnx(encoder: Encoder, file: Path) -> None:
    for package in ("onnx", "onnxscript"):
        _needed(package)
    torch.onnx.export(
        Plain(encoder),
        (_example(encoder),),
        str(file),
        input_names=["images"],
        output_names=["features"],
        dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
        external_data=False,
        dynamo=True,
        verbose=False,
    )


def _torch(encoder: Encoder, file: Path) -> None:
    shapes = {"images": {0: torch.export.Dim("batch")}}
    graph = torch.export.export(Plain(encoder), (_example(encoder),), dynamic_shapes=shapes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of weights elsewhere than on the CPU, where these are
        torch.export.save(graph, str(file))


WRITERS: dict[str, Callable[[Encoder, Path], None]] = {"safetensors": _safetensors, "onnx": _onnx, "torch": _torch}


def _example(encoder: Encoder) -> Tensor:
    size = encoder.settings["env.size"]
    return torch.zeros(EXAMPLES, 3, size, size, dtype=torch.uint8)


def _needed(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise SettingError(f"{module.partition('.')[0]} is not installed; install contiguity[export]") from error


def card(run: OpenedRun, encoder: Encoder, file: Path, to: str) -> str:
    """What an exported encoder is, as Markdown: input and output, what it learned from and how, and its scores."""
    settings, size = run.settings, run.settings["env.size"]
    features = encoder(_example(encoder)).shape[1]
    lines = [
        f"# {file.stem}: a `{settings['network.name']}` that learned by `{settings['learner.name']}`",
        "",
        f"- file: `{file.name}` ({to})",
        f"- input: images (B, 3, {size}, {size}) uint8; the network scales them itself",
        f"- output: features (B, {features}), the last block's output flattened",
        f"- learned from: {encoder.frames:,} frames of `{settings['env.name']}`, pairs `{settings['pairs.name']}` at a "
        f"gap of {settings['pairs.gap']} steps, loss `{settings['loss.name']}`, seed {settings['seed']}",
        "- without labels; categories were used for the scores below alone",
        f"- made with Contiguity, {', '.join(f'{name} {version}' for name, version in versions().items())}",
        "",
        "| task | probe | encoder | random encoder | measure |",
        "|---|---|---|---|---|",
    ]
    own = run.scores.query("encoder == 'encoder' and block.isna() and split == 'test'")
    at = own[own["frames"] == encoder.frames]
    first = own[own["frames"] == 0].set_index(["task", "probe"])["value"].to_dict()
    for row in at.itertuples():
        before = first.get((row.task, row.probe))
        shown = "" if before is None else f"{before:.3f}"
        lines.append(f"| {row.task} | {row.probe} | {row.value:.3f} | {shown} | {row.measure} |")
    if not len(at):
        lines.append("| not evaluated at this checkpoint | | | | |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m learners.export", description="Exports the encoder of a run, with a card beside it."
    )
    parser.add_argument("run", type=Path, help="the run's folder, results/NAME")
    parser.add_argument("--to", metavar="KIND", required=True, help=f"the kind of file: {', '.join(SUFFIXES)}")
    parser.add_argument("--out", type=Path, help="the file; by default encoder.* in the run's folder")
    parser.add_argument(
        "--frames", type=int, help="of which checkpoint, by its number of frames; by default the newest"
    )
    parser.add_argument("--trust", action="store_true", help="import the code that the run's settings name")
    args = parser.parse_args()
    guarded(_export, args, place="--out", stopped="nothing was written", words=WORDS)


def _export(args: argparse.Namespace) -> None:
    for path in export(args.run, args.to, out=args.out, frames=args.frames, trust=args.trust):
        print(path)  # noqa: T201


if __name__ == "__main__":
    main()
