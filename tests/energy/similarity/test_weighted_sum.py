"""A weighted sum is the sum of its terms, each fitted to the grid, each with its weight."""

import torch

from pullback.energy import LNCC, MSE, Term, WeightedSum
from pullback.space import Space


def test_it_is_the_sum_of_its_terms():
    fixed, warped, weight = torch.rand(3, 2, 1, 12, 15, generator=torch.Generator().manual_seed(0))
    both = WeightedSum((Term(LNCC(2), 0.5), Term(MSE(), 10.0)))
    expected = 0.5 * LNCC(2).loss(fixed, warped, weight) + 10.0 * MSE().loss(fixed, warped, weight)
    assert torch.allclose(both.loss(fixed, warped, weight), expected)


def test_every_term_is_fitted_to_the_grid():
    thick = Space.of_array((8, 40, 40), (8.0, 2.0, 2.0))
    fitted = WeightedSum((Term(LNCC(3)), Term(MSE()))).on(thick)
    assert fitted.terms[0].similarity.radii == LNCC(3).on(thick).radii == (1, 3, 3)
