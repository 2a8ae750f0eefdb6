"""How many frames a second the worlds give on two cores, beside PyBullet's TinyRenderer and MuJoCo's software GL.

    python benchmarks/worlds.py [--meshes FOLDER] [--exclude NAME ...]

The rivals render the same kind of scene (64x64, five primitives that turn, no shadows) in two processes: on black, on a
floor, and on a floor before a wall, as ours always are, so that every pixel is drawn. Meshes are the same for both, one
a scene: those of a folder (sub-folders are categories), or solids of 500 to 4,000 triangles. One world beside a process
comes last. All take turns in one run, and what counts is the ratio; the machine may be shared. Needs the extra: pip
install '.[bench]'.
"""

import envs  # noqa: F401  # isort: skip  before torch: it sets how threads wait

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from machine import show

from envs.moving_images import MovingImagesVector
from envs.moving_objects import MovingObjectsVector

PROCESSES, SECONDS, ROUNDS = 2, 4.0, 5
SCENE = {"size": 64, "shadows": False, "background": "plain"}
WORLDS = 256
SHAPES = 5
WORKER = [sys.executable, __file__, "--worker"]  # which says what it measures, in a process of its own


def rate(frame, *, frames: int = 1, seconds: float = SECONDS) -> float:
    """Frames a second of a callable that makes so many, after a second of warming up."""
    for wanted in (seconds / 4, seconds):
        start, made = perf_counter(), 0
        while perf_counter() - start < wanted:
            frame()
            made += frames
    return made / (perf_counter() - start)


def ours(world_type=MovingObjectsVector, worlds: int = WORLDS, seconds: float = SECONDS, **settings) -> float:
    """Of one of our worlds: rendering, ground truth and new episodes included."""
    world = world_type(worlds, **settings)
    world.reset(seed=0)
    still = torch.zeros(worlds, 2)
    return rate(lambda: world.step(still), frames=worlds, seconds=seconds)


LENS = (30, 1, 0.1, 20)  # degrees, width by height, nearest and farthest
SCENES = ("black", "floor", "wall")


def pybullet(scene: str = "floor", size: str = "64", meshes: str = "") -> float:
    """Of one process with TinyRenderer: five primitives, or the meshes (.obj) of a folder, one after another."""
    import pybullet as p

    p.connect(p.DIRECT)
    files = sorted(map(str, Path(meshes).glob("*.obj"))) if meshes else []
    if not files:
        return rate(tiny(p, solids(p), scene, int(size)))
    rates = []
    for file in files:
        p.resetSimulation()
        shape = p.createVisualShape(p.GEOM_MESH, fileName=file, rgbaColor=[0.2, 0.8, 0.8, 1])
        rates.append(rate(tiny(p, [shape], scene, int(size)), seconds=SECONDS / len(files)))
    return len(rates) / sum(1 / one for one in rates)  # as many frames of each


def solids(p) -> list[int]:
    """Five primitives in PyBullet."""
    return [
        p.createVisualShape(p.GEOM_BOX, halfExtents=[0.4, 0.3, 0.2], rgbaColor=[0.8, 0.2, 0.2, 1]),
        p.createVisualShape(p.GEOM_SPHERE, radius=0.3, rgbaColor=[0.2, 0.8, 0.2, 1]),
        p.createVisualShape(p.GEOM_CYLINDER, radius=0.2, length=0.8, rgbaColor=[0.2, 0.2, 0.8, 1]),
        p.createVisualShape(p.GEOM_BOX, halfExtents=[0.2, 0.2, 0.5], rgbaColor=[0.8, 0.8, 0.2, 1]),
        p.createVisualShape(p.GEOM_SPHERE, radius=0.25, rgbaColor=[0.2, 0.8, 0.8, 1]),
    ]


def tiny(p, shapes: list[int], scene: str, size: int) -> Callable[[], None]:
    """A callable that moves these shapes and their light and renders a frame."""
    places = {"floor": [([6, 6, 0.05], [0, 0, -1])], "wall": [([6, 6, 0.05], [0, 0, -1]), ([6, 0.05, 6], [0, 3, 0])]}
    for half, place in places.get(scene, []):
        slab = p.createVisualShape(p.GEOM_BOX, halfExtents=half, rgbaColor=[0.6, 0.6, 0.6, 1])
        p.createMultiBody(baseVisualShapeIndex=slab, basePosition=place)
    bodies = [p.createMultiBody(baseVisualShapeIndex=shape) for shape in shapes]
    view = p.computeViewMatrix([0, -5, 1], [0, 0, 0], [0, 0, 1])
    lens, age = p.computeProjectionMatrixFOV(*LENS), 0

    def frame() -> None:
        nonlocal age
        age += 1
        for number, body in enumerate(bodies):
            turn = p.getQuaternionFromEuler([0, 0, 0.03 * age + number])
            height = 0.4 * number - 0.8 if len(bodies) > 1 else 0
            p.resetBasePositionAndOrientation(body, [0.5 * np.sin(number + 0.01 * age), 0, height], turn)
        light = [np.cos(0.02 * age), -1, 1]
        p.getCameraImage(size, size, view, lens, lightDirection=light, shadow=0, renderer=p.ER_TINY_RENDERER)

    return frame


