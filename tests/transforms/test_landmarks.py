"""Transforms out of landmarks: exact where they are, sensible elsewhere, and refusals in words."""

import pytest
import torch

from pullback.errors import InputError
from pullback.image import Points
from pullback.phantom import known_warp
from pullback.space import Space
from pullback.transforms import Affine, ThinPlateSpline, from_landmarks
from pullback.transforms.affine import rotation
from pullback.transforms.thin_plate import kernel

LINEAR = ("translation", "rigid", "similarity", "affine")


def scattered(space, count, seed=0, part=0.9):
    generator = torch.Generator().manual_seed(seed)
    unit = 0.5 + part * (torch.rand(count, space.dimension, generator=generator, dtype=torch.float64) - 0.5)
    return space.to_world(unit * (torch.tensor(space.shape) - 1))


def map_of(kind, d):
    turn = rotation([25.0] if d == 2 else [20.0, -10.0, 35.0], d)
    stretch = torch.diag(torch.tensor([1.2, 0.9, 1.1][:d], dtype=torch.float64))
    linear = {"translation": torch.eye(d).double(), "rigid": turn, "similarity": 1.3 * turn, "affine": turn @ stretch}
    return Affine.about(linear[kind], [5.0, -7.0, 3.0][:d], [10.0, 20.0, 30.0][:d])


def far(one, other):
    return float((one - other).norm(dim=-1).max())


@pytest.mark.parametrize("kind", LINEAR)
def test_a_linear_map_is_found_again(kind, dimension, oblique_space):
    space, truth = oblique_space(dimension), map_of(kind, dimension)
    points = scattered(space, {"translation": 1, "rigid": dimension, "similarity": dimension}.get(kind, dimension + 1))
    found = from_landmarks(points, truth(points), kind)
    assert isinstance(found, Affine)
    assert far(found.matrix, truth.matrix) < 1e-9
    assert float(torch.linalg.det(from_landmarks(points, -points, kind).linear)) > 0 or kind == "affine"


@pytest.mark.parametrize("kind", LINEAR)
def test_sure_landmarks_count_more(kind, oblique_space):
    space, truth = oblique_space(3), map_of(kind, 3)
    points = scattered(space, 12)
    wrong = truth(points)
    wrong[0] += 10.0
    sigma = torch.ones(12)
    sigma[0] = 100.0
    careful, blind = from_landmarks(points, wrong, kind, sigma), from_landmarks(points, wrong, kind)
    assert far(careful(points[1:]), truth(points[1:])) < 0.02 < 0.2 < far(blind(points[1:]), truth(points[1:]))


def test_no_reflection_even_where_it_would_fit_better():
    flat = torch.tensor([[0.0, 0, 0], [10, 0, 0], [0, 10, 0], [3, 4, 0.1]])
    mirrored = flat * torch.tensor([-1.0, 1, 1])
    for kind in ("rigid", "similarity"):
        assert float(torch.linalg.det(from_landmarks(flat, mirrored, kind).linear)) > 0


def test_a_thin_plate_goes_through_its_landmarks_and_bends_least(dimension, oblique_space):
    space = oblique_space(dimension, (40, 50, 45)[:dimension])
    truth = known_warp(space, seed=2, max_mm=4.0, smoothness_mm=15.0)
    points, others = scattered(space, 25), scattered(space, 100, seed=1, part=0.6)
    found, affine = from_landmarks(points, truth(points), "tps"), from_landmarks(points, truth(points), "affine")
    assert far(found(points), truth(points)) < 1e-3
    error, before = ((t(others) - truth(others)).norm(dim=1).mean() for t in (found, affine))
    assert float(error) < 0.75 * float(before)
    there_and_back = found.inverse()(found(others))
    assert far(there_and_back, others) < 5e-4
    spline = found.parts[-1]
    assert float(spline.weights.sum(dim=0).abs().max()) < 1e-5 * float(spline.weights.abs().sum())
    assert isinstance(from_landmarks(points, map_of("affine", dimension)(points), "tps"), Affine), "nothing to bend"


