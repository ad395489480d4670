"""What a search is made of: edges without contrast, correlation at all shifts, turns without gaps, ends of stacks."""

import math

import torch

from pullback import ops
from pullback.energy import NCC, Energy, Pair
from pullback.image import Image
from pullback.optimise import LBFGS, Level, Linear, Schedule
from pullback.registration import Optimise, Prepare
from pullback.registration.ends import without_ends
from pullback.registration.initialisation.correlate import Spectra, correlate, padded
from pullback.registration.initialisation.directions import directions
from pullback.registration.initialisation.rotations import even_turns, matching_turns, quarter_turns
from pullback.registration.initialisation.scene import Scene
from pullback.space import Space
from pullback.transforms import Affine


def noise(*shape, seed=0):
    return ops.smooth(torch.randn(1, 1, *shape, generator=torch.Generator().manual_seed(seed)), [1.2] * len(shape))


def test_edges_are_the_same_in_the_negative(dimension):
    image = noise(*(20, 24, 16)[:dimension])
    assert torch.allclose(directions(image), directions(1 - 3 * image), atol=1e-4)


def test_their_product_is_the_cosine_squared_less_a_constant():
    """Ramps, whose normals are known: faint edges aside, n n^T less its trace part."""
    d, angle = 3, 0.7
    x, y, _ = torch.meshgrid(*[torch.arange(12.0)] * 3, indexing="ij")
    one, other = directions(x[None, None]), directions((math.cos(angle) * x + math.sin(angle) * y)[None, None])
    product = (one * other).sum(dim=0)[6, 6, 6]
    unit = (1 / 1.25) ** 2  # all slopes are the mean slope
    assert math.isclose(float(product), unit * (math.cos(angle) ** 2 - 1 / d), abs_tol=0.02)


def test_correlations_at_all_shifts_are_those_of_each_shift():
    f, m = noise(9, 11, seed=1)[0], noise(8, 7, seed=2)[0]
    wf, wm = (torch.rand(n, generator=torch.Generator().manual_seed(5)) for n in ((9, 11), (8, 7)))
    shape = padded((9, 11), (8, 7))
    alike, met = correlate(Spectra(f, wf, shape), Spectra(m, wm, shape), least=3.0)
    for k in ((2, -3), (0, 0), (-4, 5), (1, 4)):
        here = [slice(max(0, s), min(n, s + o)) for s, n, o in zip(k, (9, 11), (8, 7), strict=True)]
        there = [slice(h.start - s, h.stop - s) for h, s in zip(here, k, strict=True)]
        weight, a, b = wf[tuple(here)] * wm[tuple(there)], f[0][tuple(here)], m[0][tuple(there)]
        expected = (weight * a * b).sum() / ((weight * a * a).sum() * (weight * b * b).sum()).sqrt()
        assert torch.allclose(met[k], weight.sum(), atol=1e-4)
        assert torch.allclose(alike[k], expected, atol=1e-3)
    assert float(alike[8, 8]) == -1.0, "one voxel meets: too little"


def test_turns_are_rotations_and_leave_no_gap():
    eye = torch.eye(3, dtype=torch.float64)
    sets = [*quarter_turns(eye).values(), *even_turns(72).values(), *matching_turns(eye, eye).values()]
    assert len(sets) == 24 + 72 + 4
    for turn in sets:
        assert torch.allclose(turn @ turn.T, eye, atol=1e-9)
        assert float(torch.linalg.det(turn)) > 0
    q, r = torch.linalg.qr(torch.randn(500, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    q = q * torch.sign(torch.diagonal(r, dim1=1, dim2=2))[:, None]
    q = q * torch.linalg.det(q)[:, None, None]
    trace = torch.einsum("nij,mij->nm", q, torch.stack(sets))
    nearest = torch.acos(((trace.amax(dim=1) - 1) / 2).clamp(-1, 1)).rad2deg()
    assert float(nearest.max()) < 55


def test_a_scene_scores_a_found_pose_as_it_scores_it_alone():
    """The correlation at all shifts, and the score of the pose that it names, agree but for the grid."""
    space = Space.of_array((22, 28, 24), (6.0, 3.5, 4.0))
    shift = Affine.translation([12.0, -7.0, 8.0])
    data = ops.smooth(noise(22, 28, 24), [1.0, 1.0, 1.0])[0]
    moving = Image(data, Space(space.shape, shift.matrix @ space.matrix))  # the headers say that it lies elsewhere
    scene = Scene.of(*Prepare().pair(Image(data, space), moving, None, None, "cpu"), Affine.identity(3), 24, 0.3)
    found = scene.best_shifts({"none": torch.eye(3, dtype=torch.float64)})[0]
    alone = scene.posed(found.transform, "alone")
    assert math.isclose(found.loss, alone.loss, rel_tol=0.1)
    assert math.isclose(found.met, alone.met, rel_tol=0.1)
    assert float((found.transform.matrix - shift.matrix).abs().max()) < 4.0
    assert scene.posed(Affine.translation([300.0, 0.0, 0.0]), "away") is None


def test_the_end_slices_of_a_thick_stack_do_not_count():
    thick, even = Space.of_array((8, 32, 32), (10.0, 2.0, 2.0)), Space.of_array((8, 8, 8), 2.0)
    image, small = torch.rand(1, 1, 8, 32, 32), torch.rand(1, 1, 8, 8, 8)
    pair = without_ends(Pair(image, image, thick, thick))
    for weight in (pair.fixed_weight, pair.moving_weight):
        assert weight[0, 0, :, 5, 5].tolist() == [0.0, *[1.0] * 6, 0.0]
    assert without_ends(Pair(small, small, even, even)).fixed_weight is None


def test_half_a_slice_is_found_in_a_thick_stack(paint, grid):
    """Both stacks see the middles of thin slices, half a slice apart."""
    space = grid(3, (8.0, 2.4, 2.4))
    shift = Affine.translation(0.5 * space.linear[:, 0])
    pair = Prepare().pair(paint(space, shift), paint(space), None, None, "cpu")
    stage = Optimise(Linear("rigid"), Energy(NCC()), LBFGS(), Schedule((Level(1, 40),), 1e-6))
    found = stage.run(*pair, Affine.identity(3)).transform
    assert float((found(space.centre) - shift(space.centre)).norm()) < 1.0
