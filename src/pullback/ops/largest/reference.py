"""`largest`, defined in torch."""

from pullback.typing import Float, Tensor


def largest(field: Float[Tensor, "d *spatial"]) -> Float[Tensor, ""]:
    """See `pullback.ops.largest`."""
    return (field.detach() ** 2).sum(dim=0).max().sqrt()
