"""follow: the fields from one frame to all others, from coarse to fine; `track` without images, files and figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from pullback import ops
from pullback.energy import Similarity
from pullback.optimise import Level, Status
from pullback.optimise.schedule import level_shape
from pullback.registration import Prepared
from pullback.registration.fluid import Dense, Descent, Fluid, comparing, descend
from pullback.registration.outcome import Step, Watch
from pullback.typing import Batch, Field

WALK_STEPS = 8
"""Steps for each frame on a walk: from the frame beside it there is not far to go."""
AT_ONCE = 2_000_000
"""Voxels that are worked on together, at most: 30 frames of 256 x 256, or a few of a stack."""


@dataclass(frozen=True)
class Walks:
    """In which order the frames are gone through; the fixed frame is not among them.

    Attributes:
        forward: frames in the order of time after the fixed one.
        backward: frames against it.
        cyclic: whether both walks go through all frames, and meet.

    Example:
        >>> Walks.through(4, fixed_frame=1, cyclic=True)
        Walks(forward=(2, 3, 0), backward=(0, 3, 2), cyclic=True)
        >>> Walks.through(4, fixed_frame=1, cyclic=False)
        Walks(forward=(2, 3), backward=(0,), cyclic=False)
    """

    forward: tuple[int, ...]
    backward: tuple[int, ...]
    cyclic: bool

    @classmethod
    def through(cls, count: int, fixed_frame: int, cyclic: bool) -> Walks:
        """The walks through so many frames."""
        if cyclic:
            forward = tuple((fixed_frame + k) % count for k in range(1, count))
            return cls(forward, forward[::-1], True)
        return cls(tuple(range(fixed_frame + 1, count)), tuple(range(fixed_frame - 1, -1, -1)), False)


@dataclass(frozen=True, eq=False)
class Followed:
    """What was found.

    Attributes:
        fields: (T, D, *shape) mm, from the fixed frame to each frame, 0 for itself.
        apart: (T, 1, *shape) mm between where the two walks led; None unless both go through all frames.
        closed: (D, *shape) mm, where a whole beat leads: to the last frame, and from there back to the fixed one.
        status: how it ended.
    """

    fields: Batch
    apart: Batch | None
    closed: Field | None
    status: Status


@torch.no_grad()
def follow(frames: Sequence[Prepared], fixed_frame: int, dense: Dense, cyclic: bool, watch: Watch) -> Followed:
    """From the fixed frame to all others.

    Args:
        frames: on one grid; a weight is the fixed frame's alone.
        fixed_frame: which of them.
        dense: how they are compared, smoothed and stepped.
        cyclic: whether the first frame follows the last.
        watch: called after every step.
    """
    walks, levels = Walks.through(len(frames), fixed_frame, cyclic), dense.schedule.levels
    space, others = frames[fixed_frame].space, [t for t in range(len(frames)) if t != fixed_frame]
    fields = closing = apart = None
    before: Fluid | None = None
    losses: list[torch.Tensor] = []
    for number, wanted in enumerate(levels, start=1):
        level = _Resolution.of(frames, fixed_frame, dense, wanted)
        if before is None or fields is None:
            fields, apart = _walk(level, walks, len(frames))
            apart = None if apart is None else level.fluid.onto(apart.norm(dim=1, keepdim=True), space)
            closing = level.fluid.start(1, fields.device) if cyclic else None
        else:
            fields = before.onto(fields, level.fluid.space)
            closing = None if closing is None else before.onto(closing, level.fluid.space)
        parts = max(1, AT_ONCE // level.fluid.space.count)
        for at in range(0, len(others), parts):
            some = others[at : at + parts]
            told = _Teller(watch, dense.schedule.levels, number, (at, len(some), len(others)))
            descent = level.descend(fixed_frame, some, fields[some], wanted.steps, told)
            fields[some] = descent.fields
            losses.append(descent.losses)
        if closing is not None and number < max(len(levels), 2):  # no need to be finer than half a voxel
            closing = level.descend(walks.forward[-1], [fixed_frame], closing, wanted.steps).fields
        before = level.fluid
    assert before is not None
    assert fields is not None
    fields = before.onto(fields, space)
    if closing is not None:
        last = fields[walks.forward[-1]][None]
        closing = ops.compose(before.onto(closing, space), last, space.inverse[:-1, :-1])[0]
    good = bool(torch.isfinite(torch.cat(losses)).all())
    return Followed(fields, apart, closing, Status.converged if good else Status.nonfinite)


def _walk(level: _Resolution, walks: Walks, count: int) -> tuple[Batch, Batch | None]:
    """From the fixed frame to each frame by way of those between; forward and backward blended over a beat."""
    nothing = level.fluid.start(1, level.images.device)
    here, reached = [nothing, nothing], [nothing.repeat(count, *[1] * (nothing.ndim - 1)) for _ in range(2)]
    both = (walks.forward, walks.backward)
    for k in range(max(len(walk) for walk in both)):
        going = [w for w in range(2) if k < len(both[w])]
        frames = [both[w][k] for w in going]
        start = torch.cat([here[w] for w in going])
        descent = level.descend(level.fixed_frame, frames, start, WALK_STEPS)
        for row, (w, frame) in enumerate(zip(going, frames, strict=True)):
            here[w] = descent.fields[row : row + 1]
            reached[w][frame] = here[w][0]
    if not walks.cyclic:
        return reached[0] + reached[1], None  # each frame was on one of the walks
    share = torch.zeros(count, *[1] * (nothing.ndim - 1), device=nothing.device)
    for k, frame in enumerate(walks.forward, start=1):
        share[frame] = k / count
    return torch.lerp(reached[0], reached[1], share), reached[0] - reached[1]


@dataclass(frozen=True, eq=False)
class _Resolution:
    """All frames on the grid of a level, (T, c, *shape), and how they are compared there."""

    images: Batch
    weight: Batch | None
    fixed_frame: int
    similarity: Similarity
    fluid: Fluid
    dense: Dense

    @classmethod
    def of(cls, frames: Sequence[Prepared], fixed_frame: int, dense: Dense, level: Level) -> _Resolution:
        whole = frames[fixed_frame].space
        space = whole.resized(level_shape(whole, level.spacing_mm(whole)))
        similarity = dense.similarity.on(space)
        images = torch.cat([frame.on_level(space).data for frame in frames])
        features = similarity.features(images)
        if features is not None:
            images, similarity = features, similarity.of_features()
        weight = frames[fixed_frame].on_level(space).weight
        return cls(images, weight, fixed_frame, similarity, Fluid(dense.model, space), dense)

    def descend(
        self,
        fixed: int,
        moving: list[int],
        start: Batch,
        steps: int,
        watch: Callable[[int, float], None] = lambda step, loss: None,
    ) -> Descent:
        """From one frame to some others."""
        weight = self.weight if fixed == self.fixed_frame else None
        measure = comparing(self.images[fixed][None], self.images[moving], self.similarity, self.fluid, weight)
        d = self.dense
        return descend(
            measure, start, self.fluid, d.optimiser, steps=steps, tolerance=d.schedule.tolerance, watch=watch
        )


@dataclass(frozen=True)
class _Teller:
    """Turns a step into a `Step`, for the frames from `part[0]` on, `part[1]` of `part[2]`."""

    watch: Watch
    levels: tuple[Level, ...]
    number: int
    part: tuple[int, int, int]

    def __call__(self, step: int, loss: float) -> None:
        costs = [level.steps / level.shrink**2 for level in self.levels]
        level, (at, some, whole) = self.levels[self.number - 1], self.part
        here = costs[self.number - 1] * (at + some * step / (level.steps + 1)) / whole
        share = (sum(costs[: self.number - 1]) + here) / sum(costs)
        self.watch(Step("tracking", self.number, len(self.levels), step, level.steps, loss, share))
