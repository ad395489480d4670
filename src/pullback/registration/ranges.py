"""The numbers that a recipe may hold, so that a slip of the pen is told before the work and not by its failure."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from pullback.errors import RecipeError


@dataclass(frozen=True)
class Range:
    """From `low` to `high`; open at an end means without that number itself."""

    low: float
    high: float
    low_open: bool = False
    high_open: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.low_open else value >= self.low
        return above and (value < self.high if self.high_open else value <= self.high)

    def __str__(self) -> str:
        low = f"above {self.low:g}" if self.low_open else f"at least {self.low:g}"
        return f"{low} and {'below' if self.high_open else 'at most'} {self.high:g}"


SHARE = Range(0, 1)
PART = Range(0, 1, high_open=True)
LENGTH = Range(0, 1000, low_open=True)
WIDTH = Range(0, 1000)

RANGES = {
    "shrink": Range(0.1, 10_000),
    "steps": Range(1, 1_000_000),
    "samples": Range(64, 1e9),
    "axes": Range(0, 2),
    "tolerance": PART,
    "step_voxels": LENGTH,
    "momentum": PART,
    "smallest": PART,
    "beta1": PART,
    "beta2": PART,
    "history": Range(1, 1000),
    "longest_voxels": LENGTH,
    "shortest_voxels": WIDTH,
    "least_gradient": PART,
    "smooth_update_voxels": WIDTH,
    "smooth_total_voxels": WIDTH,
    "intervals": Range(1, 100),
    "squarings": Range(0, 20),
    "spacing_voxels": Range(1, 1000),
    "spacing_mm": Range(0, 10_000, low_open=True),
    "radius_voxels": Range(1, 100),
    "dilation_voxels": Range(1, 100),
    "radii": Range(0, 100),
    "dilations": Range(0, 100),
    "sigma_mm": Range(0, 1000, low_open=True),
    "threshold": Range(0, 1000, low_open=True),
    "floor": Range(0, 1, low_open=True),
    "eta": Range(0, 10, low_open=True),
    "ratios": Range(0, 10_000, low_open=True),
    "parts": Range(1, 32),
    "windows": Range(1, 64),
    "bins": Range(4, 1024),
    "weight": Range(0, 1e12),
    "regulariser_weight": Range(0, 1e12),
    "bending": Range(0, 1e12),
    "damping": Range(0, 1e6),
    "patience": Range(0.1, 1e6),
    "shear": Range(0, 1e6),
    "dilation": Range(0, 1e6),
    "affinity": Range(0, 1e9),
    "orthonormality": Range(0, 1e6),
    "properness": Range(0, 1e6),
    "knee": Range(0, 10, low_open=True),
    "reach_mm": LENGTH,
    "least_jacobian": Range(0, 1, low_open=True),
    "flatten_mm": Range(1, 10_000),
    "low_percentile": Range(0, 100, high_open=True),
    "high_percentile": Range(0, 100, low_open=True),
    "least_overlap": SHARE,
    "margin": PART,
    "window_mm": Range(0, 1000, low_open=True),
    "dimension": Range(2, 3),
    "turns_degrees": Range(-180, 180),
    "step_degrees": Range(1, 180),
    "pull_per_mm2": WIDTH,
    "smooth_steps": WIDTH,
    "least_gain": PART,
    "most_folding_percent": Range(0, 100),
    "most_inverse_error": Range(0, 1000),
    "most_left": Range(0, 1000),
    "keep": Range(1, 1000),
    "least_score": Range(0, 10),
    "least_correlation": SHARE,
    "least_shared": SHARE,
    "descriptors": WIDTH,
    "tolerated": Range(0, 1000, low_open=True),
    "most_voxels": Range(1, 1e12),
    "least_volume": Range(0, 1, high_open=True),
    "most_rounds": Range(1, 10_000),
    "most_percent": Range(0, 100),
    "sure_score": Range(0, 10),
    "rival": SHARE,
    "block_voxels": Range(2, 64),
    "reach_voxels": Range(1, 32),
    "kept_blocks": Range(0, 1, low_open=True),
    "kept_matches": Range(0, 1, low_open=True),
}
"""By the name of the field, which means the same wherever it occurs."""


def check_ranges(value: Any, where: str = "") -> None:
    """Walk a recipe, or a part of it.

    Raises:
        RecipeError: names the place, what may stand there, and what does.

    Example:
        >>> from pullback.optimise import GradientDescent
        >>> check_ranges(GradientDescent(step_voxels=-1.0), "optimiser")
        Traceback (most recent call last):
        pullback.errors.RecipeError: optimiser.step_voxels must be above 0 and at most 1000; got -1.0
    """
    for f in fields(value):
        item, place = getattr(value, f.name), f"{where}.{f.name}".lstrip(".")
        if item == () and f.name != "radii":
            raise RecipeError(f"{place} is empty; give at least one")
        for k, part in enumerate(item if isinstance(item, tuple) else (item,)):
            here = f"{place}[{k}]" if isinstance(item, tuple) else place
            if is_dataclass(part):
                check_ranges(part, here)
            elif f.name in RANGES and part is not None and part not in RANGES[f.name]:
                raise RecipeError(f"{here} must be {RANGES[f.name]}; got {part!r}")
    if hasattr(value, "low_percentile") and not value.low_percentile < value.high_percentile:
        raise RecipeError(f"{where}.low_percentile must be below high_percentile; got {value.low_percentile} and "
                          f"{value.high_percentile}".lstrip("."))  # fmt: skip
