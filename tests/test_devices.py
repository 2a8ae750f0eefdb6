"""On another device: the numbers are the CPU's, nothing meets a tensor of the CPU's, and the loop waits for nothing."""

from concurrent.futures import Future
from contextlib import closing, nullcontext
from dataclasses import fields
from itertools import islice, product

import numpy as np
import pytest
import torch
from torch.utils._pytree import tree_flatten, tree_map_only

from envs.counting import CountingVector
from envs.moving_images import MovingImagesVector
from envs.moving_objects import MovingObjectsVector
from envs.rendering.render import Renderer
from learners.online import PROGRAM, build
from learners.rules import optimizer as steps
from learners.run import learner_of
from runs.analysis.summary import summary
from runs.config.composing import choices, read
from runs.launch.start import start
from runs.store.checkpoint import weights_sha256
from runs.store.folder import RunFolder
from runs.store.metrics import read as read_metrics
from streams.live import Live
from streams.pairing.augmentation import KINDS
from streams.pairing.memory import BufferSettings, MemorySettings
from streams.pairing.pairing import AugmentationSettings, BothSettings, TemporalSettings, build_pairs
from streams.pairing.single_frames import SingleFrameStream
from streams.seeding import generator
from streams.types import Pairs
from tests.helpers.simulated import DEVICE, There, held, simulated

WORLDS, SIZE = 6, 32
RULES, LOSSES = choices()["learner"], choices()["loss"]


@pytest.fixture(autouse=True)
def device(monkeypatch):
    """What the simulated device has not: generators, a fused optimiser, files, our renderer; `device=auto` finds it."""
    for user in ("learners.run.device_of", "runs.launch.start.device", "runs.launch.validate.device"):
        monkeypatch.setattr(user, lambda name: torch.device("cpu") if name == "cpu" else DEVICE)
    monkeypatch.setattr(steps, "FUSED", ())
    monkeypatch.setattr("learners.rules.target_prop.generator", lambda *name, device="cpu": generator(*name))
    monkeypatch.setattr(Renderer, "draw", rendered(Renderer.draw))
    monkeypatch.setattr(torch, "save", saved(torch.save))
    monkeypatch.setattr(torch, "load", loaded(torch.load))


def rendered(draw):
    def there(renderer, scene, changing):
        if not isinstance(scene.category, There):
            return draw(renderer, scene, changing)
        parts = {item.name: getattr(scene, item.name) for item in fields(scene)}
        pictures = renderer._pictures
        tensors = [x for x in tree_flatten((parts, changing, pictures))[0] if isinstance(x, torch.Tensor)]
        assert all(isinstance(x, There) for x in tensors)
        parts, changing, pictures = tree_map_only(There, held, (parts, changing, pictures))
        return There(draw(Renderer(renderer._settings, pictures), type(scene)(**parts), changing))

    return there


def saved(save):
    return lambda state, file: save(tree_map_only(There, held, state), file)


def loaded(load):
    def there(file, *, map_location, weights_only):
        state = load(file, weights_only=weights_only)
        return tree_map_only(torch.Tensor, There, state) if map_location == DEVICE else state

    return there


