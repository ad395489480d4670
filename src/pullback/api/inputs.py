"""inputs: two images and their masks, from whatever a user holds, made to be of one dimension."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch

from pullback import io
from pullback.errors import InputError
from pullback.image import Image
from pullback.registration.given import as_mask
from pullback.space import Space

Imageable: TypeAlias = Any
"""A path, numpy array, torch tensor, nibabel image, SimpleITK image, or `Image`."""


def read_pair(*things: Imageable | None) -> tuple[list[Image], list[Image | None]]:
    """The two images, and their masks if there are any."""
    names = ("fixed", "moving")
    images = [_image(thing, name) for thing, name in zip(things[:2], names, strict=True)]
    masks = [None if m is None else as_mask(m, name) for m, name in zip(things[2:], names, strict=True)]
    return _alike(images, masks)


def _image(thing: Imageable, name: str) -> Image:
    if thing is None:
        raise InputError(f"there is no {name} image: got None")
    return io.as_image(thing)


def _alike(images: list[Image], masks: list[Image | None]) -> tuple[list[Image], list[Image | None]]:
    """A plain 2D image beside a 3D one of a single slice becomes a single slice too."""
    dimensions = [image.dimension for image in images]
    if sorted(dimensions) != [2, 3]:
        return images, masks
    deep = images[dimensions.index(3)].space
    thicknesses = [spacing for spacing, n in zip(deep.spacing, deep.shape, strict=True) if n == 1]
    if not thicknesses:
        return images, masks
    lifted = [_lifted(image, min(thicknesses)) for image in images]
    return lifted, [None if mask is None else _lifted(mask, min(thicknesses)) for mask in masks]


def _lifted(image: Image, thickness_mm: float) -> Image:
    if image.dimension == 3:
        return image
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3] = 0.0
    matrix[2, 0] = thickness_mm
    matrix[:2, 1:3] = image.space.linear
    matrix[:2, 3] = image.space.matrix[:2, 2]
    return Image(image.data[:, None], Space((1, *image.space.shape), matrix))
