import pytest

from envs.errors import SettingError
from runs.config import composing
from runs.launch.validate import check
from runs.store import tensorboard as mirror
from runs.store.metrics import Metrics


@pytest.mark.filterwarnings("ignore")  # of TensorBoard's own dependencies
def test_tensorboard_sees_the_committed_numbers_and_forgets_what_a_resumed_run_repeats(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    metrics = Metrics.create(tmp_path / "metrics.zarr", {})
    metrics.mirror = mirror.TensorBoardLogger(tmp_path)
    for frames in (0, 64, 128):
        metrics.add("eval/linear", frames, {"top1": frames / 256})
        metrics.commit()
    again = Metrics.open(tmp_path / "metrics.zarr", cut_to=64)
    again.mirror = mirror.TensorBoardLogger(tmp_path, frames=64)
    again.add("eval/linear", 256, {"top1": 0.75})
    again.commit()
    events = EventAccumulator(str(tmp_path / mirror.FOLDER))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("eval/linear/top1")] == [
        (0, 0),
        (64, 0.25),
        (256, 0.75),
    ]


def test_without_tensorboard_that_is_one_line_before_any_work(monkeypatch):
    monkeypatch.setattr(mirror, "find_spec", lambda name: None)
    with pytest.raises(SettingError, match=r"pip install 'contiguity\[tensorboard\]'"):
        check(composing.read(["env=counting", "pairs.gap=2", "run.tensorboard=true"]))
    check(composing.read(["env=counting", "pairs.gap=2"]))
