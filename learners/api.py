"""Learners in Python: made from names, trained as the command does, and loaded from where a run left them.

>>> import learners, streams, gymnasium as gym
>>> world = gym.make_vec("Counting-v0", num_envs=4, size=16)
>>> learner = learners.make("dgl", size=16)
>>> report = learner.update(next(streams.pairs(world, gap=2)))
>>> sorted(report)[:1]
['active']
"""

import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from envs.arguments import typed
from envs.devices import device as device_of
from envs.errors import SettingError
from envs.settings import as_object
from learners.build import build_learner
from learners.losses.base import Loss
from learners.networks.images import as_images
from learners.networks.network import SPECS, Network, NetworkSettings, Spec
from learners.online import PROGRAM, train_loop
from learners.rules.base import Learner
from learners.run import Run, learner_of
from runs.analysis.frames import OpenedRun, open_run
from runs.config import composing
from runs.launch.start import start
from runs.store.checkpoint import load_at, load_newest
from runs.store.folder import RunFolder

GRAPHS = {".onnx": "onnxruntime.InferenceSession", ".pt2": "torch.export.load"}  # files of graphs, and what opens them
FRAMES = "frames"  # in the metadata of an exported encoder, beside its settings
Settings = Mapping[str, Any]  # by their dotted names, as on the command line: {"learner.lr": 1e-3}
Callback = Callable[[Run, dict[str, Tensor]], None]  # after every update, with what the learner reports


@typed
def make(
    learner: str = "dgl",
    *,
    loss: str | Callable[..., Tensor] | type[Loss] = "hinge",
    network: str | Spec = "conv4",
    size: int = 32,
    updates: int = 1000,
    seed: int = 0,
    device: torch.device | str = "cpu",
    settings: Settings | None = None,
) -> Learner:
    """A learner at its start, to be updated in a loop of one's own.

    Args:
        learner: the rule, as in learner=NAME: dgl, bp, gll, rll, dtp, rf, urf, ...
        loss: as in loss=NAME, or one of one's own: a function `f(u, v, *, episode)` of embeddings (B, D) that returns
            a scalar tensor, or a subclass of `learners.Loss`.
        network: as in network=NAME, or a `learners.Spec` of one's own.
        size: pixels along an edge of the images.
        updates: how many are planned, which a greedy schedule shares out among the blocks.
        seed: of the weights and of all that the rule draws.
        device: where it is.
        settings: others, by their dotted names, as in `{"learner.lr": 1e-3}`.

    Returns:
        A learner with `update(pairs)`, which takes one step and returns detached scalars; `encode(images)`, images (B,
        3, H, W) float in [0, 1] to features (B, D); `state_dict` and `load_state_dict`.

    Raises:
        SettingError: an unknown name, or settings that cannot work together.
    """
    chosen = {"learner": learner, "loss": loss, "network": network}
    for name in settings or {}:
        if name.partition(".")[0] not in chosen:
            raise SettingError(f"settings: {name} is none of the learner's, its loss's or network's; leave it out")
    named = {group: choice for group, choice in chosen.items() if isinstance(choice, str)}
    config = PROGRAM.read(overrides_of(named | {"seed": seed, "device": str(device)} | dict(settings or {})))
    parts = {group: as_object(config[group]) for group in chosen}
    if not isinstance(loss, str):
        parts["loss"] = {"kind": loss}
    if not isinstance(network, str):
        parts["network"] = NetworkSettings(network)  # type: ignore[arg-type]  # a Spec stands for its name
    return build_learner(
        parts["learner"],
        loss=parts["loss"],
        network=parts["network"],
        size=size,
        updates=updates,
        seed=seed,
        device=device_of(device),
    )


class TrainedRun(NamedTuple):
    """What `train` leaves behind."""

    path: Path  # the run's folder
    encoder: "Encoder"
    run: OpenedRun  # its settings, scores and series
    finished: bool  # or stopped before its end, to be resumed by train({"run.resume": path})


@typed
def train(settings: Settings | None = None, *, callbacks: Iterable[Callback] = ()) -> TrainedRun:
    """The main job as a function: what `python -m learners.online` does, in this process.

    Args:
        settings: as on the command line, `{"learner": "bp", "run.frames": 8192}`.
        callbacks: each is called after every update, with the run (its `frames`, `updates`, `learner`, `stream`) and
            what the learner reports (tensors on the device: to read one waits for it).

    Raises:
        SettingError: settings that cannot work, or a run that diverged, with the way out.
    """
    callbacks, seen = list(callbacks), list[Path]()

    def observed(run: Run, log: Any, stop: Any) -> None:
        seen.append(log.folder.path)
        train_loop(run, log, stop, callbacks=callbacks)

    status = start(overrides_of(settings or {}), replace(PROGRAM, train=observed))
    path = seen[0]
    return TrainedRun(path, load(path, trust=True), open_run(path), finished=status == 0)


