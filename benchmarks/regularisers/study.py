"""What each regulariser does for a B-spline and for a displacement at several weights: error, folds, volume of muscle.

python benchmarks/regularisers/study.py [--seeds 3] writes a CSV to standard output. The pairs are phantoms of hearts
under known smooth warps, two-dimensional, with noise; the error is measured within the labelled heart.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import time

import torch

import pullback as pb
from pullback.energy import (
    LNCC,
    Bending,
    Curvature,
    Diffusion,
    Elastic,
    Energy,
    Folding,
    Incompressible,
    Regulariser,
    RegulariserSum,
    RegulariserTerm,
    Sobolev,
    TotalVariation,
)
from pullback.optimise import LBFGS, BSpline, GradientDescent, Greedy, Level, Linear, Schedule
from pullback.phantom import Pair, heart_pair
from pullback.registration import Optimise, Recipe
from pullback.transforms import Displacement

REGULARISERS: dict[str, tuple[Regulariser | None, tuple[float, ...]]] = {
    "none": (None, (0.0,)),
    "diffusion": (Diffusion(), (0.03, 0.1, 0.3, 1, 3)),
    "bending": (Bending(), (1, 3, 10, 30, 100, 300)),
    "curvature": (Curvature(), (1, 3, 10, 30, 100, 300)),
    "elastic": (Elastic(), (0.03, 0.1, 0.3, 1, 3)),
    "total variation": (TotalVariation(), (0.01, 0.03, 0.1, 0.3)),
    "Sobolev, 10 mm": (Sobolev(), (1e-5, 1e-4, 1e-3, 1e-2)),
    "folding": (Folding(), (0.1, 1, 10, 100)),
    "volume": (Incompressible(), (0.01, 0.03, 0.1, 0.3, 1)),
    "bending 10 and folding": (
        RegulariserSum((RegulariserTerm(Bending(), 10.0), RegulariserTerm(Folding(), 10.0))),
        (0.3, 1, 3),
    ),
}
LINEAR = Optimise(Linear("affine"), Energy(LNCC()), LBFGS(), Schedule((Level(4, 40), Level(2, 40))))
MODELS = {
    "spline, 5 voxels": (BSpline(5.0), LBFGS(), Schedule((Level(4, 40), Level(2, 40), Level(1, 20)))),
    "greedy, lightly smoothed": (
        Greedy(1.0, 0.0),
        GradientDescent(),
        Schedule((Level(4, 60), Level(2, 40), Level(1, 10))),
    ),
}


def run(pair: Pair, model: str, regulariser: Regulariser | None, weight: float) -> dict[str, float]:
    """Mean error in mm, per cent of folded voxels and least Jacobian, within the heart; CPU seconds."""
    kind, optimiser, schedule = MODELS[model]
    stage = Optimise(kind, Energy(LNCC(radius_voxels=3), regulariser, weight), optimiser, schedule)
    begun = time.process_time()
    found = pb.register(pair.fixed, pair.moving, Recipe("study", "two stages", (LINEAR, stage)))
    seconds = time.process_time() - begun
    space = pair.fixed.space
    labels = pair.fixed_labels
    assert labels is not None
    heart = labels.data > 0
    field = found.transform.displace(space)
    error = (field - pair.truth.displace(space)).norm(dim=0)
    jacobian = Displacement(field, space).jacobian()
    return {
        "error": float(error[heart].mean()),
        "p95": float(torch.quantile(error[heart].float(), 0.95)),
        "outside": float(error[~heart].mean()),
        "folds": 100 * float((jacobian <= 0).float().mean()),
        "least": float(jacobian[heart].min()),
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    pairs = [heart_pair(seed=seed, max_mm=10.0, noise=0.05) for seed in range(seeds)]
    table = csv.writer(sys.stdout)
    table.writerow(["model", "regulariser", "weight", "error_mm", "p95_mm", "elsewhere_mm", "folds_percent",
                    "least_jacobian_in_heart", "cpu_seconds"])  # fmt: skip
    for model in MODELS:
        for name, (regulariser, weights) in REGULARISERS.items():
            for weight in weights:
                rows = [run(pair, model, regulariser, weight) for pair in pairs]
                mean = {key: statistics.mean(row[key] for row in rows) for key in rows[0]}
                table.writerow([model, name, weight, f"{mean['error']:.3f}", f"{mean['p95']:.3f}",
                                f"{mean['outside']:.2f}", f"{mean['folds']:.3f}",
                                f"{min(row['least'] for row in rows):.2f}", f"{mean['seconds']:.2f}"])  # fmt: skip
                sys.stdout.flush()


if __name__ == "__main__":
    main()