def mujoco() -> float:
    """Of one process with `mujoco.Renderer` in software GL."""
    import mujoco as mj

    kinds = ("box", "sphere", "cylinder", "ellipsoid", "capsule")
    bodies = "".join(
        f'<body mocap="true" pos="0 0 {0.4 * number - 0.8}"><geom type="{kind}" size="0.3 0.25 0.2"/></body>'
        for number, kind in enumerate(kinds)
    )
    model = mj.MjModel.from_xml_string(
        '<mujoco><visual><quality shadowsize="0"/></visual><worldbody><light pos="0 -3 4" castshadow="false"/>'
        f'<camera name="eye" pos="0 -5 0" xyaxes="1 0 0 0 0 1" fovy="30"/>'
        f'<geom type="plane" pos="0 0 -1" size="6 6 0.1"/>{bodies}</worldbody></mujoco>'
    )
    data, age = mj.MjData(model), 0
    renderer = mj.Renderer(model, 64, 64)

    def frame() -> None:
        nonlocal age
        age += 1
        turn = 0.015 * age
        data.mocap_quat[:] = [np.cos(turn), 0, 0, np.sin(turn)]
        data.mocap_pos[:, 0] = 0.5 * np.sin(np.arange(SHAPES) + 0.01 * age)
        mj.mj_forward(model, data)
        renderer.update_scene(data, camera="eye")
        renderer.render()

    return rate(frame)


def memory(worlds: str) -> float:
    """MiB that this process has ever held with so many worlds (Linux; getrusage would count its parent's too)."""
    ours(worlds=int(worlds), seconds=0.5, **SCENE)
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


WORKERS = {"pybullet": pybullet, "mujoco": mujoco, "memory": memory}


