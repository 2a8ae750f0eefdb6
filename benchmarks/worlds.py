"""How many frames a second the worlds give on two cores, beside PyBullet's TinyRenderer and MuJoCo's software GL.

    python benchmarks/worlds.py

The rivals render the same kind of scene (64x64, five primitives that turn on a floor, no shadows) in two processes. All
take turns in one run, and what counts is the ratio; the machine may be shared. Needs the extra: pip install '.[bench]'.
"""

import envs  # noqa: F401  # isort: skip  before torch: it sets how threads wait

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

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


def pybullet() -> float:
    """Of one process with TinyRenderer."""
    import pybullet as p

    p.connect(p.DIRECT)
    shapes = [
        p.createVisualShape(p.GEOM_BOX, halfExtents=[0.4, 0.3, 0.2], rgbaColor=[0.8, 0.2, 0.2, 1]),
        p.createVisualShape(p.GEOM_SPHERE, radius=0.3, rgbaColor=[0.2, 0.8, 0.2, 1]),
        p.createVisualShape(p.GEOM_CYLINDER, radius=0.2, length=0.8, rgbaColor=[0.2, 0.2, 0.8, 1]),
        p.createVisualShape(p.GEOM_BOX, halfExtents=[0.2, 0.2, 0.5], rgbaColor=[0.8, 0.8, 0.2, 1]),
        p.createVisualShape(p.GEOM_SPHERE, radius=0.25, rgbaColor=[0.2, 0.8, 0.8, 1]),
    ]
    floor = p.createVisualShape(p.GEOM_BOX, halfExtents=[6, 6, 0.05], rgbaColor=[0.6, 0.6, 0.6, 1])
    p.createMultiBody(baseVisualShapeIndex=floor, basePosition=[0, 0, -1])
    bodies = [p.createMultiBody(baseVisualShapeIndex=shape) for shape in shapes]
    view = p.computeViewMatrix([0, -5, 1], [0, 0, 0], [0, 0, 1])
    lens = p.computeProjectionMatrixFOV(30, 1, 0.1, 20)
    age = 0

    def frame() -> None:
        nonlocal age
        age += 1
        for number, body in enumerate(bodies):
            turn = p.getQuaternionFromEuler([0, 0, 0.03 * age + number])
            p.resetBasePositionAndOrientation(body, [0.5 * np.sin(number + 0.01 * age), 0, 0.4 * number - 0.8], turn)
        light = [np.cos(0.02 * age), -1, 1]
        p.getCameraImage(64, 64, view, lens, lightDirection=light, shadow=0, renderer=p.ER_TINY_RENDERER)

    return rate(frame)


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


def memory(worlds: int) -> float:
    """MiB that this process has ever held with so many worlds (Linux; getrusage would count its parent's too)."""
    ours(worlds=worlds, seconds=0.5, **SCENE)
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


WORKERS = {"pybullet": pybullet, "mujoco": mujoco, "memory": memory}


def together(worker: str) -> float | None:
    """Frames a second of a rival in PROCESSES processes at once; None where it is not installed or has no GL."""
    environment = os.environ | {"MUJOCO_GL": os.environ.get("MUJOCO_GL", "egl"), "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment, "text": True}
    running = [subprocess.Popen([*WORKER, worker], **pipes) for _ in range(PROCESSES)]
    answers = [process.communicate() for process in running]
    if any(process.returncode for process in running):
        print(f"{worker} does not run here: {answers[0][1].strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return sum(float(out.split()[-1]) for out, _ in answers)


def main() -> None:
    """Prints a table and keeps benchmarks/results/worlds.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    worker = parser.parse_args().worker
    if worker:
        print(WORKERS[worker[0]](*map(int, worker[1:])))
        return
    rivals = {"pybullet": [], "mujoco": []}
    mine = []
    for _ in range(ROUNDS):
        mine.append(ours(**SCENE))
        for name, rates in rivals.items():
            rates.append(together(name))
    world = MovingObjectsVector(WORLDS, **SCENE)
    world.reset(seed=0)
    results = {
        "parts_a_scene": float((world.scene.radius > 0).sum() / WORLDS),  # besides the room's floor and wall
        "frames_per_s": {"moving_objects": statistics.median(mine)},
        "ratio_to": {},
        "ratio_to_every_round": {},
    }
    for name, rates in rivals.items():
        if None not in rates:
            ratios = [one / other for one, other in zip(mine, rates, strict=True)]
            results["frames_per_s"][name] = statistics.median(rates)
            results["ratio_to"][name] = statistics.median(ratios)
            results["ratio_to_every_round"][name] = ratios
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
