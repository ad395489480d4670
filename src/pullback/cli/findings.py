"""What the demo found: errors in mm against the true motion, and overlap of labels, before and after."""

from __future__ import annotations

from pullback import evaluate
from pullback.image import Labels
from pullback.registration import Registration
from pullback.transforms import Affine, Transform

NAMES = {1: "right ventricle", 2: "left myocardium", 3: "left ventricle"}


def findings(result: Registration, truth: Transform, fixed: Labels, moving: Labels, warped: Labels) -> str:
    """A table for people.

    Args:
        result: the registration.
        truth: the transform that it should have found.
        fixed: labels of the fixed image; errors are taken where there are any.
        moving: labels of the moving image, on the same grid.
        warped: the moving labels pulled back by the registration.
    """
    heart, space = fixed.data > 0, fixed.space
    tried = (Affine.identity(space.dimension), result.transform)
    errors = [evaluate.end_point_error(transform, truth, space)[heart] for transform in tried]
    overlaps = [evaluate.dice(fixed, labels) for labels in (moving, warped)]
    rows = [
        ("", "before", "after"),
        ("mean error in the heart, mm", *(f"{float(error.mean()):.2f}" for error in errors)),
        ("95 % of it is within, mm", *(f"{float(error.quantile(0.95)):.2f}" for error in errors)),
        *((f"Dice, {name}", *(f"{overlap[label]:.3f}" for overlap in overlaps)) for label, name in NAMES.items()),
    ]
    return "\n".join(f"  {what:<30}{before:>8}{after:>9}" for what, before, after in rows)
