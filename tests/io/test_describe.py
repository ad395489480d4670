"""What `pullback info` shows."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch

from pullback import io
from pullback.errors import FileFormatError
from pullback.image import Image, Points
from pullback.io.describe import orientation
from pullback.space import Space
from pullback.transforms import Affine, Displacement


def test_an_image(path, direction):
    affine = np.eye(4)
    affine[:3, :3] = direction * [1.5, 2, 3]
    nib.save(nib.Nifti1Image(np.arange(120, dtype=np.int16).reshape(6, 5, 4) - 7, affine), path("a.nii.gz"))
    facts = io.describe(path("a.nii.gz"))
    assert facts["kind"] == "image"
    assert facts["format"] == "NIfTI-1"
    assert facts["shape"] == [4, 5, 6]
    assert facts["spacing"] == [3.0, 2.0, 1.5]
    assert facts["range"] == [-7, 112]
    assert (facts["dtype"], facts["channels"], facts["frames"]) == ("int16", 1, 1)
    assert facts["orientation"] == "".join(nib.aff2axcodes(affine))[::-1]
    assert facts["warnings"] == []
    json.dumps(facts)


def test_an_oblique_image_is_named_after_the_nearest_axes():
    turn = Affine.rigid([20.0, -10, 30]).linear
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3] = turn @ Space.of_array((4, 5, 6)).linear
    assert orientation(Space((4, 5, 6), matrix)) == "SPL"
    assert orientation(Space.of_array((4, 5))) == "PL"


def test_frames_and_warnings(path):
    array = np.ones((6, 5, 4, 3), np.float32)
    array[0, 0, 0, 0] = np.nan
    image = nib.Nifti1Image(array, np.diag([-1, -1, 1, 1]))
    image.header["pixdim"][1:4] = [1.5, 1.5, 10]
    nib.save(image, path("a.nii"))
    raw = bytearray(path("a.nii").read_bytes())
    raw[80:92] = np.array([1.5, 1.5, 10], "<f4").tobytes()
    path("a.nii").write_bytes(raw)
    facts = io.describe(path("a.nii"))
    assert facts["frames"] == 3
    assert facts["range"] == [1.0, 1.0]
    assert len(facts["warnings"]) == 2
    assert "its sform says" in facts["warnings"][0]
    assert facts["warnings"][1] == "1 values are not finite"


def test_an_array_by_its_key(path):
    np.savez(path("a.npz"), one=np.eye(3), two=np.eye(4))
    assert io.describe(f"{path('a.npz')}:two")["shape"] == [4, 4]
    assert not io.describe(f"{path('a.npz')}:two")["placed"]


def test_a_matrix(path):
    io.write_transform(Affine.similarity(1.1, [10.0, 0, 0]), path("a.tfm"))
    facts = io.describe(path("a.tfm"))
    assert (facts["kind"], facts["dimension"]) == ("transform", 3)
    assert facts["determinant"] == pytest.approx(1.1**3)
    assert len(facts["matrix"]) == 4
    json.dumps(facts)


@pytest.mark.parametrize("name", ["a.h5", "a.nii.gz"])
def test_a_field(path, name, dimension, oblique_space, smooth_field):
    space = oblique_space(dimension)
    field = Displacement(smooth_field(space, 3.0), space)
    io.write_transform(field, path(name), onto=space)
    facts = io.describe(path(name))
    assert facts["kind"] == "transform"
    assert facts["largest_displacement_mm"] == pytest.approx(3.0, rel=1e-4)
    jacobian = field.jacobian()
    assert facts["jacobian"] == pytest.approx([float(jacobian.min()), float(jacobian.max())], abs=1e-4)
    assert facts["folded"] == 0
    assert facts["grid"]["shape"] == list(space.shape)
    json.dumps(facts)


def test_a_matrix_after_a_field(path, oblique_space, smooth_field):
    space = oblique_space(2)
    shift = Affine.translation([100.0, 0])
    io.write_transform(shift @ Displacement(smooth_field(space, 3.0), space), path("a.h5"), onto=space)
    facts = io.describe(path("a.h5"))
    assert len(facts["parts"]) == 2
    assert 97 < facts["largest_displacement_mm"] < 103


def test_a_colour_image_is_an_image(path):
    io.write_image(Image(torch.zeros(3, 4, 5), Space.of_array((4, 5))), path("a.nii.gz"))
    assert io.describe(path("a.nii.gz"))["kind"] == "image"


def test_points(path):
    io.write_points(Points(torch.tensor([[1.0, 2, 3], [-4, 5, 6]])), path("p.csv"))
    facts = io.describe(path("p.csv"))
    assert (facts["kind"], facts["count"], facts["dimension"]) == ("points", 2, 3)
    assert facts["lowest"] == [-4, 2, 3]


@pytest.mark.parametrize("name", ["no.nii.gz", "no.h5", "no.csv", "no"])
def test_missing_files(path, name):
    with pytest.raises(FileFormatError, match="no such file"):
        io.describe(path(name))
