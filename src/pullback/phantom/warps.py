"""Random maps that are known exactly, and pairs of images made by them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from pullback import ops
from pullback.errors import InputError
from pullback.image import Image, Labels
from pullback.phantom.noise import add_bias, add_noise
from pullback.phantom.pair import Pair
from pullback.phantom.seeds import stream, uniform
from pullback.space import Space
from pullback.transforms import Affine, Transform, Velocity, resample, resample_labels
from pullback.transforms.affine import rotation
from pullback.typing import Field, Tensor


@dataclass(frozen=True)
class AffineRange:
    """How far a random affine map may go, to either side.

    Attributes:
        angle_degrees: about each axis.
        scale: 0.1 for factors between 1 / 1.1 and 1.1, for each axis on its own.
        shear: of each pair of axes.
        shift_mm: along each axis.
    """

    angle_degrees: float = 10.0
    scale: float = 0.08
    shear: float = 0.04
    shift_mm: float = 8.0


def known_warp(
    space: Space,
    seed: int = 0,
    max_mm: float = 8.0,
    smoothness_mm: float = 25.0,
    affine: AffineRange | None = None,
) -> Transform:
    """A random smooth map without folds, with its exact inverse: the flow of a smoothed random velocity.

    The velocity vanishes at the rim of the field of view, so that the flow maps it onto itself. It is integrated by
    scaling and squaring (Arsigny et al., MICCAI 2006), which leaves the inverse exact to some hundredths of a mm.

    Args:
        space: the field of view, usually the fixed image's. The velocity lives on a grid of its own over it, fine
            enough for the smoothness also where slices are thick.
        seed: the same seed gives the same bits.
        max_mm: length of the longest displacement of the deformation; 0 for none.
        smoothness_mm: standard deviation of the Gaussian that smooths the random velocity.
        affine: ranges of a random affine map about the middle of the space, after the deformation; none if None.

    Returns:
        Fixed world -> moving world: a Velocity, an Affine, or affine @ velocity.

    Raises:
        InputError: the deformation asked for is too large for its smoothness, and would fold.

    Example:
        >>> space = Space.of_array((64, 64), 2.0)
        >>> warp = known_warp(space, seed=1, max_mm=5.0, affine=AffineRange())
        >>> there_and_back = warp.inverse()(warp(space.centre))
        >>> bool((there_and_back - space.centre).norm() < 0.05)
        True
    """
    if max_mm < 0 or smoothness_mm <= 0:
        raise InputError(f"a warp needs max_mm >= 0 and smoothness_mm > 0; got {max_mm} and {smoothness_mm}")
    rigid = Affine.identity(space.dimension) if affine is None else random_affine(space, affine, seed)
    if max_mm == 0:
        return rigid
    grid = _velocity_grid(space, smoothness_mm)
    flow = _scaled(Velocity(_velocity(grid, seed, smoothness_mm), grid), max_mm)
    if float(flow.displacement().jacobian().min()) <= 0:
        raise InputError(f"a warp of {max_mm} mm folds at a smoothness of {smoothness_mm} mm on {space!r}; "
                         "ask for a smaller or a smoother one")  # fmt: skip
    return rigid @ flow


def random_affine(space: Space, ranges: AffineRange, seed: int = 0) -> Affine:
    """A random affine map about the middle of a space.

    Args:
        space: only its middle and dimension count.
        ranges: how far each part may go.
        seed: the same seed gives the same bits.

    Example:
        >>> random_affine(Space.of_array((8, 8)), AffineRange(0, 0, 0, 0)).matrix.diagonal().tolist()
        [1.0, 1.0, 1.0]
    """
    d, draw = space.dimension, stream(seed, "affine")
    angles = [uniform(draw, -ranges.angle_degrees, ranges.angle_degrees) for _ in range(1 if d == 2 else 3)]
    sizes = [math.exp(uniform(draw, -1, 1) * math.log1p(ranges.scale)) for _ in range(d)]
    shear = torch.eye(d, dtype=torch.float64)
    for row in range(d):
        for column in range(row + 1, d):
            shear[row, column] = uniform(draw, -ranges.shear, ranges.shear)
    shift = [uniform(draw, -ranges.shift_mm, ranges.shift_mm) for _ in range(d)]
    linear = rotation(angles, d) @ shear @ torch.diag(torch.tensor(sizes, dtype=torch.float64))
    return Affine.about(linear, shift, space.centre)


def warp_pair(
    image: Image,
    transform: Transform,
    labels: Labels | None = None,
    noise: float = 0.0,
    bias: float = 0.0,
    seed: int = 0,
) -> Pair:
    """A registration problem with a known answer: the image is moving, and fixed is made from it by the transform.

    Args:
        image: becomes the moving image.
        transform: the truth, fixed world -> moving world.
        labels: of the image; carried along to the nearest voxel.
        noise: standard deviation of the Rician noise put on both, a draw for each, in the image's unit.
        bias: strength of the coil shading put on both, a draw for each.
        seed: of noise and bias.

    Returns:
        A Pair; fixed lies on the image's own grid, read by cubic B-splines, 0 outside.

    Raises:
        SpaceError: image and transform are not of one dimension.

    Example:
        >>> moving = Image.of(torch.rand(32, 32))
        >>> pair = warp_pair(moving, Affine.translation([1.0, 0.0]))
        >>> torch.allclose(pair.fixed.data[..., 1:], moving.data[..., :-1], atol=1e-5)
        True
    """
    fixed = resample(image, transform, image.space, interpolation="cubic")
    carried = None if labels is None else resample_labels(labels, transform, image.space)
    return Pair(
        add_noise(add_bias(fixed, bias, seed, "fixed"), noise, seed, "fixed"),
        add_noise(add_bias(image, bias, seed, "moving"), noise, seed, "moving"),
        transform,
        carried,
        labels,
    )


def _velocity_grid(space: Space, smoothness_mm: float) -> Space:
    """The field of view in voxels of an eighth of the smoothness, though not finer than the space's finest axis."""
    step = max(smoothness_mm / 8, min(space.spacing))
    return space.resized(
        [max(4, math.ceil(side / step)) if n > 1 else 1 for n, side in zip(space.shape, space.extent, strict=True)]
    )


