"""The folder of a training: log.jsonl (a line for each epoch), pictures, and what is found there again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pullback import ops
from pullback.errors import InputError
from pullback.io.images.pictures import write_picture
from pullback.learn.data.pairs import PairBatch
from pullback.learn.measure import Way
from pullback.learn.networks import warp
from pullback.learn.tensorboard_files import Board
from pullback.typing import Tensor

CHECKPOINT, WEIGHTS, LOG = "checkpoint.safetensors", "model.safetensors", "log.jsonl"
SCALE = 4
"""A voxel is so many points wide in a picture of a small image."""


def prepared_folder(folder: Path, resume: bool) -> None:
    """Make the folder, or see that there is something to resume.

    Raises:
        InputError: there is a training already, or none to resume.
    """
    there = (folder / CHECKPOINT).is_file()
    if resume and not there:
        raise InputError(f"{folder} holds no checkpoint to resume; start a training with --out {folder}")
    if there and not resume:
        raise InputError(f"{folder} holds a training already; resume it, or choose another folder")
    try:
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror or error}; choose another one") from error


class Journal:
    """What a training tells while it goes on: log.jsonl, pictures, and TensorBoard's files if wanted.

    Args:
        folder: of the training.
        epoch: how many are done; what is said of later ones in log.jsonl is left out, they will be run again.
        tensorboard: whether to write event files too.
    """

    def __init__(self, folder: Path, epoch: int, tensorboard: bool = False) -> None:
        cut_log(folder, epoch)
        self.folder = folder
        self.board = Board(folder, epoch) if tensorboard else None

    def line(self, line: dict[str, Any]) -> None:
        """Tell the numbers of an epoch."""
        add_line(self.folder, line)
        if self.board is not None:
            self.board.line(line)

    def draw(self, epoch: int, batch: PairBatch, way: Way) -> None:
        """Show some pairs; see `sheet`."""
        grey = 255 * np.asarray(sheet(batch, way))
        write_picture(grey[None], self.folder / "pictures" / f"epoch_{epoch:05d}.png")
        if self.board is not None:
            self.board.picture(grey, epoch)

    def close(self) -> None:
        """Write what is left."""
        if self.board is not None:
            self.board.close()


def cut_log(folder: Path, epoch: int) -> None:
    """Leave out the lines after an epoch: those steps will be taken again."""
    path = folder / LOG
    if path.is_file():
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if _epoch(line) <= epoch]
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def _epoch(line: str) -> float:
    try:
        return float(json.loads(line)["epoch"])
    except (ValueError, KeyError, TypeError):  # the last line of a killed process may be torn
        return float("inf")


def add_line(folder: Path, line: dict[str, Any]) -> None:
    """Append to log.jsonl."""
    with (folder / LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def sheet(batch: PairBatch, way: Way) -> Tensor:
    """Some pairs, from 0 to 1: moving, warped, fixed, how far it moves, Jacobian (grey is 1, black folds)."""
    displacement = way(batch).to("cpu", torch.float32)
    warped = warp(batch.moving, displacement)
    volume = ops.jacobian(displacement, torch.eye(displacement.shape[1], dtype=torch.float64))
    length = displacement.norm(dim=1)
    columns = [batch.moving[:, 0], warped[:, 0], batch.fixed[:, 0], length / length.max().clamp(min=1e-6), volume / 2]
    rows = [torch.cat([_framed(_plane(column[k])) for column in columns], dim=1) for k in range(len(warped))]
    whole = torch.cat(rows, dim=0).clamp(0, 1).repeat_interleave(_scale(rows[0]), 0)
    return whole.repeat_interleave(_scale(rows[0]), 1)


def _plane(image: Tensor) -> Tensor:
    """The middle slice of a volume."""
    return image if image.ndim == 2 else image[len(image) // 2]


def _framed(image: Tensor) -> Tensor:
    return torch.nn.functional.pad(image, (1, 1, 1, 1), value=1.0)


def _scale(row: Tensor) -> int:
    return SCALE if row.shape[1] < 600 else 1
