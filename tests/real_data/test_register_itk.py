"""ITK's example images, moved by known amounts: recovered to a tenth of a voxel, with their sign, in any direction.

The pictures have no geometry: ITK puts pixel (i, j) at x = i to the left and y = j to the back, so its (13, 17) is
(-13, -17) in RAS+ mm. The numbers of the rotated pairs are those that the ITK Software Guide finds and prints.
"""

import math

import pytest
import torch

from pullback import io
from pullback.registration import register
from pullback.registration.recipes import named
from pullback.transforms import Affine

LPS = torch.diag(torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64))
PIXELS = 0.1


@pytest.fixture
def brain(data_folder):
    folder = data_folder / "itk_examples"
    return lambda name: io.read_image(folder / f"BrainProtonDensitySlice{name}")


def itk(scale=1.0, angle=0.0, centre=(0.0, 0.0), shift=(0.0, 0.0)):
    """ITK's centred similarity transform, whose numbers are in LPS, as ours."""
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    linear = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    return Affine(LPS @ Affine.about(linear, shift, centre).matrix @ LPS)


def error(transform, truth, space):
    """The mean distance in mm, over the grid, between where two transforms put it."""
    points = space.grid()
    return float((transform(points) - truth(points)).norm(dim=-1).mean())


@pytest.mark.parametrize("recipe", ["rigid", "affine"])
def test_a_shift_of_13_and_17_pixels(brain, recipe):
    fixed, moving = brain("Border20.png"), brain("Shifted13x17y.png")
    assert moving.space.spacing == (1.0, 1.0)
    result = register(fixed, moving, named(recipe))
    assert result.ok
    assert result.transform(fixed.space.centre) - fixed.space.centre == pytest.approx([-13.0, -17.0], abs=PIXELS)
    assert error(result.transform, Affine.translation([-13.0, -17.0]), fixed.space) < PIXELS
    column, row = (int(v) for v in (103, 91))  # the picture's content is 13 further right and 17 further down
    assert float(moving.data[0, row + 17, column + 13]) == float(fixed.data[0, row, column])


def test_the_other_way_round_it_is_the_opposite(brain):
    result = register(brain("Shifted13x17y.png"), brain("Border20.png"), named("rigid"))
    assert error(result.transform, Affine.translation([13.0, 17.0]), result.fixed.space) < PIXELS


@pytest.mark.parametrize("recipe", ["rigid", "affine"])
def test_a_rotation_of_10_degrees(brain, recipe):
    fixed = brain("Border20.png")
    truth = itk(
        angle=math.radians(10), centre=(110.5, 128.5)
    )  # about the middle of the picture, counted from its corner
    result = register(fixed, brain("Rotated10.png"), named(recipe))
    assert result.ok
    assert error(result.transform, truth, fixed.space) < PIXELS


@pytest.mark.parametrize("recipe", ["rigid", "affine"])
def test_a_rotation_and_a_shift(brain, recipe):
    fixed = brain("Border20.png")
    guide = itk(angle=0.174482, centre=(123.182, 147.108), shift=(9.57676, 17.922))
    result = register(fixed, brain("R10X13Y17.png"), named(recipe))
    assert result.ok
    assert error(result.transform, guide, fixed.space) < PIXELS


def test_a_rotation_a_shift_and_a_scale(brain):
    fixed = brain("Border20.png")
    guide = itk(scale=0.833222, angle=-0.174521, centre=(111.437, 131.741), shift=(-12.8272, -12.7862))
    result = register(fixed, brain("R10X13Y17S12.png"), named("affine"))
    assert result.ok
    assert float(torch.linalg.det(result.transform.linear)) == pytest.approx(1 / 1.2**2, rel=0.01)
    assert error(result.transform, guide, fixed.space) < PIXELS


def test_two_moved_pictures_differ_by_whole_pixels(brain):
    """The name says 13 and 17; between the two rotated pictures there are 13 and 16."""
    fixed = brain("Rotated10.png")
    result = register(fixed, brain("R10X13Y17.png"), named("rigid"))
    assert error(result.transform, Affine.translation([-13.0, -16.0]), fixed.space) < PIXELS


@pytest.mark.parametrize(("direction", "degrees"), [("Plus30", 30), ("Minus30", -30)])
def test_a_shift_seen_along_turned_axes(brain, direction, degrees):
    """13 pixels along the turned first axis and 17 along the turned second one are another vector in mm."""
    fixed, moving = brain(f"Border20Direction{direction}.mhd"), brain(f"Shifted13x17yDirection{direction}.mhd")
    result = register(fixed, moving, named("rigid"))
    assert result.ok
    along = fixed.space.linear[:, 1] * 13 + fixed.space.linear[:, 0] * 17
    assert error(result.transform, Affine.translation(along), fixed.space) < PIXELS
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    assert -along == pytest.approx([c * 13 - s * 17, s * 13 + c * 17], abs=1e-4)


def test_pictures_in_turned_headers_meet_in_the_world(brain, data_folder):
    """One picture in a header turned by +30 and one by -30 degrees: together they are 60 degrees apart."""
    fixed, moving = brain("Border20DirectionPlus30.mhd"), brain("Border20DirectionMinus30.mhd")
    truth = Affine(moving.space.matrix @ fixed.space.inverse)
    result = register(fixed, moving, named("rigid"), initial=Affine.rigid(-55.0, centre=fixed.space.centre))
    assert error(result.transform, truth, fixed.space) < PIXELS


@pytest.mark.parametrize(
    "names", [(".png", ".png"), ("DirectionPlus30.mhd", "DirectionPlus30.mhd")], ids=["flat", "turned"]
)
@pytest.mark.parametrize("recipe", ["rigid", "affine"])
def test_another_contrast_of_the_same_brain(data_folder, brain, names, recipe):
    """T1 against proton density, whose noise is not the same, with a shift of a known size."""
    fixed = io.read_image(data_folder / "itk_examples" / f"BrainT1SliceBorder20{names[0]}")
    moving = brain(f"Shifted13x17y{names[1]}")
    along = fixed.space.linear[:, 1] * 13 + fixed.space.linear[:, 0] * 17
    result = register(fixed, moving, named(recipe))
    assert result.ok
    assert error(result.transform, Affine.translation(along), fixed.space) < PIXELS


def test_a_breathing_rat(data_folder):
    """No known answer: two phases of one lung become more alike, without folds."""
    fixed, moving = (io.read_image(data_folder / "itk_examples" / f"RatLungSlice{k}.mha") for k in (1, 2))
    result = register(fixed, moving, named("deformable"))
    assert result.ok
    assert result.quality.loss_after < 0.9 * result.quality.loss_before
