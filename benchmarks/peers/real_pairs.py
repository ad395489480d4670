"""Pairs from real images, where the folder of test data is there; none of them is ever copied into the repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
from head import bias_and_noise
from pair_files import write_known_warp, write_labelled, write_linear
from scipy import ndimage
from smooth_fields import pull, random_warp

GROUPS = ("brain-warp", "brain-linear", "brain", "oasis", "cardiac")
BRAIN_GRID = (192, 224, 192)


def write_real_pairs(folder: Path, data: Path, only: list[str] | None = None) -> Iterator[Path]:
    """Write those groups whose data is there; yields each pair's folder."""
    makers = {"brain": _brains, "oasis": _oasis, "cardiac": _cardiac}
    for group, make in makers.items():
        wanted = [g for g in GROUPS if g.split("-")[0] == group and (only is None or g in only)]
        if wanted:
            for name in make(folder, data, wanted):
                yield folder / name


def _brain(data: Path, name: str, shape: tuple[int, ...] = BRAIN_GRID) -> np.ndarray | None:
    """A 1 mm brain in the middle of a grid, 0 .. about 1."""
    path = data / "antspy" / f"{name}.nii.gz"
    if not path.exists():
        print(f"{path} is not there: no pairs of {name}")
        return None
    image = np.asanyarray(nib.as_closest_canonical(nib.load(path)).dataobj)[::-1, ::-1].astype(np.float32)
    pad = [((n - m) // 2, n - m - (n - m) // 2) for n, m in zip(shape, image.shape, strict=True)]
    return np.ascontiguousarray(np.pad(image, pad)) / np.percentile(image[image > 0], 99)


def _brains(folder: Path, data: Path, groups: list[str]) -> Iterator[str]:
    base, other = _brain(data, "mni"), _brain(data, "ch2")
    if base is None or other is None:
        return
    rng = np.random.default_rng(3)
    inside = ndimage.binary_fill_holes(base > 0.05)
    if "brain-warp" in groups:
        warp = random_warp(rng, base.shape, 0.09, 0.036 * min(base.shape))
        fixed = bias_and_noise(rng, np.maximum(pull(base, warp), 0), True)
        images = fixed, bias_and_noise(rng, base, True), warp, pull(inside.astype(np.uint8), warp, 0).astype(bool)
        write_known_warp(folder / "brain_warp", images, (1.0,) * 3, group="brain-warp")
        yield "brain_warp"
    if "brain-linear" in groups:
        for kind, matrix in (("rigid", _rigid((9, -6, 14), (8, -10, 6))), ("affine", _affine())):
            fixed = bias_and_noise(rng, _through(base, matrix), True)
            mask = _through(inside.astype(np.float32), matrix, order=0) > 0
            write_linear(folder / f"brain_{kind}", kind, (fixed, bias_and_noise(rng, base, True), mask), matrix)
            yield f"brain_{kind}"
    for group, name, kind in (("brain-linear", "brains_affine", "affine"), ("brain", "brains", "full")):
        if group in groups:
            images = [np.rint(1000 * image).astype(np.int16) for image in (base, other)]
            write_labelled(folder / name, kind, images, None, (1.0,) * 3, group=group)
            yield name


def _rigid(degrees: tuple[float, ...], shift: tuple[float, ...]) -> np.ndarray:
    """4 x 4: turns about the three axes through the middle of the grid, then a shift; in voxels from the middle."""
    matrix = np.eye(4)
    for axis, angle in enumerate(np.deg2rad(degrees)):
        turn = np.eye(4)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn[[i, j], [i, j]] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    matrix[:3, 3] = shift
    return matrix


def _affine() -> np.ndarray:
    stretch = np.eye(4)
    stretch[:3, :3] = [[1.08, 0.04, 0.0], [0.0, 0.94, -0.05], [0.03, 0.0, 1.05]]
    return _rigid((7, -5, 10), (6, -8, 9)) @ stretch


def _through(image: np.ndarray, matrix: np.ndarray, order: int = 3) -> np.ndarray:
    """image(matrix x), where x counts from the middle of the grid."""
    middle = (np.array(image.shape) - 1) / 2
    offset = middle + matrix[:3, 3] - matrix[:3, :3] @ middle
    return np.maximum(ndimage.affine_transform(image, matrix[:3, :3], offset, order=order, output=image.dtype), 0)


def _oasis(folder: Path, data: Path, _groups: list[str]) -> Iterator[str]:
    home = data / "oasis_trt_2d"
    subjects = [n for n in range(1, 21) if n != 17 and _slice(home, n).exists()]  # 17 was cut at another height
    if not subjects:
        print(f"{home} is not there: no pairs of OASIS")
    for k, fixed in enumerate(subjects):  # a ring: everyone is fixed once and moving once
        moving = subjects[(k + 3) % len(subjects)]
        images = [np.asanyarray(nib.load(_slice(home, n)).dataobj).astype(np.float32) for n in (fixed, moving)]
        labels = [
            np.asanyarray(nib.load(_slice(home, n, labels=True)).dataobj).astype(np.int16) for n in (fixed, moving)
        ]
        name = f"oasis_{fixed:02d}_{moving:02d}"
        write_labelled(folder / name, "full", images, labels, (1.0, 1.0), group="oasis")
        yield name


def _slice(home: Path, subject: int, labels: bool = False) -> Path:
    what = f"Labels/OASIS-TRT-20-{subject}_DKT31_CMA_labels" if labels else f"Atlases/OASIS-TRT-20-{subject}"
    return home / f"{what}_slice118.nii.gz"


def _cardiac(folder: Path, data: Path, _groups: list[str]) -> Iterator[str]:
    """End of diastole (fixed) and of systole (moving), both with labels of ventricles and wall."""
    home = data / "cardiac_ed_es"
    cases: dict[str, list[Path]] = {}
    for patient in sorted((home / "acdc").glob("patient*")):
        frames = sorted(p for p in patient.glob("*frame*.nii.gz") if "_gt" not in p.name)[:2]
        cases[f"acdc_{patient.name[-3:]}"] = frames + [p.with_name(p.name.replace(".nii", "_gt.nii")) for p in frames]
    for first in sorted((home / "mms").rglob("*_ED.nii.gz")):
        stem = first.name[: -len("_ED.nii.gz")]
        cases[f"mms_{stem}"] = [first.with_name(stem + s + ".nii.gz") for s in ("_ED", "_ES", "_ED_gt", "_ES_gt")]
    for scan in sorted((home / "cmrxm22").glob("P*-1")):  # scan 1 of each volunteer is free of motion
        cases[f"cmrx_{scan.name}"] = [scan / f"{scan.name}-{s}.nii.gz" for s in ("ED", "ES", "ED-label", "ES-label")]
    if not cases:
        print(f"{home} is not there: no pairs of hearts")
    for name, paths in cases.items():
        files = [nib.load(path) for path in paths]
        spacing = tuple(float(s) for s in files[0].header.get_zooms()[:3])  # the matrix in ACDC's files is wrong
        arrays = [np.asanyarray(f.dataobj) for f in files]
        images = [a.astype(np.float32) for a in arrays[:2]]
        labels = [np.rint(a).astype(np.int16) for a in arrays[2:]]
        write_labelled(folder / f"cardiac_{name}", "full", images, labels, spacing, group="cardiac")
        yield f"cardiac_{name}"
