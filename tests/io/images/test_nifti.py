"""NIfTI against nibabel and SimpleITK: numbers and places, read and written."""

import gzip

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given
from hypothesis import strategies as st

from pullback import io
from pullback.errors import FileFormatError, PullbackWarning
from pullback.image import Image
from pullback.io.images.nifti_geometry import from_quaternion, to_quaternion
from pullback.io.images.nifti_header import NIFTI1
from pullback.space import Space

NUMBERS = np.random.default_rng(5).integers(-9, 100, (6, 5, 4))  # i, j, k
SHORTS = NUMBERS.astype(np.int16)


def save(path, array=SHORTS, affine=None):
    nib.save(nib.Nifti1Image(array, np.diag([1.5, 2.0, 3.0, 1.0]) if affine is None else affine), path)
    return path


def assert_same_as_nibabel(image: Image, path, tolerance_mm=1e-3):
    theirs = nib.load(path)
    np.testing.assert_allclose(image.data[0].numpy(), theirs.get_fdata().T.reshape(image.space.shape), rtol=1e-6)
    ijk = np.array([[0, 0, 0], [5, 0, 0], [0, 4, 0], [0, 0, 3], [5, 4, 3]])
    ours = image.space.to_world(torch.tensor(ijk[:, ::-1].copy(), dtype=torch.float64)).numpy()
    np.testing.assert_allclose(ours, nib.affines.apply_affine(theirs.affine, ijk), atol=tolerance_mm)


# ---- numbers


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("version", [nib.Nifti1Image, nib.Nifti2Image])
def test_every_type_and_byte_order(path, kind, order, version):
    array = np.abs(NUMBERS).astype(order + kind)
    image = version(array, np.eye(4), version.header_class(endianness=order))
    image.set_data_dtype(array.dtype)
    nib.save(image, path("a.nii"))
    read = io.read_image(path("a.nii"))
    assert read.data.dtype == torch.float32
    np.testing.assert_array_equal(read.data[0].numpy(), array.T)


def test_slope_and_intercept(path):
    image = nib.Nifti1Image(NUMBERS.astype(np.int16), np.eye(4))
    image.header.set_slope_inter(0.25, -7)
    nib.save(image, path("a.nii.gz"))
    assert io.read_image(path("a.nii.gz")).data[0].numpy() == pytest.approx(nib.load(path("a.nii.gz")).get_fdata().T)


@pytest.mark.parametrize("slope", [0.0, np.nan, np.inf])
def test_a_slope_that_means_none(path, slope):
    save(path("a.nii"))
    patch(path("a.nii"), scl_slope=slope, scl_inter=5)
    np.testing.assert_array_equal(io.read_image(path("a.nii")).data[0].numpy(), NUMBERS.T)


@pytest.mark.parametrize(("kind", "channels"), [([("R", "u1"), ("G", "u1"), ("B", "u1")], 3)])
def test_colour_becomes_channels(path, kind, channels):
    rgb = np.zeros((6, 5, 4), dtype=kind)
    rgb["R"], rgb["G"], rgb["B"] = 1, NUMBERS % 7, 3
    nib.save(nib.Nifti1Image(rgb, np.eye(4)), path("a.nii"))
    read = io.read_image(path("a.nii"))
    assert read.channels == channels
    np.testing.assert_array_equal(read.data[1].numpy(), (NUMBERS % 7).T)


def test_a_pair_of_files(path):
    nib.save(nib.Nifti1Pair(NUMBERS.astype(np.int16), np.diag([1.5, 2, 3, 1])), path("a.hdr"))
    for name in ("a.hdr", "a.img"):
        assert_same_as_nibabel(io.read_image(path(name)), path("a.hdr"))


def test_a_gzipped_file_under_a_plain_name(path):
    save(path("a.nii.gz"))
    path("b.nii").write_bytes(path("a.nii.gz").read_bytes())
    assert_same_as_nibabel(io.read_image(path("b.nii")), path("a.nii.gz"))


def test_several_gzip_members_one_after_another(path):
    raw = save(path("a.nii")).read_bytes()
    path("b.nii.gz").write_bytes(gzip.compress(raw[:400]) + gzip.compress(raw[400:]))
    assert_same_as_nibabel(io.read_image(path("b.nii.gz")), path("a.nii"))


