"""Loss, gradient and curvature from one pass: those of the energy, with masks, channels and random places."""

from dataclasses import replace

import pytest
import torch

from pullback.energy import LNCC, MSE, NCC, Diffusion, Energy, MutualInformation, Pair
from pullback.energy.least_squares import is_least_squares, least_squares
from pullback.errors import RecipeError
from pullback.optimise import Linear
from pullback.space import Space
from pullback.transforms import Affine, Displacement

SHAPES = {2: (34, 40), 3: (14, 16, 18)}


def pair(dimension, channels=1, weights=False, scatter=False):
    space = Space.of_array(SHAPES[dimension], (1.5, 1.2, 2.0)[:dimension])
    truth = Affine.similarity(1.03, [3.0, -2.0, 4.0] if dimension == 3 else 5.0, [1.0] * dimension, space.centre)
    waves = torch.tensor([[0.31, 0.12, 0.2], [-0.17, 0.23, -0.1], [0.08, -0.29, 0.3]], dtype=torch.float64)

    def texture(points):
        value = torch.sin(points @ waves[:, :dimension].T).mean(dim=-1).float()
        return torch.stack([0.5 + (k + 1) * value / 4 for k in range(channels)])[None]

    away = None
    if scatter:
        jitter = torch.rand(dimension, *space.shape, generator=torch.Generator().manual_seed(0)) - 0.5
        away = Displacement(jitter, space)
    points = space.grid() if away is None else away(space.grid())
    weight = torch.rand(1, 1, *space.shape, generator=torch.Generator().manual_seed(1)) if weights else None
    mask = (texture(space.grid())[:, :1] > 0.4).float() if weights else None
    return Pair(texture(truth(points)), texture(space.grid()), space, space, weight, mask, scatter=away)


def at_random(dimension, two, freedom="affine"):
    model = Linear(freedom)
    params = model.start(
        two.fixed_space, Affine.rigid([0.0] * (1 if dimension == 2 else 3), dimension=dimension), "cpu"
    )
    generator = torch.Generator().manual_seed(2)
    return model, model.retract(params, torch.randn(len(params.values), generator=generator, dtype=torch.float64))


@pytest.mark.parametrize("similarity", [MSE(), NCC()])
@pytest.mark.parametrize("how", [{}, {"channels": 2}, {"weights": True}, {"scatter": True}])
def test_loss_and_gradient_are_those_of_the_energy(similarity, how, dimension):
    two, energy = pair(dimension, **how), Energy(similarity)
    model, params = at_random(dimension, two)
    build = lambda v: model.build(replace(params, values=v))  # noqa: E731
    loss, gradient, curvature = least_squares(energy, two, build, params.values)
    values = params.values.clone().requires_grad_()
    expected = energy.loss(two, build(values))
    (slope,) = torch.autograd.grad(expected, values)
    assert loss == pytest.approx(float(expected.detach()), rel=1e-4)
    torch.testing.assert_close(gradient, slope, rtol=1e-3, atol=1e-3 * float(slope.abs().max()))
    assert torch.allclose(curvature, curvature.T)
    assert float(torch.linalg.eigvalsh(curvature).min()) > 0


@pytest.mark.parametrize("similarity", [MSE(), NCC()])
def test_near_the_truth_the_curvature_is_the_hessian(similarity):
    space = pair(2).fixed_space
    two = replace(pair(2), fixed=pair(2).moving)  # the identity is the truth
    model = Linear("rigid")
    params = model.start(space, Affine.identity(2), "cpu")
    inner = torch.zeros(1, 1, *space.shape)
    inner[..., 3:-3, 3:-3] = 1
    two = replace(two, fixed_weight=inner)
    build = lambda v: model.build(replace(params, values=v))  # noqa: E731
    at = torch.full((3,), 0.02, dtype=torch.float64)
    _, _, curvature = least_squares(Energy(similarity), two, build, at)
    step = 0.3
    for k in range(3):
        away = torch.zeros(3, dtype=torch.float64)
        away[k] = step
        ahead, back = (least_squares(Energy(similarity), two, build, at + s * away)[0] for s in (1, -1))
        here = least_squares(Energy(similarity), two, build, at)[0]
        assert float(curvature[k, k]) == pytest.approx((ahead + back - 2 * here) / step**2, rel=0.15)


def test_which_energies_it_knows():
    assert is_least_squares(Energy(MSE()))
    assert is_least_squares(Energy(NCC()))
    assert not any(
        is_least_squares(e) for e in (Energy(LNCC()), Energy(MutualInformation()), Energy(MSE(), Diffusion()))
    )


def test_a_deformation_to_start_from_is_refused():
    two = pair(2)
    model = Linear("rigid")
    bent = Displacement(torch.zeros(2, *two.fixed_space.shape), two.fixed_space)
    params = model.start(two.fixed_space, bent, "cpu")
    with pytest.raises(RecipeError, match="an initial transform that is a matrix; got a deformation"):
        least_squares(Energy(MSE()), two, lambda v: model.build(replace(params, values=v)), params.values)
