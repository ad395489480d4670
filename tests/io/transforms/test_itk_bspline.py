"""ITK's B-splines as dense fields, against SimpleITK."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from pullback import io
from pullback.errors import PullbackWarning
from pullback.io.transforms import itk_bspline
from pullback.transforms import Displacement

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
    assert isinstance(ours, Displacement)
    points = inside(image, d)
    theirs = np.array([itk.TransformPoint(p.tolist()) for p in points])
    mine = ours(torch.from_numpy(points * SIGNS[:d])).numpy() * SIGNS[:d]
    assert np.abs(theirs - points).max() > 0.3
    assert np.abs(mine - theirs).max() < (itk_bspline.ERROR_MM if d == 2 else 5 * itk_bspline.ERROR_MM)


def test_too_large_a_field_is_coarser_and_says_so(path, oblique, monkeypatch):
    itk, image = spline(2, oblique)
    sitk.WriteTransform(itk, path("a.h5"))
    monkeypatch.setattr(itk_bspline, "MOST_VOXELS", 300)
    with pytest.warns(PullbackWarning, match="right to"):
        ours = io.read_transform(path("a.h5"))
    assert ours.space.count <= 300
    points = inside(image, 2)
    theirs = np.array([itk.TransformPoint(p.tolist()) for p in points])
    assert np.abs(ours(torch.from_numpy(points * SIGNS[:2])).numpy() * SIGNS[:2] - theirs).max() < 0.2
