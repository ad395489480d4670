"""`sampled_histogram`, defined by the ops that it joins."""

from pullback.ops.inside import inside
from pullback.ops.joint_histogram import joint_histogram
from pullback.ops.sample import sample
from pullback.typing import Batch, Float, Matrix, Tensor


def sampled_histogram(
    fixed: Batch,
    moving: Batch,
    bins: int,
    matrix: Matrix,
    displacement: Batch | None,
    mix: Matrix,
    weight: Batch | None,
) -> Float[Tensor, "1 {bins} {bins}"]:
    """See `pullback.ops.sampled_histogram`."""
    shape, size = tuple(fixed.shape[2:]), tuple(moving.shape[2:])
    warped = sample(moving.detach(), matrix, displacement, mix, shape=shape)
    counts = inside(size, matrix.detach(), displacement, mix.detach(), shape=shape, device=fixed.device).to(fixed)
    return joint_histogram(fixed, warped, bins, counts if weight is None else counts * weight).cpu()
