"""DICOM series that the tests make themselves, against SimpleITK, and the ways in which a folder can be wrong."""

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from pullback import io
from pullback.errors import FileFormatError, PullbackWarning

SERIES = generate_uid(entropy_srcs=["a series"])
OTHER = generate_uid(entropy_srcs=["another series"])
AXES = np.array([[0.6, 0.8, 0.0], [0.0, 0.0, -1.0]])
NORMAL = np.cross(*AXES)


def picture(seed):
    return np.random.default_rng(seed).integers(0, 900, (6, 8)).astype(np.uint16)


def dataset(pixels, position=(10.0, 20.0, 30.0), axes=AXES, series=SERIES, number=1, **more):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = MRImageStorage, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = generate_uid()
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.SeriesInstanceUID, data.InstanceNumber, data.Modality = series, number, "MR"
    data.Rows, data.Columns = pixels.shape[-2:] if pixels.shape[-1] != 3 else pixels.shape[-3:-1]
    data.SamplesPerPixel, data.PhotometricInterpretation = (3, "RGB") if pixels.shape[-1] == 3 else (1, "MONOCHROME2")
    if data.SamplesPerPixel == 3:
        data.PlanarConfiguration = 0
    data.BitsAllocated = data.BitsStored = pixels.dtype.itemsize * 8
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(pixels.dtype.kind == "i")
    if axes is not None:
        data.ImageOrientationPatient, data.ImagePositionPatient = axes.ravel().tolist(), list(position)
    data.PixelSpacing, data.SliceThickness = [1.5, 0.75], 4.0
    data.PixelData = pixels.tobytes()
    for name, value in more.items():
        setattr(data, name, value)
    return data


