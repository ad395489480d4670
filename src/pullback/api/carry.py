"""carry: take images, labels and points through a transform, or make a transform out of landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

from pullback import io
from pullback.api.inputs import Imageable
from pullback.errors import InputError
from pullback.image import Image, Labels, Points
from pullback.space import Space
from pullback.transforms import Transform, landmarks, resample, resample_labels
from pullback.typing import Interpolation


@overload
def apply(transform: Transform, thing: Labels, onto: Space | Imageable) -> Labels: ...
@overload
def apply(transform: Transform, thing: Points) -> Points: ...
@overload
def apply(
    transform: Transform, thing: Imageable, onto: Space | Imageable, interpolation: Interpolation = "linear"
) -> Image: ...
def apply(
    transform: Transform,
    thing: Any,
    onto: Space | Imageable | None = None,
    interpolation: Interpolation = "linear",
) -> Image | Labels | Points:
    """Carry something through a transform.

    Images and labels go from the moving world to the fixed one, by pull-back; points go from the fixed world to the
    moving one. Use `transform.inverse()` for the other way.

    Args:
        transform: fixed world -> moving world, usually `result.transform`.
        thing: an image (anything `register` takes), `Labels` (nearest label), or `Points`.
        onto: the grid to make: a `Space`, or an image that lies on it, usually `result.fixed`. Not for points.
        interpolation: nearest, linear or cubic, for images.

    Returns:
        The same kind of thing: `Image`, `Labels` or `Points`.

    Raises:
        InputError: there is no grid for an image, or dimensions disagree.
    """
    if isinstance(thing, Points):
        return Points(transform(thing.world))
    if onto is None:
        raise InputError("apply needs the grid to make: onto=result.fixed.space, or an image that lies on it")
    space = onto if isinstance(onto, Space) else io.as_image(onto).space
    if isinstance(thing, Labels):
        return resample_labels(thing, transform, space)
    return resample(io.as_image(thing), transform, space, interpolation)


def from_landmarks(
    fixed_points: Any,
    moving_points: Any,
    kind: landmarks.Kind = "rigid",
    sigma_mm: float | Sequence[float] | None = None,
    onto: Space | Imageable | None = None,
) -> Transform:
    """The transform that carries landmarks of the fixed image to the same landmarks of the moving image.

    Args:
        fixed_points: `Points`, a file of them, or (N, D) numbers, world RAS+ mm.
        moving_points: the same landmarks in the same order.
        kind: translation, rigid, similarity, affine; tps, a thin-plate spline; bspline, a free-form deformation.
        sigma_mm: how uncertain each landmark is, one number for all or one for each; see the page on transforms.
        onto: the fixed image, or its grid; only a bspline needs it.

    Returns:
        Fixed world -> moving world; give it to `register` as `initial`, or to `apply`.

    Raises:
        InputError: the landmarks do not pair up, are too few for the kind, or a bspline has no grid.

    Example:
        >>> import pullback as pb
        >>> turned = pb.from_landmarks([[0, 0], [10, 0]], [[5, 5], [5, 15]], kind="rigid")
        >>> turned([[0.0, 10.0]]).round()
        tensor([[-5.,  5.]], dtype=torch.float64)
    """
    fixed, moving = (io.read_points(p) if isinstance(p, str | Path) else p for p in (fixed_points, moving_points))
    space = onto if onto is None or isinstance(onto, Space) else io.as_image(onto).space
    return landmarks.from_landmarks(fixed, moving, kind, sigma_mm, space)
