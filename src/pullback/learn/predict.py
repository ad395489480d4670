"""predict: a network's answer for two images wherever they lie, as a displacement in mm.

The fixed image is laid on a grid with the voxels that the network knows, along its own axes in the order and the
direction of the world's (however a file stores them), and the moving image as the transform known so far carries it.
The network sees two images on one grid; what it says, in voxels, becomes mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pullback import ops
from pullback.errors import ModelError
from pullback.learn.data.scaling import canonical, grid
from pullback.learn.loss import in_mm
from pullback.learn.networks import PairNetwork, warp
from pullback.space import Space
from pullback.transforms import Affine, Displacement, Transform
from pullback.transforms.apply import reading
from pullback.typing import Batch, Float, Tensor


@dataclass(frozen=True, eq=False)
class Answer:
    """What a network says about a pair.

    Attributes:
        displacement: fixed world -> where the transform known so far should be asked; it comes first.
        inverse_error: mean over the grid of |u + v(x + u)| in voxels, where v is the network's answer for the images
            exchanged: small where it agrees with itself.
        motion: mean length of u in voxels.
    """

    displacement: Displacement
    inverse_error: float
    motion: float


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

    A 2D network is asked about every slice of a volume, across its thickest voxels; nothing moves through the slices.

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
        >>> space = Space.of_array((20, 24), 1.5)
        >>> images = torch.rand(2, 1, 1, 20, 24)
        >>> predict(VoxelMorph(), images[0], space, images[1], space).displacement.space.same_as(space)
        True
    """
    start = Affine.identity(fixed_space.dimension) if initial is None else initial
    if model.channels != fixed.shape[1]:
        raise ModelError(f"the network takes images of {model.channels} channel(s); these have {fixed.shape[1]}")
    space, slices = working_grid(model, fixed_space, spacing_mm)
    model = model.to(fixed.device).eval()
    pair = [
        _laid(fixed, fixed_space, Affine.identity(space.dimension), space),
        _laid(moving, moving_space, start, space),
    ]
    pair = [each[0].movedim(1, 0) if slices else each for each in pair]  # every slice is one of the batch
    there, back = (model(*both).displacement for both in (pair, pair[::-1]))
    gap = (there + warp(back, there)).norm(dim=1).mean()
    field = _through(there) if slices else there
    return Answer(Displacement(in_mm(field, space)[0], space), float(gap), float(there.norm(dim=1).mean()))


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


def _through(slices: Float[Tensor, "n 2 rows columns"]) -> Batch:
    """Displacements within slices as one within a volume: (1, 3, n, rows, columns)."""
    return torch.cat([torch.zeros_like(slices[:, :1]), slices], dim=1).movedim(1, 0)[None]
