"""MNIST from its original IDX files, and MedMNIST from its npz files: small pictures, every two of them a pair.

LeCun et al., Proceedings of the IEEE 86(11), 1998; Yang et al., "MedMNIST v2", Scientific Data 10, 2023. Both are found
in the folder that the environment variable PULLBACK_DATA names; see `fetch`. Nothing is unpickled.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from torch.nn import functional

from pullback.errors import FileFormatError, InputError
from pullback.io.images.read import to_float32
from pullback.io.limits import DEFLATE_RATIO, check_memory
from pullback.io.streams import opened, read_array
from pullback.learn.data.dataset import Dataset
from pullback.learn.data.fetch import data_folder, fetch
from pullback.learn.data.pairs import Pairs

PAD = 2
"""28 x 28 pictures get a frame of this many voxels, so that their sides halve five times."""
TUTORIAL_DIGITS, VALIDATION, TEST = 1000, 200, 100
PARTS = ("train", "t10k")
SPLITS = {"train": "train", "val": "validation", "test": "test"}


def mnist(digit: int | None = 5, folder: Path | None = None, download: bool = False) -> Dataset:
    """Handwritten digits, as the VoxelMorph tutorials use them: at most 1000, the last 100 for the test.

    Args:
        digit: which one, 0 to 9; None for all of them.
        folder: with train-images-idx3-ubyte and train-labels-idx1-ubyte, or those of t10k, gzipped or not;
            PULLBACK_DATA/mnist by default.
        download: get the files if none are there; not into a folder that is given.

    Raises:
        InputError: there is no such digit, or the files cannot be downloaded.
        FileFormatError: the files are missing or damaged.
    """
    if digit is not None and digit not in range(10):
        raise InputError(f"a digit is 0 to 9; got {digit}")
    if folder is None:
        folder = data_folder(make=download) / "mnist"
        if download and _idx_files(folder) is None:
            fetch("mnist", folder.parent)
    pictures, labels = _idx_pair(folder)
    groups = labels if digit is None else labels[labels == digit]
    pictures = (pictures if digit is None else pictures[labels == digit])[:TUTORIAL_DIGITS]
    if len(pictures) < 2 * (VALIDATION + TEST):
        raise FileFormatError(f"{folder} holds only {len(pictures)} pictures of that digit; at least "
                              f"{2 * (VALIDATION + TEST)} are needed")  # fmt: skip
    cuts = {"train": slice(0, -VALIDATION - TEST), "validation": slice(-VALIDATION - TEST, -TEST),
            "test": slice(-TEST, None)}  # fmt: skip
    parts = {name: paired(pictures[cut], [str(g) for g in groups[:TUTORIAL_DIGITS][cut]]) for name, cut in cuts.items()}
    return Dataset(f"MNIST digits {'0-9' if digit is None else digit}", licence="unknown (MNIST)", **parts)


def medmnist(name: str, folder: Path | None = None, group: int | None = None, download: bool = False) -> Dataset:
    """A MedMNIST data set, split as it comes.

    Args:
        name: for example pneumoniamnist.
        folder: that holds <name>.npz; PULLBACK_DATA/medmnist by default.
        group: only pictures of this class; all by default.
        download: get the file if it is not there; not into a folder that is given.

    Raises:
        InputError: the file cannot be downloaded.
        FileFormatError: the file is missing or damaged, or holds too few pictures.
    """
    path = (data_folder(make=download) / "medmnist" if folder is None else folder) / f"{name}.npz"
    if download and folder is None and not path.is_file():
        fetch(f"medmnist:{name}")
    arrays = _npz(path, [f"{part}_{what}" for part in SPLITS for what in ("images", "labels")])
    parts = {}
    for part, split in SPLITS.items():
        pictures, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"].reshape(len(arrays[f"{part}_images"]), -1)
        keep = np.ones(len(pictures), bool) if group is None else labels[:, 0] == group
        if keep.sum() < 2:
            raise FileFormatError(f"{path} holds {keep.sum()} picture(s) of class {group} for {split}; choose another")
        parts[split] = paired(pictures[keep], [str(label) for label in labels[keep, 0]])
    chosen = "" if group is None else f" class {group}"
    return Dataset(f"MedMNIST {name}{chosen}", licence="see medmnist.com", **parts)


def paired(pictures: np.ndarray, groups: list[str]) -> Pairs:
    """Any two of some 8-bit pictures, (n, rows, columns) or (n, rows, columns, channels), padded."""
    values = to_float32(pictures) / 255
    values = values[:, None] if values.ndim == 3 else values.movedim(-1, 1)
    short = [-n % 2 ** (PAD + 1) for n in values.shape[2:]]  # 28 + 2 + 2 = 32
    sides = [side for amount in reversed(short) for side in (amount // 2, amount - amount // 2)]
    return Pairs(functional.pad(values, sides), (1.0,) * len(short), groups=tuple(groups))


def _idx_pair(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    files = _idx_files(folder)
    if files is None:
        raise FileFormatError(
            f"{folder} holds neither train-images-idx3-ubyte(.gz) with train-labels-idx1-ubyte(.gz) nor those of t10k; "
            "put the original MNIST files there, or: pullback data fetch mnist"
        )
    pictures, labels = (read_idx(file) for file in files)
    if len(pictures) != len(labels):
        raise FileFormatError(f"{files[0]} holds {len(pictures)} pictures, but {len(labels)} labels beside it")
    return pictures, labels


def _idx_files(folder: Path) -> tuple[Path, Path] | None:
    """Pictures and labels of the first part that is there."""
    for part in PARTS:
        images, labels = (_either(folder / f"{part}-{what}-ubyte") for what in ("images-idx3", "labels-idx1"))
        if images is not None and labels is not None:
            return images, labels
    return None


def _either(path: Path) -> Path | None:
    found = [p for p in (path, path.with_name(path.name + ".gz")) if p.is_file()]
    return found[0] if found else None


def read_idx(path: Path) -> np.ndarray:
    """An array of bytes from an IDX file, gzipped or not.

    Raises:
        FileFormatError: it is damaged, cut short, or not of bytes.
    """
    try:
        with opened(path) as stream:
            magic = stream.read(4)
            if len(magic) < 4 or magic[:3] != b"\0\0\x08" or magic[3] not in (1, 2, 3):
                raise FileFormatError("it is not an IDX file of bytes")
            sizes = stream.read(4 * magic[3])
        shape = [int.from_bytes(sizes[k : k + 4], "big") for k in range(0, 4 * magic[3], 4)]
        return read_array(path, 4 + len(sizes), np.dtype("u1"), shape)
    except FileFormatError as error:
        raise FileFormatError(f"{path}: {error}") from error
    except (OSError, EOFError, ValueError) as error:
        raise FileFormatError(f"{path} is damaged ({error})") from error


def _npz(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileFormatError(f"there is no {path}; put the file of MedMNIST there, or: pullback data fetch "
                              f"medmnist:{path.stem}")  # fmt: skip
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.getinfo(f"{name}.npy") for name in names}
            for info in members.values():
                check_memory(info.file_size)
                if info.file_size > info.compress_size * DEFLATE_RATIO:
                    raise FileFormatError(f"{info.filename} declares more than the file can hold")
        with np.load(path, allow_pickle=False) as arrays:
            loaded = {name: arrays[name] for name in names}
    except FileFormatError as error:
        raise FileFormatError(f"{path}: {error}") from error
    except KeyError as error:
        raise FileFormatError(f"{path} is not of MedMNIST: {error.args[0]}") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise FileFormatError(f"{path} is damaged or holds Python objects ({error})") from error
    for name, array in loaded.items():
        if name.endswith("_images") and (array.dtype != np.uint8 or array.ndim not in (3, 4)):
            raise FileFormatError(
                f"{path}: {name} has type {array.dtype} and shape {array.shape}; 8-bit pictures are needed"
            )
    return loaded
