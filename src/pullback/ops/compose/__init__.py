"""Compose two displacement fields on one grid: first `inner`, then `outer`."""

from pullback.errors import InputError
from pullback.ops import _dispatch
from pullback.typing import Batch, Matrix, Tensor


def compose(outer: Batch, inner: Batch, mix: Matrix, scale: float = 1.0) -> Batch:
    """The displacement of (id + outer) after (id + scale inner): scale inner(v) + outer(v + mix scale inner(v)).

    Args:
        outer: (b, D, *shape), read linearly, its edge repeated.
        inner: (b, D, *shape), in the same unit.
        mix: (D, D), what one unit of displacement is in voxels (for mm: the inverse of the grid's linear part).
        scale: what the inner field is multiplied by on the way, which saves a step of its own.

    Returns:
        (b, D, *shape), differentiable in both fields.

    Raises:
        InputError: the fields do not have one shape, with one component for each axis.
    """
    if outer.shape[1:] != inner.shape[1:] or outer.shape[1] != outer.ndim - 2:
        raise InputError(f"fields to compose must be two (b, D, *shape) on one grid; got {tuple(outer.shape)} and "
                         f"{tuple(inner.shape)}")  # fmt: skip
    result: Tensor = _dispatch.choose("compose", outer, inner)(outer, inner, mix, scale)
    return result
