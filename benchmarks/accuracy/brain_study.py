"""How well `brain-intersubject` does with these or those numbers, as docs/design_notes/recipes.md tables it.

    python benchmarks/accuracy/brain_study.py                     # the recipe as it comes
    python benchmarks/accuracy/brain_study.py --update 2.3 --total 0.7 --radius 2 --mse 5 --fine 7 --folds

All 90 ordered pairs of ten brain slices (mean Dice of the labels in both), and two template brains of 1 mm, each cut in
three by brightness within the atlas's brain (mean Dice of the three). Images come from PULLBACK_TEST_DATA (default
../shared/data): oasis_trt_2d, antspy and nilearn_mni.
"""

from __future__ import annotations

import argparse
import itertools
import os
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import pullback as pb
from pullback.energy import LNCC, MSE, Energy, Term, WeightedSum
from pullback.optimise import Greedy, Level, Schedule
from pullback.registration import Optimise, Unfold

DATA = Path(os.environ.get("PULLBACK_TEST_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
NUMBERS = range(1, 11)


def recipe(options: argparse.Namespace) -> pb.Recipe:
    """The recipe with what was asked for in place of its own numbers."""
    own = pb.recipes.named("brain-intersubject")
    dense = own.dense
    assert isinstance(dense.model, Greedy)
    assert isinstance(dense.energy.similarity, WeightedSum)
    changes = {"smooth_update_voxels": options.update, "smooth_total_voxels": options.total}
    model = replace(dense.model, **{name: value for name, value in changes.items() if value is not None})
    lncc, mse = dense.energy.similarity.terms
    radius, weight = options.radius, options.mse
    terms = (
        lncc if radius is None else Term(LNCC(radius), lncc.weight),
        mse if weight is None else Term(MSE(), weight),
    )
    *levels, last = dense.schedule.levels
    fine = last if options.fine is None else Level(last.shrink, steps=options.fine)
    schedule = Schedule((*levels, fine), dense.schedule.tolerance)
    changed = replace(dense, model=model, energy=Energy(WeightedSum(terms)), schedule=schedule)
    kept = (s for s in own.stages if not (options.folds and isinstance(s, Unfold)))
    return replace(own, stages=tuple(changed if isinstance(s, Optimise) and s is dense else s for s in kept))


def overlap(found: np.ndarray, wanted: np.ndarray) -> float:
    """Mean Dice of the labels in both."""
    both = (set(np.unique(found)) & set(np.unique(wanted))) - {0}
    shares = [2 * ((found == k) & (wanted == k)).sum() / ((found == k).sum() + (wanted == k).sum()) for k in both]
    return float(np.mean(shares))


def slices(chosen: pb.Recipe) -> str:
    home = DATA / "oasis_trt_2d"
    names = {n: f"OASIS-TRT-20-{n}" for n in NUMBERS}
    images = {n: pb.read_image(home / "Atlases" / f"{name}_slice118.nii.gz") for n, name in names.items()}
    labels = {
        n: pb.read_labels(home / "Labels" / f"{name}_DKT31_CMA_labels_slice118.nii.gz") for n, name in names.items()
    }
    found, folds = [], []
    for a, b in itertools.permutations(NUMBERS, 2):
        result = pb.register(images[a], images[b], chosen)
        warped = pb.apply(result.transform, labels[b], onto=labels[a])
        found.append(overlap(warped.data.numpy(), labels[a].data.numpy()))
        folds.append(pb.evaluate.deformation(result.transform, images[a].space).fold_percent)
    return f"{len(found)} slices: Dice {np.mean(found):.4f}, worst {min(found):.4f}, folded {np.mean(folds):.4f} %"


def volume(chosen: pb.Recipe) -> str:
    fixed, moving = (pb.read_image(DATA / "antspy" / f"{name}.nii.gz") for name in ("mni", "ch2"))
    parts = [tissues(image) for image in (fixed, moving)]
    result = pb.register(fixed, moving, chosen)
    warped = pb.apply(result.transform, pb.Labels(parts[1], moving.space), onto=fixed)
    folded = pb.evaluate.deformation(result.transform, fixed.space).fold_percent
    dice = overlap(warped.data.numpy(), parts[0].numpy())
    return f"volume: Dice {dice:.4f}, folded {folded:.4f} %, {result.seconds:.1f} s"


def tissues(image: pb.Image) -> torch.Tensor:
    """1 fluid, 2 grey, 3 white, by three means of brightness within the atlas's brain; 0 elsewhere."""
    maps = [
        pb.read_image(DATA / "nilearn_mni" / f"mni_icbm152_{t}_tal_nlin_sym_09a_converted.nii.gz") for t in ("gm", "wm")
    ]
    brain = sum(pb.apply(pb.Affine.identity(3), one, onto=image).data[0] for one in maps)
    inside = brain > 0.3 * brain.max()
    values = image.data[0][inside]
    middles = torch.from_numpy(np.quantile(values.numpy(), [0.1, 0.5, 0.9])).to(values)
    for _ in range(50):
        nearest = (values[:, None] - middles).abs().argmin(1)
        middles = torch.stack([values[nearest == k].mean() for k in range(3)])
    found = torch.zeros(image.space.shape, dtype=torch.int32)
    found[inside] = (nearest + 1).int()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", type=float, help="sigma on each step, voxels")
    parser.add_argument("--total", type=float, help="sigma on the displacement, voxels")
    parser.add_argument("--radius", type=int, help="of local correlation, voxels")
    parser.add_argument("--mse", type=float, help="weight of the differences")
    parser.add_argument("--fine", type=int, help="steps at full resolution")
    parser.add_argument("--folds", action="store_true", help="leave the last folds in")
    chosen = recipe(parser.parse_args())
    warnings.simplefilter("ignore", pb.PullbackWarning)
    print(slices(chosen), flush=True)
    print(volume(chosen))


if __name__ == "__main__":
    main()
