"""Write images and labels."""

import os
import warnings

import numpy as np
import torch

from pullback.errors import InputError, PullbackWarning
from pullback.image import Image, Labels
from pullback.io.atomic import full_suffix
from pullback.io.images.arrays import split_key, write_array
from pullback.io.images.metaimage import write_metaimage
from pullback.io.images.nifti import write_nifti
from pullback.io.images.nrrd import write_nrrd
from pullback.io.images.pictures import write_picture
from pullback.io.images.tiff import write_tiff
from pullback.space import Space

PLACED = {
    **dict.fromkeys((".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz"), write_nifti),
    **dict.fromkeys((".mha", ".mhd"), write_metaimage),
    **dict.fromkeys((".nrrd", ".nhdr"), write_nrrd),
}
BARE = {".png": write_picture, ".tif": write_tiff, ".tiff": write_tiff, ".npy": write_array}


def write_image(image: Image | Labels, path: str | os.PathLike[str]) -> None:
    """Write an image (float32) or labels (the smallest integer type that holds them), whole or not at all.

    Args:
        image: 2D images become 2D files, 3D images 3D files, one slice included.
        path: .nii, .nii.gz, .hdr/.img, .mha, .mhd, .nrrd or .nhdr keep the image's place in the world; .npy, .npz,
            .tif and .png keep only the numbers, and a warning says so where that loses something.

    Raises:
        InputError: an unknown suffix, no right to write there, a full disk, or an image that the format cannot hold.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp()) / "a.nii.gz"
        >>> write_image(Image.of(np.zeros((40, 64)), spacing=1.5), path)
        >>> path.exists()
        True
    """
    data = image.data.detach().cpu()
    array = data.to(torch.float32).numpy() if isinstance(image, Image) else smallest(data.numpy())[None]
    file, key = split_key(os.fspath(path))
    suffix = full_suffix(file)
    suffix = suffix if suffix in PLACED else file.suffix.lower()
    if suffix in PLACED:
        PLACED[suffix](array, image.space, file)
        return
    if suffix not in BARE and suffix != ".npz":
        raise InputError(f"cannot write {path}: '{suffix}' is no image format that pullback writes; use one of "
                         f"{' '.join((*PLACED, *BARE))} .npz")  # fmt: skip
    if not image.space.same_as(Space.of_array(image.space.shape)):
        warnings.warn(f"{path}: {suffix} files do not keep where an image lies; write .nii.gz to keep it",
                      PullbackWarning, stacklevel=2)  # fmt: skip
    if suffix == ".npz":
        write_array(array, file, key)
    else:
        BARE[suffix](array, file)


def smallest(labels: np.ndarray) -> np.ndarray:
    """The same whole numbers in the smallest integer type that common programs read."""
    low, high = int(labels.min()), int(labels.max())
    for kind in (np.uint8, np.int16, np.uint16, np.int32):
        limits = np.iinfo(kind)
        if limits.min <= low and high <= limits.max:
            return labels.astype(kind)
    return labels.astype(np.int64)
