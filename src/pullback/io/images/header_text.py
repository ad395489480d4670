"""What MetaImage and NRRD headers share: lines of text before the numbers, and a name of the file that holds them."""

from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

import numpy as np

from pullback.errors import FileFormatError

LONGEST_HEADER = 1 << 20


class LineReader:
    """Reads a text header line by line and stops where the numbers begin.

    Raises:
        FileFormatError: a megabyte went by without an end.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._left = stream, LONGEST_HEADER

    def next(self) -> str | None:
        """The next line without its end, or None at the end of the file."""
        line = self._stream.readline(self._left)
        self._left -= len(line)
        if self._left <= 0:
            raise FileFormatError("its header has no end")
        return line.decode("utf-8", "replace").rstrip("\r\n") if line else None


def beside(header: Path, name: str) -> Path:
    """The data file that a header names, which must lie in the header's own folder or below it.

    Raises:
        FileFormatError: the name leads elsewhere, or there is no such file.
    """
    outside = PureWindowsPath(name).is_absolute() or PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive
    if outside or ".." in PureWindowsPath(name).parts or "\0" in name or not name:
        raise FileFormatError(f"its header points at the data file '{name}', outside its own folder; put both into "
                              "one folder and name the file alone")  # fmt: skip
    path = header.parent / name
    if not path.is_file():
        raise FileFormatError(f"its data file '{name}' is missing; it must lie beside the header")
    return path


def integers(text: str, what: str) -> tuple[int, ...]:
    """Whole numbers, separated by blanks.

    Raises:
        FileFormatError: they are not.
    """
    try:
        return tuple(int(word) for word in text.split())
    except ValueError:
        raise FileFormatError(f"its header gives {what} as '{text[:60]}'; whole numbers are needed") from None


def numbers(text: str, what: str) -> np.ndarray:
    """Finite numbers, separated by blanks.

    Raises:
        FileFormatError: they are not.
    """
    try:
        values = np.array([float(word) for word in text.split()])
    except ValueError:
        raise FileFormatError(f"its header gives {what} as '{text[:60]}'; numbers are needed") from None
    if not np.isfinite(values).all():
        raise FileFormatError(f"its header gives {what} as '{text[:60]}'; the numbers must be finite")
    return values
