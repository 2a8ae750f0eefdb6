"""A run's numbers for TensorBoard too: run.tensorboard=true writes them to its folder's `tensorboard`."""

from importlib.util import find_spec
from pathlib import Path

from envs.errors import SettingError
from runs.store.metrics import Row

FOLDER = "tensorboard"


class TensorBoardLogger:
    """Writes committed rows as scalars `group/name` at their frames; what a resumed run wrote beyond them is hidden."""

    def __init__(self, run: Path, *, frames: int = 0):
        check_installed()
        from torch.utils.tensorboard import SummaryWriter  # slow, and asked for by few

        self._writer = SummaryWriter(str(run / FOLDER), purge_step=frames + 1 if frames else None)

    def __call__(self, group: str, rows: list[Row]) -> None:
        """Writes the rows of one series."""
        for row in rows:
            for name, value in row.items():
                if name != "frames" and isinstance(value, (int, float)):
                    self._writer.add_scalar(f"{group}/{name}", value, row["frames"])
        self._writer.flush()


def check_installed() -> None:
    """Checks that TensorBoard is installed. Raises SettingError: it is not."""
    if find_spec("tensorboard") is None:
        raise SettingError(
            "run.tensorboard=true needs TensorBoard; pip install 'contiguity[tensorboard]', or leave it out"
        )
