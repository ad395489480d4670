"""prepare_further: everything that the terms of a recipe compare, brought to the form that stages see."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TypeAlias

import torch

from pullback.energy import Landmarks, Surfaces
from pullback.energy.pair import Key
from pullback.energy.terms import keys
from pullback.errors import InputError, PullbackWarning
from pullback.image import Image, Labels, Points
from pullback.io import as_labels
from pullback.registration.further import Further, Shown, of_labels, regions, similarities
from pullback.registration.prepare import Prepared
from pullback.registration.recipe import Recipe
from pullback.space import Space
from pullback.transforms import Affine, resample

MOSTLY_INSIDE = 0.5
"""Surfaces of which a smaller part lies within their image are not placed in its world."""
MOST_LABELS = 64
"""A label map becomes a channel for each label; one with more labels is a parcellation, or no label map."""

Two: TypeAlias = tuple[Prepared, Prepared]
Masks: TypeAlias = tuple[Image | None, Image | None]


def prepare_further(recipe: Recipe, further: Further, main: tuple[Image, Image], masks: Masks, device: str) -> Two:
    """Both images prepared, with what the recipe's terms compare beside them.

    Args:
        recipe: what will be done.
        further: images, masks, landmarks and surfaces, by name.
        main: the fixed and the moving image.
        masks: theirs.
        device: where the stages will run.

    Raises:
        InputError: an image is constant, a mask empty, or a label map none.
    """
    fixed, moving = recipe.prepare.pair(*main, *masks, device)
    named = [key for similarity in similarities(recipe) for key in keys(similarity)]
    wanted: dict[Key, None] = dict.fromkeys((*named, *((None, mask) for mask in regions(recipe, further.masks))))
    pairs = {key: _pair(recipe, further, key, main, masks, device) for key in wanted}
    surfaces = None if further.surfaces is None else further.surfaces.thinned(device)
    _warn_of_strays(surfaces, main)
    fixed = replace(fixed, also={key: f for key, (f, _) in pairs.items()}, landmarks=_on(further.landmarks, device))
    fixed = replace(fixed, surfaces=surfaces)
    return fixed, replace(moving, also={key: m for key, (_, m) in pairs.items()})


def _pair(recipe: Recipe, further: Further, key: Key, main: tuple[Image, Image], masks: Masks, device: str) -> Two:
    """The images of one term."""
    name, mask = key
    shown: tuple[Shown, Shown] = main if name is None else further.also[name]
    own = masks if name is None else (None, None)
    named = (None, None) if mask is None else further.masks[mask]
    both = [_weight(a, b, image.space, f"the mask {mask!r}") for a, b, image in zip(own, named, shown, strict=True)]
    try:
        if name is not None and (of_labels(recipe, name) or all(isinstance(image, Labels) for image in shown)):
            channels = _channels(*shown, name)
            return _plain(channels[0], both[0], device), _plain(channels[1], both[1], device)
        images = [Image(_float(image), image.space) for image in shown]
        return recipe.prepare.pair(images[0], images[1], both[0], both[1], device)
    except InputError as error:
        raise InputError(f"of the images {name!r}: {error}" if name else f"under the mask {mask!r}: {error}") from error


def _float(image: Shown) -> torch.Tensor:
    return image.data[None].to(torch.float32) if isinstance(image, Labels) else image.data


def _plain(image: Image, weight: Image | None, device: str) -> Prepared:
    """An image whose numbers mean what they are."""
    whole = None if weight is None else weight.data[:1][None].to(device, torch.float32)
    return Prepared(image.data[None].to(device, torch.float32), image.space, whole)


def _channels(fixed: Shown, moving: Shown, name: str) -> tuple[Image, Image]:
    """A channel for each label that both maps hold; maps of probabilities stay as they are."""
    shares = [isinstance(image, Image) and _is_share(image) for image in (fixed, moving)]
    if all(shares):
        if fixed.data.shape[0] != moving.data.shape[0]:
            raise InputError(f"fixed has {len(fixed.data)} channels of probabilities and moving {len(moving.data)}")
        return fixed, moving  # type: ignore[return-value]
    f, m = as_labels(fixed), as_labels(moving)
    shared = sorted(set(f.values) & set(m.values))
    alone = sorted(set(f.values) ^ set(m.values))
    if not shared:
        raise InputError(f"the two label maps have no label in common: fixed has {_some(f.values)}, moving "
                         f"{_some(m.values)}")  # fmt: skip
    if len(shared) > MOST_LABELS:
        raise InputError(f"the label maps have {len(shared)} labels in common, and each becomes a channel; merge them "
                         f"to {MOST_LABELS} at most, or is it an image?")  # fmt: skip
    if alone:
        text = f"of the labels {name!r}, {_some(alone)} occur in one image only and are not compared"
        warnings.warn(text, PullbackWarning, stacklevel=2)
    return _one_hot(f, shared), _one_hot(m, shared)


def _is_share(image: Image) -> bool:
    """Whether an image holds probabilities: from 0 to 1, and not all of them whole."""
    low, high = float(image.data.min()), float(image.data.max())
    return low >= 0 and high <= 1 and not bool((image.data == image.data.round()).all())


def _one_hot(labels: Labels, values: list[int]) -> Image:
    return Image(torch.stack([labels.data == value for value in values]).to(torch.float32), labels.space)


def _some(values: tuple[int, ...] | list[int]) -> str:
    return ", ".join(map(str, values[:8])) + (" ..." if len(values) > 8 else "")


def _weight(own: Image | None, named: Image | None, space: Space, what: str) -> Image | None:
    """An image's own mask, and one that was given by name on any grid, on the image's grid."""
    if named is None:
        return own
    if not bool(torch.isfinite(named.data).all()):
        raise InputError(f"{what} holds NaN or infinite values; give 0 where voxels do not count, 1 where they do")
    there = Image(named.data[:1].to(torch.float32).clamp(0, 1), named.space)
    laid = there if there.space.same_as(space) else resample(there, Affine.identity(space.dimension), space)
    return laid if own is None else Image(laid.data * own.data[:1].clamp(0, 1), space)


def _warn_of_strays(surfaces: Surfaces | None, main: tuple[Image, Image]) -> None:
    """Points of another coordinate system, the commonest mistake with meshes, lie elsewhere."""
    for name, pair in {} if surfaces is None else surfaces.named.items():
        for side, points, image in zip(("fixed", "moving"), pair, main, strict=True):
            at = image.space.to_voxels(points.world.cpu())
            wide = torch.tensor([n > 1 for n in image.space.shape])
            low, high = at >= -0.5, at <= torch.tensor(image.space.shape) - 0.5
            share = float((low & high)[:, wide].all(dim=1).float().mean())
            if share < MOSTLY_INSIDE:
                text = (f"of the {side} surface {name!r}, {100 * share:.0f} % of the points lie within the {side} "
                        "image; are they of this image, in RAS mm (a mesh: in what its SPACE says, else LPS)?"
                )  # fmt: skip
                warnings.warn(text, PullbackWarning, stacklevel=3)


def _on(landmarks: Landmarks | None, device: str) -> Landmarks | None:
    if landmarks is None:
        return None
    here, there = (Points(points.world.to(device)) for points in (landmarks.fixed, landmarks.moving))
    sigma = landmarks.sigma_mm
    return Landmarks(here, there, None if sigma is None else sigma.to(device))
