"""A step that is made as a whole is the step that is made piece by piece."""

import pytest
import torch

from pullback import ops
from pullback.energy import LNCC, Energy, Pair
from pullback.optimise import SVF, Greedy, Objective
from pullback.registration.replay import Replay, replay
from pullback.space import Space
from pullback.transforms import Affine

SPACE = Space.of_array((9, 11, 13), (2.0, 1.0, 1.0))


def images(*seeds: int) -> list[torch.Tensor]:
    rough = [torch.rand(1, 1, *SPACE.shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return [ops.smooth(image, [1.0] * 3) for image in rough]


@pytest.mark.parametrize("model", [Greedy(), Greedy(spacing_voxels=2.0), SVF()], ids=["greedy", "coarse", "velocity"])
@pytest.mark.parametrize("covered", [True, False])
def test_the_loss_the_gradient_and_its_length_are_those_of_the_pieces(model, covered):
    pair = Pair(*images(0, 1), SPACE, SPACE, covered=covered)
    compared = Energy(LNCC(2)).on(pair)
    params = model.start(SPACE, Affine.rigid((2.0, 3.0, -4.0)), "cpu")
    whole = Replay(compared, model)
    pieces = Objective(
        lambda p: compared.loss(model.build(p)),
        model,
        lambda p: compared.loss_and_force(model.build(p), p.space),
    )
    for _ in range(4):
        loss, gradient, length = whole(params)
        expected = pieces.value_gradient_length(params)
        assert (loss, length) == (expected[0], pytest.approx(expected[2], rel=1e-6))
        assert torch.equal(gradient, expected[1])
        assert gradient.shape == params.values.shape
        params = model.retract(params, gradient, -0.3 / length)


def test_there_is_nothing_to_replay_on_a_cpu():
    assert replay(Energy(LNCC(2)).on(Pair(*images(0, 1), SPACE, SPACE, covered=True)), Greedy()) is None
