import pytest
import torch

import pullback as pb
from pullback.errors import FileFormatError, InputError
from pullback.learn import Grid, all_pairs, from_files


@pytest.fixture
def scans(tmp_path, oblique_space):
    """Eight subjects of unequal shapes: a bright box in each, 4 mm apart in fixed and moving, with labels."""
    for k in range(8):
        space = oblique_space(2, (30 + k, 40))
        middle = space.centre
        for name, shift in (("fixed", 0.0), ("moving", 4.0)):
            gap = (space.grid() - middle - torch.tensor([shift, 0.0])).abs().amax(dim=-1)
            pb.write_image(pb.Image((gap < 6).float()[None], space), tmp_path / f"{k}_{name}.nii.gz")
            pb.write_image(pb.Labels((gap < 6).int(), space), tmp_path / f"{k}_{name}_seg.nii.gz")
    return tmp_path


def lines(folder, rows, name="data.csv"):
    (folder / name).write_text("\n".join(rows) + "\n")
    return folder / name


def test_pairs_are_compared_where_their_headers_say(scans):
    rows = [f"{k}_fixed.nii.gz,{k}_moving.nii.gz,{k}_fixed_seg.nii.gz,{k}_moving_seg.nii.gz,p{k}" for k in range(8)]
    data = from_files(lines(scans, ["fixed,moving,fixed_labels,moving_labels,subject", *rows]))
    assert [len(part) for part in (data.train, data.validation, data.test)] == [6, 1, 1]
    assert data.train.spacing_mm == pytest.approx((0.8, 1.5))  # towards the back, towards the left
    assert data.train.shape == (40, 37)
    batch = data.train.batch([0])
    mass = [(label[0].double() * index).sum() / label[0].sum() for label in (batch.fixed_labels, batch.moving_labels)
            for index in torch.meshgrid(torch.arange(40.0), torch.arange(37.0), indexing="ij")]  # fmt: skip
    apart = torch.stack([(mass[2] - mass[0]) * 0.8, (mass[3] - mass[1]) * 1.5]).norm()
    assert float(apart) == pytest.approx(4.0, abs=0.3)


def test_single_images_of_a_folder_find_their_labels_and_make_any_pair(scans):
    data = from_files(scans, grid_of=Grid((2.0, 2.0), (16, 24)))
    assert data.train.shape == (16, 24)
    assert data.train.labels is not None
    assert len(data.train) == len(data.train.images) ** 2
    assert float(data.train.images.max()) == 1


def test_an_atlas_is_fixed_in_every_pair(scans):
    rows = [f"{k}_moving.nii.gz" for k in range(1, 8)]
    path = lines(scans, ["image", *rows])
    data = from_files(path, atlas=scans / "0_fixed.nii.gz")
    assert {data.train.chosen(k)[0] for k in range(len(data.train))} == {0}
    assert len(all_pairs(path, atlas=scans / "0_fixed.nii.gz")) == 7


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["a,b", "1,2"], "needs the columns"),
        (["image,source"], "needs the columns"),
        (["image"], "no lines"),
        (["image,split", "0_fixed.nii.gz,tomorrow"], "line 2"),
        (["fixed,moving", "0_fixed.nii.gz,"], "line 2"),
        (["image", "nowhere.nii.gz", "1_fixed.nii.gz", "2_fixed.nii.gz"], "nowhere"),
        (["image,subject,split", "0_fixed.nii.gz,p,train", "1_fixed.nii.gz,p,test"], "several parts"),
        (["image", "0_fixed.nii.gz", "1_fixed.nii.gz"], "cannot be split"),
    ],
)
def test_what_is_wrong_with_a_list_is_said(scans, rows, said):
    with pytest.raises((FileFormatError, InputError), match=said):
        from_files(lines(scans, rows))


def test_what_holds_no_images_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match="holds no images"):
        from_files(tmp_path)
    with pytest.raises(FileFormatError, match="cannot read"):
        from_files(tmp_path / "nothing.csv")
