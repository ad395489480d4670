"""Make the pairs of the comparison, each in a folder of its own.

    python pairs.py FOLDER synthetic 192 224 192 [--seed 0] [--largest 0.036] [--name NAME]
    python pairs.py FOLDER real [--data DATA] [--only oasis ...]

Needs numpy, scipy and nibabel; scripts that want the arrays in memory can call `synthetic(shape, seed)`.

A folder holds fixed.nii.gz, moving.nii.gz and pair.json; where known, truth_ras_mm.nii (float32, (*shape, d): the
displacement in mm along the RAS axes that takes each fixed voxel to its place in moving) and mask.nii.gz (fixed voxels
inside the object); where there are labels, fixed_labels.nii.gz and moving_labels.nii.gz. Truths are exact: fixed is
moving's noiseless picture at x + u(x), by cubic interpolation; noise and shading come after, different in both.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from head import bias_and_noise, head
from pair_files import write_known_warp
from real_pairs import GROUPS, write_real_pairs
from smooth_fields import pull, random_warp


def synthetic(shape: tuple[int, ...], seed: int = 0, largest: float = 0.036) -> tuple[np.ndarray, ...]:
    """(fixed, moving, warp (d, *shape) in voxels, mask of the object in fixed) for a grid of any size.

    Args:
        shape: the grid, 2-D or 3-D, each axis 32 or more.
        seed: the same seed gives the same pair.
        largest: the longest displacement, as a part of the shortest axis (0.036: 7 voxels of 192).
    """
    rng = np.random.default_rng([seed, *shape])
    warp = random_warp(rng, shape, 0.09, largest * min(shape))
    base, inside = head(rng, shape)
    fixed = bias_and_noise(rng, np.maximum(pull(base, warp), 0))
    return fixed, bias_and_noise(rng, base), warp, pull(inside.astype(np.uint8), warp, order=0).astype(bool)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the pairs of the comparison.")
    parser.add_argument("folder", type=Path)
    kinds = parser.add_subparsers(dest="what", required=True)
    made = kinds.add_parser("synthetic")
    made.add_argument("shape", type=int, nargs="+")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--largest", type=float, default=0.036)
    made.add_argument("--name")
    real = kinds.add_parser("real")
    real.add_argument("--data", type=Path, default=os.environ.get("PULLBACK_TEST_DATA", "../shared/data"))
    real.add_argument("--only", nargs="+", choices=GROUPS)
    given = parser.parse_args()
    if given.what == "synthetic":
        shape = tuple(given.shape)
        name = given.name or "synthetic_" + "x".join(map(str, shape)) + (f"_seed{given.seed}" if given.seed else "")
        images = synthetic(shape, given.seed, given.largest)
        write_known_warp(given.folder / name, images, (1.0,) * len(shape), group="synthetic", seed=given.seed)
        print(given.folder / name)
    else:
        for made_pair in write_real_pairs(given.folder, given.data, given.only):
            print(made_pair)


if __name__ == "__main__":
    main()
