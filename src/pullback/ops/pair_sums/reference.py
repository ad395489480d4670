"""`pair_sums`, defined in torch: the slopes are the gradient of the reading with respect to where it reads."""

import torch

from pullback.ops.inside.reference import inside
from pullback.ops.pair_sums import PairSums
from pullback.ops.sample.reference import sample
from pullback.typing import Batch, Matrix


def pair_sums(
    fixed: Batch,
    moving: Batch,
    matrix: Matrix,
    displacement: Batch | None,
    mix: Matrix | None,
    weight: Batch | None,
    level: float,
) -> PairSums:
    """See `pullback.ops.pair_sums`."""
    d, shape = matrix.shape[0], tuple(fixed.shape[2:])
    moving, matrix = moving.detach(), matrix.detach()
    still = moving.new_zeros(1, d, *shape)
    moved = still if displacement is None else displacement.detach()
    mix = torch.eye(d, dtype=torch.float64) if mix is None else mix.detach()
    away = torch.einsum("ij,bj...->bi...", mix.to(moved), moved).requires_grad_()
    with torch.enable_grad():
        read = sample(moving, matrix, away, torch.eye(d), shape=shape, interpolation="linear", outside=None)
        (slopes,) = torch.autograd.grad(read.sum(), away)
    counts = inside(tuple(moving.shape[2:]), matrix, away.detach(), torch.eye(d), shape, moving.device).to(moving)
    w = (counts if weight is None else counts * weight).double().flatten()
    i = fixed.double().flatten() - level
    change = read.detach().double().flatten() - fixed.double().flatten()
    s, u = slopes.double().reshape(d, -1), moved.double().reshape(d, -1)
    axes = [torch.arange(n, dtype=torch.float64, device=w.device) for n in shape]
    grid = [x.flatten() for x in torch.meshgrid(*axes, indexing="ij")]
    q = torch.stack([*grid, torch.ones_like(w)])
    terms = torch.stack([w, w * i, w * change])
    moments = torch.stack([w.sum(), *(terms[1:].sum(dim=1)), w @ i**2, w @ change**2, (w * i) @ change])
    flat = (s[:, None] * q[None]).view(d * (d + 1), -1)
    curvature = ((w * flat) @ flat.T).view(d, d + 1, d, d + 1)
    return PairSums(
        moments, torch.einsum("cn,dn,en->cde", terms, s, q), torch.einsum("cn,dn,en->cde", terms, s, u), curvature
    )