class Encoder(nn.Module):
    """The trained network of a run, without its heads.

    `settings` are those of the run, by their dotted names; `frames` is how many it had learned from.
    """

    def __init__(self, network: Network, *, settings: dict[str, Any], frames: int):
        super().__init__()
        self.network, self.settings, self.frames = network.requires_grad_(False), settings, frames
        self.eval()

    def forward(self, images: Tensor | np.ndarray) -> Tensor:
        """(B, 3, H, W) or (B, H, W, 3), uint8 or float in [0, 1], a tensor or an array, to features (B, D).

        Raises SettingError: another shape, or floats outside [0, 1], such as images that were normalised already.
        """
        return self.network(self._as_input(images))

    def blocks(self, images: Tensor | np.ndarray) -> list[Tensor]:
        """The output (B, C, H, W) of every block; takes and raises what `forward` does."""
        return self.network.outputs(self._as_input(images))

    def _as_input(self, images: Tensor | np.ndarray) -> Tensor:
        images = as_images(images, self.network, size=self.settings["env.size"])
        if len(images) and not (images.amin() >= 0 and images.amax() <= 1):
            raise SettingError(
                f"float images lie in [{images.amin():.3g}, {images.amax():.3g}]; give them in [0, 1], or as uint8: "
                "the network scales them itself"
            )
        return images


@typed
def load(
    path: str | Path, *, frames: int | None = None, device: torch.device | str = "cpu", trust: bool = False
) -> Encoder:
    """The encoder of a run, as an `nn.Module` in evaluation mode.

    Args:
        path: the run's folder, results/NAME, or a .safetensors file that learners.export has written.
        frames: which of the checkpoints that are kept: how many frames it had seen; None for the newest, 0 for the
            random encoder that it began as, which needs none.
        device: where it is put.
        trust: whether code that the run's settings name (a loss, rule, network or world of one's own) may be imported.

    Raises:
        SettingError: no run, no such checkpoint, damaged, or it names code and is not trusted.
    """
    if Path(path).suffix == ".safetensors":
        return _exported(Path(path).expanduser(), device=device, trust=trust)
    folder = RunFolder(Path(path).expanduser())
    if not folder.is_run:
        what = f"is opened with {GRAPHS[folder.path.suffix]}" if folder.path.suffix in GRAPHS else "is no run"
        raise SettingError(
            f"{path} {what}; give the folder of a run, as in results/NAME, or a .safetensors file that learners.export "
            "has written"
        )
    settings = _settings_of(folder, trust=trust)
    settings.device = str(device)
    learner = learner_of(settings)
    seen = 0 if frames == 0 else _load(learner, folder, frames)
    flat = open_run(folder.path).settings
    return Encoder(learner.network, settings=flat, frames=seen)


def _load(learner: Learner, folder: RunFolder, frames: int | None) -> int:
    """Puts a learner where a checkpoint was written, the newest where `frames` is None; how many frames it had seen."""
    where: dict[str, Any] = {"device": next(learner.network.parameters()).device, "run_id": folder.run_id}
    if frames is None:
        state = load_newest(folder.checkpoints, **where)[0]
    else:
        state = load_at(folder.checkpoints, frames, **where)
    if state is None:
        raise SettingError(f"{folder.path} has no checkpoint yet; let it run on")
    try:
        learner.load_state_dict(state["learner"])
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise SettingError(
            f"{folder.path} was written by another version, whose checkpoints do not fit ({error})"
        ) from error
    return state["frames"]


def _exported(path: Path, *, device: torch.device | str, trust: bool) -> Encoder:
    """The encoder in a file of weights, whose metadata are a run's settings."""
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise SettingError(f"{path} needs safetensors; install contiguity[export]") from error
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no dict
        settings = {name: json.loads(value) for name, value in about.items() if name != FRAMES}
        size, frames = settings["env.size"], int(about[FRAMES])
        known = [field.name for field in fields(NetworkSettings)]
        built = NetworkSettings(
            **{name: settings[f"network.{name}"] for name in known if f"network.{name}" in settings}
        )
        if built.blocks is None and built.name not in SPECS and not trust:
            raise SettingError(f"{path} leads to code (network.name={built.name}); if you trust it, trust=True")
        network = Network(built, size=size, feedback="backprop", heads="none", seed=0)
        network.load_state_dict(weights)
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError, OSError) as error:
        if isinstance(error, SettingError):
            raise
        raise SettingError(f"{path} is no encoder that learners.export has written ({error})") from error
    return Encoder(network.to(device_of(device)), settings=settings, frames=frames)


def _settings_of(folder: RunFolder, *, trust: bool) -> DictConfig:
    """The settings that a run was begun with. Raises SettingError: they lead to code, and are not trusted."""
    elsewhere = [text for text in folder.overrides if composing.leads_elsewhere(text)]
    if elsewhere and not trust:
        raise _distrusted(folder, elsewhere)
    settings = folder.settings_over(PROGRAM.read(folder.overrides))
    named = [f"{name}={value}" for name, value in PROGRAM.named_code(settings).items()]
    if named and not trust:
        raise _distrusted(folder, named)
    return settings


def _distrusted(folder: RunFolder, named: Sequence[str]) -> SettingError:
    return SettingError(
        f"{folder.path} leads to code or data that is not its own ({shlex.join(named)}); if you trust it, trust=True"
    )


def overrides_of(settings: Settings) -> list[str]:
    """Settings by their dotted names as they are written on a command line."""
    texts = (str(value) if isinstance(value, Path) else composing.as_text(value) for value in settings.values())
    return [f"{name}={text}" for name, text in zip(settings, texts, strict=True)]
