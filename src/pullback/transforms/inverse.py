"""Inverse: undo a transform that has no formula for it, by solving T(y) = x wherever it is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch

from pullback import ops
from pullback.space import Space, apply_matrix
from pullback.transforms.bspline import BSpline
from pullback.transforms.displacement import Displacement
from pullback.transforms.thin_plate import ThinPlateSpline
from pullback.transforms.transform import Transform
from pullback.typing import Field, PointsTensor, Tensor

STEPS = 60
TOLERANCE_MM = 1e-4
NEAR = 0.25
"""The iteration goes on to this part of the tolerance, for it nears the goal by a share each time."""
FEW = 0.01
"""A share of the voxels that is left to Newton's method."""
SWEEPS = 8
"""Rounds of four fixed-point iterations over a whole grid before Newton's method is asked."""


Solvable: TypeAlias = Displacement | BSpline | ThinPlateSpline
"""Maps x -> x + u(x) whose u and its slope can be read anywhere."""


@dataclass(frozen=True, eq=False)
class Inverse(Transform):
    """x -> the y with y + field(y) = x, to a ten-thousandth of a millimetre wherever the field does not fold.

    Solved by damped Newton steps from y = x - field(x), with the field's own Jacobian; where a step does not help it is
    halved. On a grid, y = x - field(y) is iterated first, which is quick and solves most of it. A folded field has no
    inverse in its folds: there the best y found is given.

    Attributes:
        forward: what to undo.
    """

    forward: Solvable

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.forward.dimension

    def move(self, points: PointsTensor) -> PointsTensor:
        """See `Transform`."""
        flat = points.reshape(-1, self.dimension)
        return self._solve(flat).reshape(points.shape)

    def inverse(self) -> Solvable:
        """What was to be undone, itself."""
        return self.forward

    def displace(self, space: Space, first: Field | None = None) -> Field:
        """See `Transform`."""
        field = _vectors(self.forward)
        first = None if first is None else first.to(field.device, torch.promote_types(first.dtype, field.dtype))
        if isinstance(self.forward, Displacement):
            goal = torch.zeros(self.dimension, *space.shape).to(field) if first is None else first
            moved, gap = _iterated(self.forward, space, goal)
            far = gap > NEAR * TOLERANCE_MM
            if bool(far.any()):
                there = space.grid().to(field.device)[far].to(goal)
                moved[:, far] = (self._solve(there + goal[:, far].T) - there).T
            return moved
        grid = space.grid().to(field if first is None else first)
        points = grid if first is None else grid + first.movedim(0, -1)
        return (self.move(points) - grid).movedim(-1, 0)

    def residual(self, points: PointsTensor) -> Tensor:
        """|T(inverse(x)) - x| in mm at each point: how far from exact this inverse is there."""
        gap: Tensor = (self.forward.move(self.move(points)) - points).norm(dim=-1)
        return gap

    def _solve(self, x: Tensor) -> Tensor:
        """Newton's method on every point at once; only those not yet solved are worked on."""
        read = _reader(self.forward, x)
        best, error = x.clone(), torch.full_like(x[:, 0], torch.inf)
        trial, pace = x - read(x)[0], torch.ones_like(error)
        step = torch.zeros_like(x)
        todo = torch.arange(len(x), device=x.device)
        for _ in range(STEPS):
            u, slope = read(trial)
            gap = x[todo] - trial - u
            size = gap.norm(dim=-1)
            better = size < error[todo]
            best[todo[better]], error[todo[better]] = trial[better], size[better]
            newton = torch.linalg.solve_ex(slope, gap[..., None]).result[..., 0]
            usable = torch.isfinite(newton).all(dim=-1, keepdim=True)
            step = torch.where(better[:, None], torch.where(usable, newton, gap), step[: len(todo)])
            pace = torch.where(better, torch.ones_like(pace), pace / 2)
            open_ = (error[todo] > TOLERANCE_MM) & (pace > 1e-3)
            if not bool(open_.any()):
                break
            todo, step, pace = todo[open_], step[open_], pace[open_]
            trial = best[todo] + pace[:, None] * step
        return best


def _iterated(forward: Displacement, space: Space, goal: Field) -> tuple[Field, Tensor]:
    """W with x + w + field(x + w) near x + goal, over a whole grid, and how far it is from that at each voxel."""
    matrix = (forward.space.inverse @ space.matrix)[:-1]
    field, moved = forward.field.to(goal)[None], goal
    for _ in range(SWEEPS):
        for _ in range(4):
            before, moved = moved, goal - ops.sample(field, matrix, moved[None], forward.mix)[0]
        gap = (moved - before).norm(dim=0)
        if float((gap > NEAR * TOLERANCE_MM).to(torch.float32).mean()) < FEW:
            break
    return before, gap


Reader: TypeAlias = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Points (N, D) -> displacement (N, D) and the Jacobian matrix (N, D, D) of x + field(x) there."""


def _vectors(forward: Solvable) -> Tensor:
    """What it is made of."""
    if isinstance(forward, ThinPlateSpline):
        return forward.weights
    return forward.field if isinstance(forward, Displacement) else forward.coefficients


def _reader(forward: Solvable, x: Tensor) -> Reader:
    """How to read what is to be undone, in the precision of x."""
    if isinstance(forward, ThinPlateSpline):
        one = torch.eye(forward.dimension).to(x)
        return lambda points: (forward.motion(points), forward.slope(points) + one)
    if isinstance(forward, BSpline):
        spline, eye = BSpline(forward.coefficients.to(x), forward.space), torch.eye(forward.dimension).to(x)
        return lambda points: (spline.motion(points), spline.slope(points) + eye)
    field = torch.cat([forward.field, _derivatives(forward)]).to(x)[None]
    return lambda points: _read(forward, field, points)


def _read(forward: Displacement, field: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Displacement (N, D) and the Jacobian matrix (N, D, D) of x + field(x) at points (N, D)."""
    d = points.shape[-1]
    voxels = apply_matrix(forward.space.inverse, points)
    values = ops.sample_points(field, voxels).T
    limit = torch.tensor([n - 1 for n in forward.space.shape]).to(voxels)
    varies = ((voxels > 0) & (voxels < limit)).to(values)  # beyond the grid the edge is repeated: no slope there
    slope = (values[:, d:].reshape(-1, d, d) * varies[:, None]) @ forward.mix.to(values)
    return values[:, :d], slope + torch.eye(d).to(points)


def _derivatives(forward: Displacement) -> Tensor:
    """How the field changes from voxel to voxel, (D * D, *shape): component i along grid axis j at D i + j."""
    columns = [
        torch.gradient(forward.field, dim=a + 1)[0] if n > 1 else torch.zeros_like(forward.field)
        for a, n in enumerate(forward.space.shape)
    ]
    return torch.stack(columns, dim=1).flatten(0, 1)
