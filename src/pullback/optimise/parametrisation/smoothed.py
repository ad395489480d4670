"""Smoothed: a dense model whose steps are smooth over so many mm, whichever optimiser takes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pullback import ops
from pullback.errors import RecipeError
from pullback.optimise.parametrisation.greedy import Greedy
from pullback.optimise.parametrisation.parametrisation import Parametrisation, Params
from pullback.optimise.parametrisation.spectral import damped
from pullback.optimise.parametrisation.svf import SVF
from pullback.optimise.parametrisation.time_varying import TimeVaryingVelocity
from pullback.space import Space
from pullback.transforms import Transform
from pullback.typing import Tensor


@dataclass(frozen=True)
class Smoothed(Parametrisation):
    """Steps that are smooth over so many mm: down K g, the gradient in a Sobolev metric, and not down the gradient g.

    K is applied by halves, before the optimiser and after it. With u = K^(1/2) v, an optimiser that sees the gradient
    K^(1/2) g and whose steps go through K^(1/2) works in v, where smooth motions are cheap and rough ones dear. So all
    that it does in between (momentum, curvature learnt from steps, a rate for each number) leaves steps smooth, and
    plain descent goes along K g. Sundaramoorthi, Yezzi and Mennucci, International Journal of Computer Vision 73(3),
    2007. Unlike `smooth_update_voxels`, the reach is the same at every level.

    Attributes:
        model: Greedy, SVF or TimeVaryingVelocity, with smooth_update_voxels 0.
        kernel: gaussian, or sobolev: (1 - reach^2 x Laplacian)^-order, the metric that `Sobolev` penalises, which
            damps fine waves less.
        reach_mm: sigma of the Gaussian; or the length below which the sobolev kernel damps.
        order: of the sobolev kernel: how fast it damps with shorter waves; 1 leaves corners.

    Raises:
        RecipeError: the model is another one, or smooths its steps by itself.
    """

    model: Parametrisation = field(default_factory=lambda: Greedy(0.0, 0.5))
    kernel: Literal["gaussian", "sobolev"] = "sobolev"
    reach_mm: float = 8.0
    order: Literal[1, 2, 3] = 2

    def __post_init__(self) -> None:
        if not isinstance(self.model, Greedy | SVF | TimeVaryingVelocity):
            raise RecipeError("Smoothed smooths the steps of a Greedy, an SVF or a TimeVaryingVelocity; got "
                              f"{type(self.model).__name__}: "
                              "splines are smooth by their spacing, and matrices anyway")  # fmt: skip
        if self.model.smooth_update_voxels > 0:
            raise RecipeError("Smoothed smooths the steps itself; set smooth_update_voxels of its model to 0, got "
                              f"{self.model.smooth_update_voxels}")  # fmt: skip

    @property
    def name(self) -> str:
        """See `Parametrisation`."""
        return self.model.name

    @property
    def local(self) -> bool:
        """See `Parametrisation`."""
        return self.model.local

    @property
    def dense(self) -> bool:
        """See `Parametrisation`."""
        return self.model.dense

    @property
    def composed(self) -> bool:
        """See `Parametrisation`."""
        return self.model.composed

    def start(self, space: Space, initial: Transform, device: str) -> Params:
        """See `Parametrisation`."""
        return self.model.start(space, initial, device)

    def build(self, params: Params) -> Transform:
        """See `Parametrisation`."""
        return self.model.build(params)

    def refine(self, params: Params, space: Space) -> Params:
        """See `Parametrisation`."""
        return self.model.refine(params, space)

    def precondition(self, params: Params, gradient: Tensor) -> Tensor:
        """See `Parametrisation`: the gradient with respect to v."""
        return self.half(self.model.precondition(params, gradient), params.space)

    def retract(self, params: Params, step: Tensor, scale: float = 1.0) -> Params:
        """See `Parametrisation`."""
        return self.model.retract(params, self.half(step, params.space), scale)

    def stepped(self, params: Params, step: Tensor, scale: float = 1.0) -> Params:
        """See `Parametrisation`."""
        return self.model.stepped(params, self.half(step, params.space), scale)

    def settled(self, params: Params) -> Params:
        """See `Parametrisation`."""
        return self.model.settled(params)

    def length(self, step: Tensor) -> float:
        """See `Parametrisation`: of a step in v, which is at least as long as what it moves."""
        return self.model.length(step)

    def half(self, vectors: Tensor, space: Space) -> Tensor:
        """K^(1/2) of one field, or of several, (..., D, *space.shape)."""
        if self.kernel == "sobolev":
            return damped(vectors, space, self.reach_mm, self.order / 2)
        sigma = self.reach_mm / 2**0.5  # two such Gaussians make one of the whole width
        fields = vectors.reshape(-1, space.dimension, *space.shape)
        return ops.smooth(fields, [sigma / mm for mm in space.spacing]).reshape(vectors.shape)
