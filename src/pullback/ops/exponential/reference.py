"""`exponential`, defined in torch."""

from pullback.ops.compose import compose
from pullback.typing import Float, Tensor


def exponential(
    velocity: Float[Tensor, "b d *shape"], mix: Float[Tensor, "d d"], steps: int
) -> Float[Tensor, "b d *shape"]:
    """See `pullback.ops.exponential`."""
    flow = velocity * 0.5**steps
    for _ in range(steps):
        flow = compose(flow, flow, mix)
    return flow