def test_an_extension_between_header_and_numbers(path):
    image = nib.Nifti1Image(NUMBERS.astype(np.int16), np.eye(4))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"a remark of some length" * 9))
    nib.save(image, path("a.nii.gz"))
    assert_same_as_nibabel(io.read_image(path("a.nii.gz")), path("a.nii.gz"))


# ---- frames


def test_frames_are_chosen_and_counted(path):
    array = np.random.default_rng(1).integers(0, 99, (6, 5, 4, 3)).astype(np.int16)
    save(path("a.nii.gz"), array)
    for frame in range(3):
        np.testing.assert_array_equal(io.read_image(path("a.nii.gz"), frame=frame).data[0].numpy(), array[..., frame].T)
    with pytest.raises(FileFormatError, match=r"3 frames.*frame=0 to 2"):
        io.read_image(path("a.nii.gz"))
    with pytest.raises(FileFormatError, match="frame 3 does not exist"):
        io.read_image(path("a.nii.gz"), frame=3)
    with pytest.raises(FileFormatError, match="frame -1 does not exist"):
        io.read_image(path("a.nii.gz"), frame=-1)


def test_frame_zero_of_a_single_volume(path):
    save(path("a.nii.gz"))
    assert io.read_image(path("a.nii.gz"), frame=0).data.shape == (1, 4, 5, 6)


def test_a_cine_of_one_slice(path):
    array = np.arange(6 * 5 * 3, dtype=np.int16).reshape(6, 5, 1, 3)
    read = io.read_image(save(path("a.nii"), array), frame=2)
    assert read.data.shape == (1, 1, 5, 6)
    np.testing.assert_array_equal(read.data[0, 0].numpy(), array[:, :, 0, 2].T)


def test_vectors_in_time(path):
    array = np.random.default_rng(1).normal(size=(6, 5, 4, 3, 2)).astype(np.float32)
    read = io.read_image(save(path("a.nii"), array), frame=1)
    np.testing.assert_array_equal(read.data.numpy(), array[..., 1, :].T)


# ---- places


def test_48_orientations(path, direction):
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = direction * [1.5, 2.0, 3.0], [7, -5, 11]
    assert_same_as_nibabel(io.read_image(save(path("a.nii"), affine=affine)), path("a.nii"))


@given(seed=st.integers(0, 10_000), shear=st.booleans(), form=st.sampled_from(["sform", "qform", "both"]))
def test_any_affine(tmp_path_factory, seed, shear, form, random_affine):
    path = tmp_path_factory.mktemp("any") / "a.nii"
    affine = random_affine(np.random.default_rng(seed), shear and form == "sform")
    image = nib.Nifti1Image(NUMBERS.astype(np.int16), affine)
    image.set_sform(affine if form != "qform" else None, 1 if form != "qform" else 0)
    image.set_qform(affine if form != "sform" else None, 1 if form != "sform" else 0)
    nib.save(image, path)
    assert_same_as_nibabel(io.read_image(path), path)


