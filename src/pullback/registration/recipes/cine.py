"""Cine: one frame of a cine to another, and all of them from one, without linear stages."""

from pullback.energy import LNCC, MSE, Energy, Term, WeightedSum
from pullback.optimise import GradientDescent, Greedy, Level, Schedule
from pullback.registration.recipe import Recipe
from pullback.registration.stage import Optimise


def cine() -> Recipe:
    """Frames of one cine, for `pullback track`: the body lies still, and the heart moves little from frame to frame."""
    return Recipe(
        name="cine",
        description="Frames of one cine, for tracking: dense motion only, from frame to frame.",
        stages=(
            Optimise(
                Greedy(smooth_update_voxels=3.0, smooth_total_voxels=0.4, gradient_of="moving"),  # as in cardiac-sax
                Energy(WeightedSum((Term(LNCC(radius_voxels=3), 1.0), Term(MSE(), 10.0)))),
                GradientDescent(step_voxels=0.5),
                Schedule(
                    (
                        Level(4, steps=60),
                        Level(2, steps=20),  # each starts near its end: from the frames beside it
                        Level(1.4, steps=10),
                        Level(1, steps=5),  # more of them follow noise
                    )
                ),
            ),
        ),
    )