def views(rows=8):
    images = torch.rand(rows, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    return images.contiguous(memory_format=torch.channels_last).to(DEVICE)


def batch(number, *, remembered):
    """Half of its episodes are over at the next one."""
    first, episode = None if remembered else views(), torch.arange(8)
    episode[::2] += 8 * number
    return Pairs(first, views(), torch.ones(8, dtype=torch.int64), episode, 8)


@pytest.mark.parametrize(("rule", "loss"), [*product(RULES, ["hinge"]), *product(["bp", "dgl", "dtp"], LOSSES)])
def test_an_update_stays_on_its_device_and_waits_for_nothing(rule, loss):
    with simulated() as waits:
        learner = learner_of(read([f"learner={rule}", f"loss={loss}"]))
        batches = [batch(number, remembered=loss == "hinge_remembered") for number in range(4)]
        waits.clear()
        reports = [learner.update(pairs) for pairs in batches]
        assert waits == []
        assert reports[-1]
        assert all(isinstance(value, There) for report in reports for value in report.values())


def objects(**settings):
    return MovingObjectsVector(WORLDS, size=SIZE, episode_length=5, device=DEVICE, **settings)


def images(tmp_path, **settings):
    path = tmp_path / "pictures.npz"
    np.savez(path, images=np.zeros((40, SIZE, SIZE, 3), np.uint8), labels=np.arange(40) % 4)
    return MovingImagesVector(WORLDS, size=SIZE, episode_length=5, path=str(path), device=DEVICE, **settings)


@pytest.mark.parametrize("stagger", [False, True])
@pytest.mark.parametrize("drift", ["none", "categories", "day_night"])
@pytest.mark.parametrize("kind", ["objects", "images"])
def test_a_step_of_worlds_stays_on_its_device_and_waits_for_nothing(tmp_path, kind, drift, stagger):
    settings = {"drift": drift, "stagger": stagger}
    with simulated() as waits:
        if kind == "objects":
            world = objects(occluder=True, second_light=True, **settings)
        else:
            world = images(tmp_path, **settings)
        world.reset(seed=0)
        still = torch.zeros(WORLDS, 2, device=DEVICE)
        waits.clear()
        for _ in range(12):
            frames, *_, info = world.step(still)
            assert isinstance(frames, There)
            assert [name for name, of in info.items() if not isinstance(of, There)] == ["episode_id"]
        assert waits == []


@pytest.mark.parametrize("memory", ["none", "fifo", "reservoir"])
@pytest.mark.parametrize(
    "pairs",
    [TemporalSettings(gap=2, gap_distribution="uniform", symmetric=True)]
    + [kind(gap=2, views=views) for kind in (AugmentationSettings, BothSettings) for views in KINDS],
)
def test_pairs_stay_on_their_device_and_wait_for_nothing(pairs, memory):
    kept = MemorySettings(updates=2) if memory == "none" else BufferSettings(name=memory, updates=2, capacity=24)
    with simulated() as waits:
        source = Live(objects(stagger=True), gaze="saccades", seed=0)
        for each in islice(build_pairs(source, pairs=pairs, memory=kept, worlds=WORLDS), 12):
            there = [isinstance(of, There) for of in (each.first, each.second, each.gap, each.episode)]
            assert there == [True, True, False, False]
        assert waits == []


def test_a_step_of_the_counting_world_stays_on_its_device_and_waits_for_nothing():
    with simulated() as waits:
        world = CountingVector(WORLDS, episode_length=3, device=DEVICE)
        world.reset(seed=0)
        frames = [world.step(torch.zeros(WORLDS, 2, device=DEVICE))[0] for _ in range(8)]
        assert all(isinstance(images, There) for images in frames)
        assert waits == []


def test_moments_stay_on_their_device_and_wait_for_nothing():
    with simulated() as waits:
        for each in islice(SingleFrameStream(Live(objects(), gaze="pursuit", seed=0), TemporalSettings(gap=1)), 8):
            assert isinstance(each.second, There)
        assert waits == []


SMALL = [
    "network.name=tests.helpers.small_network.SPEC",
    "env.size=16",
    "env.num_worlds=8",
    "env.episode_length=8",
    "pairs.gap=2",
    "run.frames=96",
    "run.log_every=32",
    "eval.every=96",
    "eval.train=60",
    "eval.validation=40",
    "eval.test=40",
]
LEARNT = {  # settings by what is looked at
    "blocks": ["learner=dgl", "eval.ends=[knn,few,blocks,factors]"],
    "targets": [
        "env.size=32",
        "learner=dtp",
        "watch.every=64",
        "memory=minred",
        "memory.capacity=64",
        "memory.updates=2",
    ],
    "moments": ["learner=bp", "loss=hinge_remembered", "env.drift=categories", "env.phases=2", "env.phase_length=8"],
}


def run(tmp_path, name, *overrides):
    start([*SMALL, f"results_dir={tmp_path}", f"run.name={name}", *overrides], PROGRAM)


def numbers(tmp_path, name):
    """Weights' checksum, and the metrics that depend neither on the clock nor on how singular values are found."""
    facts, series = read_metrics(tmp_path / name / "metrics.zarr")
    by_name = {f"{group}/{of}": values for group, each in series.items() for of, values in each.items()}
    moot = ("speed/", "effective_rank")
    return facts["weights_sha256"], {of: by_name[of] for of in sorted(by_name) if not any(word in of for word in moot)}


@pytest.mark.parametrize("overrides", LEARNT.values(), ids=LEARNT)
def test_a_run_there_learns_and_scores_as_on_the_cpu(tmp_path, overrides):
    run(tmp_path, "here", *overrides, "device=cpu")
    with simulated():
        run(tmp_path, "there", *overrides)
    (here, numbers_here), (there, numbers_there) = (numbers(tmp_path, name) for name in ("here", "there"))
    assert here == there
    assert numbers_here.keys() == numbers_there.keys()
    for name, values in numbers_here.items():
        np.testing.assert_array_equal(values, numbers_there[name], err_msg=name)


MOVES = {"away": (True, False), "there": (False, True), "stays": (True, True)}  # whether it is there before and after
KEPT = {  # what a stream or a loss keeps
    "ring": ["memory=none", "pairs.gap_distribution=uniform"],
    "fifo": ["memory=fifo", "memory.capacity=64", "memory.updates=2"],
    "minred": ["memory=minred", "memory.capacity=64"],
    "moments": ["memory=none", "loss=hinge_remembered", "learner=bp"],
}


@pytest.mark.parametrize(("kept", "move"), [*product(KEPT, ["there"]), ("minred", "away"), ("ring", "stays")])
def test_a_run_goes_on_on_another_device_where_that_is_asked_for(tmp_path, kept, move):
    overrides, move = [*KEPT[kept], "eval.every=0", "watch.every=0"], MOVES[move]
    for name, frames, there in (("here", 96, False), ("moved", 48, move[0]), ("moved", 96, move[1])):
        device = "device=auto" if there else "device=cpu"
        with simulated() if there else nullcontext():
            if (tmp_path / name).exists():
                start([f"run.resume={tmp_path}/{name}", SMALL[0], f"run.frames={frames}", device], PROGRAM)
            else:
                run(tmp_path, name, *overrides, device, f"run.frames={frames}")
    assert numbers(tmp_path, "here")[0] == numbers(tmp_path, "moved")[0]
    assert summary(tmp_path / "moved")["device"] == str(DEVICE if move[1] else "cpu")
    assert RunFolder(tmp_path / "moved").settings.device == str(DEVICE if move[1] else "cpu")


class AtOnce:
    """Reads ahead in this thread, since in no other one is the device simulated."""

    def __init__(self, *_):
        pass

    def submit(self, read, *args):
        done = Future()
        done.set_result(read(*args))
        return done

    def shutdown(self, **_):
        pass


def learnt(*overrides):
    """The weights' checksum after some updates."""
    run = build(read([*SMALL, *overrides]))
    with closing(run.stream.frames):
        while run.frames < run.settings.run.frames:
            pairs = next(run.stream)
            run.learner.update(pairs)
            run.frames = pairs.frames
        run.state_dict()  # for a checkpoint, with which a recording is committed
    return weights_sha256(run.learner.network.state_dict())


def test_what_is_seen_there_is_recorded_and_replayed_as_on_the_cpu(tmp_path, monkeypatch):
    monkeypatch.setattr("streams.replay.sequential.ThreadPoolExecutor", AtOnce)
    replay = ["stream=replay", f"stream.path={tmp_path}/walk.zarr"]
    shuffled = [*replay, "stream.order=shuffled"]
    with simulated():
        there = [learnt(*overrides) for overrides in ([f"stream.record={tmp_path}/walk.zarr"], replay, shuffled)]
    here = [learnt("device=cpu", *overrides) for overrides in ([], replay, shuffled)]
    assert there == here
    assert here[0] == here[1] != here[2]
