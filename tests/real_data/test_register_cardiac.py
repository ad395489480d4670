"""Hearts that beat: end-systole on end-diastole by labels, and a real-time cine from frame to frame."""

import warnings
from pathlib import Path

import pytest
import torch

from pullback import io
from pullback.errors import PullbackWarning
from pullback.evaluate import dice
from pullback.image import Image, Labels
from pullback.registration import register
from pullback.registration.recipes import named
from pullback.transforms import Affine, resample_labels

MOST_FOLDING_PERCENT = 0.5
ACDC = [f"acdc/patient{n}" for n in ("001", "002", "021", "022", "023")]
MMS = [f"mms/{n}" for n in ("A0S9V9", "A1D0Q7", "A1D9Z7", "A1E9Q1", "A1O8Z3")]
CMRXMOTION = [f"cmrxm22/P00{person}-{level}" for person in (1, 2) for level in (1, 2, 3, 4)]


def paths(folder: Path) -> list[Path]:
    """End-diastole, end-systole, and the labels of both."""
    name, kind = folder.name, folder.parent.name
    if kind == "acdc":
        first, second = sorted(folder.glob("*_frame??.nii.gz"))
        return [first, second, *(f.with_name(f.name.replace(".nii.gz", "_gt.nii.gz")) for f in (first, second))]
    if kind == "mms":
        return [folder / f"{name}_{end}.nii.gz" for end in ("ED", "ES", "ED_gt", "ES_gt")]
    return [folder / f"{name}-{end}.nii.gz" for end in ("ED", "ES", "ED-label", "ES-label")]


def heart(folder: Path) -> tuple[Image, Image, Labels, Labels]:
    with warnings.catch_warnings():  # ACDC's sform contradicts its voxel sizes; that is told once for each file
        warnings.simplefilter("ignore", PullbackWarning)
        ed, es, ed_labels, es_labels = paths(folder)
        return io.read_image(ed), io.read_image(es), io.read_labels(ed_labels), io.read_labels(es_labels)


def mean_of_three(fixed: Labels, warped: Labels) -> float:
    """Mean Dice over right ventricle, myocardium and left ventricle."""
    scores = dice(fixed, warped)
    assert set(scores) == {1, 2, 3}
    return sum(scores.values()) / 3


@pytest.mark.slow
@pytest.mark.parametrize("names", [ACDC, MMS, CMRXMOTION], ids=["ACDC", "M&Ms", "CMRxMotion"])
def test_end_systole_is_brought_onto_end_diastole(data_folder, names):
    before, after = [], []
    for name in names:
        ed, es, ed_labels, es_labels = heart(data_folder / "cardiac_ed_es" / name)
        result = register(ed, es, named("cardiac-sax"))
        assert result.ok, name
        assert result.quality.fold_percent < MOST_FOLDING_PERCENT, name
        before.append(mean_of_three(ed_labels, resample_labels(es_labels, Affine.identity(3), ed.space)))
        after.append(mean_of_three(ed_labels, resample_labels(es_labels, result.transform, ed.space)))
        assert after[-1] > before[-1] + 0.03, name
    count = len(names)
    assert sum(after) / count > sum(before) / count + 0.12, (
        before,
        after,
    )  # identity is about 0.6; readers agree at 0.9


@pytest.mark.parametrize("name", [ACDC[0], MMS[0], CMRXMOTION[0]])
def test_a_heart_on_itself_stays_still(data_folder, name):
    ed, *_ = heart(data_folder / "cardiac_ed_es" / name)
    motion = register(ed, ed, named("cardiac-sax")).transform.displace(ed.space).norm(dim=0)
    assert float(motion.mean()) < 0.05 * ed.space.finest
    assert float(motion.max()) < 0.5 * ed.space.finest


@pytest.mark.parametrize(("one", "other"), [(0, 1), (8, 9), (15, 16), (31, 0)])
def test_a_real_time_cine_goes_from_frame_to_frame(data_folder, one, other):
    path = data_folder / "cine_rt_stack" / "rt_cine_4d_heart_crop.nii.gz"
    fixed, moving = io.read_image(path, frame=one), io.read_image(path, frame=other)
    result = register(fixed, moving, named("cardiac-sax"))
    assert result.ok
    assert result.quality.fold_percent < MOST_FOLDING_PERCENT
    inside = (slice(None), slice(1, -1), slice(4, -4), slice(4, -4))
    left, right = (float((image.data - fixed.data)[inside].abs().mean()) for image in (moving, result.warped))
    assert right < 0.85 * left
    assert result.quality.displacement_mm < 12, "36 ms apart nothing of a heart goes farther"


def test_frames_in_one_file_agree_with_frames_by_themselves(data_folder):
    """2.5D: every slice of a cine may be registered as an image of its own; it stays in its plane."""
    path = data_folder / "cine_rt_stack" / "rt_cine_4d_heart_crop.nii.gz"
    frames = [io.read_image(path, frame=t) for t in (0, 8)]
    slices = [Image(f.data[:, 7:8], f.space.crop((7, 0, 0), (8, *f.space.shape[1:]))) for f in frames]
    result = register(*slices, named("cardiac-sax"))
    assert result.ok
    motion = result.transform.displace(slices[0].space)
    across = slices[0].space.linear[:, 0].to(motion) / slices[0].space.spacing[0]
    assert float(motion.norm(dim=0).max()) > 2
    assert float(torch.einsum("i,i...->...", across, motion).abs().max()) < 0.01
