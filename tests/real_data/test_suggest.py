"""Real pairs get the recipe of their kind where none is named."""

import pytest

import pullback as pb

SLICE = "ixi_t1t2_2d/IXI002-Guys-0828-{}_slice90.nii.gz"
OASIS = "oasis_trt_2d/Atlases/OASIS-TRT-20-{}_slice118.nii.gz"
PROSTATE = "deepreg_mr_trus/{}_images/case000003.nii.gz"
ACDC = "cardiac_ed_es/acdc/patient001/patient001_frame{}.nii.gz"


@pytest.mark.filterwarnings("ignore::pullback.errors.PullbackWarning")  # ACDC's headers contradict themselves
@pytest.mark.parametrize(
    ("fixed", "moving", "recipe"),
    [
        (ACDC.format("01"), ACDC.format("12"), "cardiac-sax"),
        (OASIS.format("4"), OASIS.format("8"), "deformable"),
        (SLICE.format("T1"), SLICE.format("T2"), "cardiac-multimodal"),
        ("antspy/mni.nii.gz", "antspy/ch2.nii.gz", "deformable"),
        (PROSTATE.format("fixed"), PROSTATE.format("moving"), "prostate-mr-us"),
    ],
)
def test_pairs_of_one_and_of_two_contrasts(fixed, moving, recipe, data_folder):
    assert pb.suggest(data_folder / fixed, data_folder / moving).recipe == recipe


@pytest.mark.parametrize("case", ["3003", "3006", "3007"])
def test_cine_and_t2(case, data_folder):
    c0, t2 = (f"{data_folder}/derived_seedlike/seedlike_Case{case}.npz:{key}" for key in ("C0", "T2_transformed"))
    assert pb.suggest(c0, t2).recipe == "cardiac-multimodal"
    assert pb.suggest(c0, c0).recipe == "deformable"
