"""What the demo found: errors in mm against the true motion, and overlap of labels, before and after."""

from __future__ import annotations

from dataclasses import dataclass

from pullback import evaluate
from pullback.image import Labels
from pullback.registration import Registration
from pullback.report import KeyFigure
from pullback.transforms import Affine, Transform

NAMES = {1: "right ventricle", 2: "left myocardium", 3: "left ventricle"}


@dataclass(frozen=True)
class Finding:
    """One measure of accuracy, before and after the registration."""

    name: str
    before: str
    after: str
    unit: str
    meaning: str


def findings(result: Registration, truth: Transform, fixed: Labels, moving: Labels, warped: Labels) -> list[Finding]:
    """Measure the result against what is known.

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
    before, after = (evaluate.dice(fixed, labels) for labels in (moving, warped))
    means = [f"{float(error.mean()):.2f}" for error in errors]
    tails = [f"{float(error.quantile(0.95)):.2f}" for error in errors]
    return [
        Finding("mean error in the heart", means[0], means[1], "mm", "distance from the true motion"),
        Finding("95 % of it is within", tails[0], tails[1], "mm", "the worst twentieth lies beyond"),
        *(
            Finding(f"Dice, {name}", f"{before[label]:.3f}", f"{after[label]:.3f}", "", "overlap with the true label")
            for label, name in NAMES.items()
        ),
    ]


def table(found: list[Finding]) -> str:
    """The findings for a terminal."""
    rows = [("", "before", "after")]
    rows += [(f"{f.name}, {f.unit}" if f.unit else f.name, f.before, f.after) for f in found]
    return "\n".join(f"  {what:<30}{before:>8}{after:>9}" for what, before, after in rows)


def key_figures(found: list[Finding]) -> list[KeyFigure]:
    """The findings for a report."""
    return [KeyFigure(f.name, f.after, f.unit, f"{f.meaning}; {f.before} before") for f in found]
