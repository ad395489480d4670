"""Recipe: everything that a registration will do, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field

from pullback.errors import RecipeError
from pullback.registration.prepare import Prepare
from pullback.registration.ranges import check_ranges
from pullback.registration.stage import Optimise, Stage


@dataclass(frozen=True)
class Recipe:
    """What `register` folds over.

    Attributes:
        name: what it is called.
        description: what it is for, in a sentence.
        stages: run one after another, each from where the last one ended.
        prepare: how intensities are brought to a common scale.

    Raises:
        RecipeError: there are no stages, or a number in them makes no sense.
    """

    name: str
    description: str
    stages: tuple[Stage, ...]
    prepare: Prepare = field(default_factory=Prepare)

    def __post_init__(self) -> None:
        if not self.stages:
            raise RecipeError(f"the recipe {self.name!r} has no stages; give it at least one")
        check_ranges(self)

    @property
    def dense(self) -> Optimise:
        """The last stage that moves each voxel by itself, for example to refine what a network found.

        Raises:
            RecipeError: there is none.
        """
        for stage in reversed(self.stages):
            if isinstance(stage, Optimise) and stage.model.local:
                return stage
        raise RecipeError(f"the recipe {self.name!r} has no stage that deforms; take one of another recipe")
