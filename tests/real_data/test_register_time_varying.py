"""A real heart along a path of velocities: its labels agree as well as with one velocity, and the way back is kept."""

import warnings

import pytest

from pullback import io
from pullback.energy import LNCC, Energy
from pullback.errors import PullbackWarning
from pullback.evaluate import mean_dice
from pullback.optimise import SVF, GradientDescent, Level, Schedule, TimeVaryingVelocity
from pullback.registration import AlignCentres, Optimise, Recipe, register
from pullback.transforms import Affine, resample_labels


@pytest.mark.slow
def test_a_heart_at_the_end_of_systole_is_brought_back(data_folder):
    folder = data_folder / "cardiac_ed_es" / "acdc" / "patient001"
    with warnings.catch_warnings():  # the sform contradicts the voxel sizes; that is told once for each file
        warnings.simplefilter("ignore", PullbackWarning)
        ed, es = (io.read_image(folder / f"patient001_frame{n}.nii.gz") for n in ("01", "12"))
        ed_labels, es_labels = (io.read_labels(folder / f"patient001_frame{n}_gt.nii.gz") for n in ("01", "12"))
    points = ed.space.to_world((ed_labels.data > 0).nonzero()[::50].double())
    overlaps = [mean_dice(ed_labels, resample_labels(es_labels, Affine.identity(3), ed.space))]
    gaps = []
    for model in (SVF(), TimeVaryingVelocity()):
        schedule = Schedule((Level(4, 60), Level(2, 40)))
        stages = (AlignCentres(), Optimise(model, Energy(LNCC()), GradientDescent(0.5), schedule))
        found = register(ed, es, Recipe("one", "", stages))
        assert found.ok
        assert found.quality.fold_percent == 0
        overlaps.append(mean_dice(ed_labels, resample_labels(es_labels, found.transform, ed.space)))
        back = found.transform.inverse()(found.transform(points))
        gaps.append(float((back - points).norm(dim=-1).mean()))
    before, one, many = overlaps
    assert many > before + 0.1
    assert many > one - 0.01
    assert gaps[1] < 0.1 * 2 * ed.space.finest  # a tenth of a voxel of its last level
    assert gaps[1] < 1.1 * gaps[0]
