"""The flow of a stationary velocity field after unit time, by scaling and squaring.

Arsigny et al., MICCAI 2006: exp(v) is (exp(v / 2^n)) composed with itself n times over.
"""

from pullback.errors import InputError
from pullback.ops import _dispatch, _traced
from pullback.typing import Batch, Matrix, Tensor


def exponential(velocity: Batch, mix: Matrix, steps: int = 7) -> Batch:
    """The displacement at t = 1 of the flow dx/dt = velocity(x) from t = 0.

    Args:
        velocity: (b, D, *shape), the displacement in unit time.
        mix: (D, D), what one unit of displacement is in voxels (for mm: the inverse of the grid's linear part).
        steps: number of squarings n.

    Returns:
        (b, D, *shape), differentiable in the velocity.

    Raises:
        InputError: the field does not have one component for each axis, or the number of steps is negative.
    """
    if velocity.shape[1] != velocity.ndim - 2:
        raise InputError(f"a velocity needs one component per axis; got the shape {tuple(velocity.shape)}")
    if steps < 0:
        raise InputError(f"scaling and squaring needs steps >= 0; got {steps}")
    if _traced.exporting():
        return _traced.exponential(velocity, mix, steps)
    result: Tensor = _dispatch.choose("exponential", velocity)(velocity, mix, steps)
    return result
