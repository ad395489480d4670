"""`compose`, defined in torch."""

import torch

from pullback.ops.sample import sample
from pullback.typing import Batch, Matrix


def compose(outer: Batch, inner: Batch, mix: Matrix) -> Batch:
    """See `pullback.ops.compose`."""
    d = outer.shape[1]
    identity = torch.eye(d, d + 1, dtype=torch.float64)
    return inner + sample(outer, identity, inner, mix)
