"""The length of the longest vector of a field: how far a step moves anything."""

from pullback.ops import _dispatch
from pullback.typing import Float, Tensor


def largest(field: Float[Tensor, "d *spatial"]) -> float:
    """The largest Euclidean norm over all voxels, in the field's own unit.

    Args:
        field: (D, *shape), one vector at every voxel.

    Returns:
        A number; not differentiable.
    """
    return float(_dispatch.choose("largest", field)(field))
