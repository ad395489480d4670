"""Which optimiser finds a known affine map, how closely, after how many looks at the images, in how many CPU seconds.

python benchmarks/optimisers/study.py [--seeds 6] writes a CSV to standard output, one row for each kind of pair and
optimiser. `PULLBACK_TEST_DATA` must hold `itk_examples`; the other pairs are phantoms.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

import pullback as pb
from pullback.energy import MSE, NCC, Energy, MutualInformation, Similarity
from pullback.image import Image
from pullback.optimise import (
    LBFGS,
    Adam,
    ConjugateGradient,
    GradientDescent,
    Level,
    LevenbergMarquardt,
    Linear,
    Objective,
    Optimiser,
    Schedule,
    StochasticDescent,
)
from pullback.phantom import AffineRange, heart, heart_space, known_warp, warp_pair
from pullback.registration import Optimise, Recipe
from pullback.transforms import Affine, Transform

STEPS = 100
OPTIMISERS: dict[str, tuple[Optimiser, int | None]] = {
    "descent, step 0.5": (GradientDescent(step_voxels=0.5), None),
    "momentum 0.8": (GradientDescent(step_voxels=0.5, momentum=0.8), None),
    "Nesterov 0.8": (GradientDescent(step_voxels=0.5, momentum=0.8, nesterov=True), None),
    "descent, Armijo": (GradientDescent(step_voxels=4.0, line_search="armijo"), None),
    "descent, Wolfe": (GradientDescent(step_voxels=4.0, line_search="wolfe"), None),
    "Adam 0.1": (Adam(step_voxels=0.1), None),
    "Adam 0.3": (Adam(step_voxels=0.3), None),
    "conjugate gradients": (ConjugateGradient(), None),
    "L-BFGS": (LBFGS(), None),
    "Levenberg-Marquardt": (LevenbergMarquardt(), None),
    "stochastic, 2000 places": (StochasticDescent(step_voxels=1.0), 2000),
}


@dataclass(frozen=True, eq=False)
class Case:
    """A pair with a known matrix."""

    kind: str
    fixed: Image
    moving: Image
    truth: Transform
    similarity: Similarity


def cases(seeds: int) -> Iterator[Case]:
    """Turned and stretched phantoms, two- and three-dimensional, and ITK's slices."""
    for d, space in ((2, heart_space(2)), (3, heart_space(3))):
        for seed in range(seeds if d == 2 else max(1, seeds // 2)):
            ranges = AffineRange(angle_degrees=10, scale=0.08, shear=0.04, shift_mm=8.0)
            truth = known_warp(space, seed, max_mm=0, affine=ranges)
            pair = warp_pair(heart(d, space=space, seed=seed, noise=0.0, bias=0.0).image, truth, noise=0.03, seed=seed)
            yield Case(f"heart {d}-D", pair.fixed, pair.moving, truth, NCC())
            if d == 2:
                yield Case("heart 2-D, MSE", pair.fixed, pair.moving, truth, MSE())
                yield Case("heart 2-D, mutual information", pair.fixed, pair.moving, truth, MutualInformation())
    space = heart_space(2)
    for seed in range(2 * seeds):
        ranges = AffineRange(angle_degrees=30, scale=0.15, shear=0.08, shift_mm=25.0)
        truth = known_warp(space, 100 + seed, max_mm=0, affine=ranges)
        pair = warp_pair(heart(2, space=space, seed=seed, noise=0.0, bias=0.0).image, truth, noise=0.03, seed=seed)
        yield Case("heart 2-D, far away", pair.fixed, pair.moving, truth, NCC())
    folder = Path(os.environ["PULLBACK_TEST_DATA"], "itk_examples")
    lps = torch.diag(torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64))
    for name, scale, angle, centre, shift in (
        ("Rotated10", 1.0, math.radians(10), (110.5, 128.5), (0.0, 0.0)),
        ("R10X13Y17", 1.0, 0.174482, (123.182, 147.108), (9.57676, 17.922)),
        ("R10X13Y17S12", 0.833222, -0.174521, (111.437, 131.741), (-12.8272, -12.7862)),
    ):
        images = [pb.read_image(folder / f"BrainProtonDensitySlice{n}.png") for n in ("Border20", name)]
        c, s = scale * math.cos(angle), scale * math.sin(angle)
        linear = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
        truth = Affine(lps @ Affine.about(linear, shift, centre).matrix @ lps)
        yield Case("ITK slices", *images, truth, NCC())


def run(case: Case, optimiser: Optimiser, samples: int | None) -> dict[str, float]:
    """Error in voxels over the grid, looks at the images, and CPU seconds of one registration from the headers."""
    steps = STEPS if samples is None else 4 * STEPS
    schedule = Schedule(tuple(Level(s, steps) for s in (4, 2, 1)), tolerance=1e-5)
    stage = Optimise(Linear("affine"), Energy(case.similarity), optimiser, schedule, samples)
    LOOKS[0] = 0
    begun = time.process_time()
    found = pb.register(case.fixed, case.moving, Recipe("study", "one stage", (stage,)))
    seconds = time.process_time() - begun
    points = case.fixed.space.grid()
    error = (found.transform(points) - case.truth(points)).norm(dim=-1) / case.fixed.space.finest
    return {"error": float(error.mean()), "looks": LOOKS[0], "seconds": seconds}


LOOKS = [0]


def count_looks() -> None:
    """Have objectives count how often they are asked for a gradient."""
    for name in ("value_and_gradient", "value_gradient_curvature"):
        plain = getattr(Objective, name)

        def counted(self, params, plain=plain):  # type: ignore[no-untyped-def]
            LOOKS[0] += 1
            return plain(self, params)

        setattr(Objective, name, counted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--pairs", nargs="+", help="only kinds of pairs with these names")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    count_looks()
    everything = [c for c in cases(arguments.seeds) if arguments.pairs is None or c.kind in arguments.pairs]
    table = csv.writer(sys.stdout)
    table.writerow(["pairs", "optimiser", "cases", "median_error_voxels", "worst_error_voxels", "found", "looks",
                    "cpu_seconds"])  # fmt: skip
    for kind in dict.fromkeys(case.kind for case in everything):
        for name, (optimiser, samples) in OPTIMISERS.items():
            if isinstance(optimiser, LevenbergMarquardt) and "mutual" in kind:
                continue
            rows = [run(case, optimiser, samples) for case in everything if case.kind == kind]
            errors = [row["error"] for row in rows]
            found = sum(e < 0.5 for e in errors)
            means = [statistics.mean(row[key] for row in rows) for key in ("looks", "seconds")]
            table.writerow([kind, name, len(rows), f"{statistics.median(errors):.3f}", f"{max(errors):.2f}", found,
                            f"{means[0]:.0f}", f"{means[1]:.2f}"])  # fmt: skip
            sys.stdout.flush()


if __name__ == "__main__":
    main()
