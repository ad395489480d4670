"""Flow: along a velocity field that changes with time, as large diffeomorphic motions (LDDMM) are made."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from pullback import ops
from pullback.errors import InputError, SpaceError
from pullback.space import Space
from pullback.transforms.displacement import Displacement
from pullback.transforms.transform import Transform
from pullback.typing import Field, Float, PointsTensor, Tensor


@dataclass(frozen=True, eq=False)
class Flow(Transform):
    """The flow of dx/dt = v(t, x) from t = 0 to 1, with v one field after another, each for an equal part of the time.

    exp(v_n / n) after ... after exp(v_1 / n), each by scaling and squaring. The path is kept, and with it its inverse:
    the same fields in the opposite order and direction. Beg et al., International Journal of Computer Vision 61(2),
    2005, have the flow; there it is integrated by steps back along the path.

    Attributes:
        fields: (n, D, *space.shape) mm per unit time along the world axes; the first one acts first.
        space: the grid that carries the vectors.
        steps: number of squarings within each part of the time.

    Raises:
        SpaceError: the fields do not have the shape of the space.
        InputError: no fields, or a negative number of steps.
    """

    fields: Float[Tensor, "n d *spatial"]
    space: Space
    steps: int = 4

    def __post_init__(self) -> None:
        if tuple(self.fields.shape[1:]) != (self.space.dimension, *self.space.shape):
            raise SpaceError(f"velocity fields of shape {tuple(self.fields.shape)} do not fit {self.space!r}; they "
                             "must be (n, dimension, *space.shape)")  # fmt: skip
        if not len(self.fields):
            raise InputError("a flow needs at least one velocity field")
        if self.steps < 0:
            raise InputError(f"scaling and squaring needs steps >= 0; got {self.steps}")

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.space.dimension

    def displacement(self) -> Displacement:
        """The flow at unit time, as a displacement on the same grid."""
        mix = self.space.inverse[:-1, :-1]
        parts = self._parts(self.fields, self.steps)
        whole = parts[:1]
        for k in range(1, len(parts)):
            whole = ops.compose(parts[k : k + 1], whole, mix)
        return Displacement(whole[0], self.space)

    def _parts(self, fields: Float[Tensor, "n d *spatial"], steps: int) -> Float[Tensor, "n d *spatial"]:
        """The displacement in each part of the time by itself.

        Its smallest steps are read in their middle, h v(x + h v(x) / 2): an error of the third order in h, so that the
        way back is the inverse with a few squarings.
        """
        mix, half = self.space.inverse[:-1, :-1], 0.5 ** (steps + 1)
        parts = fields / len(self.fields)
        halfway = torch.sub(ops.compose(parts, parts, mix, half), parts, alpha=half)  # v(x + h v / 2), without h v / 2
        return ops.exponential(halfway, mix, steps) if steps else halfway

    def part(self, first: int, last: int) -> Flow:
        """The flow of some of its fields alone, from number `first` up to, without, `last`, in unit time.

        Raises:
            InputError: there are no such fields.

        Example:
            >>> import torch
            >>> flow = Flow(torch.ones(4, 2, 8, 8), Space.of_array((8, 8)))
            >>> half = flow.part(0, 2)
            >>> half([3.0, 3.0])
            tensor([3.5000, 3.5000], dtype=torch.float64)
        """
        if not 0 <= first < last <= len(self.fields):
            raise InputError(f"a flow of {len(self.fields)} fields has no part from {first} to {last}")
        share = (last - first) / len(self.fields)
        return replace(self, fields=self.fields[first:last] * share)

    def along(self, force: Field) -> Float[Tensor, "n d *spatial"]:
        """What a force on a small displacement before the flow is on each of the fields.

        It is carried along the path as the slope of a picture is: read where the flow so far comes from, and turned by
        the transposed Jacobian matrix of the way back. So images that are compared where the flow sets out pull alike
        on every part of the path, as they would if they were compared there. (The gradient with respect to a field
        has the Jacobian determinant as a factor besides, which draws it together where tissue shrinks.)

        Args:
            force: (D, *space.shape), energy per mm along the world axes, on the grid of the flow.
        """
        mix, here = self.space.inverse[:-1, :-1], torch.eye(self.dimension, self.dimension + 1, dtype=torch.float64)
        found, before = [force], self.fields[:-1].detach()
        for back in self._parts(-before, steps=0) if len(before) else ():  # a pull need not be as exact as a position
            there = ops.sample(found[-1][None], here, back[None], mix)[0]
            turned = torch.stack([_along_slope(back, there, a) for a in range(self.dimension)])
            found.append(there + torch.einsum("a...,aj->j...", turned, mix.to(there)))
        return torch.stack(found).div_(len(self.fields))

    def move(self, points: PointsTensor) -> PointsTensor:
        """See `Transform`."""
        return self.displacement().move(points)

    def inverse(self) -> Flow:
        """The way back along the same path: the exact inverse, up to the steps of the integration."""
        return replace(self, fields=-self.fields.flip(0))

    def displace(self, space: Space, first: Field | None = None) -> Field:
        """See `Transform`."""
        return self.displacement().displace(space, first)

    def __repr__(self) -> str:
        most = float(self.fields.detach().norm(dim=1).mean(dim=0).max())
        return f"Flow(paths of up to {most:.4g} mm by {len(self.fields)} velocities on {self.space!r})"


def _along_slope(field: Field, force: Field, axis: int) -> Float[Tensor, "*spatial"]:
    """How a field changes along an axis, times a force: by half the neighbours' difference; 0 at the rim."""
    n, result = field.shape[axis + 1], torch.zeros_like(force[0])
    if n > 2:
        change = field.narrow(axis + 1, 2, n - 2) - field.narrow(axis + 1, 0, n - 2)
        inner = result.narrow(axis, 1, n - 2)
        for slope, pull in zip(change, force.narrow(axis + 1, 1, n - 2), strict=True):
            inner.addcmul_(slope, pull, value=0.5)
    return result
