"""Transforms written for ITK's programs, and theirs read: the same points, the same resampled image."""

import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
import SimpleITK as sitk
import torch

from pullback import io
from pullback.errors import FileFormatError, InputError
from pullback.image import Image
from pullback.space import Space
from pullback.transforms import Affine, Composite, Displacement, Inverse, Velocity, resample

SIGNS = np.array([-1.0, -1.0, 1.0])


@pytest.fixture
def fixed(dimension, oblique_space) -> Space:
    return oblique_space(dimension)


@pytest.fixture
def moving(dimension, oblique) -> Image:
    """A smooth blob with a stripe, on another grid than the fixed one: coarser, turned the other way."""
    shape = (20, 26, 30)[3 - dimension :]
    centre = {2: [-3.0, 28.0], 3: [-20.0, 33.0, 60.0]}[dimension]
    linear = oblique(dimension).T @ np.diag([2.2, -1.7, 1.9][:dimension])
    matrix = np.eye(dimension + 1)
    matrix[:-1, :-1] = linear
    matrix[:-1, -1] = np.array(centre) - linear @ ((np.array(shape) - 1) / 2)
    space = Space(shape, torch.from_numpy(matrix))
    at = (space.grid() - torch.tensor(centre, dtype=torch.float64)).norm(dim=-1)
    return Image((100 * torch.exp(-((at / 14) ** 2)) + 20 * torch.sin(at / 3)).float()[None], space)


def to_itk(image: Image, path: Path) -> sitk.Image:
    io.write_image(image, path)
    return sitk.ReadImage(path)


@pytest.fixture
def affine(fixed) -> Affine:
    d = fixed.dimension
    return Affine.similarity(1.07, 9.0 if d == 2 else [5.0, -8.0, 11.0], [3.0, -2.0, 1.5][:d], fixed.centre)


