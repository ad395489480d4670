"""Registration: the result, and everything needed to judge and repeat it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pullback.image import Image
from pullback.optimise import Status
from pullback.registration.outcome import Outcome
from pullback.registration.recipe import Recipe
from pullback.transforms import Transform, resample


@dataclass(frozen=True)
class Quality:
    """Figures that tell whether to look twice.

    A low loss is not accuracy: that needs labels, landmarks or a known warp.

    Attributes:
        loss_before: the last stage's loss where the registration began: as the headers say, or at the given initial
            transform, or, where the images do not meet there, with their centres aligned.
        loss_after: the same loss with the final transform.
        overlap: share of the fixed image that is pulled from inside the moving image.
        jacobian_min: smallest local volume change of the deformation (1 is none; not positive is folding).
        jacobian_max: largest.
        fold_percent: share of voxels where it is not positive, in percent.
        displacement_mm: the farthest that any voxel is pulled.
        shared_information: how much of what either image tells, where there is tissue, the other tells as well, 0 to 1
            (`pullback.registration.in_common`). Two phases of a heart share 0.4 to 0.7, T1 and T2 of a head 0.18,
            cine and T2 0.06: the less, the less exactly any measure can tell where they meet. NaN where not known.
    """

    loss_before: float
    loss_after: float
    overlap: float
    jacobian_min: float
    jacobian_max: float
    fold_percent: float
    displacement_mm: float
    shared_information: float = math.nan

    @property
    def gain_percent(self) -> float:
        """By how many percent the loss fell."""
        return 100 * (self.loss_before - self.loss_after) / max(abs(self.loss_before), 1e-12)


@dataclass(frozen=True)
class Remark:
    """Something to know about a result.

    Attributes:
        grave: whether the result should not be used before this has been looked at.
        title: what, in a few words.
        text: what it means, and what to do.
    """

    grave: bool
    title: str
    text: str


@dataclass(frozen=True, eq=False)
class Registration:
    """A transform that pulls the moving image back onto the fixed one: warped(x) = moving(transform(x)).

    Attributes:
        fixed: the image that stayed.
        moving: the image that is pulled back.
        transform: fixed world -> moving world, mm. Landmarks from moving to fixed use `transform.inverse()`.
        status: how it ended.
        outcomes: one for each stage that ran.
        quality: figures on the final transform.
        recipe: what was run.
        provenance: versions, threads, device, seed, time, and where the images came from.
    """

    fixed: Image
    moving: Image
    transform: Transform
    status: Status
    outcomes: tuple[Outcome, ...]
    quality: Quality | None
    recipe: Recipe
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the registration did what it set out to do; if not, `message` says why."""
        return self.status.ok

    @property
    def message(self) -> str:
        """How it ended, in a sentence."""
        return self.status.value

    @cached_property
    def remarks(self) -> tuple[Remark, ...]:
        """What a careful colleague would point at before the result is used, gravest first; often nothing."""
        from pullback.registration.remarks import remarks  # noqa: PLC0415 - remarks look at Registrations

        return remarks(self)

    @property
    def seconds(self) -> float:
        """Wall time of all stages."""
        return sum(outcome.seconds for outcome in self.outcomes)

    @cached_property
    def warped(self) -> Image:
        """The moving image pulled back onto the fixed grid, read linearly, 0 outside."""
        return resample(self.moving, self.transform, self.fixed.space)

    def save(self, folder: str | Path) -> Path:
        """Write warped.nii.gz, transform.h5, recipe.yaml and result.json into a folder; see `saved`."""
        from pullback.registration.saved import save  # noqa: PLC0415 - saved builds Registrations itself

        return save(self, folder)

    def __repr__(self) -> str:
        return f"Registration({self.recipe.name}: {self.status.name}, {self.seconds:.2f} s, {self.transform!r})"
