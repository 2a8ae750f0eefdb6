"""The public names, used as a notebook would use them: no configuration, no file of this repository."""

from copy import deepcopy
from importlib import import_module
from itertools import islice

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from torch import Tensor, nn
from torch.utils.data import DataLoader

import envs
import learners
import runs
import streams
from envs.counting import CountingVector, spelt
from envs.errors import SettingError
from envs.worlds import find_world
from tests.helpers.online import SMALL

pandas = pytest.importorskip("pandas")
OVERRIDES = {name: value for name, _, value in (text.partition("=") for text in SMALL)}


def counting(worlds: int = 4, **settings):
    return gym.make_vec("Counting-v0", num_envs=worlds, size=16, episode_length=6, **settings)


@pytest.mark.parametrize("package", ["envs", "streams", "learners", "runs"])
def test_every_public_name_is_there_and_says_what_it_is(package):
    module = import_module(package)
    assert module.__all__ == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(module, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        module.nonsense  # noqa: B018


def test_pairs_of_a_world_show_one_episode_at_the_gap():
    for pairs in islice(streams.pairs(counting(), gap=2, seed=3), 12):
        seeds, episodes, ages = spelt((255 * pairs.first).round().to(torch.uint8).permute(0, 2, 3, 1).numpy())
        later = spelt((255 * pairs.second).round().to(torch.uint8).permute(0, 2, 3, 1).numpy())
        np.testing.assert_array_equal([seeds, episodes, ages + 2], later)


@pytest.mark.parametrize("kind", ["temporal", "augmentation", "both"])
def test_every_kind_of_pairs_is_made_from_the_same_rows(kind):
    pairs = list(islice(streams.pairs(counting(), gap=2, kind=kind), 4))
    assert [batch.episode.tolist() for batch in pairs] == [
        batch.episode.tolist() for batch in islice(streams.pairs(counting(), gap=2), 4)
    ]


class Blinking(gym.Env):
    """An environment of somebody else's: its frames are the number of the episode and the step."""

    observation_space = gym.spaces.Box(0, 255, (4, 4, 3), np.uint8)
    action_space = gym.spaces.Discrete(2)
    episode = -1

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode, self.age = self.episode + 1, 0
        return self._frame(), {"age": 0}

    def step(self, action):
        self.age += 1
        return self._frame(), 0.0, False, self.age == 4, {"age": self.age}

    def _frame(self):
        return np.full((4, 4, 3), 10 * self.episode + self.age, np.uint8)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_pairs_of_any_vector_environment_never_cross_an_episode(mode):
    world = SyncVectorEnv([Blinking, Blinking], autoreset_mode=mode)
    episodes = set()
    for pairs in islice(streams.pairs(world, gap=1), 20):
        first, second = ((255 * of[:, 0, 0, 0]).round().long() for of in (pairs.first, pairs.second))
        assert (second - first == 1).all()
        assert (first // 10 == second // 10).all()
        episodes |= {*pairs.episode.tolist()}
    assert len(episodes) > 4


def test_an_environment_without_images_is_refused_in_a_line():
    with pytest.raises(SettingError, match='render_mode="rgb_array"'):
        streams.pairs(gym.make_vec("CartPole-v1", num_envs=2, vectorization_mode="sync"))
    with pytest.raises(SettingError, match="make_vec"):
        streams.pairs(gym.make("Counting-v0"))


def test_a_stream_of_a_world_is_resumed_and_of_another_environment_says_that_it_cannot_be():
    straight = list(islice(streams.pairs(counting(), gap=2), 8))
    begun = streams.pairs(counting(), gap=2)
    list(islice(begun, 3))
    resumed = streams.pairs(counting(), gap=2)
    resumed.load_state_dict(begun.state_dict())
    assert all(torch.equal(a.second, b.second) for a, b in zip(straight[3:], islice(resumed, 5), strict=True))
    with pytest.raises(SettingError, match="no state to save"):
        streams.pairs(SyncVectorEnv([Blinking]), gap=1).state_dict()


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    path = tmp_path_factory.mktemp("walk") / "walk.zarr"
    streams.write(counting(), path, frames=4 * 40, seed=1)
    return path


def test_a_recording_is_read_as_the_frames_that_were_seen(walk):
    recording = streams.open(walk)
    assert (recording.steps, recording.worlds, recording.size) == (40, 4, (16, 16))
    images = recording["images"]
    everything = images[:]
    assert images.shape == everything.shape == (40, 4, 16, 16, 3)
    for index in (3, -1, slice(5, 9), slice(None, None, 7), [1, 30, 2], (slice(2, 4), 1), (..., 0), (5, 2, 3)):
        np.testing.assert_array_equal(images[index], everything[index])
    replayed = [streams_of(pairs) for pairs in streams.pairs(walk, gap=1)]
    live = [streams_of(pairs) for pairs in islice(streams.pairs(counting(), gap=1, seed=1), len(replayed))]
    assert live == replayed
    assert len(live) > 30


def streams_of(pairs):
    return (pairs.first.sum().item(), pairs.second.sum().item(), pairs.episode.tolist())


def test_the_episodes_of_a_recording_and_of_a_category(walk):
    recording = streams.open(walk)
    episodes = recording.episodes()
    assert sum(one.past - one.first for one in episodes) == 160
    first = recording.episode(episodes[0].number)
    assert first["age"].tolist() == list(range(6))
    assert (first["category"] == episodes[0].category).all()
    of_two = list(recording.of_category(2))
    assert len(of_two) == len(recording.episodes(category=2)) > 0
    assert all((one["category"] == 2).all() for one in of_two)
    with pytest.raises(SettingError, match="shows no episode 9999"):
        recording.episode(9999)
    with pytest.raises(KeyError, match="has no colour"):
        recording["colour"]


def test_a_recording_as_xarray_reads_only_what_is_asked_for(walk, monkeypatch):
    pytest.importorskip("xarray")
    recording = streams.open(walk)
    dataset = recording.to_xarray()
    assert dataset.images.dims == ("step", "world", "height", "width", "rgb")
    monkeypatch.setattr(type(recording._recording), "span", lambda *_: pytest.fail("it was read"))
    dataset.images.isel(step=slice(3, 6))
    monkeypatch.undo()
    np.testing.assert_array_equal(dataset.age[7].values, recording["age"][7])


def test_a_recordings_categories_have_names(tmp_path):
    world = gym.make_vec("MovingObjects-v0", num_envs=2, size=16, categories=3)
    assert streams.write(world, tmp_path / "a.zarr", frames=4).categories == ["mug", "chair", "car"]


def test_what_is_no_place_in_a_recording_is_said_in_a_line(walk):
    walk = streams.open(walk)
    for wrong in ((), (0,), (10, 20)):
        with pytest.raises(SettingError, match="takes what episodes"):
            walk.part(*wrong)
    assert set(walk.keys()) >= {"images", "episode", "category"}
    np.testing.assert_array_equal(walk["factors/category"][:], walk["category"][:])


def test_rows_too_short_for_a_pair_are_said_and_not_passed_over(walk):
    walk = streams.open(walk)
    whole = walk.steps * walk.worlds
    for order in ("sequential", "episodes", "shuffled"):
        few = streams.pairs(walk, gap=2, worlds=whole // 2, order=order)
        with pytest.raises(SettingError, match=f"stream.worlds={whole // 2} shows 2 steps .* try stream.worlds="):
            next(few)
    with pytest.raises(SettingError, match="pairs.gap=1000 formed no pair in 40 steps; try a shorter one"):
        next(streams.pairs(walk, gap=1000))
    with pytest.raises(SettingError, match="batches=0 gives nothing"):
        streams.PairDataset(walk, batches=0)


def test_a_data_set_of_pairs_goes_into_a_data_loader(walk):
    batches = list(DataLoader(streams.PairDataset(walk, gap=2), batch_size=None))
    assert sum(len(batch.episode) for batch in batches) > 60
    views = list(DataLoader(streams.PairDataset(walk, gap=2, as_views=True, batches=3), batch_size=None))
    assert [len(both) for both, _ in views] == [2, 2, 2]
    assert torch.equal(views[0][0][0], batches[0].first)
    with pytest.raises(SettingError, match="num_workers=2"):
        list(DataLoader(streams.PairDataset(walk, gap=2), batch_size=None, num_workers=2))


def nearer(u: Tensor, v: Tensor, *, episode: Tensor) -> Tensor:
    """A loss of one's own."""
    return (u - v).square().mean()


def test_a_learner_is_made_from_names_and_learns_in_a_loop_of_ones_own():
    learner = learners.make("dgl", loss=nearer, size=16, settings={"learner.lr": 1e-2})
    losses = [learner.update(pairs)["loss"].item() for pairs in islice(streams.pairs(counting(16), gap=2), 20)]
    assert losses[-1] < losses[0]
    assert learner.settings.lr == 1e-2
    one = learners.make("bp", size=16, seed=1).network.state_dict()
    two = learners.make("bp", size=16, seed=1).network.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_network_of_ones_own_is_a_spec():
    learner = learners.make("bp", network=learners.Spec(((8, "relu", "pool"),), squash=False), size=16)
    assert learner.encode(torch.rand(2, 3, 16, 16)).shape == (2, 8 * 8 * 8)


def test_what_cannot_be_made_is_said_in_a_line():
    with pytest.raises(SettingError, match="learner=dlg is unknown; did you mean dgl"):
        learners.make("dlg")
    with pytest.raises(SettingError, match="env.size=2 is too small"):
        learners.make(size=2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    place = tmp_path_factory.mktemp("results")
    calls = []
    settings = OVERRIDES | {"results_dir": place, "run.name": "one", "eval.transfer": [], "run.keep": 2}
    done = learners.train(settings, callbacks=[lambda run, report: calls.append((run.frames, *report))])
    return done, calls


def test_training_is_a_function_with_callbacks_that_returns_the_encoder(trained):
    done, calls = trained
    assert done.finished
    assert calls[-1][0] == 176
    assert len(calls) == done.run.facts["updates"]
    assert "loss" in calls[0]


def test_the_encoder_takes_images_as_people_have_them(trained):
    done, _ = trained
    encoder = learners.load(done.path)
    images = torch.randint(256, (5, 16, 16, 3), dtype=torch.uint8)
    features = encoder(images)
    assert features.shape == (5, 256)
    channels_first = images.permute(0, 3, 1, 2)
    for same in (channels_first, channels_first.float() / 255, images.float() / 255):
        assert torch.equal(encoder(same), features)
    assert torch.equal(encoder.blocks(images)[-1].permute(0, 2, 3, 1).flatten(1), features)
    assert not encoder.training
    assert torch.equal(encoder(images.numpy()), features)
    with pytest.raises(SettingError, match="a list; give"):
        encoder(images.tolist())
    with pytest.raises(SettingError, match="device=cuda:99 is not on this machine"):
        learners.load(done.path, device="cuda:99")
    with pytest.raises(ValueError, match="as uint8"):
        encoder(channels_first.float() / 127.5 - 1)
    with pytest.raises(ValueError, match=r"give \(B, 3, 16, 16\)"):
        encoder(torch.rand(2, 3, 8, 8))


def test_any_kept_checkpoint_can_be_loaded(trained):
    done, _ = trained
    kept = sorted(int(path.name[:12]) for path in (done.path / "checkpoints").iterdir())
    assert [learners.load(done.path, frames=frames).frames for frames in kept] == kept
    with pytest.raises(SettingError, match=rf"frames=7 is no checkpoint .* there are {kept[0]}, {kept[1]}"):
        learners.load(done.path, frames=7)
    with pytest.raises(SettingError, match="is no run"):
        learners.load(done.path / "checkpoints")
    with pytest.raises(SettingError, match=r"e.pt2 is opened with torch.export.load; .* or a .safetensors file"):
        learners.load("e.pt2")


def test_the_numbers_of_a_run_are_tables(trained):
    done, _ = trained
    run = runs.open(done.path)
    assert run.settings["learner.name"] == "dgl"
    assert run["train"]["frames"].iloc[-1] == 176
    assert {"test instances"} == {*run.scores["task"]}
    last = run.scores.query("probe == 'linear' and encoder == 'encoder' and frames == 176 and block.isna()")
    assert last["value"].item() == pytest.approx(run["eval/linear"]["top1"].iloc[-1])
    assert run.to_xarray("train")["train/loss"].sizes == {"train/frames": len(run["train"])}
    assert {"film_strip", "learning_curve"} <= run.pictures.keys()
    tidy = runs.open_all(str(done.path.parent))
    assert {*tidy["run"]} == {str(done.path)}
    assert len(tidy) == len(run.scores)
    with pytest.raises(KeyError, match="has no series nonsense"):
        run["nonsense"]


def test_the_columns_of_tables_are_in_one_order(trained):
    done, _ = trained
    run = runs.open(done.path)
    for name in run.names:
        first, *others = run[name].columns
        assert first == "frames"
        assert others == sorted(others)
    scores = ["frames", "encoder", "task", "split", "probe", "block", "measure", "value"]
    assert [*run.scores.columns] == scores
    about = ["run", "env", "learner", "loss", "network", "pairs", "seed"]
    assert [*runs.open_all(done.path).columns] == [*about, *scores]


def test_any_encoder_is_evaluated(tmp_path):
    sizes = {"train": 60, "validation": 20, "test": 40}
    labels = np.arange(200) % 4
    colors = np.array([[0, 0, 0], [200, 0, 0], [0, 200, 0], [0, 0, 200]], np.uint8)[labels]
    images = np.broadcast_to(colors[:, None, None], (200, 16, 16, 3))
    np.savez(tmp_path / "own.npz", images=images, labels=labels)
    tasks = ["world", tmp_path / "own.npz"]
    scores = runs.evaluate(lambda images: images.mean((2, 3)), tasks, env="counting", size=16, **sizes)
    assert scores[runs.ScoreKey("own")]["top1"] == 1
    assert runs.ScoreKey() in scores
    more = runs.evaluate(lambda images: images.flatten(1), env="counting", size=16, with_baselines=True, **sizes)
    assert more[runs.ScoreKey()]["top1"] == more[runs.ScoreKey(encoder="pixels")]["top1"]
    with pytest.raises(SettingError, match="give features"):
        runs.evaluate(lambda images: images, env="counting", size=16, **sizes)
    with pytest.raises(SettingError, match="probes=lineer is unknown; did you mean linear"):
        runs.evaluate(lambda images: images, probes=["lineer"])


EVALUATED = {"env": "counting", "size": 16, "train": 60, "validation": 20, "test": 40}


def test_a_module_is_scored_as_it_is_used_and_afterwards_is_as_it_was():
    network = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten())
    network[1].eval()
    before, modes = deepcopy(network.state_dict()), [part.training for part in network.modules()]
    scores = [runs.evaluate(encode, ["digits"], size=16) for encode in (network, network, network.forward)]
    assert scores[0] == scores[1] == scores[2]
    assert all(torch.equal(before[name], now) for name, now in network.state_dict().items())
    assert [part.training for part in network.modules()] == modes


def test_features_as_arrays_are_scored_like_tensors():
    of_tensors = runs.evaluate(lambda images: images.flatten(1), **EVALUATED)
    assert runs.evaluate(lambda images: images.flatten(1).numpy(), **EVALUATED) == of_tensors


@pytest.mark.parametrize(
    ("encode", "message"),
    [
        (lambda images: images.mean((1, 2, 3)), r"encode gives \(60,\) for images \(60, 3, 16, 16\)"),
        (lambda images: images.flatten(1)[:5], r"encode gives \(5, 768\) .* B=60"),
        (lambda images: images.flatten(1)[:, : len(images)], "encode gives 20 features an image, and gave 60 before"),
        (lambda images: images.flatten(1) / 0, "NaN or infinite"),
        (lambda images: None, "encode gives None"),
        (lambda images: images @ "weights", r"encode raised TypeError \(unsupported operand"),
        ("encoder", "encode='encoder' is a str; give a function"),
    ],
)
def test_what_is_no_features_is_said_in_a_line(encode, message):
    with pytest.raises(SettingError, match=message) as raised:
        runs.evaluate(encode, **EVALUATED)
    assert "\n" not in str(raised.value)


def test_tasks_and_probes_that_are_unknown_or_none_are_refused():
    for given in ({"tasks": []}, {"probes": []}):
        with pytest.raises(SettingError, match=f"{next(iter(given))}=.. leaves nothing to score"):
            runs.evaluate(len, **EVALUATED, **given)
    with pytest.raises(SettingError, match="tasks=wrold is unknown; did you mean world. known: world, digits"):
        runs.evaluate(len, ["wrold"], **EVALUATED)


@pytest.mark.parametrize("rule", ["dgl", "none"])
def test_a_learner_takes_images_of_its_size_alone(rule):
    learner, (good, bad) = learners.make(rule, size=16), (next(streams.pairs(counting(8), gap=2)) for _ in range(2))
    images = torch.randint(256, (2, 16, 16, 3), dtype=torch.uint8)
    same = learner.encode(images.permute(0, 3, 1, 2).float() / 255)
    for given in (images, images.permute(0, 3, 1, 2), images.numpy()):
        assert torch.equal(learner.encode(given), same)
    with pytest.raises(SettingError, match=r"images \(2, 3, 8, 8\) do not fit; give \(B, 3, 16, 16\)"):
        learner.encode(torch.rand(2, 3, 8, 8))
    large = torch.rand(8, 3, 32, 32)
    for wrong, message in (
        (bad._replace(first=large, second=large), r"pairs.first is \(8, 3, 32, 32\) float32 .* give \(B, 3, 16, 16\)"),
        (bad._replace(second=bad.second.byte()), "pairs.second is .* uint8"),
        (bad._replace(first=bad.first[:3]), "3 of first, 8 of second"),
        (bad.first, "pairs are a Tensor; give streams.Pairs"),
    ):
        with pytest.raises(SettingError, match=message):
            learner.update(wrong)
    assert "loss" in learner.update(good)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: streams.pairs(counting(), gap="4"), "gap='4' is a str; give a whole number"),
        (lambda: streams.pairs(None), "source is None; give worlds, as from gymnasium.make_vec"),
        (lambda: streams.pairs(counting(), device="cuda:99"), "device=cuda:99 is not on this machine"),
        (lambda: streams.PairDataset(counting(), gaap=2), "gaap is no setting; did you mean gap"),
        (lambda: streams.write(counting(), None, frames=4), "path is None"),
        (lambda: streams.open(None), "path is None"),
        (lambda: streams.select(None, "new.zarr"), "sources is None"),
        (lambda: learners.train("learner=bp"), "settings='learner=bp' is a str; give a dict"),
        (lambda: learners.train({}, callbacks=print), "callbacks=.* give a list, each a function"),
        (lambda: learners.train({"device": "cuda:99"}), "device=cuda:99 is not on this machine"),
        (lambda: learners.make(device="cuda:99"), "device=cuda:99 is not on this machine"),
        (lambda: learners.make(size="16"), "size='16' is a str"),
        (lambda: learners.make(settings={"env.size": 16}), "settings: env.size is none of the learner's"),
        (lambda: learners.load(None), "path is None"),
        (lambda: runs.open(None), "path is None"),
        (lambda: runs.open_all(), "patterns are not given"),
        (lambda: runs.evaluate(len, device="cuda:99"), "device=cuda:99 is not on this machine"),
        (lambda: envs.show("walk.zarr"), "world='walk.zarr' is a str"),
        (lambda: envs.check_world(gym.make("Counting-v0")), "give worlds, as from gymnasium.make_vec"),
        (lambda: gym.make_vec("Counting-v0", size="16"), "size='16' is a str"),
        (lambda: gym.make_vec("Counting-v0", device="cuda:99"), "device=cuda:99 is not on this machine"),
    ],
)
def test_an_argument_that_cannot_work_is_said_in_a_line(call, message):
    with pytest.raises(SettingError, match=message) as raised:
        call()
    assert "\n" not in str(raised.value)


