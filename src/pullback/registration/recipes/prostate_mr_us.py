"""Prostate, MR to transrectal ultrasound: two images that share little but the gland in their middle."""

from pullback.energy import MIND, Bending, Energy, MutualInformation, Term, WeightedSum
from pullback.optimise import LBFGS, BSpline, Level, Schedule
from pullback.registration.initialisation import AlignCentres, Nudge
from pullback.registration.recipe import Recipe
from pullback.registration.stage import Optimise


def prostate_mr_us() -> Recipe:
    """An MR and an ultrasound volume, each cut out about the prostate and the right way up by its header."""
    return Recipe(
        name="prostate-mr-us",
        description="MR and ultrasound, each cut out about the prostate: middles of the boxes, a stiff deformation.",
        stages=(
            AlignCentres(starts=("field_of_view",), least_overlap=0.1),  # the one thing that both surely share
            # only as far as two measures are sure that err differently, and by what lies near the middle
            Nudge(reach_mm=5.0, pull_per_mm2=0.003, similarity=_both(16), window_mm=8.0),
            Optimise(  # no rigid or affine stage: by any measure their optimum is often not the gland
                BSpline(),
                Energy(_both(24), Bending(), 500.0),  # so stiff that it cannot go far astray
                LBFGS(),
                Schedule((Level(2, steps=30),)),  # finer levels see speckle
                samples=20_000,
            ),
        ),
    )


def _both(bins: int) -> WeightedSum:
    """Mutual information and descriptors, about one to one and a half in what shifts change them."""
    far = MIND(radius_voxels=2, dilation_voxels=3, form="both")  # the images are blurred: near neighbours are alike
    return WeightedSum((Term(MutualInformation(bins=bins)), Term(far, 2.0)))
