"""Pictures: PNG and JPEG. Grey is one channel, colour three; transparency is dropped. They carry no place."""

from functools import partial
from pathlib import Path

import numpy as np

from pullback.errors import FileFormatError, InputError
from pullback.io.atomic import atomic
from pullback.io.image_file import ImageFile, one_line
from pullback.io.limits import check_memory
from pullback.io.streams import native
from pullback.space import Space

_GREY = {"1": "L", "L": "L", "LA": "L", "I": "I", "I;16": "I;16", "I;16B": "I;16B", "F": "F"}


def open_picture(path: Path) -> ImageFile:
    """See `ImageFile`."""
    from PIL import Image as Pillow

    try:
        with Pillow.open(path, formats=["PNG", "JPEG"]) as picture:
            width, height = picture.size
            check_memory(width * height * 4)
            mode = _GREY.get(picture.mode, "RGB")
            if picture.mode == "P" and "transparency" not in picture.info and _is_grey(picture.getpalette() or []):
                mode = "L"
    except FileFormatError:
        raise
    except Exception as error:  # Pillow raises a different exception for each way of being broken
        raise _damaged(error) from error
    dtype = np.dtype({"L": "u1", "RGB": "u1", "F": "f4", "I": "i4"}.get(mode, "u2"))
    return ImageFile(
        format="picture",
        space=Space.of_array((height, width)),
        dtype=dtype,
        load=partial(_load_picture, path, mode),
        channels=3 if mode == "RGB" else 1,
        placed=False,
    )


def _load_picture(path: Path, mode: str, frame: int) -> np.ndarray:
    from PIL import Image as Pillow

    try:
        with Pillow.open(path, formats=["PNG", "JPEG"]) as picture:
            array = np.asarray(picture if picture.mode == mode else picture.convert(mode))
    except Exception as error:
        raise _damaged(error) from error
    return native(np.moveaxis(array, -1, 0) if mode == "RGB" else array[None])


def _is_grey(palette: list[int]) -> bool:
    return len(palette) >= 3 and palette[0::3] == palette[1::3] == palette[2::3]


def _damaged(error: Exception) -> FileFormatError:
    return FileFormatError(f"the picture is damaged or not one ({one_line(error)})")


def write_picture(array: np.ndarray, path: Path) -> None:
    """Write one channel or three as PNG, rounded to whole numbers of 8 bits, or of 16 where 8 do not reach.

    Raises:
        InputError: negative values, values beyond 65535, or another number of channels.
    """
    from PIL import Image as Pillow

    low, high = float(array.min()), float(array.max())
    most = 255 if len(array) == 3 else 65535
    if len(array) not in (1, 3) or array.ndim != 3 or not (low > -0.5 and high < most + 0.5):
        raise InputError(f"a PNG holds one 2D image of one or three channels with values from 0 to {most}; got "
                         f"{len(array)} channel(s) of shape {array.shape[1:]} with values from {low:g} to {high:g}; "
                         "write .nii.gz or .tif instead")  # fmt: skip
    whole = np.rint(array.astype(np.float64)).clip(0, most).astype(np.uint8 if high < 255.5 else np.uint16)
    with atomic(path) as one:
        Pillow.fromarray(np.ascontiguousarray(np.moveaxis(whole, 0, -1)) if len(array) == 3 else whole[0]).save(
            one, format="PNG"
        )
