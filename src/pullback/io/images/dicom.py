"""DICOM: a single file, a multi-frame file, or a folder that holds a series. Read with pydicom, never with GDCM.

A path to one file of a series stands for the volume that it belongs to; where the series is a cine, for its own frame.
Only the folder itself is looked into. `dicom_planes` sorts the pictures.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pullback.errors import FileFormatError
from pullback.io.image_file import ImageFile, note, one_line
from pullback.io.images.dicom_planes import Plane, Stack, stack
from pullback.io.limits import check_memory

if TYPE_CHECKING:
    from pydicom import Dataset

_TAGS = [
    "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "InstanceNumber", "TriggerTime", "Rows", "Columns",
    "NumberOfFrames", "PixelSpacing", "ImagerPixelSpacing", "SliceThickness", "SpacingBetweenSlices",
    "ImageOrientationPatient", "ImagePositionPatient", "SamplesPerPixel", "BitsAllocated", "PixelRepresentation",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
]  # fmt: skip
DECODERS = 'install the decoders with: pip install "pullback[dicom]"'


def is_dicom(path: Path) -> bool:
    """Whether a file has DICOM's mark after its preamble, whatever its name."""
    with path.open("rb") as file:
        file.seek(128)
        return file.read(4) == b"DICM"


def open_dicom(path: Path) -> ImageFile:
    """See `ImageFile`."""
    if path.is_dir():
        return _source(path, _only_series(path), None)
    if not is_dicom(path):
        raise FileFormatError("it is not a DICOM file (no DICM mark after the first 128 bytes)")
    head = _head(path)
    if int(head.get("NumberOfFrames", 1) or 1) > 1:
        return _source(path, {path: head}, path)
    together = {p: h for p, h in _scan(path.parent).items() if _belongs(h, head)}
    return _source(path, {path: head, **together}, path)


def _belongs(other: "Dataset", head: "Dataset") -> bool:
    """Whether two files are of one series, and of one volume as far as their own headers tell."""
    uid = str(head.get("SeriesInstanceUID", ""))
    same = all(other.get(name) == head.get(name) for name in ("Rows", "Columns", "PixelSpacing"))
    if not (uid and str(other.get("SeriesInstanceUID", "")) == uid and same and "NumberOfFrames" not in other):
        return False
    a, b = (h.get("ImageOrientationPatient") for h in (other, head))
    return (a is None) == (b is None) and (a is None or np.allclose(list(a), list(b), atol=1e-3))


