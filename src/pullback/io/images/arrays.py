"""Bare NumPy arrays: .npy, and .npz with the name of one array after a colon (`file.npz:C0`). Never unpickled."""

import zipfile
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from pullback.errors import FileFormatError
from pullback.io.atomic import atomic, full_suffix
from pullback.io.image_file import ImageFile, one_line
from pullback.io.limits import DEFLATE_RATIO, checked_bytes
from pullback.io.streams import native
from pullback.space import Space


def split_key(path: str) -> tuple[Path, str | None]:
    """The path and the array's name in `file.npz:name`.

    Example:
        >>> split_key("cases/one.npz:C0")[1], split_key("scan.nii.gz")[1]
        ('C0', None)
    """
    before, colon, key = path.rpartition(":")
    return (Path(before), key) if colon and before.lower().endswith(".npz") else (Path(path), None)


def open_array(path: Path, key: str | None = None) -> ImageFile:
    """See `ImageFile`."""
    if full_suffix(path) == ".npz" or key is not None:
        return _open_npz(path, key)
    with path.open("rb") as stream:
        shape, dtype = _header(stream)
        start = stream.tell()
    checked_bytes(shape, dtype, path.stat().st_size - start)
    return _source("NumPy .npy", shape, dtype, partial(_load_npy, path))


def _open_npz(path: Path, key: str | None) -> ImageFile:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
            chosen = _choose(path, names, key)
            info = archive.getinfo(chosen + ".npy")
            with archive.open(info) as stream:
                shape, dtype = _header(stream)
            checked_bytes(shape, dtype, min(info.file_size, info.compress_size * DEFLATE_RATIO))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise FileFormatError(f"it is not an .npz file that can be read ({one_line(error)})") from error
    return _source(f"NumPy .npz, array '{chosen}'", shape, dtype, partial(_load_npz, path, chosen))


def _choose(path: Path, names: list[str], key: str | None) -> str:
    listed = ", ".join(names)
    if not names:
        raise FileFormatError("it holds no arrays")
    if key is None:
        if len(names) > 1:
            raise FileFormatError(
                f"it holds several arrays; choose one, for example '{path}:{names[0]}', from: {listed}"
            )
        return names[0]
    if key not in names:
        raise FileFormatError(f"it holds no array '{key}'; choose from: {listed}")
    return key


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    try:
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(stream)
    except Exception as error:  # a header is a Python literal: it can be wrong in as many ways
        raise FileFormatError(f"it is not a NumPy array file ({one_line(error)})") from error
    if dtype.hasobject or dtype.kind not in "biuf":
        raise FileFormatError(f"it holds {dtype.name if not dtype.hasobject else 'Python objects'}, not real numbers")
    if len(shape) not in (2, 3):
        raise FileFormatError(f"its array has the shape {shape}; an image has 2 or 3 axes: save one of its parts")
    return shape, dtype


def _source(name: str, shape: tuple[int, ...], dtype: np.dtype, load: partial[np.ndarray]) -> ImageFile:
    return ImageFile(name, Space.of_array(shape), dtype, load, placed=False, stack=True)


def _load_npy(path: Path, frame: int) -> np.ndarray:
    return native(np.load(path, allow_pickle=False))[None]


def _load_npz(path: Path, key: str, frame: int) -> np.ndarray:
    with np.load(path, allow_pickle=False) as archive:
        return native(archive[key])[None]


def write_array(array: np.ndarray, path: Path, key: str | None = None) -> None:
    """Write (channels, *shape) numbers as a bare array; one channel loses its axis."""
    array = array[0] if len(array) == 1 else array
    with atomic(path) as one, one.open("wb") as file:
        if full_suffix(path) == ".npy":
            np.save(file, array, allow_pickle=False)
        else:
            np.savez(file, **{key or "image": array})  # type: ignore[arg-type]
