"""Data by name, as the command line takes it."""

from __future__ import annotations

from pathlib import Path

from pullback.errors import InputError
from pullback.learn.data.cines import cine
from pullback.learn.data.dataset import Dataset
from pullback.learn.data.digits import medmnist, mnist
from pullback.learn.data.drawn import chests, fives
from pullback.learn.data.files import Grid, from_files
from pullback.learn.data.hearts import hearts
from pullback.learn.data.prepared import Cache

NAMES = (
    "mnist, mnist:5, medmnist:NAME, medmnist:NAME:CLASS, phantom:cine, phantom:cine:3d, phantom:hearts, phantom:fives, "
    "phantom:chest"
)
DRAWN = {"fives": fives, "chest": chests}


def dataset(
    name: str | Path,
    *,
    grid_of: Grid | None = None,
    atlas: Path | None = None,
    seed: int = 0,
    download: bool = False,
    cache: Cache | None = None,
) -> Dataset:
    """A data set by its name, from a CSV file, or from a folder.

    Args:
        name: mnist (all digits), mnist:5, medmnist:pneumoniamnist (with :1 for one class), phantom:cine (:3d),
            phantom:hearts, phantom:fives, phantom:chest, or a path; see `from_files`.
        grid_of: the grid to work on, for files and phantoms.
        atlas: an image onto which all others are registered, for files.
        seed: of the split, or of the phantoms.
        download: get MNIST or MedMNIST where the files are not there; see `fetch`.
        cache: where prepared scans are kept, for files.

    Raises:
        InputError: there is no such name or file.
        FileFormatError: the files are missing or damaged.
    """
    kind, _, rest = str(name).partition(":")
    if kind == "mnist":
        if rest and (not rest.isascii() or not rest.isdigit()):
            raise InputError(f"mnist takes a digit, as in mnist:5; got {name!r}")
        return mnist(int(rest) if rest else None, download=download)
    if kind == "medmnist" and rest:
        which, _, group = rest.partition(":")
        if not which.isalnum() or (group and not group.isdigit()):
            raise InputError(f"medmnist takes a name and a class, as in medmnist:pneumoniamnist:1; got {name!r}")
        return medmnist(which, group=int(group) if group else None, download=download)
    if kind == "phantom" and rest in ("cine", "cine:2d", "cine:3d"):
        size = grid_of or Grid()
        return cine(3 if rest.endswith("3d") else 2, shape=size.shape, spacing_mm=size.spacing_mm, seed=seed)
    if kind == "phantom" and rest == "hearts":
        size = grid_of or Grid()
        return hearts(shape=size.shape, spacing_mm=size.spacing_mm, seed=seed)
    if kind == "phantom" and rest in DRAWN:
        return DRAWN[rest](seed=seed)
    if not Path(name).exists():
        raise InputError(f"there is no data {str(name)!r}; give a CSV file, a folder of images, or one of {NAMES}")
    return from_files(name, grid_of=grid_of, atlas=atlas, seed=seed, cache=cache)