def _velocity(space: Space, seed: int, smoothness_mm: float) -> Field:
    """Smoothed Gaussian noise in mm along the world axes, taken to zero at the rim."""
    white = torch.randn(space.dimension, *space.shape, generator=stream(seed, "velocity"))
    smoothed = ops.smooth(white[None], [smoothness_mm / step for step in space.spacing])[0]
    if min(space.shape) == 1:  # a single slice stays in its plane
        inside = space.linear[:, [n > 1 for n in space.shape]].to(smoothed)
        smoothed = torch.einsum("ij,j...->i...", inside @ torch.linalg.pinv(inside), smoothed)
    for axis, (n, step) in enumerate(zip(space.shape, space.spacing, strict=True)):
        if n > 1:
            shape = [n if a == axis else 1 for a in range(space.dimension)]
            smoothed = smoothed * _rim(n, min(1.0, 1.5 * smoothness_mm / (step * (n - 1) / 2))).view(shape)
    longest: Tensor = smoothed.norm(dim=0).max()
    return smoothed / longest.clamp(min=1e-12)


def _rim(n: int, share: float) -> Tensor:
    """(n,) rising from 0 at both ends to 1 over a share of the half length."""
    depth = 1 - torch.linspace(-1, 1, n).abs()
    return torch.sin(math.pi / 2 * (depth / share).clamp(max=1)) ** 2


def _scaled(flow: Velocity, max_mm: float) -> Velocity:
    """The flow whose longest displacement is max_mm: a few secant steps, since flow is not linear in velocity."""
    factor = max_mm
    for _ in range(4):
        trial = Velocity(flow.field * factor, flow.space)
        factor *= max_mm / float(trial.displacement().field.norm(dim=0).max())
    return Velocity(flow.field * factor, flow.space)
