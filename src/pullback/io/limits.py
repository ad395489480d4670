"""What a header may claim: checked before anything is allocated.

A header is a promise by a stranger. Its numbers are believed only as far as the file's own size allows: deflate never
expands by more than 1032 to 1, so a short file that declares a huge image is refused without reading on.
"""

import math
import os
from collections.abc import Sequence

import numpy as np

from pullback.errors import FileFormatError

DEFLATE_RATIO = 1032
"""The largest expansion that deflate (gzip, zlib) can reach."""


def checked_bytes(shape: Sequence[int], dtype: np.dtype, holds: int) -> int:
    """The size in bytes of an array that a header declares.

    Args:
        shape: every axis, channels and frames included.
        dtype: of one number.
        holds: the most bytes that the file can hold, unpacked.

    Raises:
        FileFormatError: an axis is empty, or there are more numbers than the file, or this machine, can hold.
    """
    if any(n < 1 for n in shape):
        raise FileFormatError(f"the header declares {_sizes(shape)} voxels; every axis needs at least one")
    count = math.prod(shape)
    size = count * dtype.itemsize
    if size > holds:
        raise FileFormatError(
            f"the header declares {_sizes(shape)} values of type {dtype.name} ({readable(size)}), but the file holds "
            f"at most {readable(holds)}; it is damaged or cut short"
        )
    check_memory(count * max(4, dtype.itemsize))
    return size


def check_memory(size: int) -> None:
    """Refuse what cannot fit into this machine's memory.

    Raises:
        FileFormatError: it needs more bytes than the machine has.
    """
    memory = _physical_memory()
    if size > memory:
        raise FileFormatError(f"it needs {readable(size)} of memory and this machine has {readable(memory)}")


def readable(size: float) -> str:
    """Bytes as people say them.

    Example:
        >>> readable(32e12), readable(74_000), readable(12)
        ('32 TB', '74 kB', '12 bytes')
    """
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}" if size < 999 * factor else f"{size / factor:.0f} {unit}"
    return f"{size:.0f} bytes"


def _sizes(shape: Sequence[int]) -> str:
    return " x ".join(str(n) for n in shape)


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not on every system
        return 1 << 40
