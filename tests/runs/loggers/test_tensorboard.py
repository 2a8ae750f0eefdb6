import pytest

from runs.loggers.logger import RunIdentity
from runs.store.metrics import Metrics


@pytest.mark.filterwarnings("ignore")  # of TensorBoard's own dependencies
def test_tensorboard_sees_the_committed_numbers_and_forgets_what_a_resumed_run_repeats(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from runs.loggers.tensorboard import FOLDER, TensorBoardLogger

    run = RunIdentity(tmp_path, "one", None, "0", 0)
    metrics = Metrics.create(tmp_path / "metrics.zarr", {})
    metrics.mirror = TensorBoardLogger(run).log_rows
    for frames in (0, 64, 128):
        metrics.add("eval/linear", frames, {"top1": frames / 256})
        metrics.commit()
    again = Metrics.open(tmp_path / "metrics.zarr", cut_to=64)
    again.mirror = TensorBoardLogger(run._replace(frames=64)).log_rows
    again.add("eval/linear", 256, {"top1": 0.75})
    again.commit()
    events = EventAccumulator(str(tmp_path / FOLDER))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("eval/linear/top1")] == [
        (0, 0),
        (64, 0.25),
        (256, 0.75),
    ]
