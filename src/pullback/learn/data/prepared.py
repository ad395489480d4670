"""Scans as a network takes them: read, scaled, laid on the grid; kept in a cache folder, so that this happens once.

A prepared scan is a .npy file named after what it was made from (the file's path, size and time of change) and how (the
grid, the scaling, the version), so that a file which changes is prepared anew. It appears in one move, so that any
number of processes may share a folder, and is read through the memory map: a training touches only what it draws.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tokenize
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pullback import __version__
from pullback.errors import InputError, PullbackWarning
from pullback.image import Image
from pullback.io.atomic import atomic, full_suffix
from pullback.io.images.arrays import split_key
from pullback.io.images.read import read_image, read_labels
from pullback.io.limits import readable
from pullback.learn.data.fetch import cache_folder
from pullback.learn.data.scaling import PERCENTILES, scaled
from pullback.space import Space
from pullback.transforms import Affine, resample, resample_labels
from pullback.typing import Shape, Tensor

FORM = 1
"""To be raised when a prepared scan would become another one, within one version of pullback."""
DETACHED = (".mhd", ".nhdr", ".hdr", ".img", ".hdr.gz", ".img.gz")
"""Files whose numbers lie in another file of the same folder."""
MOST_WORKERS = 4
NAME = re.compile(r"[0-9a-f]{40}\.npy|\.writing-[0-9a-f]{8}\.npy")


@dataclass(frozen=True)
class Scan:
    """One scan to prepare.

    Attributes:
        path: of an image or of labels.
        space: the grid on which it shall lie.
        labels: whether these are labels.
    """

    path: Path
    space: Space
    labels: bool = False


@dataclass(frozen=True, eq=False)
class Scans:
    """Prepared scans, each in memory of its own, as if they were one tensor (n, ...).

    Attributes:
        parts: one for each scan.
        dtype: of what is taken out.
    """

    parts: tuple[Tensor, ...]
    dtype: torch.dtype = torch.float32

    def __len__(self) -> int:
        """How many there are."""
        return len(self.parts)

    @property
    def shape(self) -> Shape:
        """(n, ...)."""
        return (len(self.parts), *self.parts[0].shape)

    @property
    def ndim(self) -> int:
        """Axes, the first one included."""
        return self.parts[0].ndim + 1

    def __getitem__(self, numbers: Tensor) -> Tensor:
        """Those of these numbers, as one tensor."""
        return torch.stack([self.parts[k] for k in numbers.tolist()]).to(self.dtype)


@dataclass
class Cache:
    """A folder of prepared scans.

    Attributes:
        folder: made when something is put into it, for its owner only: scans are private.
        found: how many were there already.
        made: how many were put there.
        bytes: of both.
        full: why no more is kept, once something could not be written.
    """

    folder: Path
    found: int = 0
    made: int = 0
    bytes: int = 0
    full: str = field(default="")

    def __str__(self) -> str:
        """How much there is, in a sentence."""
        return (f"{self.found + self.made} prepared scans ({self.found} from before), {readable(self.bytes)}, "
                f"in {self.folder}")  # fmt: skip

    def take(self, name: str) -> Tensor | None:
        """A prepared scan through the memory map; None if it is not there, or damaged."""
        path = self.folder / f"{name}.npy"
        try:
            array = np.load(path, mmap_mode="c", allow_pickle=False)
            size = path.stat().st_size
        except (OSError, ValueError, EOFError, SyntaxError, tokenize.TokenError):
            return None
        self.found, self.bytes = self.found + 1, self.bytes + size
        return torch.from_numpy(array)

    def put(self, name: str, scan: Tensor) -> Tensor:
        """Keep a scan, and take it from there; a disk that is full costs a warning, and nothing more is kept."""
        if self.full:
            return scan
        path = self.folder / f"{name}.npy"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with atomic(path) as temporary, temporary.open("wb") as file:
                np.save(file, scan.numpy(), allow_pickle=False)
        except (OSError, InputError) as error:
            self.full = str(error)
            warnings.warn(f"prepared scans are not kept: {error}", PullbackWarning, stacklevel=2)
            return scan
        there = self.take(name)
        self.found, self.made = self.found - (there is not None), self.made + 1
        return scan if there is None else there


def default_folder() -> Path:
    """Where the command line keeps prepared scans."""
    return cache_folder() / "scans"


def kept(folder: Path) -> list[Path]:
    """The prepared scans in a folder, and what a killed process left half-written."""
    return sorted(path for path in {*folder.glob("*.npy"), *folder.glob(".writing-*.npy")} if NAME.fullmatch(path.name))


def cleared(folder: Path) -> None:
    """Remove them, and nothing else.

    Raises:
        InputError: one cannot be removed.
    """
    for path in kept(folder):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"cannot remove {path}: {error.strerror or error}") from error


def prepare(scans: Sequence[Scan], cache: Cache | None = None, workers: int | None = None) -> list[Tensor]:
    """Every scan on its grid: images (c, *shape) from 0 to 1, labels (*shape).

    Args:
        scans: what to prepare.
        cache: where to look first and to keep what is new.
        workers: threads; by default one for each core, at most four.

    Raises:
        FileFormatError: a file is missing or damaged.
        InputError: an image holds NaN, is constant, or has another dimension than its grid.
    """
    count = workers or min(MOST_WORKERS, os.cpu_count() or 1)
    known = {k: cache.take(key(scan)) for k, scan in enumerate(scans)} if cache is not None else {}
    missing = [k for k in range(len(scans)) if known.get(k) is None]
    with ThreadPoolExecutor(count) as pool:
        made = pool.map(lambda k: _prepared(scans[k]), missing)
        for k, one in zip(missing, made, strict=True):
            known[k] = one if cache is None else cache.put(key(scans[k]), one)
    return [one for _, one in sorted(known.items()) if one is not None]


def key(scan: Scan) -> str:
    """A name that is another one whenever the prepared scan would be."""
    how: list[Any] = [FORM, __version__, scan.labels, list(PERCENTILES)]
    where = [list(scan.space.shape), scan.space.matrix.tolist()]
    text = json.dumps([how, where, _fingerprint(scan.path)])
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def _fingerprint(path: Path) -> list[Any]:
    """Path, sizes and times of change of the files that hold a scan."""
    file, inside = split_key(str(path))
    folder = file if file.is_dir() else file.parent if full_suffix(file) in DETACHED else None
    files = [file] if folder is None else sorted(p for p in folder.rglob("*") if p.is_file())
    facts: list[Any] = []
    for each in files:
        with contextlib.suppress(OSError):  # a file that is missing is told about when it is read
            facts.append([each.name, each.stat().st_size, each.stat().st_mtime_ns])
    return [str(file.resolve()), inside, facts]


def _prepared(scan: Scan) -> Tensor:
    still = Affine.identity(scan.space.dimension)
    if scan.labels:
        data = resample_labels(read_labels(scan.path), still, scan.space).data
        small = int(data.min()) >= 0 and int(data.max()) < 256
        return data.to(torch.uint8 if small else torch.int32).contiguous()
    image = read_image(scan.path)
    if image.dimension != scan.space.dimension:
        raise InputError(f"{scan.path} is {image.dimension}D and the image before it {scan.space.dimension}D")
    even = Image(scaled(image.data, str(scan.path)), image.space)
    return resample(even, still, scan.space).data.contiguous()
