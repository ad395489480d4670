"""Where the images of a group set out, and whether they meet there at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

from pullback.energy import Pair
from pullback.energy.pair import shared
from pullback.errors import InputError
from pullback.image import Image
from pullback.optimise.schedule import level_shape
from pullback.registration.initialisation import AlignCentres, Search
from pullback.registration.prepare import Prepared
from pullback.registration.recipe import Recipe
from pullback.registration.stage import LEAST_OVERLAP, Stage
from pullback.space import Space
from pullback.transforms import Affine, Transform

Start: TypeAlias = Literal["headers", "centres", "search"]
STAGES: dict[str, tuple[Stage, ...]] = {
    "headers": (),
    "centres": (AlignCentres(),),
    "search": (AlignCentres(), Search()),
}
LOOK_VOXELS = 64
"""Along the longest axis, of the grid on which images are asked whether they meet."""


def begin(
    images: Sequence[Image], prepared: Sequence[Prepared], common: Space, recipe: Recipe, start: str, device: str
) -> list[Transform]:
    """Common world -> each image, before anything is optimised: the first image stays where its header puts it.

    Args:
        images: of the group.
        prepared: the same as stages see them.
        common: the grid on which they are compared.
        recipe: how they are prepared.
        start: headers (trust them), centres (a shift of each towards the first) or search (any pose of each).
        device: where to compute.

    Raises:
        InputError: no such start, no pose was found for an image, or an image hardly meets the common grid.
    """
    if start not in STAGES:
        raise InputError(f"a group starts from one of {', '.join(get_args(Start))}; got {start!r}")
    transforms: list[Transform] = [Affine.identity(common.dimension) for _ in images]
    for number, image in enumerate(images[1:], start=1):
        fixed, moving = recipe.prepare.pair(images[0], image, None, None, device)
        for stage in STAGES[start]:
            outcome = stage.run(fixed, moving, transforms[number])
            transforms[number] = outcome.transform
            if not outcome.status.ok:
                raise InputError(f"no start was found for image {number} (from 0): {outcome.status.value}")
    _meet(prepared, transforms, common, start)
    return transforms


def _meet(images: Sequence[Prepared], transforms: Sequence[Transform], common: Space, start: str) -> None:
    """Raise where images lie apart: a cost of images that do not meet says nothing."""
    grid = common.resized(level_shape(common, max(common.extent) / LOOK_VOXELS))
    apart = []
    for number, (image, transform) in enumerate(zip(images, transforms, strict=True)):
        small = image.on_level(image.space.resized(level_shape(image.space, max(image.space.extent) / LOOK_VOXELS)))
        pair = Pair(small.data.new_zeros(1, 1, *grid.shape), small.data, grid, small.space)
        if shared(pair, transform) < LEAST_OVERLAP:
            apart.append(str(number))
    if apart:
        one = len(apart) == 1
        which = f"image {apart[0]} (from 0) does" if one else f"images {', '.join(apart)} (from 0) do"
        other = "give --start centres (start='centres')" if start == "headers" else "check their headers"
        raise InputError(f"{which} not overlap the grid on which the group is compared, or hardly, in world space; "
                         f"{other}, or leave them out")  # fmt: skip