def test_a_world_keeps_its_contract():
    for world in (counting(2), gym.make_vec("MovingObjects-v0", num_envs=2, size=16)):
        envs.check_world(world)
    with pytest.raises(
        SettingError, match=r"is no world: it lacks settings .*, state_dict .*subclass envs.VectorWorld"
    ):
        envs.check_world(gym.make_vec("CartPole-v1", num_envs=2, vectorization_mode="sync"))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"reset": lambda self, **_: (self._image.float(), {})}, "not .* torch.uint8"),
        ({"load_state_dict": lambda self, state: None}, "load_state_dict does not bring back"),
        ({"categories": 1}, "not .* numbers of 1 categories"),
    ],
)
def test_what_breaks_the_contract_is_named(fault, message):
    own_reset = CountingVector.reset

    class Broken(CountingVector):
        pass

    if "reset" in fault:

        def reset(self, **options):
            frames, info = own_reset(self, **options)
            return frames.float(), info

        fault = {"reset": reset}
    for name, value in fault.items():
        setattr(Broken, name, value)
    with pytest.raises(SettingError, match=f"Broken breaks the contract of a world: .*{message}"):
        envs.check_world(Broken(3))


def test_what_is_no_world_is_not_registered():
    with pytest.raises(SettingError, match="give a subclass of envs.VectorWorld"):
        envs.register(gym.Env)
    with pytest.raises(SettingError, match="is another world's"):
        envs.register(type("Other", (envs.VectorWorld,), {"settings_class": _settings_like("counting")}))
    for named, message in {
        "no_such_module:x": "cannot be imported",
        "json:x": "registers no world x; call envs.register",
        "moving_object": "did you mean moving_objects",
    }.items():
        with pytest.raises(SettingError, match=message):
            find_world(named)


def _settings_like(name: str) -> type:
    from dataclasses import make_dataclass

    from envs.counting import CountingSettings

    return make_dataclass("OtherSettings", [], bases=(CountingSettings,), namespace={"name": name})
