"""What every tool's script shares: its command line, and what it needs to know of a pair. Needs numpy and nibabel only.

    python with_TOOL.py register PAIR OUT --kind KIND --threads N --variant NAME    (timed)
    python with_TOOL.py convert  PAIR OUT --kind KIND --threads N --variant NAME    (not timed) OUT/displacement.nii
    python with_TOOL.py version

`displacement.nii` (or .nii.gz) has a vector at each voxel of the fixed grid, mm along the LPS axes: where the fixed
point lies in moving, less where it lies in fixed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

KINDS = ("rigid", "affine", "deformable", "full")
"""deformable has no linear stage: the headers are right; full is affine, then deformable."""


@dataclass(frozen=True)
class Task:
    """One registration: a pair, what to find, where the result goes."""

    pair: Path
    out: Path
    kind: str
    threads: int
    variant: str

    @property
    def fixed(self) -> str:
        return str(self.pair / "fixed.nii.gz")

    @property
    def moving(self) -> str:
        return str(self.pair / "moving.nii.gz")

    @property
    def facts(self) -> dict:
        return json.loads((self.pair / "pair.json").read_text())

    @property
    def shape(self) -> list[int]:
        return self.facts["shape"]

    @property
    def spacing(self) -> list[float]:
        return self.facts["spacing_mm"]

    @property
    def stripped(self) -> bool:
        """Whether the background is 0, the skull being taken off."""
        return self.facts["group"].startswith(("brain", "oasis"))

    @property
    def linear(self) -> bool:
        """Whether nothing but a matrix is wanted."""
        return self.kind in ("rigid", "affine")

    def path(self, name: str) -> str:
        return str(self.out / name)


def main(register: Callable[[Task], None], convert: Callable[[Task], None], version: Callable[[], str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("register", "convert", "version"))
    parser.add_argument("pair", type=Path, nargs="?")
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--kind", choices=KINDS, default="full")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--variant", default="")
    given = parser.parse_args()
    if given.what == "version":
        print(version())
        return
    task = Task(given.pair.resolve(), given.out.resolve(), given.kind, given.threads, given.variant)
    {"register": register, "convert": convert}[given.what](task)


def save_displacement(task: Task, vectors) -> None:
    """Vectors (*shape, d), mm along LPS axes."""
    import nibabel as nib
    import numpy as np

    d = vectors.shape[-1]
    array = np.asarray(vectors, np.float32).reshape(*vectors.shape[:d], *(1,) * (4 - d), d)
    image = nib.Nifti1Image(array, nib.load(task.fixed).affine)
    image.header.set_intent("vector")
    nib.save(image, task.path("displacement.nii"))


def grid(path: str):
    """(matrix d x d, origin d) that takes indices of an image to mm along the LPS axes."""
    import nibabel as nib
    import numpy as np

    image = nib.load(path)
    matrix = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
    return matrix[: image.ndim, : image.ndim], matrix[: image.ndim, 3]


def places(path: str):
    """Places (*shape, d) of the voxels of an image, mm along the LPS axes."""
    import nibabel as nib
    import numpy as np

    matrix, origin = grid(path)
    index = np.stack(np.meshgrid(*[np.arange(n) for n in nib.load(path).shape], indexing="ij"), -1)
    return index @ matrix.T + origin
