"""On a GPU: what a run does there is what it does on a CPU, and the loop does not wait for the device."""

from itertools import islice

import pytest
import torch

from envs.moving_objects import MovingObjectsVector
from learners.online import build, main
from runs.config.composing import read
from runs.store.metrics import facts

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
    pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype"),  # torch's, once a process
]


@pytest.fixture
def unhindered():
    """Torch raises an error where the host would have to wait for the device."""

    def begin():
        torch.cuda.set_sync_debug_mode("error")

    yield begin
    torch.cuda.set_sync_debug_mode("default")


def test_worlds_show_there_what_they_show_on_a_cpu_and_no_step_waits(unhindered):
    films = []
    for device in ("cpu", "cuda"):
        world = MovingObjectsVector(8, size=32, episode_length=6, device=device)
        world.reset(seed=0)
        still = torch.zeros(8, 2, device=device)
        world.step(still)  # in which the kernels are built
        if device == "cuda":
            unhindered()
        images = [world.step(still)[0] for _ in range(20)]
        torch.cuda.set_sync_debug_mode("default")
        assert all(image.device.type == device for image in images)
        films.append(torch.stack(images).cpu().int())
    differ = (films[0] - films[1]).abs().amax(-1) > 1
    assert differ.float().mean() < 0.01  # edges, where a ray just hits or just misses


@pytest.mark.parametrize("learner", ["bp", "dgl", "rll", "dtp"])
def test_an_update_does_not_wait(unhindered, learner):
    run = build(read([f"learner={learner}", "device=cuda", "env.num_worlds=16", "run.frames=4096"]))
    for pairs in islice(run.stream, 3):
        run.learner.update(pairs)
    unhindered()
    for pairs in islice(run.stream, 8):
        report = run.learner.update(pairs)
    torch.cuda.set_sync_debug_mode("default")
    assert all(bool(torch.isfinite(torch.as_tensor(value)).all()) for value in report.values())


def test_a_resumed_run_ends_with_the_same_weights(tmp_path, monkeypatch):
    overrides = ["device=cuda", "eval.every=0", "env.num_worlds=16", f"results_dir={tmp_path}"]
    for args in (
        [*overrides, "run.name=one", "run.frames=512"],
        [*overrides, "run.name=halves", "run.frames=256"],
        [f"run.resume={tmp_path}/halves", "run.frames=512"],
    ):
        monkeypatch.setattr("sys.argv", ["online", *args])
        with pytest.raises(SystemExit, match="^0$"):
            main()
    one, halves = (facts(tmp_path / name / "metrics.zarr")["weights_sha256"] for name in ("one", "halves"))
    assert one == halves


@pytest.mark.parametrize("devices", [("cpu", "cuda"), ("cuda", "cpu")])
def test_a_run_goes_on_on_the_other_device(tmp_path, monkeypatch, devices):
    overrides = ["eval.every=0", "env.num_worlds=16", f"results_dir={tmp_path}", "run.name=moved", "run.frames=256"]
    for args in (
        [*overrides, f"device={devices[0]}"],
        [f"run.resume={tmp_path}/moved", "run.frames=512", f"device={devices[1]}"],
    ):
        monkeypatch.setattr("sys.argv", ["online", *args])
        with pytest.raises(SystemExit, match="^0$"):
            main()
    assert facts(tmp_path / "moved" / "metrics.zarr")["device"].startswith(devices[1])
