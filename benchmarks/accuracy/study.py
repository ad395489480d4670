"""Compare settings of the deformable stage: error of known warps and overlap of labels, each against its cost.

    PULLBACK_TEST_DATA=../shared/data python benchmarks/accuracy/study.py [--only NAME ...] [--kinds brain slice ...]

Cost is the number of steps at full resolution that would visit as many voxels. Means over all cases of a kind; no
setting is fitted to a case.
"""

from __future__ import annotations

import argparse
import csv
import math
import statistics
import sys
import time
from dataclasses import dataclass, replace
from typing import Any

import torch
from cases import Case, cases

from pullback.energy import LNCC, Energy
from pullback.evaluate import mean_dice
from pullback.evaluate.deformation import jacobian_map
from pullback.optimise import LBFGS, Adam, GradientDescent, Greedy, Level, Optimiser, Schedule
from pullback.registration.stage import Optimise
from pullback.transforms import resample_labels

OLD = ((4, 100), (2, 60), (1, 20))
EVERY = ((4, 100), (2, 60), (1.4, 15), (1, 5))
NEW = ((4, 100), (2, 60), (1.4, 15), (1, 7))

DESCENT = GradientDescent(step_voxels=0.5)


@dataclass(frozen=True)
class Setting:
    """One row of the table."""

    levels: tuple[tuple[float, int], ...] = NEW
    update: float = 2.6
    total: float = 0.7
    gradient_of: Any = "warped"
    radius: int = 2
    floor: float = LNCC().floor
    spacing: float = 2.0
    optimiser: Optimiser = DESCENT

    @property
    def stage(self) -> Optimise:
        """The stage it describes."""
        levels = tuple(Level(shrink, steps) for shrink, steps in self.levels)
        model = Greedy(self.update, self.total, self.gradient_of, self.spacing)
        similarity = LNCC(radius_voxels=self.radius, floor=self.floor)
        return Optimise(model, Energy(similarity), self.optimiser, Schedule(levels))


BEFORE = Setting(OLD, 2.5, 0.5, "moving", floor=1e-5, spacing=1.0)
EVERY_VOXEL = Setting(EVERY, 2.75, 0.5, spacing=1.0)
DEFAULT = Setting()
SETTINGS: dict[str, Setting] = {
    "before": BEFORE,
    "before, floor 1e-3": replace(BEFORE, floor=1e-3),
    "before, floor 1e-2": replace(BEFORE, floor=1e-2),
    "before, floor 1e-3, gradient of the warped image": replace(BEFORE, floor=1e-3, gradient_of="warped"),
    "and update 2.75": replace(EVERY_VOXEL, levels=OLD),
    "and 10 full steps": replace(EVERY_VOXEL, levels=((4, 100), (2, 60), (1, 10))),
    "and a level of 1.4": EVERY_VOXEL,
    "vectors at every second voxel": replace(EVERY_VOXEL, spacing=2.0),
    "and total 0.7": replace(EVERY_VOXEL, spacing=2.0, total=0.7),
    "default: and update 2.6, 7 full steps": DEFAULT,
    "default, update 2.5": replace(DEFAULT, update=2.5),
    "default, update 3": replace(DEFAULT, update=3.0),
    "default, update 4": replace(DEFAULT, update=4.0),
    "default, total 0.5": replace(DEFAULT, total=0.5),
    "default, total 0.9": replace(DEFAULT, total=0.9),
    "default, radius 3": replace(DEFAULT, radius=3),
    "default, floor 3e-3": replace(DEFAULT, floor=3e-3),
    "default, steps of 1": replace(DEFAULT, optimiser=GradientDescent(step_voxels=1.0)),
    "default, momentum": replace(DEFAULT, optimiser=GradientDescent(step_voxels=0.5, momentum=0.5)),
    "default, Adam": replace(DEFAULT, optimiser=Adam(step_voxels=0.2)),
    "default, L-BFGS": replace(DEFAULT, optimiser=LBFGS(longest_voxels=1.0)),
}


def run(case: Case, setting: Setting) -> dict[str, float]:
    """Accuracy, cost, least Jacobian and seconds of one registration."""
    begun = time.perf_counter()
    outcome = setting.stage.run(case.fixed, case.moving, case.initial)
    found = {"seconds": time.perf_counter() - begun}
    found["cost"] = sum(
        len(level.losses) * math.prod(case.fixed.space.spacing) / math.prod(level.spacing_mm)
        for level in outcome.history
    )
    space = case.fixed.space
    field = outcome.transform.displace(space)
    found["jacobian_min"] = float(jacobian_map(field, space).min())
    if case.truth is not None:
        error = (field - case.truth).norm(dim=0)[case.mask]
        return found | {
            "mean": float(error.mean()),
            "p95": float(torch.quantile(error[:: len(error) // 10**6 + 1], 0.95)),
        }
    assert case.fixed_labels is not None
    assert case.moving_labels is not None
    warped = resample_labels(case.moving_labels, outcome.transform, space)
    return found | {"dice": mean_dice(case.fixed_labels, warped)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--kinds", nargs="+", default=["brain", "head", "slice", "labelled"])
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    everything = list(cases(arguments.kinds))
    table = csv.writer(sys.stdout)
    table.writerow(["setting", "kind", "cases", "accuracy", "p95", "cost", "jacobian_min", "seconds"])
    for name in arguments.only:
        for kind in arguments.kinds:
            rows = [run(case, SETTINGS[name]) for case in everything if case.kind == kind]
            mean = {key: statistics.mean(row[key] for row in rows) for key in rows[0]}
            least = min(row["jacobian_min"] for row in rows)
            accuracy = mean.get("mean", mean.get("dice", float("nan")))
            figures = [accuracy, mean.get("p95", float("nan")), mean["cost"], least, mean["seconds"]]
            table.writerow([name, kind, len(rows), *(f"{figure:.4g}" for figure in figures)])
            sys.stdout.flush()


if __name__ == "__main__":
    main()
