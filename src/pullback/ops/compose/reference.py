"""`compose`, defined in torch."""

import torch

from pullback.ops.sample import sample
from pullback.typing import Float, Tensor


def compose(
    outer: Float[Tensor, "_b d *shape"], inner: Float[Tensor, "_b d *shape"], mix: Float[Tensor, "d d"], scale: float
) -> Float[Tensor, "_b d *shape"]:
    """See `pullback.ops.compose`."""
    d = outer.shape[1]
    identity = torch.eye(d, d + 1, dtype=torch.float64)
    return scale * inner + sample(outer, identity, inner, scale * mix)
