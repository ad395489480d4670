import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pullback.evaluate import nearest
from pullback.evaluate.nearest import distance_map, nearest_distances


def brute_force(cells, others, steps):
    a, b = cells.nonzero().double() @ steps.T, others.nonzero().double() @ steps.T
    return torch.stack([(p - b).norm(dim=1).min() for p in a]) if len(a) else a.new_zeros(0)


@given(
    seed=st.integers(0, 10_000),
    shape=st.lists(st.integers(1, 7), min_size=2, max_size=3),
    spacing=st.lists(st.floats(0.3, 9.0), min_size=3, max_size=3),
)
def test_the_distance_map_is_exact(seed, shape, spacing):
    draw = torch.Generator().manual_seed(seed)
    cells = torch.rand(shape, generator=draw) > 0.8
    cells.view(-1)[0] = True
    steps = torch.diag(torch.tensor(spacing[: len(shape)], dtype=torch.float64))
    everywhere = torch.ones(shape, dtype=torch.bool)
    found = distance_map(cells, spacing[: len(shape)])
    assert torch.allclose(found.flatten(), brute_force(everywhere, cells, steps), atol=1e-9)


@pytest.mark.parametrize("few", [True, False])
@given(seed=st.integers(0, 10_000))
def test_both_ways_agree_with_brute_force(few, seed):
    draw = torch.Generator().manual_seed(seed)
    cells, others = torch.rand(2, 6, 5, 7, generator=draw) > 0.7
    others[0, 0, 0] = True
    turn = torch.linalg.qr(torch.randn(3, 3, generator=draw, dtype=torch.float64)).Q
    steps = turn @ torch.diag(torch.tensor([8.0, 1.5, 1.2], dtype=torch.float64))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest, "MOST_PAIRS", 1e9 if few else 1)
        found = nearest_distances(cells, others, steps)
    assert torch.allclose(found, brute_force(cells, others, steps), atol=1e-9)


def test_oblique_steps():
    draw = torch.Generator().manual_seed(3)
    cells, others = torch.rand(2, 9, 8, generator=draw) > 0.8
    steps = torch.tensor([[1.0, 0.7], [0.0, 2.0]], dtype=torch.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest, "MOST_PAIRS", 50)  # no distance map for these; in parts
        found = nearest_distances(cells, others, steps)
    assert torch.allclose(found, brute_force(cells, others, steps), atol=1e-9)
