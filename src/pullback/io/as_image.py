"""Whatever a user holds, as an Image or as Labels: a path, an array, a tensor, a nibabel or a SimpleITK image.

nibabel and SimpleITK are never imported for their own sake: an object of theirs proves that its owner has done so.
"""

import os
from typing import Any

import numpy as np
import torch

from pullback.errors import InputError
from pullback.image import Image, Labels
from pullback.io.geometry import Grid, space_of
from pullback.io.image_file import note
from pullback.io.images.nifti_geometry import place
from pullback.io.images.nifti_header import parse
from pullback.io.images.read import read_image, read_labels, to_float32, to_labels
from pullback.space import Space


def as_image(thing: Any) -> Image:
    """Anything that is an image, as an Image.

    Args:
        thing: an Image or Labels; a path; a NumPy array or torch tensor of 2 or 3 axes in data order, placed as ITK
            places bare arrays; a nibabel image; a SimpleITK image.

    Raises:
        InputError: it is none of these, or it cannot be read.

    Example:
        >>> as_image(np.zeros((40, 64)))
        Image(1 channel, Space(40 x 64 voxels of 1 x 1 mm))
    """
    if isinstance(thing, Image):
        return thing
    if isinstance(thing, Labels):
        return Image(to_float32(thing.numpy())[None], thing.space)
    if isinstance(thing, str | os.PathLike):
        return read_image(thing)
    if isinstance(thing, torch.Tensor | np.ndarray):
        return Image.of(thing)
    array, space = _foreign(thing)
    return Image(to_float32(array), space)


def as_labels(thing: Any) -> Labels:
    """Anything that holds whole numbers at each voxel, as Labels; see `as_image`.

    Raises:
        InputError: it is none of the known kinds, it cannot be read, or its numbers are not whole.

    Example:
        >>> as_labels(np.eye(3)).values
        (1,)
    """
    if isinstance(thing, Labels):
        return thing
    if isinstance(thing, Image):
        return to_labels(thing.data.detach().cpu().numpy(), thing.space)
    if isinstance(thing, str | os.PathLike):
        return read_labels(thing)
    if isinstance(thing, torch.Tensor | np.ndarray):
        return Labels.of(thing)
    return to_labels(*_foreign(thing))


def _foreign(thing: Any) -> tuple[np.ndarray, Space]:
    """(channels, *shape) and the place of an object of another library."""
    libraries = {kind.__module__.partition(".")[0] for kind in type(thing).__mro__}
    if "nibabel" in libraries:
        return _from_nibabel(thing)
    if "SimpleITK" in libraries:
        return _from_simpleitk(thing)
    raise InputError(f"cannot take a {type(thing).__name__} as an image; pass a path, a NumPy array, a torch tensor, a "
                     "nibabel image or a SimpleITK image")  # fmt: skip


def _from_nibabel(thing: Any) -> tuple[np.ndarray, Space]:
    """By the rule for NIfTI files, unless the affine is the owner's own."""
    array = np.asanyarray(thing.dataobj)
    shape = tuple(array.shape) + (1,) * (5 - array.ndim)
    if array.ndim > 5 or shape[3] > 1:
        raise InputError(
            f"this nibabel image has the shape {array.shape}; pass one frame, such as image.slicer[..., 0]"
        )
    space = _nibabel_space(thing, shape)
    return array.reshape(shape).T.reshape(shape[4], *space.shape), space


def _nibabel_space(thing: Any, shape: tuple[int, ...]) -> Space:
    header = thing.header
    if any(kind.__name__ == "Nifti1Header" for kind in type(header).__mro__):  # NIfTI-2 derives from it
        own = thing.affine is not None and not np.allclose(thing.affine, header.get_best_affine(), atol=1e-5)
        if not own:
            space, _, notes = place(parse(header.binaryblock))
            for line in notes:
                note("nibabel image", line)
            return space
    return space_of(shape[:3], np.asarray(thing.affine, np.float64))


def _from_simpleitk(thing: Any) -> tuple[np.ndarray, Space]:
    import SimpleITK

    d = thing.GetDimension()
    if d not in (2, 3):
        raise InputError(f"this SimpleITK image has {d} dimensions; pass one frame, 2D or 3D")
    array = SimpleITK.GetArrayFromImage(thing)
    array = np.moveaxis(array, -1, 0) if thing.GetNumberOfComponentsPerPixel() > 1 else array[None]
    direction = np.array(thing.GetDirection()).reshape(d, d)
    grid = Grid(thing.GetSize(), np.array(thing.GetSpacing()), np.array(thing.GetOrigin()), direction)
    return array, grid.space()