def save(data, path):
    path.parent.mkdir(exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


def volume(folder, count=5, frames=1, step=4.0 * NORMAL, **more):
    """Slices whose names and numbers run against their places."""
    for k in range(count):
        for t in range(frames):
            position = np.array([10.0, 20, 30]) + k * step
            number = (count - k) * frames + t
            save(
                dataset(picture(100 * k + t), position, number=number, TriggerTime=5, **more),
                folder / f"{(k * 7) % 5}_{t:02d}.dcm",
            )
    return folder


def test_a_folder_is_sorted_by_place(path, assert_same_as_itk):
    folder = volume(path("series"))
    image = io.read_image(folder)
    assert image.data.shape == (1, 5, 6, 8)
    np.testing.assert_array_equal(image.data[0].numpy(), [picture(100 * k) for k in range(5)])
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    assert_same_as_itk(image, sitk.ReadImage(names))


def test_one_file_stands_for_its_volume(path):
    folder = volume(path("series"))
    save(dataset(picture(9), series=OTHER), folder / "other.dcm")
    path("series/notes.txt").write_text("not DICOM")
    image = io.read_image(next(folder.glob("*_00.dcm")))
    assert image.data.shape == (1, 5, 6, 8)


def test_a_single_file(path, assert_same_as_itk):
    save(dataset(picture(1)), path("a.dcm"))
    image = io.read_image(path("a.dcm"))
    assert image.space.spacing == pytest.approx((4.0, 1.5, 0.75))
    assert_same_as_itk(image, sitk.ReadImage(path("a.dcm")))


def test_a_file_without_a_suffix(path):
    save(dataset(picture(1)), path("IM0001"))
    assert io.read_image(path("IM0001")).data.shape == (1, 1, 6, 8)


def test_a_cine_is_frames_sorted_by_number(path):
    folder = path("cine")
    for t in (3, 1, 10, 2):
        save(dataset(picture(t), number=t, TriggerTime=5), folder / f"{(t * 7) % 11}.dcm")
    with pytest.raises(FileFormatError, match=r"4 frames.*frame=0 to 3"):
        io.read_image(folder)
    for frame, t in enumerate((1, 2, 3, 10)):
        image = io.read_image(folder, frame=frame)
        np.testing.assert_array_equal(image.data[0, 0].numpy(), picture(t))
    assert image.space.shape == (1, 6, 8)


def test_one_file_of_a_cine_is_its_own_frame(path):
    folder = volume(path("cine"), count=3, frames=4)
    image = io.read_image(folder / "0_02.dcm")
    np.testing.assert_array_equal(image.data[0].numpy(), [picture(100 * k + 2) for k in range(3)])
    assert not np.array_equal(io.read_image(folder / "0_02.dcm", frame=0).data[0], image.data[0])


def test_slope_and_intercept_of_each_slice(path):
    for k, slope in enumerate((2.0, 0.5)):
        data = dataset(
            picture(k).astype(np.int16), np.array([0, 0, 0]) + k * 4 * NORMAL, RescaleSlope=slope, RescaleIntercept=-7
        )
        save(data, path("s") / f"{k}.dcm")
    expected = [picture(0) * 2.0 - 7, picture(1) * 0.5 - 7]
    np.testing.assert_allclose(io.read_image(path("s")).data[0].numpy(), expected)


def test_colour(path):
    rgb = np.random.default_rng(0).integers(0, 255, (6, 8, 3)).astype(np.uint8)
    save(dataset(rgb), path("a.dcm"))
    np.testing.assert_array_equal(io.read_image(path("a.dcm")).data[:, 0].numpy(), np.moveaxis(rgb, -1, 0))


def test_without_a_place_it_is_a_2d_image(path):
    save(dataset(picture(1), axes=None), path("a.dcm"))
    image = io.read_image(path("a.dcm"))
    assert image.space.shape == (6, 8)
    assert image.space.spacing == (1.5, 0.75)


def test_old_multiframe_files_are_frames(path):
    frames = np.stack([picture(k) for k in range(3)])
    save(dataset(frames, axes=None, NumberOfFrames=3), path("a.dcm"))
    np.testing.assert_array_equal(io.read_image(path("a.dcm"), frame=2).data[0].numpy(), frames[2])


def enhanced(order, frames=1):
    """A multi-frame file whose planes are stored in an order of their own, with a slope for each."""
    shared, own, pixels = pydicom.Dataset(), [], []
    measures, turned = pydicom.Dataset(), pydicom.Dataset()
    measures.PixelSpacing, measures.SliceThickness = [1.5, 0.75], 4.0
    turned.ImageOrientationPatient = AXES.ravel().tolist()
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Sequence([measures]), Sequence([turned])
    for t in range(frames):
        for k in order:
            place, scale, group = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
            place.ImagePositionPatient = (np.array([10.0, 20, 30]) + 4 * k * NORMAL).tolist()
            scale.RescaleSlope, scale.RescaleIntercept = float(k + 1), 0.0
            group.PlanePositionSequence, group.PixelValueTransformationSequence = Sequence([place]), Sequence([scale])
            own.append(group)
            pixels.append(picture(100 * k + t))
    groups = {"SharedFunctionalGroupsSequence": Sequence([shared]), "PerFrameFunctionalGroupsSequence": Sequence(own)}
    return dataset(np.stack(pixels), axes=None, NumberOfFrames=len(pixels), **groups)


def test_enhanced_multiframe_files_are_volumes(path):
    save(enhanced((2, 0, 1)), path("a.dcm"))
    volume(path("series"), count=3)
    image = io.read_image(path("a.dcm"))
    np.testing.assert_allclose(image.data[0].numpy(), [(k + 1.0) * picture(100 * k) for k in range(3)])
    assert image.space.same_as(io.read_image(path("series")).space)


def test_enhanced_multiframe_cine(path):
    save(enhanced((2, 0, 1), frames=2), path("a.dcm"))
    image = io.read_image(path("a.dcm"), frame=1)
    np.testing.assert_allclose(image.data[0].numpy(), [(k + 1.0) * picture(100 * k + 1) for k in range(3)])


# ---- what can be wrong


def refused(path, words, **options):
    with pytest.raises(FileFormatError, match=words) as caught:
        io.read_image(path, **options)
    assert str(caught.value).startswith(f"cannot read {path}: ")
    assert "\n" not in str(caught.value)


def test_several_series(path):
    folder = volume(path("series"), SeriesDescription="SAX")
    save(dataset(picture(9), series=OTHER, SeriesNumber=8, SeriesDescription="scout"), folder / "other.dcm")
    refused(folder, r"2 series.*'SAX', 5 files.*8 'scout', 1 files.*give the path of one file")


def test_a_missing_slice(path):
    folder = volume(path("series"))
    (folder / "4_00.dcm").unlink()  # k = 2
    refused(folder, "4 to 8 mm apart: some are missing")


def test_a_missing_frame(path):
    folder = volume(path("series"), count=3, frames=3)
    (folder / "0_01.dcm").unlink()
    refused(folder, "3 slice positions have from 2 to 3 pictures", frame=0)


def test_uneven_slices_are_told(path):
    folder = path("series")
    for k, place in enumerate((0.0, 4.0, 8.5, 12.0)):
        save(dataset(picture(k), place * NORMAL), folder / f"{k}.dcm")
    with pytest.warns(PullbackWarning, match=r"not evenly spaced \(3.5 to 4.5 mm\)"):
        assert io.read_image(folder).space.spacing[0] == pytest.approx(4.0)


def test_a_tilted_gantry_is_a_sheared_grid(path):
    step = 4 * NORMAL + 0.5 * AXES[1]
    image = io.read_image(volume(path("series"), step=step))
    np.testing.assert_allclose(image.space.matrix[:3, 0], step * [-1, -1, 1])


def test_several_orientations(path):
    folder = volume(path("series"))
    save(dataset(picture(7), axes=AXES[::-1]), folder / "x.dcm")
    refused(folder, "several orientations")
    assert io.read_image(folder / "x.dcm").data.shape == (1, 1, 6, 8)


def test_several_sizes(path):
    folder = volume(path("series"))
    save(dataset(picture(7)[:4]), folder / "x.dcm")
    refused(folder, "differ in size")
    assert io.read_image(folder / "x.dcm").data.shape == (1, 1, 4, 8)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"PixelSpacing": [0, 1]}, "must be positive"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "right angles"),
        ({"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]}, "right angles"),
        ({"ImagePositionPatient": [1, 2]}, "three finite numbers"),
        ({"SamplesPerPixel": 7}, "7 values"),
        ({"Rows": 60000, "Columns": 60000}, "damaged|memory"),
        ({"PixelData": b"\0\0"}, "damaged"),
    ],
)
def test_headers(path, more, words):
    save(dataset(picture(1), **more), path("a.dcm"))
    refused(path("a.dcm"), words)


def test_a_file_without_an_image(path):
    data = dataset(picture(1))
    for name in ("Rows", "Columns", "PixelData"):
        delattr(data, name)
    save(data, path("a.dcm"))
    refused(path("a.dcm"), "without an image")


def test_folders_without_images(path):
    path("empty").mkdir()
    refused(path("empty"), "no DICOM images$")
    volume(path("empty") / "below")
    refused(path("empty"), "sub-folders, such as below")


@pytest.mark.parametrize("raw", [b"", b"text" * 99, b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + b"\xff" * 300])
def test_garbage(path, raw):
    path("a.dcm").write_bytes(raw)
    refused(path("a.dcm"), "empty|not a DICOM file|without an image|damaged")


def test_cut_short(path):
    whole = save(dataset(picture(1)), path("a.dcm")).read_bytes()
    path("a.dcm").write_bytes(whole[:-20])
    refused(path("a.dcm"), "damaged")


def test_a_missing_decoder_is_named(path, monkeypatch):
    data = dataset(picture(1))
    data.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLSLossless
    data.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xf7not really"])
    data["PixelData"].is_undefined_length = True
    save(data, path("a.dcm"))
    refused(path("a.dcm"), r'pip install "pullback\[dicom\]"')
