"""given: images, masks, landmarks and surfaces as a user holds them, beside the two to register."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from pullback import io
from pullback.energy import Landmarks, Surfaces
from pullback.errors import InputError
from pullback.image import Image, Labels, Points
from pullback.registration.further import Further, Shown
from pullback.typing import Tensor


def given(
    also: Mapping[str, Any],
    masks: Mapping[str, Any],
    landmarks: Landmarks | Sequence[Any] | None,
    surfaces: Surfaces | Mapping[str, Any] | Sequence[Any] | None = None,
) -> Further:
    """What else was given beside two images, read and checked; see `pullback.register`.

    Raises:
        InputError: it is not pairs, or cannot be read.
    """
    for what, named in (("also", also), ("masks", masks)):
        for name, pair in named.items():
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise InputError(f"{what}[{name!r}] must be two things, (fixed, moving); got a {type(pair).__name__}")
    return Further(
        {name: (_shown(f, f"fixed {name}"), _shown(m, f"moving {name}")) for name, (f, m) in also.items()},
        {
            name: tuple(None if m is None else as_mask(m, name) for m in pair)  # type: ignore[misc]
            for name, pair in masks.items()
        },
        landmarks if landmarks is None or isinstance(landmarks, Landmarks) else _landmarks(landmarks),
        surfaces if surfaces is None or isinstance(surfaces, Surfaces) else _surfaces(surfaces),
    )


def _shown(thing: Any, name: str) -> Shown:
    if thing is None:
        raise InputError(f"there is no {name}: got None")
    return thing if isinstance(thing, Labels) else io.as_image(thing)


def _landmarks(two: Sequence[Any]) -> Landmarks:
    if isinstance(two, str | bytes) or len(two) not in (2, 3):
        raise InputError("landmarks must be (fixed points, moving points), or these and sigma_mm; "
                         f"got {two!r:.60}")  # fmt: skip
    fixed, moving = (_points(points, "landmarks") for points in two[:2])
    sigma = None if len(two) == 2 else _numbers(two[2], "landmarks").reshape(-1)
    if sigma is not None and len(sigma) == 1:
        sigma = sigma.expand(len(fixed.world)).clone()
    return Landmarks(fixed, moving, sigma)


def _surfaces(things: Mapping[str, Any] | Sequence[Any]) -> Surfaces:
    """One pair of surfaces without a name, or several with theirs."""
    named = things if isinstance(things, Mapping) else {"surface": things}
    for name, pair in named.items():
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise InputError("surfaces must be (fixed points, moving points), or a dictionary of these by name; got "
                             f"{pair!r:.60} for {name!r}")  # fmt: skip
    return Surfaces({name: tuple(_points(p, f"the surface {name!r}") for p in pair) for name, pair in named.items()})  # type: ignore[misc]


def _points(thing: Any, what: str) -> Points:
    if isinstance(thing, Points):
        return thing
    if isinstance(thing, str | Path):
        return io.read_points(thing)
    return Points(_numbers(thing, what))


def _numbers(thing: Any, what: str) -> Tensor:
    try:
        return torch.as_tensor(thing, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{what} must be Points, files, or (n, D) numbers in mm; got {thing!r:.60}") from error


def told(further: Further) -> dict[str, Any]:
    """What else was compared, for result.json."""
    found: dict[str, Any] = {}
    if further.also:
        found["also"] = sorted(further.also)
    if further.masks:
        found["masks"] = sorted(further.masks)
    if further.landmarks is not None:
        found["landmarks"] = len(further.landmarks.fixed.world)
    if further.surfaces is not None:
        found["surfaces"] = {name: [len(p.world) for p in pair] for name, pair in further.surfaces.named.items()}
    return found


def as_mask(thing: Any, name: str) -> Image:
    """How much each voxel counts, from anything that is an image.

    Raises:
        InputError: it cannot be read, or holds values that are not finite.
    """
    mask = io.as_image(thing)
    if not bool(torch.isfinite(mask.data).all()):
        raise InputError(
            f"the {name} mask holds NaN or infinite values; give 0 where voxels do not count, 1 where they do"
        )
    return Image(mask.data.clamp(0, 1).to(torch.float32), mask.space)
