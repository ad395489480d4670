"""A registration in a few lines for people."""

from __future__ import annotations

from textwrap import fill

from pullback.registration import Registration
from pullback.registration.remarks import DOUBTFUL_INPUT

WIDTH = 120


def summary(result: Registration) -> str:
    """What was done, how it ended, and the figures that tell whether to look twice."""
    lines = [f"{result.recipe.name}: {'done' if result.ok else 'FAILED'}. {result.message}"]
    if "chosen" in result.provenance:
        lines.append(f"  recipe chosen  {result.provenance['chosen']}; --recipe decides otherwise")
    q = result.quality
    if q is not None:
        lines += [
            f"  loss           {q.loss_before:.4g} -> {q.loss_after:.4g} (0 is perfect; this is not accuracy)",
            f"  overlap        {100 * q.overlap:.1f} % of the fixed image is pulled from inside the moving one",
            f"  Jacobian       {q.jacobian_min:.3g} to {q.jacobian_max:.3g} (1 keeps its volume)",
            f"  folding        {q.fold_percent:.3g} % of the voxels",
            f"  displacement   up to {q.displacement_mm:.3g} mm",
        ]
    told = (DOUBTFUL_INPUT,)  # when it was read
    grave = (remark for remark in result.remarks if remark.grave and remark.title not in told)
    lines += [_wrapped(f"  look twice     {remark.title}: {remark.text}") for remark in grave]
    stages = ", ".join(f"{outcome.stage} {outcome.seconds:.2f}" for outcome in result.outcomes)
    lines.append(f"  seconds        {result.seconds:.2f} ({stages})")
    return "\n".join(lines)


def _wrapped(text: str) -> str:
    return fill(text, WIDTH, subsequent_indent=" " * 17, break_on_hyphens=False, break_long_words=False)
