"""Draws a world: a sheet of all categories, each row with its name, and film strips of single episodes.

python -m envs.gallery --out gallery
python -m envs.gallery --out gallery --set axis=any occluder=true --gaze pursuit
python -m envs.gallery --out gallery --world moving_images --set path=PICTURES speed=0.05
python -m envs.gallery --out gallery env=moving_meshes env.path=FOLDER env.recolor=none
python -m envs.gallery --out gallery env=MODULE:NAME      # a world of your own, as in learners.online
"""

import argparse
import math
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from omegaconf import OmegaConf
from PIL import Image, ImageDraw, ImageFont

from envs.base import VectorWorld
from envs.command.text import plain_warnings
from envs.errors import SettingError
from envs.gaze import GAZES
from envs.gaze import gaze as gaze_of
from envs.images.animation import gif
from envs.images.tiles import tile
from envs.moving_images import MovingImagesVector
from envs.moving_meshes import MovingMeshesVector
from envs.moving_objects import MovingObjectsVector
from envs.scene.categories import CATEGORIES
from envs.settings import assign, split_override
from envs.worlds import WORLDS, find_world

SCALE = 2  # pictures are shown larger, each pixel a block, so that one sees what the network sees
FPS = 12.5
ROWS = 24  # categories on a sheet, at most
LABELS = [str(label) for label in range(ROWS)]  # of categories that have no names
INK, PAPER = (70, 70, 70), (255, 255, 255)  # of names
VECTORS: dict[str, type[VectorWorld]] = {
    "moving_objects": MovingObjectsVector,
    "moving_meshes": MovingMeshesVector,
    "moving_images": MovingImagesVector,
}
DEFAULTS: dict[str, dict[str, Any]] = {  # of a gallery
    "moving_objects": {"samples": 2, "categories": len(CATEGORIES)},
    "moving_meshes": {"samples": 2, "split": "all"},
    "moving_images": {},
}


def vector_world(world: str) -> type[VectorWorld]:
    """The class of the world of this name, one of ours or one that was registered."""
    if world in VECTORS:
        return VECTORS[world]
    entry: Any = gym.spec(WORLDS[world].id).vector_entry_point
    vector: Any = gym.envs.registration.load_env_creator(entry) if isinstance(entry, str) else entry
    return vector


def sheet(instances: int, *, world: str = "moving_objects", **settings) -> np.ndarray:
    """(K, instances, size, size, 3) uint8: a row of instances for each category, white where there are too few.

    No instance is there twice; those of meshes stand in the order of their files.
    """
    vector = vector_world(world)
    if "drift" in {field.name for field in fields(vector.settings_class)}:
        settings["drift"] = "none"
    first = vector(1, **settings)
    kinds, labels = first.categories, range(first.categories) if first.kinds is None else first.kinds
    frames, info = vector(5 * instances * kinds, **settings).reset(seed=0)
    told = frames, info["category"], info.get("instance", info["episode_id"])
    images, category, instance = (part.cpu().numpy() for part in told)
    pictures = np.full((min(kinds, ROWS), instances, *images.shape[1:]), 255, np.uint8)
    for label, row in zip(labels, pictures, strict=False):
        rows = np.flatnonzero(category == label)
        firsts = np.unique(instance[rows], return_index=True)[1]
        members = images[rows[firsts if world == "moving_meshes" else np.sort(firsts)][:instances]]
        row[: len(members)] = members
    return pictures


def episodes(count: int, *, world: str = "moving_objects", gaze: str = "fixed", **settings) -> np.ndarray:
    """(count, T, size, size, 3) uint8: whole episodes."""
    vector = vector_world(world)(count, **settings)
    look = gaze_of(gaze, vector)
    image, info = vector.reset(seed=0)
    frames = [image]
    for step in range(vector.episode_length - 1):
        image, *_, info = vector.step(look(0, step, info))
        frames.append(image)
    return torch.stack(frames, 1).cpu().numpy()


