"""One network that learns drawn hearts, step by step: on an NVIDIA device as a graph that is launched at once."""

from __future__ import annotations

import torch

from pullback.learn import Network, PairBatch, PairNetwork, Prediction, warp
from pullback.learn.train import predicted

SHARE, CLIP, ROUND_MM, LABELS = 0.998, 1.0, 0.1, (1, 2, 3)
TRUTH, OVERLAP, SMOOTH = 0.2, 1.0, 0.02
"""What a mm of end-point error, 1 - Dice, and one of mean |du/dx|^2 cost: as in the training recipe pyramid-2d."""


class Learner:
    """A network, its optimiser and the running average of its weights.

    Args:
        network: what learns.
        first: a batch, for its shapes.
        spacing_mm: of its square voxels.
        precision: of the network's arithmetic: float32 or bfloat16.
        graph: record a step once and replay it, which an NVIDIA device does several times faster.
    """

    def __init__(self, network: Network, first: PairBatch, spacing_mm: float, precision: str, graph: bool) -> None:
        device = first.fixed.device
        self.model: PairNetwork = network.build().to(device, memory_format=torch.channels_last)
        self.spacing, self.precision = spacing_mm, precision
        self.smooth = 0.0 if network.form == "AffineNetwork" else SMOOTH
        rate = torch.zeros((), device=device) if graph else 0.0
        self.adam = torch.optim.Adam(self.model.parameters(), lr=rate, fused=True, capturable=graph)
        self.average = [p.detach().clone() for p in self.model.parameters()]
        self.batch = PairBatch(*(part.clone() for part in parts(first)))
        self.loss = torch.zeros((), device=device)
        self.taken = 0
        self.graph = self._recorded() if graph else None

    def step(self, batch: PairBatch, rate: float) -> None:
        """Learn from a batch; `loss` holds what it was."""
        for mine, theirs in zip(parts(self.batch), parts(batch), strict=True):
            mine.copy_(theirs)
        self._rate(rate)
        if self.graph is None:
            self._once()
        else:
            self.graph.replay()
        self.taken += 1
        share = min(SHARE, (1 + self.taken) / (10 + self.taken))
        torch._foreach_lerp_(self.average, [p.detach() for p in self.model.parameters()], 1 - share)

    def averaged(self) -> PairNetwork:
        """The network with the running average of its weights."""
        other = Network.of(self.model).build().to(self.loss.device, memory_format=torch.channels_last)
        with torch.no_grad():
            for theirs, mine in zip(other.parameters(), self.average, strict=True):
                theirs.copy_(mine)
        return other.eval()

    def _rate(self, rate: float) -> None:
        kept = self.adam.param_groups[0]["lr"]
        if isinstance(kept, torch.Tensor):
            kept.fill_(rate)
        else:
            self.adam.param_groups[0]["lr"] = rate

    def _once(self) -> None:
        self.adam.zero_grad(set_to_none=True)
        said = predicted(self.model, self.batch, self.precision)
        loss = loss_of(self.batch, said, self.spacing, self.smooth)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.adam.step()
        self.loss.copy_(loss.detach())

    def _recorded(self) -> torch.cuda.CUDAGraph:
        """A step as a graph; a few steps at no learning rate come first, as CUDA asks for."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(4):
                self._once()
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        self.adam.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph):
            self._once()
        return graph


def parts(batch: PairBatch) -> tuple[torch.Tensor, ...]:
    """Fixed, moving, their labels, the truth."""
    return batch.fixed, batch.moving, batch.fixed_labels, batch.moving_labels, batch.truth  # type: ignore[return-value]


def loss_of(batch: PairBatch, said: Prediction, spacing: float, smooth: float) -> torch.Tensor:
    """The loss of the recipe pyramid-2d for square voxels: `pullback.learn.Loss` without a look at values."""
    square = ((said.displacement - batch.truth) * spacing).square().sum(dim=1)
    gap = (square + ROUND_MM**2).sqrt() - ROUND_MM
    where = (batch.fixed_labels > 0).to(gap)
    loss = TRUTH * (gap.mean() + (gap * where).sum() / where.sum().clamp(min=1)) / 2
    fixed, moving = (torch.stack([each == k for k in LABELS], dim=1).float() for each in parts(batch)[2:4])
    warped = warp(moving, said.displacement)
    both, either = 2 * (fixed * warped).sum((2, 3)), (fixed + warped).sum((2, 3))
    occurs = (fixed.sum((2, 3)) > 0).to(both)
    loss = loss + OVERLAP * (1 - (both / either.clamp(min=1e-6) * occurs).sum() / occurs.sum().clamp(min=1))
    if smooth:
        # voxels of the coarse grid, whose neighbours are as far apart as one of them: the spacing cancels out
        rough = [said.vectors.diff(dim=axis).square().sum(dim=1).mean() for axis in (2, 3)]
        loss = loss + smooth * sum(rough)
    return loss
