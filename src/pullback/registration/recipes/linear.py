"""Rigid and affine: the start of nearly everything."""

from dataclasses import replace

from pullback.energy import Energy, MutualInformation, NormalisedGradient, Term, WeightedSum
from pullback.optimise import LBFGS, Level, Linear, Schedule
from pullback.optimise.parametrisation.linear import Freedom
from pullback.registration.finishing import Settle
from pullback.registration.initialisation import AlignCentres, Search
from pullback.registration.recipe import Recipe
from pullback.registration.stage import Optimise


def translation() -> Recipe:
    """A shift only."""
    return Recipe(
        name="translation",
        description="A shift only, any contrast: a table that moved, breath-holds, thick slices one by one.",
        stages=(AlignCentres(), linear_stage("translation", finest=1), settled("translation")),
    )


def rigid() -> Recipe:
    """Rotation and translation only: one patient, one session, nothing that stretches."""
    return Recipe(
        name="rigid",
        description="Rotation and translation, any contrast: the same anatomy in another pose.",
        stages=(
            AlignCentres(),
            Search(),  # a picture may lie turned by any angle
            replace(linear_stage("rigid", finest=1), dimension=3),
            replace(linear_stage("rigid", finest=4), dimension=2),
            *by_edges("rigid"),
            settled("rigid"),
        ),
    )


def similarity() -> Recipe:
    """Rotation, translation and one factor of scale."""
    return Recipe(
        name="similarity",
        description="Rotation, translation and one scale, any contrast: pictures of unknown voxel size, growth.",
        stages=(
            AlignCentres(),
            Search(),
            linear_stage("rigid", finest=2),
            linear_stage("similarity", finest=1),
            settled("similarity"),
        ),
    )


def affine() -> Recipe:
    """Rotation, translation, scaling and shear."""
    return Recipe(
        name="affine",
        description="Rotation, translation, scaling and shear, any contrast: different people, or distorted images.",
        stages=(
            AlignCentres(),
            linear_stage("rigid", finest=2),
            linear_stage("affine", finest=1),
            settled("affine"),
        ),
    )


def by_edges(freedom: Freedom) -> tuple[Optimise, Optimise]:
    """The last levels of pictures: two contrasts are often not quite of one pose, which misleads either measure alone.

    Volumes go without: slopes cost them seconds, and their many voxels tell enough.

    Args:
        freedom: what may change.
    """
    half, full = linear_stage(freedom, finest=2, coarsest=2), linear_stage(freedom, finest=1, coarsest=1)
    return (
        replace(half, energy=_with_edges(1.0), dimension=2, turns_degrees=(-2.0, 2.0)),
        replace(full, energy=_with_edges(0.5), dimension=2),  # finer slopes hold more noise
    )


def _with_edges(weight: float) -> Energy:
    faint = NormalisedGradient(eta=0.02)  # walls that are bright in one contrast are often faint in the other
    return Energy(WeightedSum((Term(MutualInformation(bins=32)), Term(faint, weight))))


def linear_stage(freedom: Freedom, finest: float, coarsest: float = 8) -> Optimise:
    """Mutual information, so that contrast does not matter; L-BFGS, since there are a dozen numbers at most.

    Args:
        freedom: what may change.
        finest: voxel size of the last level, in voxels of the fixed image; 2 is plenty before another stage.
        coarsest: voxel size of the first level, likewise.
    """
    levels = tuple(Level(shrink, steps=40) for shrink in (8, 4, 2, 1) if finest <= shrink <= coarsest)
    return Optimise(
        Linear(freedom),
        Energy(MutualInformation(bins=32)),
        LBFGS(),
        Schedule(levels, tolerance=1e-5),
        samples=500_000,  # a dozen numbers need no more
    )


def settled(freedom: Freedom) -> Settle:
    """The last tenth of a voxel, where both images show one contrast; nothing where they do not.

    Args:
        freedom: what may change.
    """
    return Settle(freedom)
