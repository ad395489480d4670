"""Real series: a cine of one slice, and a mapping series whose contrast changes."""

import numpy as np
import pytest
import torch

import pullback as pb
from pullback.registration.group import PCA2, group_cost, register_group
from pullback.registration.recipes import named


def test_a_real_cine_comes_back_to_where_it_began(data_folder):
    """A patient's slice, cropped around the heart: 17 frames, end-diastolic labels."""
    folder = data_folder / "cinemyops"
    frames = sorted((folder / "image").glob("Case1002_s05_*.nii.gz"))
    labels = pb.read_labels(folder / "label" / "Case1002_s05.nii.gz")
    result = pb.track(frames, labels=labels, threads=1)
    assert result.ok
    assert result.motion.drift_mm < 1.5
    t, motion = result.motion.farthest_frame, result.motion.mean_mm
    assert 6 <= t <= 11  # end of systole, a little after a third of the beat
    assert motion[t] > 4
    assert motion[-1] < 0.6 * motion[t]
    fixed, moving, warped = (i.data for i in (result.fixed, result.frames[t], result.warped(t)))
    inside = labels.data > 0
    assert float((warped - fixed)[0][inside].abs().mean()) < 0.6 * float((moving - fixed)[0][inside].abs().mean())


@pytest.mark.slow
def test_patterns_of_recovery_explain_more_of_a_mapping_series_once_it_lies_still(data_folder):
    """MOLLI of the kidneys, free breathing: 8 inversion times."""
    with np.load(data_folder / "mdreg_molli" / "MOLLI.npz", allow_pickle=False) as archive:
        series = archive["array"][:, :, 1].astype(np.float32)
    images = [pb.Image.of(np.ascontiguousarray(series[..., t].T), 1.5) for t in range(8)]
    unexplained = {}
    for cost in ("variance", "pca2", "nuclear"):
        result = register_group(images, named("group"), group_cost(cost))
        assert result.ok
        warped = torch.stack([i.data for i in result.each_warped()])
        unexplained[cost] = float(PCA2().loss(warped))
    before = float(PCA2().loss(torch.stack([i.data for i in images])))
    assert max(unexplained["pca2"], unexplained["nuclear"]) < 0.8 * before < unexplained["variance"]
