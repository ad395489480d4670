"""Compare dense models at one schedule: error of known warps, folds, inverse consistency and CPU seconds.

    PULLBACK_TEST_DATA=../shared/data python benchmarks/accuracy/transforms.py [--kinds heart slice scan brain]

heart: the phantom's pairs. slice, brain: see `cases`. scan: cine slices under the known fields of `derived_seedlike`,
with noise. Errors and consistency in voxels, where the fixed image is bright; consistency is |back(there(x)) - x| with
`back` found from the images the other way round.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator

import numpy as np
import torch
from cases import BRIGHT, Case, _case, _data, cases

import pullback as pb
from pullback.energy import LNCC, Bending, Energy
from pullback.evaluate.deformation import jacobian_map
from pullback.image import Image
from pullback.optimise import (
    LBFGS,
    SVF,
    BSpline,
    GradientDescent,
    Greedy,
    Level,
    Parametrisation,
    Schedule,
    TimeVaryingVelocity,
)
from pullback.registration import Optimise, Stage, Symmetric
from pullback.space import Space
from pullback.transforms import Displacement, resample

SCHEDULE = Schedule(tuple(Level(*level) for level in ((4, 100), (2, 60), (1.4, 15), (1, 5))))
STEPS = GradientDescent(step_voxels=0.5)
NOISE = 2.0


def optimise(model: Parametrisation) -> Stage:
    return Optimise(model, Energy(LNCC(radius_voxels=2)), STEPS, SCHEDULE)


def symmetric(model: Parametrisation) -> Stage:
    return Symmetric(model, Energy(LNCC(radius_voxels=2)), STEPS, SCHEDULE)


def spline(weight: float) -> Stage:
    return Optimise(BSpline(5.0), Energy(LNCC(radius_voxels=2), Bending(), weight), LBFGS(), SCHEDULE)


STAGES: dict[str, Stage] = {
    "Greedy 2.75/0.5 (the default recipe)": optimise(Greedy(2.75, 0.5)),
    "Greedy 2.75/0.7": optimise(Greedy(2.75, 0.7)),
    "SVF 2.75/0.5": optimise(SVF(2.75, 0.5)),
    "SVF 2.75/0.7 (its default)": optimise(SVF(2.75, 0.7)),
    "TimeVaryingVelocity 2.75/0.7 (its default)": optimise(TimeVaryingVelocity(2.75, 0.7)),
    "symmetric Greedy 2.75/0.5": symmetric(Greedy(2.75, 0.5)),
    "symmetric Greedy 2.75/0.7 (longitudinal)": symmetric(Greedy(2.75, 0.7)),
    "symmetric SVF 2.75/0.7": symmetric(SVF(2.75, 0.7)),
    "BSpline 5, bending 5, L-BFGS": spline(5.0),
    "BSpline 5, bending 25, L-BFGS": spline(25.0),
}


def hearts() -> Iterator[Case]:
    """Phantom hearts, drawn and not resampled."""
    for seed in range(4):
        pair = pb.phantom.make("pair", seed=seed)
        space, data = pair.fixed.space, pair.fixed.data
        yield _case("heart", pair.fixed, pair.moving, truth=pair.truth.displace(space),
                    mask=data[0] > BRIGHT * float(data.max()))  # fmt: skip


def scans() -> Iterator[Case]:
    """Real cine slices, each warped by a known field."""
    for number in (3003, 3006, 3007):
        held = np.load(_data("derived_seedlike", f"seedlike_Case{number}.npz"))
        space = Space.of_array(held["C0"].shape, held["spacing_mm"][:2].tolist())
        image = torch.from_numpy(held["C0"].astype("float32"))[None]
        moving = Image(image / image.max() * 100, space)
        voxels = torch.from_numpy(np.ascontiguousarray(held["disp_rowcol_px"])).float()
        truth = torch.einsum("ij,j...->i...", space.linear.float(), voxels)
        fixed = resample(moving, Displacement(truth, space), space, interpolation="cubic")
        draw = torch.Generator().manual_seed(number)
        noisy = [Image(i.data + NOISE * torch.randn(i.data.shape, generator=draw), space) for i in (fixed, moving)]
        yield _case("scan", *noisy, truth=truth, mask=fixed.data[0] > 100 * BRIGHT)


def measured(case: Case, stage: Stage) -> dict[str, float]:
    """Figures of one pair, both ways round."""
    begun = time.process_time()
    there = stage.run(case.fixed, case.moving, case.initial).transform
    seconds = time.process_time() - begun
    back = stage.run(case.moving, case.fixed, case.initial.inverse()).transform
    space = case.fixed.space
    assert case.truth is not None
    field = there.displace(space)
    error = (field - case.truth).norm(dim=0)[case.mask] / space.finest
    undone = back.displace(space, field).norm(dim=0)[case.mask] / space.finest
    volume = jacobian_map(field, space)
    return {
        "mean": float(error.mean()),
        "p95": float(error.sort().values[int(0.95 * len(error))]),
        "fold_percent": 100 * float((volume <= 0).float().mean()),
        "jacobian_min": float(volume.min()),
        "consistency": float(undone.mean()),
        "cpu_seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", default=["heart", "scan", "slice", "brain"])
    parser.add_argument("--only", nargs="+", choices=STAGES, default=list(STAGES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    makers = {"heart": hearts, "scan": scans}
    for kind in arguments.kinds:
        found = list(makers[kind]() if kind in makers else cases([kind]))
        for name in arguments.only:
            rows = [measured(case, STAGES[name]) for case in found]
            means = {key: statistics.mean(row[key] for row in rows) for key in rows[0]}
            means["jacobian_min"] = min(row["jacobian_min"] for row in rows)
            print("| " + " | ".join([kind, name, *(f"{value:.3f}" for value in means.values())]) + " |", flush=True)


if __name__ == "__main__":
    main()