@pytest.fixture
def transforms(fixed, affine, smooth_field):
    """One of each kind, from the fixed grid to near the moving image."""
    field = Displacement(smooth_field(fixed, 4.0), fixed)
    coarse = fixed.resized([max(n // 2, 2) for n in fixed.shape])
    velocity = Velocity(smooth_field(coarse, 4.0, seed=2), coarse)
    return {
        "affine": affine,
        "field": field,
        "affine after field": affine @ field,
        "field after affine": field @ affine,
        "velocity": velocity,
        "affine after velocity": affine @ velocity,
        "inverse": field.inverse(),
        "affine, field, velocity, inverse": affine @ field @ velocity @ field.inverse(),
    }


@pytest.mark.parametrize(
    "kind",
    ["affine", "field", "affine after field", "field after affine", "velocity", "affine after velocity", "inverse",
     "affine, field, velocity, inverse"],
)  # fmt: skip
def test_itk_resamples_to_the_same_image(path, fixed, moving, transforms, kind):
    """The sentence of the README: SimpleITK opens our transform.h5 and gets our image."""
    io.write_transform(transforms[kind], path("transform.h5"), onto=fixed)
    ours = resample(moving, transforms[kind], fixed, outside=-7.0)
    grid = to_itk(Image(torch.zeros(1, *fixed.shape), fixed), path("grid.nii"))
    itk = sitk.Resample(
        to_itk(moving, path("moving.nii")), grid, sitk.ReadTransform(path("transform.h5")), sitk.sitkLinear, -7.0
    )
    theirs = sitk.GetArrayFromImage(itk)
    value_range = float(moving.data.max() - moving.data.min())
    assert float((ours.data != -7).float().mean()) > 0.2
    assert np.abs(theirs - ours.data[0].numpy()).mean() < 1e-4 * value_range
    again = resample(moving, io.read_transform(path("transform.h5")), fixed, outside=-7.0)
    assert float((again.data - ours.data).abs().mean()) < 1e-4 * value_range


@pytest.mark.parametrize("name", ["a.h5", "a.hdf5", "a.tfm", "a.txt", "a.mat"])
def test_matrices_round_trip_and_itk_agrees(path, fixed, affine, points_inside, name):
    io.write_transform(affine, path(name))
    torch.testing.assert_close(io.read_transform(path(name)).matrix, affine.matrix, rtol=0, atol=1e-12)
    if name != "a.hdf5":
        assert_same_points(affine, sitk.ReadTransform(path(name)), points_inside(fixed), 1e-9)


def assert_same_points(ours, itk, world, tolerance):
    signs = SIGNS[: world.shape[-1]]
    theirs = np.array([itk.TransformPoint((p * signs).tolist()) for p in world.numpy()]) * signs
    np.testing.assert_allclose(ours(world).numpy(), theirs, atol=tolerance)


@pytest.mark.parametrize("name", ["a.h5", "a.tfm", "a.mat"])
def test_what_itk_writes(path, fixed, points_inside, name):
    d = fixed.dimension
    itk = sitk.AffineTransform(d)
    itk.SetMatrix((np.eye(d) + np.random.default_rng(0).uniform(-0.2, 0.2, (d, d))).ravel())
    itk.SetTranslation((3.0, -4.0, 5.0)[:d])
    itk.SetCenter((30.0, -20.0, 10.0)[:d])
    sitk.WriteTransform(itk, path(name))
    assert_same_points(io.read_transform(path(name)), itk, points_inside(fixed), 1e-9)


@pytest.mark.parametrize("name", ["a.h5", "a.tfm"])
def test_a_composite_that_itk_writes(path, fixed, moving, points_inside, smooth_field, name):
    """Affine, rigid and field, each about a centre of its own."""
    d = fixed.dimension
    affine = sitk.AffineTransform(d)
    affine.SetMatrix((np.eye(d) + np.random.default_rng(0).uniform(-0.1, 0.1, (d, d))).ravel())
    affine.SetCenter((3.0, -20.0, 10.0)[:d])
    rigid = (
        sitk.Euler2DTransform((1, 2), 0.2, (3, 4))
        if d == 2
        else sitk.Euler3DTransform((1, 2, 3), 0.2, 0.1, -0.3, (4, 5, 6))
    )
    io.write_displacement(Displacement(smooth_field(fixed, 3.0), fixed), fixed, path("field.nii"))
    field = sitk.DisplacementFieldTransform(sitk.ReadImage(path("field.nii"), sitk.sitkVectorFloat64))
    composite = sitk.CompositeTransform([affine, rigid, field])
    sitk.WriteTransform(composite, path(name))
    ours = io.read_transform(path(name))
    assert_same_points(ours, composite, points_inside(fixed), 1e-3)
    grid = to_itk(Image(torch.zeros(1, *fixed.shape), fixed), path("grid.nii"))
    theirs = sitk.GetArrayFromImage(sitk.Resample(to_itk(moving, path("m.nii")), grid, composite, sitk.sitkLinear, 0.0))
    mine = resample(moving, ours, fixed, outside=0.0).data[0].numpy()
    assert np.abs(mine - theirs).mean() < 1e-4 * (theirs.max() - theirs.min())


def test_parts_that_itk_knows_are_written_as_they_are(path, fixed, affine, smooth_field):
    field = Displacement(smooth_field(fixed, 3.0), fixed)
    io.write_transform(affine @ field, path("a.h5"), onto=fixed)
    read = io.read_transform(path("a.h5"))
    assert isinstance(read, Composite)
    torch.testing.assert_close(read.parts[0].matrix, affine.matrix)
    torch.testing.assert_close(read.parts[1].field, field.field, rtol=1e-6, atol=1e-6)
    assert read.parts[1].space.same_as(fixed)
    with h5py.File(path("a.h5")) as file:
        parameters = file["TransformGroup/2/TransformParameters"]
        assert parameters.dtype == np.float32
        assert parameters.chunks is None
        assert "fixed image to points of the moving image" in file.attrs["direction"]


def test_without_a_grid_parts_keep_their_own(path, fixed, affine, smooth_field, points_inside):
    field = Displacement(smooth_field(fixed, 3.0), fixed)
    chain = field @ affine @ field
    io.write_transform(chain, path("a.h5"))
    read = io.read_transform(path("a.h5"))
    assert len(read.parts) == 3
    points = points_inside(fixed)
    torch.testing.assert_close(read(points), chain(points), rtol=0, atol=1e-4)


def test_a_velocity_without_a_grid_takes_its_own(path, fixed, smooth_field, points_inside):
    velocity = Velocity(smooth_field(fixed, 3.0), fixed)
    io.write_transform(velocity, path("a.h5"))
    points = points_inside(fixed)
    torch.testing.assert_close(io.read_transform(path("a.h5"))(points), velocity(points), rtol=0, atol=1e-4)


def test_an_inverse_without_a_grid_is_refused(path, fixed, smooth_field):
    with pytest.raises(InputError, match="pass onto="):
        io.write_transform(Inverse(Displacement(smooth_field(fixed), fixed)), path("a.h5"))
    assert not path("a.h5").exists()


@pytest.mark.parametrize("name", ["a.tfm", "a.mat"])
def test_fields_need_hdf5(path, fixed, smooth_field, name):
    with pytest.raises(InputError, match=r"write \.h5"):
        io.write_transform(Displacement(smooth_field(fixed), fixed), path(name))
    assert not path(name).exists()


def test_a_sheared_grid(path, moving, dimension, smooth_field):
    """ITK reads no sheared images, but it takes fields on sheared grids."""
    matrix = torch.eye(dimension + 1, dtype=torch.float64)
    matrix[0, 1], matrix[:-1, -1] = 0.3, moving.space.centre - 8
    fixed = Space((15, 17, 19)[3 - dimension :], matrix)
    transform = Affine.rigid(10.0 if dimension == 2 else [0, 0, 10.0], centre=fixed.centre) @ Displacement(
        smooth_field(fixed, 2.0), fixed
    )
    io.write_transform(transform, path("a.h5"), onto=fixed)
    points = fixed.grid().reshape(-1, dimension)[::7]
    assert_same_points(transform, sitk.ReadTransform(path("a.h5")), points, 1e-4)
    assert_same_points(io.read_transform(path("a.h5")), sitk.ReadTransform(path("a.h5")), points, 1e-4)


def test_a_field_of_more_than_a_million_numbers(path):
    space = Space.of_array((70, 90, 80))
    wave = Displacement(torch.sin(space.grid().movedim(-1, 0).float() / 9), space)
    io.write_transform(wave, path("a.h5"), onto=space)
    assert torch.equal(io.read_transform(path("a.h5")).field, wave.field)
    sitk.WriteTransform(sitk.ReadTransform(path("a.h5")), path("b.h5"))
    torch.testing.assert_close(io.read_transform(path("b.h5")).field, wave.field)


# ---- containers


def matlab(name, values, fixed, order="<", single=False):
    kind = (1000 if order == ">" else 0) + (10 if single else 0)
    raw = b""
    for label, numbers in ((name, values), ("fixed", fixed)):
        text = label.encode() + b"\0"
        raw += struct.pack(order + "5i", kind, len(numbers), 1, 0, len(text)) + text
        raw += np.array(numbers, order + ("f4" if single else "f8")).tobytes()
    return raw


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("name", ["AffineTransform_double_3_3", "MatrixOffsetTransformBase_float_3_3"])
def test_ants_mat(path, order, single, name):
    """0GenericAffine.mat, as ANTs writes it on different machines."""
    values = [1.1, 0.1, 0, -0.1, 0.9, 0, 0, 0.2, 1, 5, 6, 7]
    path("x0GenericAffine.mat").write_bytes(matlab(name, values, [10, 20, 30], order, single))
    linear, centre = np.array(values[:9]).reshape(3, 3), np.array([10, 20, 30])
    point = np.array([4.0, 5, 6])
    expected = linear @ (point - centre) + centre + values[9:]
    got = io.read_transform(path("x0GenericAffine.mat"))(torch.from_numpy(point * SIGNS)).numpy() * SIGNS
    np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("cut", [10, 30, 100, -1])
def test_a_mat_cut_short(path, cut):
    path("a.mat").write_bytes(matlab("AffineTransform_double_2_2", [1, 0, 0, 1, 2, 3], [0, 0])[:cut])
    with pytest.raises(FileFormatError, match="cannot read"):
        io.read_transform(path("a.mat"))


@pytest.mark.parametrize("name", ["a.mat", "a.txt"])
@pytest.mark.parametrize("text", ["1 0 -10\n0 1 -7\n0 0 1\n", "1, 0, -10\n0, 1, -7 # remark\n\n0, 0, 1"])
def test_bare_matrices_are_ras(path, name, text):
    path(name).write_text(text)
    assert io.read_transform(path(name))(torch.zeros(2)).tolist() == [-10, -7]


@pytest.mark.parametrize(
    ("name", "raw", "words"),
    [
        ("a.mat", b"1 2\n3 4\n", "neither an ITK transform nor"),
        ("a.mat", b"1 0 0\n0 1 0\n0 1 1\n", "last row"),
        ("a.mat", b"1 0 0\n0 1 0\n0 0 nan\n", "finite"),
        ("a.mat", b"\0" * 100, "binary"),
        ("a.mat", b"", "empty"),
        ("a.tfm", b"#Insight Transform File V1.0\nTransform: Affine_double_2_2\n", "cut short"),
        ("a.tfm", b"#Insight Transform File V1.0\nTransform: Affine_double_2_2\nParameters: a b\n", "not numbers"),
        ("a.tfm", b"#Insight Transform File V1.0\nhello\n", "line 'hello'"),
        ("a.tfm", b"text", "neither"),
        ("a.txt", b'(Transform "EulerTransform")\n', "elastix parameter file"),
        ("a.h5", b"\x89HDF\r\n\x1a\n" + b"\0" * 100, "not an HDF5 file"),
        ("a.h5", b"text", "neither"),
        ("a.xyz", b"text", "no transform format that pullback knows"),
        ("a.nii", b"text" * 200, "not a NIfTI"),
    ],
)  # fmt: skip
def test_what_is_refused(path, name, raw, words):
    path(name).write_bytes(raw)
    with pytest.raises(FileFormatError, match=words) as caught:
        io.read_transform(path(name))
    assert str(caught.value).startswith(f"cannot read {path(name)}: ")
    assert "\n" not in str(caught.value)


def test_missing_files(path):
    with pytest.raises(FileFormatError, match="no such file"):
        io.read_transform(path("no.h5"))


def hdf5(path, kind="AffineTransform_double_2_2", parameters=(1.0, 0, 0, 1, 2, 3), fixed=(0.0, 0), prefix="Transform"):
    with h5py.File(path, "w") as file:
        group = file.create_group("TransformGroup/0")
        group["TransformType"] = kind
        group[prefix + "Parameters"] = parameters
        group[prefix + "FixedParameters"] = fixed
    return path


def test_hdf5_of_old_itk_with_its_misspelled_names(path):
    assert io.read_transform(hdf5(path("a.h5"), prefix="Tranform"))(torch.zeros(2)).tolist() == [-2, -3]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"parameters": b"text"}, "not numbers"),
        ({"parameters": (1.0, 2)}, "2 parameters"),
        ({"kind": "Banana_double_2_2"}, "not read"),
    ],
)
def test_hdf5_that_is_wrong(path, content, words):
    with pytest.raises(FileFormatError, match=words):
        io.read_transform(hdf5(path("a.h5"), **content))


