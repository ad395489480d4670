"""NIfTI-1 and NIfTI-2: .nii, .nii.gz, and .hdr/.img pairs, read and written without nibabel.

A NIfTI (i, j, k) array, fastest axis first, is byte for byte a C-ordered (k, j, i) array, so the numbers are never
moved. docs/design_notes/nifti.md says why this is not left to nibabel.
"""

from functools import partial
from pathlib import Path

import numpy as np

from pullback.errors import FileFormatError
from pullback.io.atomic import atomic, full_suffix
from pullback.io.geometry import ORTHOGONAL, fastest_first
from pullback.io.image_file import ImageFile, note
from pullback.io.images.nifti_geometry import place, to_quaternion
from pullback.io.images.nifti_header import DISPLACEMENT, NIFTI1, NIFTI2, TYPES, VECTOR, Header, parse
from pullback.io.limits import checked_bytes
from pullback.io.streams import as_bytes, most_bytes, opened, read_array, writing
from pullback.space import Space

CODES = {np.dtype(kind): code for code, kind in reversed(TYPES.items())}
_PAIRS = {".hdr": ".img", ".img": ".hdr", ".hdr.gz": ".img.gz", ".img.gz": ".hdr.gz"}


def open_nifti(path: Path) -> ImageFile:
    """See `ImageFile`."""
    header_path, data_path = _files(path)
    header = read_header(header_path)
    if header.single:
        data_path = header_path
    elif data_path == header_path:
        raise FileFormatError("its header says that the image is in another file; name the pair .hdr and .img")
    shape = (header.dims[4], header.dims[3], *header.dims[2::-1], header.colours)
    checked_bytes(shape, header.dtype, max(most_bytes(data_path) - header.offset, 0))
    space, placed, notes = place(header)
    for line in notes:
        note(path, line)
    return ImageFile(
        format=f"NIfTI-{header.version}",
        space=space,
        dtype=header.dtype,
        load=partial(_load, data_path, header, space),
        channels=header.dims[4] * header.colours,
        frames=header.dims[3],
        placed=placed,
        vector_signs={VECTOR: "LPS", DISPLACEMENT: "RAS"}.get(header.intent),
    )


def read_header(path: Path) -> Header:
    """The header at the start of a plain or gzipped file.

    Raises:
        FileFormatError: it is not one.
    """
    with opened(path) as stream:
        head = stream.read(540)
    if not head:
        raise FileFormatError("the file is empty")
    return parse(head)


def _load(path: Path, header: Header, space: Space, frame: int) -> np.ndarray:
    vectors, frames, colours = header.dims[4], header.dims[3], header.colours
    volume = (*header.dims[2::-1], colours)
    if vectors == 1:
        skip = frame * int(np.prod(volume)) * header.dtype.itemsize
        array = read_array(path, header.offset + skip, header.dtype, volume)[None]
    else:
        array = read_array(path, header.offset, header.dtype, (vectors, frames, *volume))[:, frame]
    array = np.moveaxis(array, -1, 1).reshape(vectors * colours, *space.shape)
    if header.scaling is None:
        return array
    slope, intercept = header.scaling
    kind = np.dtype(np.float32 if array.dtype.itemsize <= 2 else np.float64)
    return np.asarray(array.astype(kind) * kind.type(slope) + kind.type(intercept))


def write_nifti(
    array: np.ndarray, space: Space, path: Path, intent: int | None = None, description: str = "pullback"
) -> None:
    """Write (channels, *shape) numbers as they are.

    Args:
        array: (channels, *space.shape), of a type that NIfTI knows.
        space: where they lie; sheared grids are written with an sform alone.
        path: .nii, .nii.gz, or .hdr or .img for a pair.
        intent: the header's intent code; a vector if there are several channels, by default.
        description: at most 79 characters for the header.
    """
    intent = intent if intent is not None else (VECTOR if len(array) > 1 else 0)
    pair = full_suffix(path) in _PAIRS
    head = header_bytes(array, space, intent, description, single=not pair)
    gzip = path.name.lower().endswith(".gz")
    header_path, data_path = _files(path)
    with atomic(header_path) as one:
        if not pair:
            with writing(one, gzip) as stream:
                stream.write(head)
                stream.write(as_bytes(array))
            return
        with atomic(data_path) as two:
            with writing(one, gzip) as stream:
                stream.write(head)
            with writing(two, gzip) as stream:
                stream.write(as_bytes(array))


def header_bytes(array: np.ndarray, space: Space, intent: int, description: str, single: bool) -> bytes:
    """A header for (channels, *space.shape) numbers, with its four bytes of "no extension follows" if in one file."""
    version2 = max(array.shape) > 32767
    head = np.zeros((), NIFTI2 if version2 else NIFTI1)
    d, size = space.dimension, space.shape[::-1]
    head["sizeof_hdr"] = 540 if version2 else 348
    head["magic"] = {(1, 0): b"ni1", (1, 1): b"n+1", (2, 0): b"ni2\0\r\n\x1a\n", (2, 1): b"n+2\0\r\n\x1a\n"}[
        (1 + version2, int(single))
    ]
    channels = len(array)
    head["dim"] = [d if channels == 1 else 5, *size, *[1] * (4 - d), channels, 1, 1]
    head["datatype"] = CODES[array.dtype]
    head["bitpix"] = array.dtype.itemsize * 8
    head["vox_offset"] = (544 if version2 else 352) if single else 0
    head["scl_slope"] = 1
    head["xyzt_units"] = 2
    head["intent_code"] = intent
    head["descrip"] = description.encode("ascii", "replace")[:79]
    _place(head, space)
    return head.tobytes() + (b"\0\0\0\0" if single else b"")


def _place(head: np.ndarray, space: Space) -> None:
    """The sform always; the qform too where a rotation can say the same."""
    d = space.dimension
    matrix = np.eye(4)
    index = [*range(d), 3]
    matrix[np.ix_(index, index)] = fastest_first(space)
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    head["pixdim"] = [1, *lengths, *[1] * 4]
    head["srow"] = matrix[:3]
    head["sform_code"] = 1
    axes = matrix[:3, :3] / lengths
    if np.abs(axes.T @ axes - np.eye(3)).max() > ORTHOGONAL:
        return
    qfac = 1.0 if np.linalg.det(axes) > 0 else -1.0
    head["pixdim"][0] = qfac
    head["quatern"] = to_quaternion(axes * [1.0, 1.0, qfac])
    head["qoffset"] = matrix[:3, 3]
    head["qform_code"] = 1


def _files(path: Path) -> tuple[Path, Path]:
    """(header, data): the same file twice, unless the name is half of a pair."""
    suffix = full_suffix(path)
    if suffix not in _PAIRS:
        return path, path
    other = path.with_name(path.name[: -len(suffix)] + _PAIRS[suffix])
    return (path, other) if suffix.startswith(".hdr") else (other, path)
