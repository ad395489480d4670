"""NormalisedGradient: edges that run the same way, whichever side is brighter."""

import pytest
import torch

from pullback.energy import NormalisedGradient
from pullback.space import Space


def ramp(axis, shape=(16, 16)):
    line = torch.linspace(0, 1, shape[axis])
    return line.view([-1 if a == axis else 1 for a in range(2)]).expand(shape)[None, None]


def test_inverted_edges_agree_and_crossed_ones_do_not():
    measure, image = NormalisedGradient(eta=0.001), ramp(0)
    assert float(measure.loss(image, 1 - image)) < 1e-6
    assert float(measure.loss(image, ramp(1))) > 0.99


def test_slopes_below_eta_do_not_count():
    image, other = ramp(0), ramp(1)  # 1/15 for each voxel
    assert float(NormalisedGradient(eta=1.0).loss(image, other)) < 0.02


def test_thick_slices_are_as_steep_in_mm_as_they_are():
    thick = Space.of_array((8, 32), (4.0, 1.0))
    waves = torch.sin(0.3 * (thick.grid() @ torch.tensor([1.0, 2.0], dtype=torch.float64)))
    other = torch.sin(0.3 * (thick.grid() @ torch.tensor([2.0, -1.0], dtype=torch.float64)))
    assert NormalisedGradient().on(thick).ratios == (4.0, 1.0)
    fixed, warped = waves.float()[None, None], other.float()[None, None]
    here, blind = (m.loss(fixed, warped) for m in (NormalisedGradient().on(thick), NormalisedGradient()))
    assert float(here) != pytest.approx(float(blind), rel=1e-3)


def test_what_has_no_weight_makes_no_edge():
    image, weight = ramp(0).clone(), torch.ones(1, 1, 16, 16)
    broken = image.clone()
    broken[..., 5:7], weight[..., 5:7] = 9.0, 0.0
    assert float(NormalisedGradient().loss(image, broken, weight)) < 1e-6
    assert float(NormalisedGradient().loss(image, broken)) > 0.1