def write_gallery(
    out: Path, *, world: str = "moving_objects", gaze: str = "fixed", instances: int = 12, count: int = 6, **settings
) -> list[Path]:
    """Writes sheet.png, strips.png and episodes.gif into a folder and returns their paths."""
    settings = DEFAULTS.get(world, {}) | {"size": 64} | settings
    films, pictures = episodes(count, world=world, gaze=gaze, **settings), sheet(instances, world=world, **settings)
    out.mkdir(parents=True, exist_ok=True)
    stride = max(1, films.shape[1] // 12)
    names = [str(name).replace("_", " ") for name in vector_world(world)(1, **settings).category_names] or LABELS
    named(tile(pictures, scale=SCALE), names, row=SCALE * settings["size"]).save(out / "sheet.png")
    Image.fromarray(tile(films[:, ::stride][:, :12], scale=SCALE)).save(out / "strips.png")
    steps = (tile(films[None, :, step], scale=SCALE) for step in range(films.shape[1]))
    (out / "episodes.gif").write_bytes(gif(steps, fps=FPS))
    return [out / name for name in ("sheet.png", "strips.png", "episodes.gif")]


def named(sheet: np.ndarray, names: list[str], *, row: int) -> Image.Image:
    """A sheet whose rows are `row` pixels high, with the name of each in a margin on the left."""
    font = ImageFont.load_default(max(11, row // 6))
    names, gap = names[: len(sheet) // row], row // 8
    margin = gap + math.ceil(max(map(font.getlength, names))) + gap
    page = Image.new("RGB", (margin + sheet.shape[1], sheet.shape[0]), PAPER)
    page.paste(Image.fromarray(sheet), (margin, 0))
    for number, name in enumerate(names):
        middle = margin - gap, row * number + row // 2
        ImageDraw.Draw(page).text(middle, name, fill=INK, font=font, anchor="rm")
    return page


def _settings(world: str, overrides: list[str]) -> dict[str, Any]:
    """The values of the world's settings that `name=value` gives."""
    config, values = OmegaConf.structured(WORLDS[world]), {}
    for text in overrides:
        try:
            name, value = split_override(text)
            assign(config, name, value)
        except SettingError as error:
            raise SettingError(f"--set {text}: {error}") from None
        values[name] = config[name]
    return values


def _as_options(args: argparse.Namespace) -> None:
    """Turns `env=NAME` and `env.name=value`, as other commands have them, into the options of this one."""
    for text in args.overrides:
        key, value = split_override(text)
        if key == "env":
            args.world = find_world(value)
        elif key.startswith("env."):
            args.set = [*args.set, text.removeprefix("env.")]
        else:
            raise SettingError(f"{text} is no setting of a world; write env=NAME or env.name=value")


def main() -> None:
    """Runs the command on the process's arguments."""
    parser = argparse.ArgumentParser(prog="python -m envs.gallery", description="Pictures of a world.")
    parser.add_argument("overrides", nargs="*", metavar="env=NAME env.NAME=VALUE", help="the world and its settings")
    parser.add_argument("--world", choices=VECTORS, default="moving_objects")
    parser.add_argument("--gaze", choices=GAZES, default="fixed", help="what the eye does in the strips")
    parser.add_argument("--out", type=Path, default=Path("gallery"), help="folder to write into")
    parser.add_argument("--instances", type=int, default=12, help="pictures of each category")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of the world")
    args = parser.parse_args()
    args.out = args.out.expanduser()
    plain_warnings()
    try:
        _as_options(args)
        if args.instances < 1:
            raise SettingError(f"--instances {args.instances} shows nothing; try 1 or more")
        settings = _settings(args.world, args.set)
        paths = write_gallery(args.out, world=args.world, gaze=args.gaze, instances=args.instances, **settings)
        for path in paths:
            print(path)  # noqa: T201
    except (SettingError, OSError) as error:
        blamed = str(getattr(error, "filename", None) or args.out)
        place = f"--out {blamed}" if blamed.startswith(str(args.out)) else blamed
        way_out = f"{place} cannot be written into ({getattr(error, 'strerror', error)}); choose another folder"
        own = str(error).replace("stream.gaze=", "--gaze ")
        print(own if isinstance(error, SettingError) else way_out, file=sys.stderr)  # noqa: T201
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped at once; nothing whole was written", file=sys.stderr)  # noqa: T201
        sys.exit(130)


if __name__ == "__main__":
    main()
