"""Judge what the tools wrote, all by the same code, and append a row for each run to a CSV.

    python score.py WORK CSV

Reads `run.json` of every run that `run.py` left in WORK, has the tool's own script write its transform as vectors (not
timed), and measures them: error of the known warp, Dice of labels pulled through them (nearest), folding, correlation.
Runs that are in the CSV already are left alone.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

COLUMNS = (
    "date", "machine", "commit", "pair", "group", "kind", "shape", "voxels", "tool", "version", "threads",
    "load", "repeat", "status", "seconds", "cpu_seconds", "peak_mb", "error_mean_voxels", "error_median_voxels",
    "error_p95_voxels", "error_mean_mm", "before_mean_voxels", "dice", "dice_before", "labels",
    "fold_percent", "smallest_jacobian", "ncc", "ncc_before",
)  # fmt: skip
FLOAT = np.float32


def read_vectors(out: Path, pair: Path) -> np.ndarray:
    """What the tool found, (*shape, d), as steps in voxels of the fixed grid's axes.

    Files hold mm along the LPS axes, as ITK's do; the grid's own matrix takes them to its axes.
    """
    paths = [path for path in (out / "displacement.nii", out / "displacement.nii.gz") if path.exists()]
    if not paths:
        raise ValueError(f"there is no displacement.nii in {out}")
    image, fixed = nib.load(paths[0]), nib.load(pair / "fixed.nii.gz")
    d = fixed.ndim
    array = np.asanyarray(image.dataobj)
    array = array.reshape(*array.shape[:d], -1)[..., :d].astype(FLOAT)
    if array.shape[:d] != fixed.shape:
        raise ValueError(f"the displacement has the grid {array.shape[:d]}, the fixed image {fixed.shape}")
    lps_to_voxels = np.linalg.inv((np.diag([-1.0, -1.0, 1.0, 1.0]) @ fixed.affine)[:d, :d])
    vectors = array @ lps_to_voxels.T.astype(FLOAT)
    return vectors if np.isfinite(vectors).all() else np.nan_to_num(vectors, nan=1e3, posinf=1e3, neginf=-1e3)


def read_truth(pair: Path) -> np.ndarray:
    """The known warp, likewise."""
    truth, fixed = nib.load(pair / "truth_ras_mm.nii"), nib.load(pair / "fixed.nii.gz")
    d = fixed.ndim
    array = np.asanyarray(truth.dataobj).reshape(*fixed.shape, d)
    return array @ np.linalg.inv(fixed.affine[:d, :d]).T.astype(FLOAT)


def places_in_moving(vectors: np.ndarray, pair: Path) -> np.ndarray:
    """(d, *shape): index into moving for every fixed voxel."""
    fixed, moving = nib.load(pair / "fixed.nii.gz"), nib.load(pair / "moving.nii.gz")
    d = fixed.ndim
    both = np.linalg.inv(moving.affine) @ fixed.affine
    index = np.stack(np.meshgrid(*[np.arange(n, dtype=FLOAT) for n in fixed.shape], indexing="ij"), -1)
    at = (index + vectors) @ both[:d, :d].T.astype(FLOAT) + both[:d, 3].astype(FLOAT)
    for axis, n in enumerate(moving.shape):  # half a voxel beyond the last centre is still inside
        a = at[..., axis]
        a[(a < 0) & (a >= -0.5)] = 0
        a[(a > n - 1) & (a <= n - 0.5)] = n - 1
    return np.moveaxis(at, -1, 0)


def load(path: Path) -> np.ndarray:
    return np.asanyarray(nib.load(path).dataobj)


def folding(vectors: np.ndarray) -> dict[str, float]:
    """Voxels where the map turns over, by central differences away from the border."""
    d = vectors.shape[-1]
    inner = tuple(slice(1, -1) if n > 2 else slice(None) for n in vectors.shape[:d])
    jacobian = np.empty((*vectors[inner].shape, d), FLOAT)
    for axis in range(d):
        steps = np.gradient(vectors, axis=axis) if vectors.shape[axis] > 1 else np.zeros_like(vectors)
        jacobian[..., axis] = steps[inner]
    determinant = np.linalg.det(jacobian + np.eye(d, dtype=FLOAT))
    return {
        "fold_percent": float(100 * (determinant <= 0).mean()),
        "smallest_jacobian": float(determinant.min()),
    }


def dice(fixed: np.ndarray, warped: np.ndarray, labels: list[int]) -> float:
    both = [2 * ((fixed == k) & (warped == k)).sum() / ((fixed == k).sum() + (warped == k).sum()) for k in labels]
    return float(np.mean(both))


def correlation(a: np.ndarray, b: np.ndarray, mask: np.ndarray) -> float:
    return float(np.corrcoef(a[mask].astype(float), b[mask].astype(float))[0, 1])


def score(pair: Path, vectors: np.ndarray) -> dict[str, float | int]:
    """Every measure that the pair allows, of vectors in voxels."""
    fixed = load(pair / "fixed.nii.gz")
    mask = load(pair / "mask.nii.gz") > 0 if (pair / "mask.nii.gz").exists() else fixed > 0.05 * fixed.max()
    measures: dict[str, float | int] = dict(folding(vectors))
    spacing = nib.load(pair / "fixed.nii.gz").header.get_zooms()[: fixed.ndim]
    if (pair / "truth_ras_mm.nii").exists():
        truth = read_truth(pair)
        off = (vectors - truth)[mask]
        voxels = np.linalg.norm(off, axis=-1)
        measures |= {
            "error_mean_voxels": float(voxels.mean()),
            "error_median_voxels": float(np.median(voxels)),
            "error_p95_voxels": float(np.percentile(voxels, 95)),
            "error_mean_mm": float(np.linalg.norm(off * np.array(spacing, FLOAT), axis=-1).mean()),
            "before_mean_voxels": float(np.linalg.norm(truth[mask], axis=-1).mean()),
        }
    at, start = places_in_moving(vectors, pair), places_in_moving(np.zeros_like(vectors), pair)
    moving = load(pair / "moving.nii.gz").astype(FLOAT)
    measures["ncc"] = correlation(fixed, ndimage.map_coordinates(moving, at, order=1), mask)
    measures["ncc_before"] = correlation(fixed, ndimage.map_coordinates(moving, start, order=1), mask)
    if (pair / "fixed_labels.nii.gz").exists():
        names, other = load(pair / "fixed_labels.nii.gz"), load(pair / "moving_labels.nii.gz")
        labels = [int(k) for k in np.intersect1d(names, other) if k != 0]
        pulled, unmoved = (ndimage.map_coordinates(other, place, order=0) for place in (at, start))
        measures |= {
            "dice": dice(names, pulled, labels),
            "dice_before": dice(names, unmoved, labels),
            "labels": len(labels),
        }
    return {key: float(f"{value:.5g}") for key, value in measures.items()}


def judge(out: Path, record: dict) -> dict:
    """The row of one run."""
    row = {key: record[key] for key in COLUMNS if key in record}
    if record["status"] == "done" and record["repeat"] == 0:
        words = [*record["convert"]]
        surroundings = os.environ | record["environment"]
        made = subprocess.run(words, capture_output=True, text=True, env=surroundings, cwd=out)  # elastix litters
        try:
            pair = Path(record["folder"])
            row |= score(pair, read_vectors(out, pair))
        except (OSError, ValueError) as error:  # one bad file must not hide all others
            row["status"] = "unreadable"
            print(error, *made.stderr.strip().splitlines()[-3:], sep="\n")
    return row


def rows_in(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            sys.exit(f"{path} has other columns than are written now; move it away")
        return list(reader)


def main() -> None:
    work, table = Path(sys.argv[1]), Path(sys.argv[2])
    names = ("date", "pair", "tool", "threads", "repeat")
    have = {tuple(row[name] for name in names) for row in rows_in(table)}
    table.parent.mkdir(parents=True, exist_ok=True)
    for path in sorted(work.glob("*/*/*/run.json"), key=lambda p: p.stat().st_mtime):
        record = json.loads(path.read_text())
        if tuple(str(record[name]) for name in names) in have:
            continue
        row = judge(path.parent, record)
        fresh = not table.exists()
        with table.open("a", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            if fresh:
                writer.writeheader()
            writer.writerow(row)
        shown = ("pair", "tool", "repeat", "status", "seconds", "peak_mb", "error_mean_voxels", "dice", "fold_percent")
        print(*(row.get(key, "") for key in shown), flush=True)


if __name__ == "__main__":
    main()
