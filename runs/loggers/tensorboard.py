"""TensorBoard: its files lie in the run's folder, in `tensorboard`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from runs.loggers.logger import RunIdentity, ScoreTable, scalars
from runs.store.metrics import Row

FOLDER = "tensorboard"


class TensorBoardLogger:
    """Scalars `series/name` at their frames; what a resumed run wrote beyond where it goes on is hidden."""

    def __init__(self, run: RunIdentity):
        purge = run.frames + 1 if run.frames else None
        self._writer = SummaryWriter(str(run.folder / FOLDER), purge_step=purge)

    def log_settings(self, settings: Mapping[str, Any]) -> None:
        """The text `settings`."""
        self._writer.add_text("settings", _markdown(("setting", "value"), list(settings.items())))

    def log_rows(self, series: str, rows: Sequence[Row]) -> None:
        """Scalars."""
        for row in rows:
            for name, value in scalars(series, row):
                self._writer.add_scalar(name, value, row["frames"])
        self._writer.flush()

    def log_picture(self, path: Path, *, frames: int) -> None:
        """An image of the file's name."""
        self._writer.add_image(path.stem, np.asarray(Image.open(path).convert("RGB")), frames, dataformats="HWC")

    def log_scores(self, table: ScoreTable, *, frames: int) -> None:
        """The text `scores`."""
        self._writer.add_text("scores", _markdown(table.columns, table.rows), frames)

    def close(self, *, completed: bool) -> None:
        """Ends the file."""
        self._writer.close()


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