def test_hdf5_that_declares_too_much(path):
    with h5py.File(path("a.h5"), "w") as file:
        group = file.create_group("TransformGroup/0")
        group["TransformType"] = "AffineTransform_double_2_2"
        group.create_dataset("TransformParameters", (2**40,), "f4", chunks=(2**20,))
    with pytest.raises(FileFormatError, match="cut short"):
        io.read_transform(path("a.h5"))


def test_hdf5_that_points_at_other_files_is_refused(path):
    path("secret").write_bytes(np.arange(6.0).tobytes())
    with h5py.File(path("a.h5"), "w") as file:
        group = file.create_group("TransformGroup/0")
        group["TransformType"] = "AffineTransform_double_2_2"
        group.create_dataset("TransformParameters", (6,), "f8", external=[(str(path("secret")), 0, 48)])
    with pytest.raises(FileFormatError, match="of the file's own"):
        io.read_transform(path("a.h5"))


def test_hdf5_without_a_transform(path):
    with h5py.File(path("a.h5"), "w") as file:
        file["image"] = np.zeros((3, 3))
    with pytest.raises(FileFormatError, match="no TransformGroup"):
        io.read_transform(path("a.h5"))


@pytest.mark.parametrize("name", ["a.xyz", "a.mha", "a"])
def test_unknown_suffixes_are_not_written(path, name):
    with pytest.raises(InputError, match="no transform format that pullback writes"):
        io.write_transform(Affine.identity(2), path(name))


def test_a_field_file_needs_a_grid(path):
    with pytest.raises(InputError, match="pass onto="):
        io.write_transform(Affine.identity(2), path("a.nii.gz"))
