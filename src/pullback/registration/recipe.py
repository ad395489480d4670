"""Recipe: everything that a registration will do, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pullback.energy import Term, WeightedSum
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

    def adding(self, *terms: Term, last: int | None = None) -> Recipe:
        """The same recipe with further terms in what its stages minimise, for landmarks, labels and other images.

        Stages that finish by the two images alone are left out: they know nothing of the terms.

        Args:
            *terms: each a measure, its weight, and what it compares.
            last: add them to the last so many stages that minimise something; to all of them by default.

        Raises:
            RecipeError: no stage minimises anything.

        Example:
            >>> from pullback.energy import SoftDice
            >>> from pullback.registration import recipes
            >>> guided = recipes.deformable().adding(Term(SoftDice(), 0.5, images="labels"), last=1)
            >>> [term.images for term in guided.stages[-1].energy.similarity.terms]
            [None, 'labels']
        """
        places = [k for k, stage in enumerate(self.stages) if isinstance(stage, Optimise)]
        chosen = places if last is None else places[max(0, len(places) - last) :]
        if not chosen:
            raise RecipeError(f"the recipe {self.name!r} has no stage that minimises something, to which a term could "
                              "be added")  # fmt: skip
        stages = [_with(stage, terms) if k in chosen else stage for k, stage in enumerate(self.stages)]
        return replace(self, stages=tuple(stage for stage in stages if not stage.finishes))

    def suiting(self, dimension: int) -> Recipe:
        """The same recipe without the stages that are not meant for images of so many dimensions.

        Raises:
            RecipeError: none is left.
        """
        stages = tuple(stage for stage in self.stages if stage.suits(dimension))
        if not stages:
            raise RecipeError(f"the recipe {self.name!r} has no stage for {dimension}D images; take another recipe")
        return self if len(stages) == len(self.stages) else replace(self, stages=stages)

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


def _with(stage: Stage, terms: tuple[Term, ...]) -> Stage:
    assert isinstance(stage, Optimise)
    present = stage.energy.similarity
    known = present.terms if isinstance(present, WeightedSum) else (Term(present),)
    return replace(stage, energy=replace(stage.energy, similarity=WeightedSum((*known, *terms))))