def _source(path: Path, heads: dict[Path, "Dataset"], chosen: Path | None) -> ImageFile:
    planes = [plane for p, head in heads.items() for plane in _planes(p, head)]
    many = [p for p, head in heads.items() if int(head.get("NumberOfFrames", 1) or 1) > 1]
    if len(heads) > 1 and many:
        raise FileFormatError(f"it holds {len(many)} multi-frame files; give the path of one, such as {many[0].name}")
    sorted_ = stack(planes)
    for line in sorted_.notes:
        note(path, line)
    head = next(iter(heads.values()))
    colours, bits = int(head.get("SamplesPerPixel", 1)), int(head.get("BitsAllocated", 16))
    if bits not in (1, 8, 16, 32, 64) or colours not in (1, 3):
        raise FileFormatError(
            f"it has {colours} values of {bits} bits at each pixel; 1 or 3 of 8, 16 or 32 can be read"
        )
    dtype = np.dtype(("i" if int(head.get("PixelRepresentation", 0)) else "u") + str(max(bits // 8, 1)))
    check_memory(sorted_.space.count * colours * max(dtype.itemsize, 4))
    return ImageFile(
        format="DICOM",
        space=sorted_.space,
        dtype=dtype,
        load=partial(_load, sorted_, colours),
        channels=colours,
        frames=len(sorted_.frames),
        frame=None if chosen is None else sorted_.frame_of(chosen),
        placed=sorted_.placed,
    )


def _only_series(folder: Path) -> dict[Path, "Dataset"]:
    series: dict[str, dict[Path, Dataset]] = {}
    for path, head in _scan(folder).items():
        series.setdefault(str(head.get("SeriesInstanceUID", "")), {})[path] = head
    if not series:
        folders = sorted(p.name for p in folder.iterdir() if p.is_dir())
        hint = f"; give one of its sub-folders, such as {folders[0]}" if folders else ""
        raise FileFormatError(f"the folder holds no DICOM images{hint}")
    if len(series) > 1:
        listed = "; ".join(_described(found) for found in list(series.values())[:8])
        raise FileFormatError(f"the folder holds {len(series)} series ({listed}); give the path of one file of the "
                              "series that you want")  # fmt: skip
    return next(iter(series.values()))


def _described(found: dict[Path, "Dataset"]) -> str:
    path, head = next(iter(found.items()))
    name = f"{head.get('SeriesNumber', '?')} '{head.get('SeriesDescription', '')}'"
    return f"{name}, {len(found)} files, such as {path.name}"


def _scan(folder: Path) -> dict[Path, "Dataset"]:
    """The headers of the images of a folder, by path, in the order of their names."""
    heads = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name.upper() != "DICOMDIR" and is_dicom(path):
            head = _head(path)
            if "Rows" in head and "Columns" in head:
                heads[path] = head
    return heads


def _head(path: Path) -> "Dataset":
    import pydicom

    with _decoding(path):
        return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS))


def _planes(path: Path, head: "Dataset") -> list[Plane]:
    if "Rows" not in head or "Columns" not in head:
        raise FileFormatError("it is a DICOM file without an image")
    with _decoding(path):
        count = int(head.get("NumberOfFrames", 1) or 1)
        shared = (head.get("SharedFunctionalGroupsSequence") or [head])[0]
        own = head.get("PerFrameFunctionalGroupsSequence") or []
        if own and len(own) != count:
            raise FileFormatError(f"it declares {count} frames and describes {len(own)}")
        return [_plane(path, k, head, shared, own[k] if own else head, count) for k in range(count)]


def _plane(path: Path, k: int, head: "Dataset", shared: "Dataset", own: "Dataset", count: int) -> Plane:
    def find(group: str, name: str) -> Any:
        for place in (own, shared):
            if place.get(group):
                value = place[group].value[0].get(name)
                if value is not None:
                    return value
        return head.get(name)

    spacing = find("PixelMeasuresSequence", "PixelSpacing") or head.get("ImagerPixelSpacing") or (1.0, 1.0)
    thickness = find("PixelMeasuresSequence", "SpacingBetweenSlices") or find("PixelMeasuresSequence", "SliceThickness")
    steps = (float(spacing[0]), float(spacing[1]))
    thick = abs(float(thickness or 1.0))
    if not (np.isfinite([*steps, thick]).all() and min(*steps, thick) > 0):
        raise FileFormatError(f"its PixelSpacing is {steps} and its slice spacing {thick}; both must be positive")
    axes = find("PlaneOrientationSequence", "ImageOrientationPatient")
    position = find("PlanePositionSequence", "ImagePositionPatient")
    alone = count > 1 and not head.get("PerFrameFunctionalGroupsSequence")  # old multi-frame: one place for all
    return Plane(
        path=path,
        index=k,
        order=(float(head.get("InstanceNumber", 0) or 0), float(head.get("TriggerTime", 0) or 0), float(k)),
        size=(int(head.Rows), int(head.Columns)),
        spacing=steps,
        thickness=thick,
        axes=None if axes is None or alone else np.array([float(v) for v in axes]).reshape(2, 3),
        position=None if position is None or alone else np.array([float(v) for v in position]),
    )


def _load(stacked: Stack, colours: int, frame: int) -> np.ndarray:
    planes = stacked.frames[frame]
    pictures = {path: _pixels(path, colours) for path in {plane.path for plane in planes}}
    array = np.stack([pictures[plane.path][plane.index] for plane in planes])  # (slices, rows, columns, colours)
    return np.moveaxis(array, -1, 0).reshape(colours, *stacked.space.shape)


def _pixels(path: Path, colours: int) -> np.ndarray:
    """(frames, rows, columns, colours), with the modality's slope and intercept applied."""
    import pydicom
    from pydicom.pixels.processing import apply_modality_lut

    with _decoding(path):
        data = pydicom.dcmread(path)
        pixels = data.pixel_array.reshape(-1, int(data.Rows), int(data.Columns), colours)
        scales = [_scale(data, k) for k in range(len(pixels))]
        if all(scale is None for scale in scales):
            return pixels
        scaled = [p if s is None else apply_modality_lut(p, s) for p, s in zip(pixels, scales, strict=True)]
        return np.stack(scaled).astype(np.float32)


def _scale(data: "Dataset", k: int) -> "Dataset | None":
    """What holds slope and intercept (or a table) of frame k; None where nothing is to be done."""
    places = [(data.get("PerFrameFunctionalGroupsSequence") or {k: data})[k]]
    places += [(data.get("SharedFunctionalGroupsSequence") or [data])[0]]
    found = next(
        (p.PixelValueTransformationSequence[0] for p in places if p.get("PixelValueTransformationSequence")), data
    )
    plain = (float(found.get("RescaleSlope", 1)), float(found.get("RescaleIntercept", 0))) == (1.0, 0.0)
    return None if plain and "ModalityLUTSequence" not in found else found


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """All exceptions of pydicom as one line, and without its remarks on values that break the standard."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except (FileFormatError, OSError):
            raise
        except Exception as error:  # pydicom raises a different exception for each way of being broken
            text = one_line(error, 160)
            if "missing" in text.lower() and ("plugin" in text.lower() or "dependenc" in text.lower()):
                raise FileFormatError(
                    f"its pictures ({path.name}) are compressed in a way that needs a decoder; {DECODERS}"
                ) from error
            raise FileFormatError(f"{path.name} is damaged or not DICOM ({text})") from error
