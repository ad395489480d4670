"""Displacement fields as vector images: ITK's and ANTs' NIfTI (5D, intent 1007), and .mha or .nrrd of vectors.

The numbers are T(x) - x in mm. With intent 1007 (vector), and in MetaImage and NRRD, their x and y follow ITK: LPS.
With intent 1006 (displacement) they follow the NIfTI standard: RAS, which ITK 5.3 and later respect too.
"""

import os
from pathlib import Path

import numpy as np
import torch

from pullback.errors import FileFormatError, InputError
from pullback.io.atomic import full_suffix
from pullback.io.geometry import negated_xy
from pullback.io.image_file import note, reading
from pullback.io.images.nifti import read_header, write_nifti
from pullback.io.images.nifti_header import VECTOR
from pullback.io.images.read import open_image
from pullback.space import Space
from pullback.transforms import Displacement, Transform
from pullback.transforms.split import as_displacement

SENTINEL = 1e30
DESCRIPTION = "pullback: fixed point + u = moving point, LPS mm"


def read_displacement(path: str | os.PathLike[str]) -> Displacement:
    """A displacement field from an image of vectors in mm.

    Args:
        path: 5D NIfTI of intent 1007 or 1006, as ITK, ANTs, SCT or greedy write it; or .mha, .mhd, .nrrd, .nhdr with
            as many values at each voxel as there are axes.

    Raises:
        FileFormatError: it is no such file.
    """
    name = os.fspath(path)
    with reading(name):
        image = open_image(path)
        _refuse_foreign(Path(name))
        d = image.space.dimension
        if image.channels != d or image.vector_signs is None:
            raise FileFormatError(
                f"it is not a displacement field: it holds {image.channels} value(s) at each voxel of a {d}D grid; a "
                f"5D NIfTI with {d} values and intent 1007 is expected"
            )
        vectors = image.array(None)[0].astype(np.float32, copy=False)
        field = torch.from_numpy(_without_sentinels(vectors, name))
        return Displacement(negated_xy(field) if image.vector_signs == "LPS" else field, image.space)


def write_displacement(transform: Transform, onto: Space, path: str | os.PathLike[str]) -> None:
    """Write T(x) - x at every voxel of a grid as a 5D NIfTI in ITK's convention (LPS mm, intent 1007).

    Args:
        transform: any.
        onto: the grid, that of the fixed image as a rule.
        path: .nii or .nii.gz; (nx, ny, nz, 1, 3), or (nx, ny, 1, 1, 2) in 2D.

    Raises:
        InputError: another suffix, another dimension, or the file cannot be written.
    """
    file = Path(path)
    if full_suffix(file) != ".nii.gz" and file.suffix.lower() != ".nii":
        raise InputError(
            f"cannot write {path}: a displacement field is written as .nii.gz or .nii; for .h5 use write_transform"
        )
    if transform.dimension != onto.dimension:
        raise InputError(f"cannot sample a {transform.dimension}D transform on a {onto.dimension}D grid")
    vectors = negated_xy(as_displacement(transform, onto).detach().cpu())
    write_nifti(vectors.numpy(), onto, file, intent=VECTOR, description=DESCRIPTION)


def _without_sentinels(vectors: np.ndarray, name: str) -> np.ndarray:
    """Zero where a program marked "no displacement here" with an absurd number."""
    good = np.abs(vectors) < SENTINEL  # also false where not a number
    if good.all():
        return vectors
    keep = good.all(axis=0)
    note(name, f"{keep.size - int(keep.sum())} of {keep.size} vectors are marked as undefined (absurd values such as "
               f"{vectors[~good][0]:.3g}) and taken as no displacement")  # fmt: skip
    return np.where(keep, vectors, np.float32(0))


def _refuse_foreign(path: Path) -> None:
    """NiftyReg and FSL mark their own fields, which mean something else."""
    if ".nii" not in path.name.lower():
        return
    header = read_header(path)
    if header.intent_name.startswith("NREG"):
        raise FileFormatError(
            "it is a field of NiftyReg, whose convention differs; convert it with reg_transform first"
        )
    if 2001 <= header.intent <= 2018:
        raise FileFormatError("it is a field of FSL, whose convention differs; convert it first")
