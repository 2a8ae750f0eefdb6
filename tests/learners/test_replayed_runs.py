"""A run on its own recording is the run that it was recorded by, for every learner."""

from contextlib import closing

import gymnasium as gym
import pytest

import streams
from learners.online import PROGRAM, build
from runs.config.composing import choices
from runs.config.composing import read as read_settings
from runs.launch.start import start
from runs.store.checkpoint import weights_sha256
from runs.store.metrics import read
from streams.record import record
from tests.helpers.online import SMALL as RUN

ELSE = [text for text in RUN if not text.startswith("env")]
SMALL_WORLDS = {
    "counting": ["env=counting", "env.size=16", "env.num_worlds=4", "env.episode_length=6"],
    "moving_objects": ["env.size=16", "env.num_worlds=4", "env.episode_length=6"],
}


@pytest.fixture(scope="module", params=SMALL_WORLDS)
def way(request, tmp_path_factory):
    """The settings of a world, and those of a recording of it."""
    path, overrides = tmp_path_factory.mktemp("way") / "walk.zarr", SMALL_WORLDS[request.param]
    record([*overrides, "device=cpu", "seed=5", f"record.path={path}", "record.frames=24"])
    return overrides, ["stream=replay", f"stream.path={path}"]


def learnt(*overrides):
    """The weights' sha256 after some updates."""
    run = build(read_settings([*ELSE, "run.frames=24", "seed=5", *overrides]))
    with closing(run.stream.frames):
        while run.frames < 16:
            pairs = next(run.stream)
            run.learner.update(pairs)
            run.frames = pairs.frames
    return weights_sha256(run.learner.network.state_dict())


@pytest.mark.parametrize("learner", choices()["learner"])
def test_a_run_on_its_own_recording_ends_with_the_same_weights(way, learner):
    live, replayed = way
    assert learnt(f"learner={learner}", *live) == learnt(f"learner={learner}", *replayed)


def test_so_do_whole_runs_and_recording_changes_nothing(tmp_path):
    walk = f"{tmp_path}/walk.zarr"
    overrides = [*ELSE, "eval.every=0", "run.frames=48", f"results_dir={tmp_path}"]
    ways = {
        "live": [*SMALL_WORLDS["counting"], f"stream.record={walk}"],
        "unrecorded": SMALL_WORLDS["counting"],
        "replayed": ["stream=replay", f"stream.path={walk}"],
    }
    for name, way in ways.items():
        assert start([*overrides, *way, f"run.name={name}"], PROGRAM) == 0
    facts = [read(tmp_path / name / "metrics.zarr")[0] for name in ways]
    assert len({fact["weights_sha256"] for fact in facts}) == 1
    assert {fact["frames"] for fact in facts} == {48}


def test_a_recording_of_one_world_is_learned_from_and_looked_at_to_its_end(tmp_path):
    path = tmp_path / "walk.zarr"
    world = gym.make_vec("Counting-v0", num_envs=1, size=16, episode_length=20)
    streams.write(world, path, frames=40)
    settings = ["stream=replay", f"stream.path={path}", "loss=hinge_remembered", "pairs.gap=2", "memory=none"]
    settings += ["network=conv4", "run.frames=40", "eval.every=0", "watch.every=0", "device=cpu"]
    assert start([*settings, f"results_dir={tmp_path}", "run.name=one"], PROGRAM) == 0
    assert (tmp_path / "one" / "film_strip.png").is_file()
