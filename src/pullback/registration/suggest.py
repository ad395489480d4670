"""suggest: which recipe suits two images, by what can be measured on them; evidence in docs/design_notes/suggest.md."""

from __future__ import annotations

from dataclasses import dataclass, field

from pullback.image import Image
from pullback.registration.in_common import correlation, seen_by_both
from pullback.registration.initialisation import AlignCentres
from pullback.registration.recipe import Recipe
from pullback.registration.recipes.linear import linear_stage
from pullback.registration.register import register
from pullback.registration.registration import Registration
from pullback.space import Space
from pullback.transforms import Transform

LEAST_CORRELATION = 0.42
"""Above it two images count as of one contrast: pairs of one showed 0.46 or more, pairs of two 0.37 at most."""
THICK_MM, THICK_RATIO = 4.0, 2.5
"""Slices that are at least so far apart, and by this factor farther than the pixels within them, make a thick stack."""
LITTLE_SHARED = 0.82
"""Two contrasts whose normalised mutual information leaves more than this unexplained share little: T1 and T2 of a head
leave 0.65, MR and ultrasound of a prostate 0.86 or more."""
LOOK = 96
"""Voxels along each axis when two images are compared, at most, in volumes as in pictures."""


@dataclass(frozen=True)
class Suggestion:
    """A recipe, and why.

    Attributes:
        recipe: its name.
        reason: what was seen.
        correlation: of the two images where there is tissue, once they lie on each other as well as a rigid map can.
        look: the registration that brought them there.
    """

    recipe: str
    reason: str
    correlation: float
    look: Registration = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.recipe} ({self.reason})"


def suggest(
    fixed: Image,
    moving: Image,
    *,
    initial: Transform | None = None,
    fixed_mask: Image | None = None,
    moving_mask: Image | None = None,
) -> Suggestion:
    """The recipe for a deformable registration of two images of which nothing is known.

    They are brought together rigidly by mutual information at a coarse resolution, which works for any contrast, and
    then compared: if bright is bright in both, they are of one contrast.

    Args:
        fixed: the image that stays.
        moving: the image that is pulled back.
        initial: fixed world -> moving world, as known so far.
        fixed_mask: how much each fixed voxel counts.
        moving_mask: the same for the moving image.

    Raises:
        InputError: the images cannot be registered at all.

    Example:
        >>> from pullback.phantom import make
        >>> pair = make("pair")
        >>> suggest(pair.fixed, pair.moving).recipe
        'deformable'
    """
    look = Recipe("look", "Rigid, roughly.", (AlignCentres(), linear_stage("rigid", finest=4)))
    near = register(fixed, moving, look, initial=initial, fixed_mask=fixed_mask, moving_mask=moving_mask)
    found = correlation(seen_by_both(fixed, moving, near.transform, look=LOOK))
    alike = found >= LEAST_CORRELATION
    flat = fixed.dimension == 2 or min(fixed.space.shape) == 1
    thick = _thick(fixed.space) and _thick(moving.space)
    seen = f"{'one contrast' if alike else 'two contrasts'}, correlation {found:.2f}"
    seen += ", thick slices" if thick else ""
    if alike:
        return Suggestion("cardiac-sax" if thick else "deformable", seen, found, near)
    if thick or flat:
        return Suggestion("cardiac-multimodal", seen, found, near)
    unexplained = 0.0 if near.quality is None else near.quality.loss_after
    if unexplained > LITTLE_SHARED and not (fixed.space.has_orientation or moving.space.has_orientation):
        seen += ", which share little, and headers that say nothing"
        return Suggestion("prostate-mr-us", seen, found, near)
    return Suggestion("multimodal", seen, found, near)


def _thick(space: Space) -> bool:
    """Whether it is a stack of a few thick slices."""
    if space.dimension != 3:
        return False
    widest = max(range(3), key=lambda axis: space.spacing[axis])
    others = [space.spacing[axis] for axis in range(3) if axis != widest]
    apart = space.spacing[widest]
    return apart >= THICK_MM and apart >= THICK_RATIO * max(others) and space.shape[widest] <= min(space.shape)
