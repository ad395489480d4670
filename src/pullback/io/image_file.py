"""ImageFile: an image file whose header has been read and checked, and whose numbers have not."""

import csv
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from isal import isal_zlib

from pullback.errors import FileFormatError, InputError, PullbackWarning
from pullback.space import Space


@dataclass(frozen=True)
class ImageFile:
    """What every reader of images returns.

    Attributes:
        format: the format's name, for people.
        space: where the voxels lie.
        dtype: of the numbers as stored.
        load: frame -> (channels, *space.shape), with the header's slope and intercept applied.
        channels: values at each voxel.
        frames: images one after another in time.
        frame: the frame that the path itself names (one file of a DICOM cine), if it does.
        placed: whether the file says where the image lies; if not, it was placed as ITK places bare arrays.
        stack: whether the first axis may as well be time (a bare array, a pile of pictures).
        vector_signs: whether channels are vectors in the "LPS" or "RAS" frame, or nothing in particular.
    """

    format: str
    space: Space
    dtype: np.dtype
    load: Callable[[int], np.ndarray]
    channels: int = 1
    frames: int = 1
    frame: int | None = None
    placed: bool = True
    stack: bool = False
    vector_signs: str | None = None

    def array(self, frame: int | None) -> tuple[np.ndarray, Space]:
        """(channels, *shape) of one frame, and where it lies.

        Args:
            frame: counted from 0; may be left out where there is one, or where the path names one. A bare stack of
                pictures without geometry may be read as a volume (None) or one picture at a time.

        Raises:
            InputError: there are several frames and none was chosen, or fewer than the one asked for.
        """
        if frame is not None and self.stack and self.frames == 1 and self.space.dimension == 3:
            _check_frame(frame, self.space.shape[0])
            return self.load(0)[:, frame], Space.of_array(self.space.shape[1:], self.space.spacing[1:])
        if frame is None:
            frame = self.frame if self.frame is not None else 0
            if self.frames > 1 and self.frame is None:
                raise InputError(f"it holds {self.frames} frames; choose one with frame=0 to {self.frames - 1}")
        _check_frame(frame, self.frames)
        return self.load(frame), self.space


def _check_frame(frame: int, frames: int) -> None:
    if not 0 <= frame < frames:
        raise InputError(f"frame {frame} does not exist: it holds {frames} frame{'s' * (frames != 1)}, "
                         f"numbered from 0 to {frames - 1}")  # fmt: skip


_ISAL_ERROR: Any = isal_zlib.error  # typed as an instance by its stubs
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    ArithmeticError,
    LookupError,
    struct.error,
    zlib.error,
    _ISAL_ERROR,
    csv.Error,
)
"""What half a file, or a file of other bytes, makes the readers raise."""


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Turn whatever goes wrong with a file into one line that begins with its name.

    Raises:
        FileFormatError: instead of every error of the system and of the input.
    """
    try:
        yield
    except InputError as error:
        message = str(error)
        if message.startswith("cannot read "):
            raise
        raise FileFormatError(f"cannot read {path}: {one_line(message, 500)}") from error
    except FileNotFoundError as error:
        raise FileFormatError(f"cannot read {path}: there is no such file") from error
    except IsADirectoryError as error:
        raise FileFormatError(f"cannot read {path}: it is a folder") from error
    except PermissionError as error:
        raise FileFormatError(f"cannot read {path}: permission denied") from error
    except MemoryError as error:
        raise FileFormatError(f"cannot read {path}: this machine has not enough memory for it") from error
    except _DAMAGE as error:
        raise FileFormatError(
            f"cannot read {path}: the file is damaged ({type(error).__name__} {one_line(error)})"
        ) from error


def note(path: str | Path, message: str) -> None:
    """Warn once about a choice that was made for a file."""
    warnings.warn(f"{path}: {message}", PullbackWarning, stacklevel=3)


def one_line(text: object, most: int = 120) -> str:
    """Somebody else's message, without line breaks or control characters, and not too long."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())[:most]
