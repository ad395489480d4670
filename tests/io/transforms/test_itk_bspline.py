"""ITK's B-splines, read and written, against SimpleITK."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from pullback import io
from pullback.errors import InputError
from pullback.optimise import BSpline as Splines
from pullback.space import Space
from pullback.transforms import Affine, BSpline, Composite, Displacement

SIGNS = np.array([-1.0, -1.0, 1.0])


def spline(d, oblique, amplitude=1.0):
    image = sitk.Image([30, 40, 20][:d], sitk.sitkFloat32)
    image.SetSpacing((1.5, 0.8, 2.0)[:d])
    image.SetOrigin((10.0, -20.0, 30.0)[:d])
    image.SetDirection(oblique(d).ravel())
    itk = sitk.BSplineTransformInitializer(image, [5, 6, 4][:d])
    itk.SetParameters(np.random.default_rng(0).uniform(-amplitude, amplitude, len(itk.GetParameters())).tolist())
    return itk, image


def inside(image, d, count=200):
    """Random points of the image's own box, LPS."""
    unit = np.random.default_rng(1).uniform(0, 1, (count, d)) * (np.array(image.GetSize()) - 1)
    return np.array([image.TransformContinuousIndexToPhysicalPoint(v.tolist()) for v in unit])


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("name", ["a.tfm", "a.h5"])
def test_against_itk(path, oblique, d, name):
    itk, image = spline(d, oblique)
    sitk.WriteTransform(itk, path(name))
    ours = io.read_transform(path(name))
    assert isinstance(ours, BSpline)
    points = inside(image, d)
    theirs = np.array([itk.TransformPoint(p.tolist()) for p in points])
    mine = ours(torch.from_numpy(points * SIGNS[:d])).numpy() * SIGNS[:d]
    assert np.abs(theirs - points).max() > 0.3
    assert np.abs(mine - theirs).max() < 1e-6


@pytest.mark.parametrize("d", [2, 3])
def test_itk_reads_what_a_registration_finds(path, oblique_space, smooth_field, points_inside, d):
    """A spline over an image, after nothing and before a matrix: written as it is, and exact between the voxels."""
    space, model = oblique_space(d), Splines(spacing_voxels=4.0)
    params = model.start(space, Affine.rigid(5.0 if d == 2 else [5.0, 2.0, -3.0]), "cpu")
    draw = torch.randn(params.values.shape, generator=torch.Generator().manual_seed(0))
    ours = model.build(model.retract(params, draw))
    io.write_transform(ours, path("a.h5"), onto=space)
    points = points_inside(space, part=1.0)
    itk = sitk.ReadTransform(path("a.h5"))
    theirs = np.array([itk.TransformPoint((p * SIGNS[:d]).tolist()) for p in points.numpy()]) * SIGNS[:d]
    assert np.abs(theirs - points.numpy()).max() > 0.5
    assert np.abs(theirs - ours(points).numpy()).max() < 1e-5
    back = io.read_transform(path("a.h5"))
    assert isinstance(back, Composite)
    assert isinstance(back.parts[1], BSpline)
    assert float((back(points) - ours(points)).abs().max()) < 1e-5


def test_a_spline_that_itk_cannot_hold_becomes_a_field(path, smooth_field):
    space = Space.of_array((20, 24))
    small = Space.of_array((8, 8), 2.0)  # ends within the image
    io.write_transform(BSpline(smooth_field(small, 1.0), small), path("a.h5"), onto=space)
    assert isinstance(io.read_transform(path("a.h5")), Displacement)
    io.write_transform(BSpline(smooth_field(small, 1.0), small), path("a.h5"))
    assert isinstance(io.read_transform(path("a.h5")), BSpline)
    flat = Space.of_array((1, 8, 8))
    with pytest.raises(InputError, match="the BSpline has no formula in ITK's files"):
        io.write_transform(BSpline(torch.zeros(3, 1, 8, 8), flat), path("a.h5"))
    with pytest.raises(InputError, match="one matrix and no"):
        io.write_transform(BSpline(smooth_field(small, 1.0), small), path("a.mat"))


def test_info_tells_of_a_spline(path, smooth_field):
    small = Space.of_array((8, 8), 2.0)
    io.write_transform(BSpline(smooth_field(small, 3.0), small), path("a.h5"))
    facts = io.describe(path("a.h5"))
    assert facts["parts"][0].startswith("BSpline")
    assert facts["largest_displacement_mm"] == pytest.approx(3.0, rel=0.2)
