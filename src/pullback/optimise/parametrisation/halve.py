"""halved: a model, twice, so that two images meet in the middle."""

from pullback.errors import RecipeError
from pullback.optimise.parametrisation.bspline import BSpline
from pullback.optimise.parametrisation.greedy import Greedy
from pullback.optimise.parametrisation.halved import Halved, HalvedGreedy, HalvedLinear, HalvedSVF
from pullback.optimise.parametrisation.halved_wide import HalvedBSpline, HalvedSmoothed, HalvedTimeVarying
from pullback.optimise.parametrisation.linear import Linear
from pullback.optimise.parametrisation.parametrisation import Parametrisation
from pullback.optimise.parametrisation.smoothed import Smoothed
from pullback.optimise.parametrisation.svf import SVF
from pullback.optimise.parametrisation.time_varying import TimeVaryingVelocity


def halved(model: Parametrisation) -> Halved:
    """A model, twice: once for the way to each image.

    Raises:
        RecipeError: the model cannot be halved.
    """
    if isinstance(model, Greedy) and model.gradient_of == "warped" and model.spacing_voxels == 1:
        return HalvedGreedy(model)
    if isinstance(model, SVF):
        return HalvedSVF(model)
    if isinstance(model, TimeVaryingVelocity) and model.intervals % 2 == 0:
        return HalvedTimeVarying(model)
    if isinstance(model, Linear) and model.freedom != "affine_without_shear":
        return HalvedLinear(model)
    if isinstance(model, BSpline):
        return HalvedBSpline(model)
    if isinstance(model, Smoothed):
        return HalvedSmoothed(model, halved(model.model))
    raise RecipeError("a symmetric stage needs a model that can be halved: Greedy (gradient of the warped image, "
                      "spacing_voxels 1), SVF, TimeVaryingVelocity (an even number of intervals), one of these "
                      f"Smoothed, BSpline or Linear (but affine_without_shear); got {model!r}")  # fmt: skip
