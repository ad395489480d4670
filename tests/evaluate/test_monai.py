"""Our figures beside those of MONAI, where it is installed: the same overlap, and distances as its convention says."""

import math
import warnings

import numpy as np
import pytest
import torch
from scipy import ndimage

from pullback.evaluate import dice, jaccard, surface_distances
from pullback.image import Labels

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its other optional parts
    metrics = pytest.importorskip("monai.metrics", reason="MONAI is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of MONAI about itself
FLAT, SOLID = (60, 70), (24, 30, 26)
CASES = [(FLAT, (1.0, 1.0)), (FLAT, (2.0, 1.0)), (SOLID, (1.0, 1.0, 1.0)), (SOLID, (3.0, 1.2, 2.0))]
every_case = pytest.mark.parametrize(("shape", "spacing"), CASES)


def shapes(seed, shape):
    noise = np.random.default_rng(seed).standard_normal((2, *shape))
    smooth = ndimage.gaussian_filter(noise, (0, *[3] * len(shape)))
    return [(x / x.std() > 0.3).astype(np.int16) for x in smooth]


def theirs(name, a, b, **options):
    one, other = (torch.from_numpy(x[None, None].astype(np.float32)) for x in (a, b))
    return float(getattr(metrics, f"compute_{name}")(one, other, include_background=True, **options))


def by_voxels(a, b, spacing):
    """Distances of edge voxels, centre to centre, each counted once: MONAI's convention, written again."""
    masks = [np.pad(x > 0, 1) for x in (a, b)]
    here, there = (mask & ~ndimage.binary_erosion(mask) for mask in masks)
    return [
        ndimage.distance_transform_edt(~goal, sampling=spacing)[start] for start, goal in ((here, there), (there, here))
    ]


@every_case
@pytest.mark.parametrize("seed", range(3))
def test_overlap_is_the_same(seed, shape, spacing):
    a, b = shapes(seed, shape)
    ours = Labels.of(a, spacing), Labels.of(b, spacing)
    assert dice(*ours)[1] == pytest.approx(theirs("dice", a, b), abs=1e-6)
    assert jaccard(*ours)[1] == pytest.approx(theirs("iou", a, b), abs=1e-6)


@every_case
@pytest.mark.parametrize("seed", range(3))
def test_distances_differ_by_the_convention_alone(seed, shape, spacing):
    """Theirs are those of edge voxels; ours are within a voxel of them, and count surface by its area."""
    a, b = shapes(seed, shape)
    found = surface_distances(Labels.of(a, spacing), Labels.of(b, spacing))[1]
    directed = by_voxels(a, b, spacing)
    whole = max(d.max() for d in directed)
    assert whole == pytest.approx(theirs("hausdorff_distance", a, b, spacing=spacing), rel=1e-5)
    assert max(np.percentile(d, 95) for d in directed) == pytest.approx(
        theirs("hausdorff_distance", a, b, spacing=spacing, percentile=95), rel=1e-5
    )
    mean = theirs("average_surface_distance", a, b, spacing=spacing, symmetric=True)
    assert np.concatenate(directed).mean() == pytest.approx(mean, rel=1e-5)
    assert abs(found.hausdorff() - whole) <= math.hypot(*spacing)
    assert found.mean == pytest.approx(mean, abs=0.5 * math.hypot(*spacing))


@every_case
def test_parallel_surfaces_are_as_far_apart_for_both(shape, spacing):
    """Two slabs: no slope, hence no question of convention."""
    a, b = np.zeros(shape, dtype=np.int16), np.zeros(shape, dtype=np.int16)
    a[:9], b[:13] = 1, 1
    found = surface_distances(Labels.of(a, spacing), Labels.of(b, spacing))[1]
    assert found.hausdorff() == pytest.approx(4 * spacing[0])
    assert theirs("hausdorff_distance", a, b, spacing=spacing) == pytest.approx(4 * spacing[0])
