"""How a pair lies on disk: a folder of NIfTI files, and pair.json that says what it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from smooth_fields import smallest_jacobian


def affine(shape: tuple[int, ...], spacing: tuple[float, ...]) -> np.ndarray:
    """Grid to RAS mm, with the middle of the grid at 0. The first axis runs to the left, the second to the back, as in
    most files; a 2-D tool that knows no third axis then reads the same plane."""
    matrix = np.eye(4)
    signs = (-1.0, -1.0, 1.0)
    for axis, (n, step) in enumerate(zip(shape, spacing, strict=True)):
        matrix[axis, axis] = signs[axis] * step
        matrix[axis, 3] = -signs[axis] * step * (n - 1) / 2
    return matrix


def save(path: Path, array: np.ndarray, matrix: np.ndarray) -> None:
    image = nib.Nifti1Image(array, matrix)
    image.header.set_xyzt_units("mm")
    image.set_sform(matrix, 1)
    image.set_qform(matrix, 1)
    nib.save(image, path)


def save_truth(path: Path, warp_voxels: np.ndarray, matrix: np.ndarray) -> None:
    """A warp (d, *shape) in voxels, as mm along the RAS axes."""
    d = len(warp_voxels)
    mm = np.tensordot(warp_voxels, matrix[:d, :d].T.astype(np.float32), axes=(0, 0))
    save(path, mm.reshape(*warp_voxels.shape[1:], *(1,) * (3 - d), d), matrix)


def describe(folder: Path, **facts: object) -> None:
    (folder / "pair.json").write_text(json.dumps(facts, indent=1) + "\n")


def write_known_warp(folder: Path, images: tuple[np.ndarray, ...], spacing: tuple[float, ...], **facts: object) -> None:
    """Write what `synthetic` gives."""
    fixed, moving, warp, mask = images
    folder.mkdir(parents=True, exist_ok=True)
    matrix = affine(fixed.shape, spacing)
    save(folder / "fixed.nii.gz", fixed, matrix)
    save(folder / "moving.nii.gz", moving, matrix)
    save(folder / "mask.nii.gz", mask.astype(np.uint8), matrix)
    save_truth(folder / "truth_ras_mm.nii", warp, matrix)
    length = np.linalg.norm(warp, axis=0)[mask]
    describe(
        folder,
        name=folder.name,
        kind="deformable",
        shape=fixed.shape,
        spacing_mm=spacing,
        truth=True,
        mean_warp_voxels=round(float(length.mean()), 4),
        largest_warp_voxels=round(float(length.max()), 4),
        smallest_jacobian=round(smallest_jacobian(warp), 4),
        **facts,
    )


def write_linear(
    folder: Path, kind: str, images: tuple[np.ndarray, np.ndarray, np.ndarray], matrix: np.ndarray
) -> None:
    """A pair of 1 mm volumes with fixed(x) = moving(matrix x), x in voxels from the middle of the grid.

    Args:
        folder: where to.
        kind: rigid or affine.
        images: fixed, moving, mask.
        matrix: 4 x 4.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shape = images[0].shape
    grid = affine(shape, (1.0,) * 3)
    for name, image in zip(("fixed", "moving", "mask"), images, strict=True):
        save(folder / f"{name}.nii.gz", image.astype(np.uint8) if name == "mask" else image, grid)
    index = np.meshgrid(*[np.arange(n, dtype=np.float32) - (n - 1) / 2 for n in shape], indexing="ij", sparse=True)
    warp = np.stack(
        [sum(np.float32(matrix[i, j] - (i == j)) * index[j] for j in range(3)) + matrix[i, 3] for i in range(3)]
    )
    save_truth(folder / "truth_ras_mm.nii", warp.astype(np.float32), grid)
    before = float(np.linalg.norm(warp, axis=0)[images[2] > 0].mean())
    facts = {"mean_warp_voxels": round(before, 4), "largest_warp_voxels": round(float(np.abs(warp).max()), 4)}
    describe(
        folder,
        name=folder.name,
        group="brain-linear",
        kind=kind,
        shape=shape,
        spacing_mm=(1.0,) * 3,
        truth=True,
        **facts,
    )


def write_labelled(
    folder: Path,
    kind: str,
    images: Sequence[np.ndarray],
    labels: Sequence[np.ndarray] | None,
    spacing: tuple[float, ...],
    group: str,
) -> None:
    """A pair of real images, with labels where there are some.

    Args:
        folder: where to.
        kind: what to register with: affine, or full (affine, then deformable).
        images: fixed, moving.
        labels: of fixed and of moving, or none.
        spacing: mm along each axis of both.
        group: what the pair belongs to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for k, side in enumerate(("fixed", "moving")):
        save(folder / f"{side}.nii.gz", images[k], affine(images[k].shape, spacing))
        if labels is not None:
            save(folder / f"{side}_labels.nii.gz", labels[k], affine(labels[k].shape, spacing))
    facts = {"shape": images[0].shape, "spacing_mm": spacing, "truth": False, "labels": labels is not None}
    describe(folder, name=folder.name, group=group, kind=kind, **facts)
