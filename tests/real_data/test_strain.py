"""Strain of real hearts: nobody knows the truth, but the wall shortens around the cavity and thickens."""

import pytest

from pullback import io
from pullback.cardiac import SECTORS, strain
from pullback.registration import register
from pullback.registration.recipes import named


@pytest.mark.parametrize("name", ["A1D9Z7", "A1E9Q1"])
def test_the_wall_shortens_and_thickens(data_folder, name):
    folder = data_folder / "cardiac_ed_es" / "mms" / name
    ed, es = (io.read_image(folder / f"{name}_{phase}.nii.gz") for phase in ("ED", "ES"))
    labels = io.read_labels(folder / f"{name}_ED_gt.nii.gz")
    result = register(ed, es, named("fast"))
    found = strain(result.transform, labels, wall=2, right=3)  # M&Ms here: 1 LV, 2 wall, 3 RV
    assert -0.25 < found.mean_circumferential < -0.05
    assert 0.1 < found.mean_radial < 0.6
    assert set(found.by_sector(found.circumferential)) == set(SECTORS)
    assert max(found.by_sector(found.circumferential).values()) < 0.02