def test_it_satisfies_the_equations_of_bookstein():
    """Against the same system, written out and solved: 2-D, U = r^2 log r."""
    points = torch.tensor([[0.0, 1.0], [-1.0, 0.0], [0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    moved = points + torch.tensor([[0.0, -0.5], [0.0, 0.5], [0.0, -0.5], [0.0, 0.5]])
    radius = torch.cdist(points, points)
    u = torch.where(radius > 0, radius**2 * radius.clamp(min=1e-300).log(), 0.0)
    p = torch.cat([torch.ones(4, 1), points], dim=1)
    system = torch.cat([torch.cat([u, p], dim=1), torch.cat([p.T, torch.zeros(3, 3)], dim=1)]).double()
    w = torch.linalg.solve(system, torch.cat([moved, torch.zeros(3, 2)]).double())
    at = torch.tensor([[0.3, 0.4], [2.0, -1.0]], dtype=torch.float64)
    away = (at[:, None] - points).norm(dim=-1)
    expected = (away**2 * away.log()) @ w[:4] + torch.cat([torch.ones(2, 1), at], dim=1).double() @ w[4:]
    assert far(from_landmarks(points, moved, "tps")(at), expected) < 1e-6
    assert float(kernel(torch.zeros(1, 2))) == pytest.approx(0.0, abs=1e-20)


@pytest.mark.parametrize("kind", ["tps", "bspline"])
def test_uncertain_landmarks_are_smoothed_over(kind, oblique_space):
    space = oblique_space(2, (40, 50))
    truth = known_warp(space, seed=2, max_mm=5.0, smoothness_mm=15.0)
    points, others = scattered(space, 60), scattered(space, 200, seed=1, part=0.7)
    noise = torch.randn(60, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    noisy = truth(points) + noise
    met, near = (from_landmarks(points, noisy, kind, sigma, space) for sigma in (None, 1.0))
    errors = [float((t(others) - truth(others)).norm(dim=1).mean()) for t in (met, near)]
    assert errors[1] < 0.8 * errors[0]
    sigma = torch.full((60,), 3.0)
    sigma[:5] = 0.0
    mixed = from_landmarks(points, noisy, kind, sigma, space)
    left = (mixed(points) - noisy).norm(dim=1)
    assert float(left[:5].mean()) < 0.2 * float(left[5:].mean())


def test_a_spline_comes_near_its_landmarks_and_keeps_to_a_slice(dimension, oblique_space):
    space = oblique_space(dimension, (40, 50, 45)[:dimension])
    truth = known_warp(space, seed=2, max_mm=4.0, smoothness_mm=15.0)
    points, others = scattered(space, 40), scattered(space, 100, seed=1, part=0.6)
    found = from_landmarks(points, truth(points), "bspline", onto=space)
    affine = from_landmarks(points, truth(points), "affine")
    assert far(found(points), truth(points)) < 0.3 * far(affine(points), truth(points))
    assert float((found(others) - truth(others)).norm(dim=1).mean()) < 0.7 * float(
        (affine(others) - truth(others)).norm(dim=1).mean()
    )
    assert float(found.parts[-1].jacobian(space).min()) > 0
    if dimension == 3:
        flat = Space((1, *space.shape[1:]), space.matrix)
        here = scattered(flat, 20)
        there = here + 2 * torch.sin(0.2 * here[:, :1]) * space.linear[:, 2] / space.spacing[2]
        bent = from_landmarks(here, there, "bspline", onto=flat)
        assert float(flat.to_voxels(bent(flat.grid()))[..., 0].abs().max()) < 1e-4


def test_landmarks_beyond_the_grid_are_met_too(oblique_space):
    space = oblique_space(2)
    points = scattered(space, 30, part=2.0)
    moved = points + torch.sin(0.05 * points.flip(1))
    found = from_landmarks(points, moved, "bspline", onto=space)
    assert far(found(points), moved) < 0.3


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("fixed", "moving", "kind", "said"),
    [
        ([[0, 0]], [[0, 0], [1, 1]], "rigid", "1 of 2 coordinates fixed and 2 of 2 coordinates moving"),
        ([[0, 0]], [[1, 1]], "rigid", "needs two landmarks; the 1 fixed"),
        ([[0, 0, 0], [1, 1, 1], [2, 2, 2]], [[0, 0, 0], [1, 1, 1], [2, 2, 2]], "similarity", "not on one line"),
        ([[0, 0], [1, 1], [2, 2]], [[0, 0], [1, 0], [2, 2]], "affine", "needs 3 landmarks that are not on one line"),
        ([[0, 0], [1, 0]], [[0, 0], [1, 0]], "tps", "choose rigid or similarity"),
        ([[0, 0], [1, 0], [0, 1]], [[0, 0], [1, 0], [0, 1]], "bspline", "needs the grid of the fixed image"),
        ([[0, 0], [1, 0], [0, 1], [0, 0]], [[0, 0], [1, 0], [0, 1], [1, 1]], "tps", "at the same place"),
        ([[0, float("nan")]], [[0, 0]], "translation", "fixed landmarks hold NaN"),
        ([0, 1], [0, 1], "translation", r"must be \(N, 2\) or \(N, 3\)"),
        ([[0, 0]], [[0, 0]], "spline", "choose one of translation, rigid"),
    ],
)
def test_landmarks_that_cannot_be_used_are_refused(fixed, moving, kind, said):
    with pytest.raises(InputError, match=said):
        from_landmarks(fixed, moving, kind)


def test_bad_uncertainties_and_grids_are_refused(oblique_space):
    corners = Points(torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]]))
    for sigma in (-1.0, [1.0, 2.0], float("nan"), float("inf")):
        with pytest.raises(InputError, match="sigma_mm must be one number >= 0, or one for each of the 3"):
            from_landmarks(corners, corners, "rigid", sigma)
    with pytest.raises(InputError, match="landmarks are 2D but the grid is 3D"):
        from_landmarks(corners, corners, "bspline", onto=oblique_space(3))
    with pytest.raises(InputError, match="as many weights as knots"):
        ThinPlateSpline(torch.zeros(3, 2), torch.zeros(2, 2))