def test_half_a_turn_stored_in_single_precision(path):
    """The quaternion's real part is lost in the rounding of the other three; it must not come back as 3e-4."""
    affine = np.diag([-0.28125, -0.28125, 3.3, 1.0])
    angle = np.arctan2(0.3923371, 0.9198215)
    affine[1:3, 1:3] = np.array([[-np.cos(angle), -np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) * [0.28125, 3.3]
    image = nib.Nifti1Image(NUMBERS.astype(np.int16), affine)
    image.set_sform(None, 0)
    image.set_qform(affine, 1)
    nib.save(image, path("a.nii"))
    linear = io.read_image(path("a.nii")).space.matrix[:3, :3].numpy()[:, ::-1]
    np.testing.assert_allclose(linear, affine[:3, :3], atol=1e-6)


def test_without_geometry_it_lies_where_itk_puts_it(path, assert_same_as_itk):
    header = nib.Nifti1Header()
    header.set_data_shape((6, 5, 4))
    image = nib.Nifti1Image(NUMBERS.astype(np.int16), None, header)
    image.header["pixdim"][1:4] = [1.5, 2, 3]
    image.header["sform_code"] = image.header["qform_code"] = 0
    nib.save(image, path("a.nii"))
    read = io.read_image(path("a.nii"))
    assert_same_as_itk(read, sitk.ReadImage(path("a.nii")))
    assert read.space.same_as(Space.of_array((4, 5, 6), (3, 2, 1.5)))


@pytest.mark.parametrize(("code", "mm"), [(1, 1000.0), (2, 1.0), (3, 0.001), (0, 1.0), (10, 1.0), (9, 1000.0)])
@pytest.mark.parametrize("form", ["sform", "qform"])
def test_units_other_than_mm(path, code, mm, form):
    save(path("a.nii"))
    patch(
        path("a.nii"),
        xyzt_units=code,
        **{("qform" if form == "sform" else "sform") + "_code": 0},
        **{form + "_code": 1},
    )
    np.testing.assert_allclose(io.read_image(path("a.nii")).space.spacing, np.array([3.0, 2.0, 1.5]) * mm)


# ---- contradictions


def contradicted(path, pixdim=(1.5625, 1.5625, 10.0), qform=False):
    image = nib.Nifti1Image(NUMBERS.astype(np.int16), np.diag([-1.0, -1.0, 1.0, 1.0]))
    nib.save(image, path)
    patch(
        path, pixdim=[1, *pixdim, 1, 1, 1, 1], sform_code=2, qform_code=int(qform), quatern=[0, 0, 0], qoffset=[5, 6, 7]
    )
    return path


def test_acdc_sform_without_lengths_takes_pixdim(path):
    with pytest.warns(PullbackWarning, match=r"1 x 1 x 1 mm.*1.562 x 1.562 x 10 mm.*pixdim's sizes") as told:
        image = io.read_image(contradicted(path("a.nii")))
    assert len(told) == 1
    assert str(path("a.nii")) in str(told[0].message)
    assert image.space.spacing == pytest.approx((10.0, 1.5625, 1.5625))
    expected = np.array([[0, 0, -1.5625, 0], [0, -1.5625, 0, 0], [10, 0, 0, 0], [0, 0, 0, 1]])
    np.testing.assert_allclose(image.space.matrix.numpy(), expected)


def test_a_qform_settles_the_contradiction(path):
    with pytest.warns(PullbackWarning, match="using its qform"):
        image = io.read_image(contradicted(path("a.nii"), qform=True))
    np.testing.assert_allclose(image.space.matrix.numpy()[:3, 3], [5, 6, 7])
    assert image.space.spacing == pytest.approx((10.0, 1.5625, 1.5625))


def test_one_percent_is_no_contradiction(path):
    assert io.read_image(contradicted(path("a.nii"), (1.009, 0.991, 1.0))).space.spacing == pytest.approx((1, 1, 1))


@pytest.mark.parametrize("pixdim", [(0, 0, 0), (-1, 1, 1), (np.nan, 1, 1)])
def test_pixdim_that_says_nothing_contradicts_nothing(path, pixdim):
    assert io.read_image(contradicted(path("a.nii"), pixdim)).space.spacing == pytest.approx((1, 1, 1))


def test_the_thickness_of_a_single_slice_contradicts_nothing(path):
    save(path("a.nii"), NUMBERS[:, :, :1].astype(np.int16))
    patch(path("a.nii"), pixdim=[1, 1.5, 2, 9, 1, 1, 1, 1])
    assert io.read_image(path("a.nii")).space.spacing == pytest.approx((3.0, 2.0, 1.5))


@pytest.mark.parametrize("srow", [np.zeros((3, 4)), np.full((3, 4), np.nan), np.ones((3, 4))])
def test_an_unusable_sform_falls_back_with_a_word(path, srow):
    save(path("a.nii"))
    patch(path("a.nii"), srow=srow, qform_code=1)
    with pytest.warns(PullbackWarning, match="sform"):
        assert io.read_image(path("a.nii")).space.spacing == pytest.approx((3.0, 2.0, 1.5))


@pytest.mark.parametrize("step", [0.0, np.nan, np.inf])
def test_voxels_without_a_size_are_refused(path, step):
    save(path("a.nii"))
    patch(path("a.nii"), sform_code=0, qform_code=0, pixdim=[1, step, 1, 1, 1, 1, 1, 1])
    with pytest.raises(FileFormatError, match="along axis 1; repair pixdim"):
        io.read_image(path("a.nii"))


# ---- two dimensions


def test_a_2d_file_is_a_2d_image(path):
    affine = np.array([[0.0, -1.2, 0, 5], [0.9, 0, 0, -6], [0, 0, 1, 40], [0, 0, 0, 1]])
    image = io.read_image(save(path("a.nii"), NUMBERS[:, :, 0].astype(np.int16), affine))
    assert image.dimension == 2
    np.testing.assert_array_equal(image.data[0].numpy(), NUMBERS[:, :, 0].T)
    np.testing.assert_allclose(image.space.matrix.numpy(), [[-1.2, 0, 5], [0, 0.9, -6], [0, 0, 1]], atol=1e-6)


@pytest.mark.parametrize(
    "linear",
    [
        [[1.2, 0, 0], [0, 0, 1], [0, 0.9, 0]],
        [[0, 0, 1], [1.2, 0, 0], [0, 0.9, 0]],
        [[1.2, 0, 0], [0, 0.64, -0.6], [0, 0.6, 0.8]],
    ],
    ids=["coronal", "sagittal", "tilted"],
)
def test_a_2d_file_that_stands_upright_stays_3d(path, linear):
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = linear, [5, -6, 40]
    image = io.read_image(save(path("a.nii"), NUMBERS[:, :, 0].astype(np.int16), affine))
    assert image.data.shape == (1, 1, 5, 6)
    np.testing.assert_allclose(image.space.matrix.numpy()[:, [2, 1, 0, 3]], affine, atol=1e-6)


def test_an_upright_2d_file_without_a_third_column(path):
    affine = np.array([[1.2, 0, 0, 5], [0, 0, 0, -6], [0, 0.9, 0, 40], [0, 0, 0, 1.0]])
    save(path("a.nii"), NUMBERS[:, :, 0].astype(np.int16))
    patch(path("a.nii"), srow=affine[:3], sform_code=1, qform_code=0, pixdim=[1, 1.2, 0.9, 4, 1, 1, 1, 1])
    image = io.read_image(path("a.nii"))
    assert image.space.spacing == pytest.approx((4.0, 0.9, 1.2))
    np.testing.assert_allclose(image.space.matrix.numpy()[:3, 0], [0, -4, 0], atol=1e-6)


def test_one_slice_declared_3d_stays_3d(path):
    assert io.read_image(save(path("a.nii"), NUMBERS[:, :, :1].astype(np.int16))).data.shape == (1, 1, 5, 6)


@pytest.mark.parametrize("shape", [(1, 5, 4), (6, 1, 4), (1, 1, 4)])
def test_axes_of_one_voxel_stay(path, shape):
    assert io.read_image(save(path("a.nii"), np.ones(shape, np.int16))).space.shape == shape[::-1]


def test_2d_vectors_as_itk_writes_them(path, itk_image, assert_same_as_itk):
    itk = itk_image(2, channels=2)
    sitk.WriteImage(itk, path("a.nii.gz"))
    assert nib.load(path("a.nii.gz")).shape == (6, 5, 1, 1, 2)
    assert_same_as_itk(io.read_image(path("a.nii.gz")), itk)


def test_labels_of_a_frame(path):
    array = np.stack([np.zeros((3, 4, 2)), np.ones((3, 4, 2))], axis=-1).astype(np.uint8)
    save(path("a.nii"), array)
    assert io.read_labels(path("a.nii"), frame=1).values == (1,)


def test_labels_stored_as_floats_are_read_and_fractions_refused(path):
    save(path("a.nii"), np.abs(NUMBERS).astype(np.float64))
    np.testing.assert_array_equal(io.read_labels(path("a.nii")).numpy(), np.abs(NUMBERS).T)
    save(path("b.nii"), NUMBERS + 0.5)
    with pytest.raises(FileFormatError, match="whole numbers"):
        io.read_labels(path("b.nii"))
    save(path("c.nii"), np.where(NUMBERS > 50, np.nan, 1.0))
    with pytest.raises(FileFormatError, match="not finite"):
        io.read_labels(path("c.nii"))


@given(seed=st.integers(0, 10_000))
def test_quaternions_there_and_back(seed):
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    b, c, d = to_quaternion(rotation)
    np.testing.assert_allclose(
        from_quaternion(np.sqrt(max(0, 1 - b * b - c * c - d * d)), b, c, d), rotation, atol=1e-7
    )


# ---- helpers


def patch(path, **fields):
    """Overwrite header fields byte by byte, past nibabel's own repairs."""
    raw = bytearray(path.read_bytes())
    head = np.frombuffer(bytes(raw[:348]), NIFTI1).copy()
    for name, value in fields.items():
        head[name] = value
    raw[:348] = head.tobytes()
    path.write_bytes(raw)
