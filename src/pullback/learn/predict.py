"""predict: a network's answer for two images wherever they lie, as a displacement in mm.

The fixed image is laid on a grid with the voxels that the network knows, along its own axes in the order and direction
of a bare array's (however a file stores them), and the moving image as the transform known so far carries it. The
network sees two images on one grid; what it says, in voxels, becomes mm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from pullback import ops
from pullback.errors import ModelError
from pullback.learn.data.scaling import canonical, grid
from pullback.learn.loss import in_mm
from pullback.learn.networks import PairNetwork, warp
from pullback.learn.networks.fields import after
from pullback.space import Space
from pullback.transforms import Affine, Displacement, Transform
from pullback.transforms.apply import reading
from pullback.typing import Batch, Float, Tensor

LOOKED_AT = 4
"""Slices on which a network is asked whether it agrees with itself: all would take twice as long as the answer."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What a network says about a pair, and how far it agrees with itself (in a stack, on a few of the slices).

    Attributes:
        displacement: fixed world -> where the transform known so far should be asked; it comes first.
        inverse_error: mean of |u + v(x + u)| in voxels, where v is the network's answer for the images exchanged: small
            where it agrees with itself.
        motion: mean length of u in voxels, before it is asked again.
        left: mean length in voxels of what the network says when it is asked again, about the images that it has
            aligned: small where it is done. The displacement includes it.
        affine: the same as the displacement, exact and everywhere, where the network gives an affine map of the whole
            image; else None.
    """

    displacement: Displacement
    inverse_error: float
    motion: float
    left: float
    affine: Affine | None = None

    @property
    def transform(self) -> Displacement | Affine:
        """What it says: fixed world -> where the transform known so far should be asked."""
        return self.displacement if self.affine is None else self.affine


@torch.no_grad()
def predict(
    model: PairNetwork,
    fixed: Batch,
    fixed_space: Space,
    moving: Batch,
    moving_space: Space,
    initial: Transform | None = None,
    spacing_mm: tuple[float, ...] | None = None,
) -> Answer:
    """Ask a network about two images.

    It is asked twice, the second time about the images as its first answer aligns them, and the two are composed. A 2D
    network is asked about every slice of a volume, across its thickest voxels; nothing moves through the slices.

    Args:
        model: the network.
        fixed: (1, c, *fixed_space.shape), scaled to [0, 1].
        fixed_space: its grid.
        moving: (1, c, *moving_space.shape), scaled to [0, 1].
        moving_space: its grid.
        initial: fixed world -> moving world, as known so far; the identity by default.
        spacing_mm: of the network's voxels, see `Card`; those of the fixed image by default.

    Returns:
        A displacement u with initial(x + u(x)) in the moving image, and how far the network agrees with itself.

    Raises:
        ModelError: the network is for other dimensions or channels.

    Example:
        >>> from pullback.learn import Pyramid
        >>> space = Space.of_array((20, 24), 1.5)
        >>> images = torch.rand(2, 1, 1, 20, 24)
        >>> predict(Pyramid(), images[0], space, images[1], space).displacement.space.same_as(space)
        True
    """
    start = Affine.identity(fixed_space.dimension) if initial is None else initial
    if model.channels != fixed.shape[1]:
        raise ModelError(f"the network takes images of {model.channels} channel(s); these have {fixed.shape[1]}")
    space, slices = working_grid(model, fixed_space, spacing_mm)
    model = model.to(fixed.device).eval()
    if model.dimension == 2:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # quicker convolutions
    pair = [
        _laid(fixed, fixed_space, Affine.identity(space.dimension), space),
        _laid(moving, moving_space, start, space),
    ]
    pair = [each[0].movedim(1, 0).contiguous() if slices else each for each in pair]  # every slice is one of the batch
    first, affine = _asked(model, *pair)
    again, affine_again = _asked(model, pair[0], warp(pair[1], first))
    there = after(first, again)
    field = _through(there) if slices else there
    maps = [each for each in (affine, affine_again) if each is not None]
    whole = _in_world(maps, space) if maps and not slices else None
    count = min(len(first), LOOKED_AT)
    some = ((torch.arange(count) + 0.5) * len(first) / count).long()
    one, other, known = (each[some.to(each.device)] for each in (*pair, first))
    gap = _length(known + warp(_asked(model, other, one)[0], known))
    found = Displacement(in_mm(field, space)[0], space)
    return Answer(found, gap, _length(known), _length(again[some.to(again.device)]), whole)


def _asked(model: PairNetwork, fixed: Batch, moving: Batch) -> tuple[Batch, Float[Tensor, "_d _columns"] | None]:
    """What a network says about each pair of a batch, and its first affine map.

    One by one on a CPU: its caches hold a slice and not a stack.
    """
    times = len(fixed) if fixed.device.type == "cpu" else 1
    parts = [model(*both) for both in zip(fixed.chunk(times), moving.chunk(times), strict=True)]
    affine = parts[0].affine
    return torch.cat([part.displacement for part in parts]), None if affine is None else affine[0]


def working_grid(model: PairNetwork, space: Space, spacing_mm: tuple[float, ...] | None) -> tuple[Space, bool]:
    """The grid on which a network is asked about a fixed image, and whether that is slice by slice.

    Raises:
        ModelError: a 3D network and a 2D image.
    """
    if model.dimension > space.dimension:
        raise ModelError(f"the network is for volumes and the images are {space.dimension}D; choose another network")
    space = canonical(space)
    if model.dimension == space.dimension:
        return grid(space, spacing_mm), False
    across = max(range(3), key=lambda axis: (space.spacing[axis], -space.shape[axis]))
    space = space.permute([across, *(axis for axis in range(3) if axis != across)])
    return grid(space, None if spacing_mm is None else (space.spacing[0], *spacing_mm)), True


def _laid(image: Batch, own: Space, transform: Transform, space: Space) -> Batch:
    """An image as a transform carries it onto the grid, 0 outside."""
    still = isinstance(transform, Affine) and torch.equal(transform.matrix, torch.eye(own.dimension + 1).double())
    if still and own.same_as(space):
        return image
    matrix, displacement, mix = reading(transform, own, space)
    displacement = None if displacement is None else displacement.to(image)
    return ops.sample(image, matrix, displacement, mix, shape=space.shape, outside=0.0)


def _length(field: Batch) -> float:
    return float(field.norm(dim=1).mean())


def _in_world(maps: Sequence[Float[Tensor, "d columns"]], space: Space) -> Affine:
    """Maps of voxels to voxels of one grid, the last one first, as one of mm."""
    matrix = space.matrix
    for each in maps:
        square = torch.eye(space.dimension + 1, dtype=torch.float64)
        square[:-1] = each.to("cpu", torch.float64)
        matrix = matrix @ square
    return Affine(matrix @ space.inverse)


def _through(slices: Float[Tensor, "n 2 rows columns"]) -> Batch:
    """Displacements within slices as one within a volume: (1, 3, n, rows, columns)."""
    return torch.cat([torch.zeros_like(slices[:, :1]), slices], dim=1).movedim(1, 0)[None]
