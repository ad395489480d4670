"""TIFF: grey or colour pages of any number type; a stack of pages is a volume. Its resolution tags are not believed."""

from functools import partial
from pathlib import Path

import numpy as np

from pullback.errors import FileFormatError
from pullback.io.atomic import atomic
from pullback.io.image_file import ImageFile, one_line
from pullback.io.limits import check_memory, readable
from pullback.io.streams import native
from pullback.space import Space

DENSEST = 10_000
"""No packing of pictures makes more bytes than this out of one."""


def open_tiff(path: Path) -> ImageFile:
    """See `ImageFile`."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            axes, shape, dtype = str(series.axes), tuple(series.shape), np.dtype(series.dtype)
    except Exception as error:  # tifffile raises a different exception for each way of being broken
        raise _damaged(error) from error
    if dtype.kind not in "biuf":
        raise FileFormatError(f"it holds numbers of type {dtype}; real numbers are needed")
    order = _order(axes, shape)
    size, length = int(np.prod([float(n) for n in shape])) * dtype.itemsize, path.stat().st_size
    if size > length * DENSEST:
        raise FileFormatError(f"it declares {shape} values ({readable(size)}), but the file has {readable(length)}")
    check_memory(size * 4)
    return ImageFile(
        format="TIFF",
        space=Space.of_array([shape[a] for a in order[2:]]),
        dtype=dtype,
        load=partial(_load, path, shape, order),
        channels=1 if order[0] < 0 else shape[order[0]],
        frames=1 if order[1] < 0 else shape[order[1]],
        placed=False,
        stack=True,
    )


def _order(axes: str, shape: tuple[int, ...]) -> list[int]:
    """Positions of (channel, time, [slices], rows, columns); -1 for a channel or time that is not there."""
    channel = next((axes.index(a) for a in "SC" if a in axes and shape[axes.index(a)] > 1), -1)
    time = axes.find("T")
    rest = [i for i, a in enumerate(axes) if a not in "YX" and i not in (channel, time) and shape[i] > 1]
    if "Y" not in axes or "X" not in axes or len(rest) > 1:
        raise FileFormatError(f"its axes {axes} {shape} are not those of a picture or of a stack; split it first")
    return [channel, time, *rest, axes.index("Y"), axes.index("X")]


def _load(path: Path, shape: tuple[int, ...], order: list[int], frame: int) -> np.ndarray:
    array = _pixels(path, shape)
    channel, time, *spatial = order
    kept = [a for a in (time, channel, *spatial) if a >= 0]
    dropped = tuple(a for a in range(array.ndim) if a not in kept)
    array = array.transpose(*kept, *dropped).reshape([shape[a] for a in kept])
    array = array[frame] if time >= 0 else array
    return native(array if channel >= 0 else array[None])


def _pixels(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    import tifffile
    from PIL import Image as Pillow
    from PIL import ImageSequence

    try:
        try:
            with tifffile.TiffFile(path) as file:
                return np.asarray(file.series[0].asarray())
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            with Pillow.open(path, formats=["TIFF"]) as picture:  # knows LZW and JPEG inside TIFF
                return np.stack([np.asarray(page) for page in ImageSequence.Iterator(picture)]).reshape(shape)
    except Exception as error:
        raise _damaged(error) from error


def write_tiff(array: np.ndarray, path: Path) -> None:
    """Write (channels, *shape) numbers as they are, channels one after another."""
    import tifffile

    bare = array[0] if len(array) == 1 else array
    axes = ("" if len(array) == 1 else "C") + "ZYX"[-(array.ndim - 1) :]
    with atomic(path) as one:
        tifffile.imwrite(one, bare, compression="zlib", photometric="minisblack", metadata={"axes": axes})


def _damaged(error: Exception) -> FileFormatError:
    return FileFormatError(f"the TIFF is damaged or not one ({one_line(error)})")
