"""Running sums of an iteration, kept on disk after every image, so that a long job may be stopped and go on."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pullback import io
from pullback.errors import InputError
from pullback.space import Space
from pullback.typing import Batch, Field

NAME = "unfinished.npz"


@dataclass(frozen=True, eq=False)
class Running:
    """What has been done of an iteration.

    Attributes:
        iteration: which one, from 0.
        done: how many images have been through it.
        used: how many of them count.
        left_out: the images whose registration did not succeed, with the reason.
        total: (c, *shape), the sum of the warped images that count.
        displacement: (D, *shape) mm, the sum of their displacements.
    """

    iteration: int
    done: int
    used: int
    left_out: tuple[tuple[int, str], ...]
    total: Batch | Field
    displacement: Field

    @classmethod
    def begin(cls, iteration: int, space: Space, channels: int) -> Running:
        """Nothing done."""
        return cls(iteration, 0, 0, (), torch.zeros(channels, *space.shape), torch.zeros(space.dimension, *space.shape))

    def add(self, warped: Field, displacement: Field) -> Running:
        """One more image that counts."""
        return replace(
            self,
            done=self.done + 1,
            used=self.used + 1,
            total=self.total + warped.cpu(),
            displacement=self.displacement + displacement.cpu(),
        )

    def leave_out(self, why: str) -> Running:
        """One more image that does not."""
        return replace(self, done=self.done + 1, left_out=(*self.left_out, (self.done, why)))

    def write(self, folder: Path, key: str) -> None:
        """Keep it in a folder, whole or not at all."""
        head = {
            "key": key,
            "iteration": self.iteration,
            "done": self.done,
            "used": self.used,
            "left_out": self.left_out,
        }
        with io.atomic(folder / NAME) as path, path.open("wb") as file:
            np.savez(file, head=np.frombuffer(json.dumps(head).encode(), np.uint8), total=self.total.numpy(),
                     displacement=self.displacement.numpy())  # fmt: skip

    @classmethod
    def read(cls, folder: Path, key: str) -> Running | None:
        """What was kept in a folder; None where there is nothing.

        Raises:
            InputError: it belongs to other images or settings, or is damaged.
        """
        path = folder / NAME
        if not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as archive:
                head: dict[str, Any] = json.loads(bytes(archive["head"]))
                arrays = [torch.from_numpy(archive[name]) for name in ("total", "displacement")]
            if head["key"] != key:
                raise InputError(f"{folder} holds the unfinished template of other images or other settings; choose "
                                 f"another folder, or delete {path}")  # fmt: skip
            left_out = tuple((int(number), str(why)) for number, why in head["left_out"])
            return cls(head["iteration"], head["done"], head["used"], left_out, *arrays)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path} is damaged ({type(error).__name__}); delete it to begin again") from error


def key_of(images: Sequence[Any], *settings: object) -> str:
    """A short name for a set of images and settings, the same whenever they are."""
    return hashlib.sha256(json.dumps([*map(_name, images), *map(str, settings)]).encode()).hexdigest()[:16]


def _name(image: Any) -> str:
    """Of a file, its path, size and time of change; of what is in memory, its numbers."""
    if isinstance(image, str | os.PathLike):
        path = Path(image).absolute()
        facts = path.stat() if path.exists() else None
        return f"{path} {None if facts is None else (facts.st_size, facts.st_mtime_ns)}"
    found = io.as_image(image)
    return hashlib.sha256(np.ascontiguousarray(found.data.cpu().numpy()).data).hexdigest() + repr(found)
