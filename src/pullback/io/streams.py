"""Bytes in and out of files, plain or compressed, never more of them than was asked for."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import numpy as np
from isal import igzip, igzip_threaded, isal_zlib

from pullback.errors import FileFormatError
from pullback.io.limits import DEFLATE_RATIO, checked_bytes, readable

_unpacked: Any = igzip.open  # isal's functions are not typed
_packed: Any = igzip_threaded.open

PIECE = 4 << 20
LEVEL = 1  # of isal's 0 to 3: as small as zlib's own level 1, five to ten times faster; higher levels gain under 2 %


def is_gzip(path: Path) -> bool:
    """Whether a file is gzipped, by its first bytes rather than by its name."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file's bytes from the start, unpacked if it is gzipped."""
    with _unpacked(path, "rb") if is_gzip(path) else path.open("rb") as stream:
        yield cast(BinaryIO, stream)


def most_bytes(path: Path) -> int:
    """The most bytes that a file can hold, unpacked."""
    size = path.stat().st_size
    return size * DEFLATE_RATIO if is_gzip(path) else size


def read_array(path: Path, offset: int, dtype: np.dtype, shape: Sequence[int]) -> np.ndarray:
    """An array that starts `offset` bytes into a plain or gzipped file, in this machine's byte order.

    Raises:
        FileFormatError: the file ends before the array does.
    """
    with opened(path) as stream:
        holds = max(most_bytes(path) - offset, 0)
        _skip(stream, offset, is_gzip(path))
        array = fill(stream.readinto, dtype, shape, holds)  # type: ignore[attr-defined]
        stream.read(1)  # reaches the end of a gzip stream, where its checksum is compared
    return array


def read_rest(file: BinaryIO, packing: str, dtype: np.dtype, shape: Sequence[int]) -> np.ndarray:
    """An array that starts where a file now stands, in this machine's byte order.

    Args:
        file: an open file.
        packing: "raw", or "deflate" for a zlib or gzip stream.
        dtype: as stored.
        shape: of the array.

    Raises:
        FileFormatError: the file ends before the array does.
    """
    left = os.fstat(file.fileno()).st_size - file.tell()
    if packing == "raw":
        return fill(file.readinto, dtype, shape, left)  # type: ignore[attr-defined]
    return fill(_inflater(file), dtype, shape, left * DEFLATE_RATIO)


def fill(readinto: Callable[[memoryview], int], dtype: np.dtype, shape: Sequence[int], holds: int) -> np.ndarray:
    """An array read piece by piece, so that memory is touched only as real bytes arrive.

    Args:
        readinto: puts the next bytes into a buffer and says how many; 0 at the end.
        dtype: as stored.
        shape: of the array.
        holds: the most bytes that can arrive.
    """
    size = checked_bytes(shape, dtype, holds)
    array = np.empty(tuple(shape), dtype)
    target = array.reshape(-1).view(np.uint8).data
    done = 0
    while done < size:
        got = readinto(target[done : done + PIECE])
        if not got:
            raise FileFormatError(f"the file is cut short: {readable(done)} of {readable(size)} are there")
        done += got
    return native(array)


def native(array: np.ndarray) -> np.ndarray:
    """The same numbers in this machine's byte order."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


@contextmanager
def writing(path: Path, gzip: bool) -> Iterator[BinaryIO]:
    """A file to write to, gzipped on a few threads if wanted."""
    if gzip:
        threads = min(os.cpu_count() or 1, 4)
        with _packed(path, "wb", compresslevel=LEVEL, threads=threads) as stream:
            yield cast(BinaryIO, stream)
    else:
        with path.open("wb") as stream:
            yield stream


def deflated(array: np.ndarray, wrapper: Literal["zlib", "gzip"] = "zlib") -> bytes:
    """An array's bytes as a zlib or gzip stream."""
    packed: bytes = isal_zlib.compress(as_bytes(array), LEVEL, wbits=15 if wrapper == "zlib" else 31)
    return packed


def as_bytes(array: np.ndarray) -> memoryview:
    """An array's bytes in C order."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _inflater(file: BinaryIO) -> Callable[[memoryview], int]:
    engine = isal_zlib.decompressobj(wbits=32 + 15)  # zlib or gzip, whichever it is

    def readinto(target: memoryview) -> int:
        while not engine.eof:
            packed = engine.unconsumed_tail or file.read(PIECE)
            if not packed:
                return 0
            piece = engine.decompress(packed, len(target))
            if piece:
                target[: len(piece)] = piece
                return len(piece)
        return 0

    return readinto


def _skip(stream: BinaryIO, offset: int, packed: bool) -> None:
    if not packed:
        stream.seek(offset)
        return
    while offset > 0:
        got = len(stream.read(min(offset, PIECE)))
        if not got:
            raise FileFormatError("the file is cut short: it ends before its image begins")
        offset -= got
