"""Read and write transforms of any known format."""

import os
from pathlib import Path

from pullback.errors import FileFormatError, InputError
from pullback.io.atomic import full_suffix
from pullback.io.image_file import reading
from pullback.io.transforms import itk_hdf5, itk_matlab, itk_text
from pullback.io.transforms.field import read_displacement, write_displacement
from pullback.io.transforms.records import from_records, to_records
from pullback.space import Space
from pullback.transforms import Transform

IMAGES = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr")
READ = (".h5", ".hdf5", ".tfm", ".txt", ".mat", *IMAGES)


def read_transform(path: str | os.PathLike[str]) -> Transform:
    """A transform from a file of any known format, as a map of world RAS+ mm from fixed to moving.

    Args:
        path: ITK's .h5, .tfm, .txt and .mat (as SimpleITK, ANTs, elastix and 3D Slicer write them), a text file with a
            bare 3x3 or 4x4 matrix in RAS mm (greedy, c3d, NiftyReg), or a displacement field (see `read_displacement`).

    Raises:
        FileFormatError: the file is missing, damaged or of an unknown kind.

    Example:
        >>> import tempfile, torch
        >>> from pullback.transforms import Affine
        >>> path = Path(tempfile.mkdtemp()) / "shift.tfm"
        >>> write_transform(Affine.translation([1, 2, 3]), path)
        >>> read_transform(path)(torch.zeros(3)).tolist()
        [1.0, 2.0, 3.0]
    """
    name = os.fspath(path)
    with reading(name):
        file = Path(name)
        with file.open("rb") as stream:
            head = stream.read(512)
        if not head:
            raise FileFormatError("the file is empty")
        if head.startswith(itk_hdf5.MAGIC):
            return from_records(itk_hdf5.read_hdf5(file))
        suffix = _suffix(file)
        if suffix in IMAGES:
            return read_displacement(name)
        if itk_matlab.is_matlab4(head):
            return from_records(itk_matlab.read_matlab(file))
        if suffix not in READ:
            raise FileFormatError(f"'{suffix}' is no transform format that pullback knows; use one of {' '.join(READ)}")
        return _read_text(file)


def _read_text(file: Path) -> Transform:
    text = itk_text.read_text(file)
    if text.startswith(itk_text.MAGIC):
        return from_records(itk_text.parse_itk(text))
    matrix = itk_text.parse_matrix(text)
    if matrix is not None:
        return matrix
    if text.lstrip().startswith("(") or "(Transform " in text[:10_000]:
        raise FileFormatError("it is an elastix parameter file; let elastix write an ITK transform "
                              '(ITKTransformOutputFileNameExtension "h5")')  # fmt: skip
    raise FileFormatError("it is neither an ITK transform nor a 3x3 or 4x4 matrix")


def write_transform(transform: Transform, path: str | os.PathLike[str], onto: Space | None = None) -> None:
    """Write a transform for ITK's programs: SimpleITK, ANTs, 3D Slicer, elastix.

    Args:
        transform: maps fixed to moving; the file says the same in ITK's words.
        path: .h5 holds anything; .tfm, .txt and .mat hold matrices; .nii.gz a displacement field on `onto`.
        onto: the grid of the fixed image. Parts without a formula in the file (a velocity, an inverse) are sampled on
            it, and ITK resamples onto it exactly as pullback does.

    Raises:
        InputError: the format cannot hold the transform, or a grid is needed and was not given.
    """
    file = Path(path)
    suffix = _suffix(file)
    if suffix in (".nii", ".nii.gz"):
        if onto is None:
            raise InputError(
                f"cannot write {path}: a displacement field needs a grid; pass onto=, that of the fixed image"
            )
        write_displacement(transform, onto, file)
        return
    writers = {".h5": itk_hdf5.write_hdf5, ".hdf5": itk_hdf5.write_hdf5, ".tfm": itk_text.write_text,
               ".txt": itk_text.write_text, ".mat": itk_matlab.write_matlab}  # fmt: skip
    if suffix not in writers:
        raise InputError(f"cannot write {path}: '{suffix}' is no transform format that pullback writes; use one of "
                         f"{' '.join(writers)} .nii.gz")  # fmt: skip
    writers[suffix](to_records(transform, onto), file)


def _suffix(file: Path) -> str:
    suffix = full_suffix(file)
    return suffix if suffix in READ else file.suffix.lower()