def together(worker: str, *arguments: str, processes: int = PROCESSES) -> float | None:
    """Frames a second of a rival in so many processes at once; None where it is not installed or has no GL."""
    environment = os.environ | {"MUJOCO_GL": os.environ.get("MUJOCO_GL", "egl"), "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment, "text": True}
    running = [subprocess.Popen([*WORKER, worker, *arguments], **pipes) for _ in range(processes)]
    answers = [process.communicate() for process in running]
    if any(process.returncode for process in running):
        print(f"{worker} does not run here: {answers[0][1].strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return sum(float(out.split()[-1]) for out, _ in answers)


def compare(results: dict[str, Any], rival: str, mine: list[float], theirs: list[float | None]) -> None:
    """Adds a rival's speed, and how many times it ours is, to the results; nothing where it did not run."""
    if None not in theirs:
        ratios = [one / other for one, other in zip(mine, theirs, strict=True)]
        results["frames_per_s"][rival] = statistics.median(theirs)
        results["ratio_to"][rival] = statistics.median(ratios)
        results["ratio_to_every_round"][rival] = ratios


def solid_files(folder: Path) -> None:
    """Spheres and tori of 500 to 4,000 triangles as .obj, in two categories."""
    import trimesh

    for name, make in (
        ("ball", lambda count: trimesh.creation.uv_sphere(count=[count, count])),
        ("ring", lambda count: trimesh.creation.torus(0.7, 0.3, count, count)),
    ):
        (folder / name).mkdir()
        for count in (16, 24, 32, 44):
            make(count).export(folder / name / f"{count}.obj")


def compare_meshes(results: dict[str, Any], folder: Path | None, exclude: list[str]) -> None:
    """Adds the same meshes here and in two processes of TinyRenderer, before floor and wall, at 64 and 32 pixels."""
    from envs.moving_meshes import MovingMeshesVector

    with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as flat:
        if folder is None:
            folder = Path(made)
            solid_files(folder)
        settings = {"path": str(folder), "exclude": tuple(exclude), "split": "all", "skip_broken": True}
        settings |= {"shadows": False, "background": "plain"}
        triangles = as_obj(settings, Path(flat))
        results["triangles_a_mesh"] = triangles
        for size in (64, 32):
            mine, theirs = [], []
            for _ in range(ROUNDS):
                mine.append(ours(MovingMeshesVector, size=size, **settings))
                theirs.append(together("pybullet", "wall", str(size), flat))
            results["frames_per_s"][f"MovingMeshes, {size} px"] = statistics.median(mine)
            compare(results, f"TinyRenderer, the same meshes, {size} px", mine, theirs)


def as_obj(settings: dict[str, Any], flat: Path) -> list[int]:
    """Writes the meshes as ours sees them into a folder, and returns the triangles of each, for PyBullet."""
    import trimesh

    from envs.meshes.library import Reading, load

    meshes = load(settings["path"], settings["exclude"], Reading("auto", 1 << 26, 200_000, skip_broken=True)).meshes
    for number, mesh in enumerate(meshes):
        corners = mesh.corners.reshape(-1, 3)[:, [0, 2, 1]]  # PyBullet's up is z
        faces = np.arange(len(corners)).reshape(-1, 3)[:, ::-1]
        trimesh.Trimesh(corners, faces).export(flat / f"{number:04}.obj")
    return [len(mesh.corners) for mesh in meshes]


def compare_one(results: dict[str, Any]) -> None:
    """Adds one world, as `gym.make` gives it, beside one process of TinyRenderer, before floor and wall."""
    for size in (64, 32):
        mine, theirs = [], []
        for _ in range(ROUNDS):
            mine.append(one_world(size))
            theirs.append(together("pybullet", "wall", str(size), processes=1))
        results["frames_per_s"][f"MovingObjects, one world, {size} px"] = statistics.median(mine)
        compare(results, f"TinyRenderer, one process, wall, {size} px", mine, theirs)


def one_world(size: int) -> float:
    """Frames a second of one world, stepped as an agent steps it."""
    world = gym.make("MovingObjects-v0", **SCENE | {"size": size})
    world.reset(seed=0)
    still = np.zeros(2, np.float32)

    def frame() -> None:
        if world.step(still)[3]:
            world.reset()

    return rate(frame)


def main() -> None:
    """Prints a table and keeps benchmarks/results/worlds.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--meshes", type=Path, help="a folder of meshes, whose sub-folders are categories")
    parser.add_argument("--exclude", nargs="*", default=[], help="sub-folders that are no categories")
    given = parser.parse_args()
    worker, folder = given.worker, given.meshes
    if worker:
        print(WORKERS[worker[0]](*worker[1:]))
        return
    rivals = {"MuJoCo": [], **{f"TinyRenderer, {scene}": [] for scene in SCENES}}
    mine = []
    for _ in range(ROUNDS):
        mine.append(ours(**SCENE))
        for name, rates in rivals.items():
            rates.append(together(*(["mujoco"] if name == "MuJoCo" else ["pybullet", name.split()[-1]])))
    world = MovingObjectsVector(WORLDS, **SCENE)
    world.reset(seed=0)
    results = {
        "parts_a_scene": float((world.scene.radius > 0).sum() / WORLDS),  # besides the room's floor and wall
        "frames_per_s": {"MovingObjects, 64 px": statistics.median(mine)},
        "ratio_to": {},
        "ratio_to_every_round": {},
    }
    for name, rates in rivals.items():
        compare(results, name, mine, rates)
    compare_meshes(results, folder, given.exclude)
    compare_one(results)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noise.npy"
        np.save(path, np.random.default_rng(0).integers(0, 255, (2_000, 32, 32, 3), np.uint8))
        others = {
            "with shadows": ours(**SCENE | {"shadows": True}),
            "default settings": ours(size=64),
            "default settings, 32 px": ours(),
            "128 px": ours(**SCENE | {"size": 128}, worlds=64),
            "MovingImages, 64 px": ours(MovingImagesVector, path=str(path), size=64),
            "MovingImages, 32 px": ours(MovingImagesVector, path=str(path), size=32),
        }
    results["others_frames_per_s"] = others
    counts = (1, 4, 16, 64, 256, 1024, 4096)
    results["frames_per_s_by_worlds"] = {count: ours(worlds=count, seconds=2.0, **SCENE) for count in counts}
    held = [subprocess.check_output([*WORKER, "memory", str(count)], text=True).split()[-1] for count in (256, 4096)]
    results["kib_a_world"] = 1024 * (float(held[1]) - float(held[0])) / (4096 - 256)

    by_count = {f"{count:,} at once": number for count, number in results["frames_per_s_by_worlds"].items()}
    ratios = {name: f"{ratio:.2f}" for name, ratio in results["ratio_to"].items()}
    speeds = results["frames_per_s"] | others | by_count
    rows = [(name, f"{number:,.0f}", ratios.get(name, "")) for name, number in speeds.items()]
    note = f"{results['kib_a_world']:.0f} KiB a world; {results['parts_a_scene']:.1f} primitives a scene"
    head = ("world", "frames/s", "ours is so many times")
    show("worlds", results, note, title="64x64 on CPU", head=head, rows=rows)


if __name__ == "__main__":
    main()
