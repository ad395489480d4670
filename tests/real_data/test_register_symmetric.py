"""A real heart, end-systole on end-diastole, from the middle: either way round alike, and the labels agree."""

import warnings

import pytest

from pullback import io
from pullback.errors import PullbackWarning
from pullback.evaluate import mean_dice
from pullback.registration import register
from pullback.registration.recipes import named
from pullback.transforms import Affine, resample_labels


@pytest.mark.slow
def test_the_longitudinal_recipe_on_a_heart(data_folder):
    folder = data_folder / "cardiac_ed_es" / "acdc" / "patient001"
    with warnings.catch_warnings():  # the sform contradicts the voxel sizes; that is told once for each file
        warnings.simplefilter("ignore", PullbackWarning)
        ed, es = (io.read_image(folder / f"patient001_frame{n}.nii.gz") for n in ("01", "12"))
        ed_labels, es_labels = (io.read_labels(folder / f"patient001_frame{n}_gt.nii.gz") for n in ("01", "12"))
    there, back = register(ed, es, named("longitudinal")), register(es, ed, named("longitudinal"))
    assert there.ok
    assert there.quality.fold_percent == 0
    gap = back.transform.displace(ed.space, there.transform.displace(ed.space)).norm(dim=0)
    assert float(gap.max()) < 0.01
    before, after = (
        mean_dice(ed_labels, resample_labels(es_labels, t, ed.space)) for t in (Affine.identity(3), there.transform)
    )
    assert after > before + 0.1
