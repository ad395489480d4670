"""measure: how good displacements are on pairs: against a known answer, against labels, and by themselves."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch

from pullback import ops
from pullback.learn.data.pairs import PairBatch, Pairs
from pullback.learn.loss import in_mm
from pullback.learn.networks import PairNetwork, warp
from pullback.space import Space
from pullback.typing import Batch, Tensor

Way: TypeAlias = Callable[[PairBatch], Batch]
"""Pairs -> displacements (b, D, *shape) in voxels."""
Figures: TypeAlias = dict[str, float]

BETTER_HIGH = ("dice",)
ACCURACIES = ("epe_mm", "dice")
"""What tells accuracy, the best first; without a known answer and labels only the likeness of unseen pairs is left."""


def measure(way: Way, pairs: Pairs, chosen: Sequence[int], batch: int = 16) -> Figures:
    """Means over some pairs.

    Args:
        way: what is judged.
        pairs: what it is judged on.
        chosen: the numbers of the pairs.
        batch: how many at once.

    Returns:
        mse (of intensities from 0 to 1), fold_percent (voxels where the map folds), seconds (for each pair); dice (mean
        over labels) where there are labels; epe_mm (mean end-point error) where the answer is known, over all voxels
        that carry a label, or all of them without labels.
    """
    rows: list[Figures] = []
    for start in range(0, len(chosen), batch):
        shown = pairs.batch(chosen[start : start + batch])
        began = time.perf_counter()
        displacement = way(shown).to("cpu", torch.float32)
        seconds = (time.perf_counter() - began) / len(shown.fixed)
        rows += [_one(shown, displacement, k, pairs.space) | {"seconds": seconds} for k in range(len(shown.fixed))]
    return {name: _mean([row[name] for row in rows]) for name in rows[0]}


def by_group(way: Way, pairs: Pairs, chosen: Sequence[int]) -> dict[str, Figures]:
    """The same for the pairs within each group; {} where there are no groups."""
    if not pairs.groups:
        return {}
    homes: dict[str, list[int]] = {}
    for pair in chosen:
        fixed, moving = (pairs.groups[k] for k in pairs.chosen(pair))
        homes.setdefault(fixed if fixed == moving else "mixed", []).append(pair)
    return {group: measure(way, pairs, numbers) | {"pairs": len(numbers)} for group, numbers in sorted(homes.items())}


def stay(batch: PairBatch) -> Batch:
    """The way of doing nothing."""
    return torch.zeros(len(batch.fixed), batch.fixed.ndim - 2, *batch.fixed.shape[2:])


def by(model: PairNetwork) -> Way:
    """The way of a network, wherever it is."""
    device = next(model.parameters()).device

    @torch.no_grad()
    def way(batch: PairBatch) -> Batch:
        return model(batch.fixed.to(device), batch.moving.to(device)).displacement  # type: ignore[no-any-return]

    return way


def score(figures: Figures) -> tuple[str, float]:
    """By what a network is judged, and the number: higher is better."""
    name = next((name for name in ACCURACIES if name in figures and math.isfinite(figures[name])), "mse")
    return name, figures[name] if name in BETTER_HIGH else -figures[name]


def _one(batch: PairBatch, displacement: Batch, k: int, space: Space) -> Figures:
    u = displacement[k : k + 1]
    volume = ops.jacobian(u, torch.eye(space.dimension, dtype=torch.float64))
    figures = {
        "mse": float(((warp(batch.moving[k : k + 1], u) - batch.fixed[k : k + 1]) ** 2).mean()),
        "fold_percent": 100 * float((volume <= 0).to(torch.float32).mean()),
    }
    if batch.fixed_labels is not None and batch.moving_labels is not None:
        figures["dice"] = _dice(batch.fixed_labels[k], batch.moving_labels[k], u)
    if batch.truth is not None:
        gap = in_mm(u - batch.truth[k : k + 1], space).norm(dim=1)[0]
        where = torch.ones_like(gap, dtype=torch.bool) if batch.fixed_labels is None else batch.fixed_labels[k] > 0
        figures["epe_mm"] = float(gap[where].mean())
    return figures


def _dice(fixed: Tensor, moving: Tensor, u: Batch) -> float:
    """Mean overlap of the labels of either, the moving ones carried by the nearest voxel."""
    eye = torch.eye(u.shape[1], u.shape[1] + 1, dtype=torch.float64)
    values = ops.sample(moving[None, None].to(torch.float32), eye, u, interpolation="nearest", outside=0.0)
    warped = values[0, 0].round().to(fixed.dtype)
    labels = sorted({*torch.cat([fixed.flatten(), moving.flatten()]).tolist()} - {0})
    both = [2 * int(((fixed == label) & (warped == label)).sum()) for label in labels]
    either = [int((fixed == label).sum() + (warped == label).sum()) for label in labels]
    return _mean([b / e for b, e in zip(both, either, strict=True) if e])


def _mean(values: Sequence[float]) -> float:
    real = [v for v in values if not math.isnan(v)]
    return sum(real) / len(real) if real else math.nan
