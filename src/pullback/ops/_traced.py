"""Linear reading and scaling and squaring as graphs for other programs: taken where `torch.export` follows a network.

Sizes are symbols there and values unknown, so that nothing may be looked at or called that is not torch: the references
look whether a matrix is the identity, and the kernels are not torch. The mathematics is that of `sample.reference`.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from pullback.errors import KernelError
from pullback.typing import Batch, Interpolation, Matrix, Tensor

exporting = torch.compiler.is_exporting


def sample(
    image: Batch, matrix: Matrix, displacement: Batch | None, mix: Matrix | None, interpolation: Interpolation
) -> Batch:
    """`pullback.ops.sample` at displaced positions, linear, the edge repeated.

    Raises:
        KernelError: something else is asked for.
    """
    if interpolation != "linear" or displacement is None or matrix.ndim != 2:
        raise KernelError("only linear reading through one matrix and a displacement can be exported")
    shape, d = displacement.shape[2:], displacement.ndim - 2
    matrix = matrix.to(displacement.dtype)
    moved = displacement if mix is None else torch.einsum("ij,bj...->bi...", mix.to(displacement.dtype), displacement)
    ramps = [torch.arange(n, dtype=moved.dtype).view([-1 if a == b else 1 for b in range(d)])
             for a, n in enumerate(shape)]  # fmt: skip
    axes = []
    for row in reversed(range(d)):  # grid_sample wants the fastest axis first, from -1 to 1
        at: Tensor = moved[:, row] + matrix[row, d]
        for a, ramp in enumerate(ramps):
            at = at + matrix[row, a] * ramp
        axes.append((2 * at + 1) / image.shape[2 + row] - 1)
    grid = torch.stack(axes, dim=-1)
    return functional.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)


def exponential(velocity: Batch, mix: Matrix, steps: int) -> Batch:
    """`pullback.ops.exponential`."""
    identity = torch.eye(velocity.ndim - 2, velocity.ndim - 1)
    flow = velocity * 0.5**steps
    for _ in range(steps):
        flow = flow + sample(flow, identity, flow, mix, "linear")
    return flow
