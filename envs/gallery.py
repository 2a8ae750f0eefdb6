"""Look at what there is: a sheet of all categories, and film strips of single episodes.

python -m envs.gallery --out gallery
python -m envs.gallery --out gallery --set axis=any occluder=true
"""

import argparse
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from PIL import Image

import envs  # noqa: F401  registers the worlds
from envs.categories import CATEGORIES
from envs.errors import SettingError
from envs.moving_objects import MovingObjectsVector
from envs.scene import WorldSettings

SCALE = 2  # pictures are shown larger, each pixel a block, so that one sees what the network sees


def sheet(instances: int, **settings) -> np.ndarray:
    """(K * size, instances * size, 3) uint8: a row for each category, each picture another instance."""
    kinds = settings.pop("categories", len(CATEGORIES))
    rows: dict[int, list[np.ndarray]] = {number: [] for number in range(kinds)}
    world = MovingObjectsVector(64 * kinds, categories=kinds, **settings)
    images, info = world.reset(seed=0)
    for image, category in zip(images.cpu().numpy(), info["category"].tolist(), strict=True):
        rows[category].append(image)
    return np.concatenate([np.concatenate(row[:instances], 1) for row in rows.values()])


def episodes(count: int, **settings) -> np.ndarray:
    """(count, T, size, size, 3) uint8: whole episodes from beginning to end."""
    world = gym.make_vec("MovingObjects-v0", num_envs=count, **settings).unwrapped
    frames = [world.reset(seed=0)[0]]
    still = torch.zeros(count, 2, device=world.device)
    frames += [world.step(still)[0] for _ in range(world.episode_length - 1)]
    return torch.stack(frames, 1).cpu().numpy()


def write_gallery(out: Path, *, instances: int = 12, count: int = 6, **settings) -> list[Path]:
    """Writes sheet.png, strips.png and episodes.gif into a folder and returns their paths."""
    out.mkdir(parents=True, exist_ok=True)
    films = episodes(count, **settings)
    stride = max(1, films.shape[1] // 12)
    strips = np.concatenate([np.concatenate(list(film[::stride][:12]), 1) for film in films])
    Image.fromarray(_larger(sheet(instances, **settings))).save(out / "sheet.png")
    Image.fromarray(_larger(strips)).save(out / "strips.png")
    moving = [Image.fromarray(_larger(np.concatenate(list(films[:, t]), 1))) for t in range(films.shape[1])]
    moving[0].save(out / "episodes.gif", save_all=True, append_images=moving[1:], duration=80, loop=0)
    return [out / name for name in ("sheet.png", "strips.png", "episodes.gif")]


def _larger(image: np.ndarray) -> np.ndarray:
    return image.repeat(SCALE, 0).repeat(SCALE, 1)


def _setting(text: str) -> tuple[str, object]:
    """name=value, the value of the type that the world's setting has."""
    name, equals, value = text.partition("=")
    known = vars(WorldSettings())
    if not equals or name not in known:
        raise SettingError(f"--set {text} is no setting of the world; known: {', '.join(known)}")
    kind = type(known[name])
    try:
        if kind is bool:
            return name, {"true": True, "false": False}[value.lower()]
        return name, tuple(filter(None, value.split(","))) if kind is tuple else kind(value)
    except (KeyError, ValueError):
        raise SettingError(f"--set {text}: {name} is of type {kind.__name__}, like {known[name]}") from None


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Pictures of the world of moving objects.")
    parser.add_argument("--out", type=Path, default=Path("gallery"), help="folder to write into")
    parser.add_argument("--instances", type=int, default=12, help="pictures of each category")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of the world")
    told = parser.parse_args()
    try:
        settings = {"size": 64, "samples": 2} | dict(_setting(text) for text in told.set)
        for path in write_gallery(told.out, instances=told.instances, **settings):
            print(path)  # noqa: T201
    except (SettingError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
