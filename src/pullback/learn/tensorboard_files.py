"""Board: the course of a training for TensorBoard: loss, learning rate, validation figures, pictures of pairs.

TensorBoard's own writer is used, if it is installed; log.jsonl and the pictures are written in any case.
"""

from __future__ import annotations

import contextlib
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pullback.errors import InputError

FOLDER = "tensorboard"
"""Below the folder of a training: tensorboard --logdir RUN/tensorboard."""


def check_installed() -> None:
    """Say so before a training starts, not after its first epoch.

    Raises:
        InputError: the package is missing.
    """
    if find_spec("tensorboard") is None:
        raise InputError("the package tensorboard is not installed: pip install 'pullback[tensorboard]', or leave "
                         "--tensorboard out (log.jsonl and the pictures are written in any case)")  # fmt: skip


class Board:
    """Event files of one training.

    Args:
        folder: of the training.
        epoch: how many are done; what a run that was killed wrote after it is hidden.

    Raises:
        InputError: the package is missing.
    """

    def __init__(self, folder: Path, epoch: int) -> None:
        check_installed()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the package, about packages of its own
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  # an optional extra

            self._writer: Any = SummaryWriter(str(folder / FOLDER), purge_step=epoch + 1 if epoch else None)

    def line(self, line: dict[str, Any]) -> None:
        """The numbers of one line of log.jsonl, by epoch."""
        epoch = int(line["epoch"])
        for name in ("loss", "learning_rate"):
            self._writer.add_scalar(name, line[name], epoch)
        for name, value in line.get("validation", {}).items():
            self._writer.add_scalar(f"validation/{name}", value, epoch)
        self._writer.flush()

    def picture(self, sheet: np.ndarray, epoch: int) -> None:
        """Grey values from 0 to 255, (rows, columns)."""
        self._writer.add_image("validation pairs", np.asarray(sheet, np.uint8), epoch, dataformats="HW")

    def close(self) -> None:
        """Write what is left; a disk that is full is told of by log.jsonl."""
        with contextlib.suppress(OSError):
            self._writer.close()
