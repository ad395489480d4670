"""Read any image file."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from pullback.errors import FileFormatError, InputError
from pullback.image import Image, Labels
from pullback.io.atomic import full_suffix
from pullback.io.image_file import ImageFile, reading
from pullback.io.images.arrays import open_array, split_key
from pullback.io.images.dicom import is_dicom, open_dicom
from pullback.io.images.metaimage import open_metaimage
from pullback.io.images.nifti import open_nifti
from pullback.io.images.nrrd import open_nrrd
from pullback.io.images.pictures import open_picture
from pullback.io.images.tiff import open_tiff
from pullback.space import Space

READERS: dict[str, Callable[[Path], ImageFile]] = {
    **dict.fromkeys((".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz"), open_nifti),
    **dict.fromkeys((".mha", ".mhd"), open_metaimage),
    **dict.fromkeys((".nrrd", ".nhdr"), open_nrrd),
    **dict.fromkeys((".npy", ".npz"), open_array),
    **dict.fromkeys((".png", ".jpg", ".jpeg"), open_picture),
    **dict.fromkeys((".tif", ".tiff"), open_tiff),
    **dict.fromkeys((".dcm", ".ima"), open_dicom),
}


def read_image(path: str | os.PathLike[str], *, frame: int | None = None) -> Image:
    """An image from a file of any known format.

    Args:
        path: NIfTI, MetaImage, NRRD, NumPy (`file.npz:name` for one of several arrays), PNG, JPEG, TIFF, a DICOM file,
            or a folder with a DICOM series.
        frame: which image of a series in time, from 0; needed only where there are several. Of a bare stack of pictures
            (.npy, .npz, .tif) without frames it takes one picture as a 2D image.

    Returns:
        float32 data (channels, *spatial) in data order, and its place in world RAS+ mm.

    Raises:
        FileFormatError: the file is missing, damaged, dangerous, of an unknown kind, or no frame was chosen.

    Example:
        >>> import tempfile, numpy as np
        >>> path = Path(tempfile.mkdtemp()) / "a.npy"
        >>> np.save(path, np.zeros((40, 64)))
        >>> read_image(path)
        Image(1 channel, Space(40 x 64 voxels of 1 x 1 mm))
    """
    with reading(os.fspath(path)):
        array, space = open_image(path).array(frame)
        return Image(to_float32(array), space)


def read_labels(path: str | os.PathLike[str], *, frame: int | None = None) -> Labels:
    """Labels from a file of any known format.

    Args:
        path: as for `read_image`.
        frame: likewise.

    Raises:
        FileFormatError: as `read_image`; also if there are several values at each voxel, or they are not whole numbers.
    """
    with reading(os.fspath(path)):
        array, space = open_image(path).array(frame)
        return to_labels(array, space)


def open_image(path: str | os.PathLike[str]) -> ImageFile:
    """The reader for a file, its header read and checked.

    Raises:
        FileFormatError: the header is damaged or dangerous, or no reader knows the format.
    """
    name = os.fspath(path)
    with reading(name):
        file, key = split_key(name)
        if key is not None:
            return open_array(file, key)
        if file.is_dir():
            return open_dicom(file)
        if file.stat().st_size == 0:
            raise FileFormatError("the file is empty")
        reader = READERS.get(full_suffix(file)) or READERS.get(file.suffix.lower())
        if reader is not None:
            return reader(file)
        if is_dicom(file):
            return open_dicom(file)
        raise FileFormatError(f"'{full_suffix(file) or file.name}' is no image format that pullback knows; use one of "
                              f"{' '.join(READERS)}, or a DICOM folder")  # fmt: skip


def to_float32(array: np.ndarray) -> torch.Tensor:
    """A contiguous float32 tensor of the same numbers."""
    if array.dtype.kind not in "biuf":
        raise InputError(f"an image must hold real numbers; got {array.dtype}")
    with np.errstate(over="ignore"):  # what single precision cannot hold becomes infinite
        return torch.from_numpy(np.require(array, np.float32, ["C", "W"]))


def to_labels(array: np.ndarray, space: Space) -> Labels:
    """Labels from (1, *shape) numbers.

    Raises:
        InputError: several channels, or numbers that are not whole or too large.
    """
    if len(array) != 1:
        raise InputError(f"labels have one number at each voxel; this has {len(array)} channels")
    if array.dtype.kind == "f" and not (np.isfinite(array).all() and np.abs(array).max() < 2**31):
        raise InputError(
            "labels must be whole numbers below 2147483648; this has values that are not finite or too large"
        )
    return Labels.of(np.require(array[0], requirements=["C", "W"]), space=space)
