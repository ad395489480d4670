"""The bytes of a NIfTI header, and what they say about geometry.

NIfTI-1: nifti1.h, NIMH 2003, 348 bytes. NIfTI-2: nifti2.h, 2011, 540 bytes. World coordinates are RAS+ in the standard;
`nifti_geometry` decides which of the header's three descriptions of the place is believed.
"""

from dataclasses import dataclass

import numpy as np

from pullback.errors import FileFormatError


def _layout(*fields: tuple[str, str]) -> np.dtype:
    return np.dtype([(name, "<" + kind if kind[0] != "(" else kind) for name, kind in fields])


NIFTI1 = _layout(
    ("sizeof_hdr", "i4"), ("unused", "S35"), ("dim_info", "u1"), ("dim", "(8,)<i2"), ("intent_p", "(3,)<f4"),
    ("intent_code", "i2"), ("datatype", "i2"), ("bitpix", "i2"), ("slice_start", "i2"), ("pixdim", "(8,)<f4"),
    ("vox_offset", "f4"), ("scl_slope", "f4"), ("scl_inter", "f4"), ("slice_end", "i2"), ("slice_code", "u1"),
    ("xyzt_units", "u1"), ("cal_max", "f4"), ("cal_min", "f4"), ("slice_duration", "f4"), ("toffset", "f4"),
    ("glmax", "i4"), ("glmin", "i4"), ("descrip", "S80"), ("aux_file", "S24"), ("qform_code", "i2"),
    ("sform_code", "i2"), ("quatern", "(3,)<f4"), ("qoffset", "(3,)<f4"), ("srow", "(3,4)<f4"), ("intent_name", "S16"),
    ("magic", "S4"),
)  # fmt: skip

NIFTI2 = _layout(
    ("sizeof_hdr", "i4"), ("magic", "S8"), ("datatype", "i2"), ("bitpix", "i2"), ("dim", "(8,)<i8"),
    ("intent_p", "(3,)<f8"), ("pixdim", "(8,)<f8"), ("vox_offset", "i8"), ("scl_slope", "f8"), ("scl_inter", "f8"),
    ("cal_max", "f8"), ("cal_min", "f8"), ("slice_duration", "f8"), ("toffset", "f8"), ("slice_start", "i8"),
    ("slice_end", "i8"), ("descrip", "S80"), ("aux_file", "S24"), ("qform_code", "i4"), ("sform_code", "i4"),
    ("quatern", "(3,)<f8"), ("qoffset", "(3,)<f8"), ("srow", "(3,4)<f8"), ("slice_code", "i4"), ("xyzt_units", "i4"),
    ("intent_code", "i4"), ("intent_name", "S16"), ("dim_info", "u1"), ("unused", "S15"),
)  # fmt: skip

TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
    128: "u1", 2304: "u1",
}  # fmt: skip
COLOURS = {128: 3, 2304: 4}
COMPLEX = {32, 1792, 2048}
MM_PER_UNIT = {1: 1000.0, 3: 0.001}
DISPLACEMENT, VECTOR = 1006, 1007


@dataclass(frozen=True)
class Header:
    """The fields of a header that matter here, in plain Python.

    Attributes:
        version: 1 or 2.
        single: whether header and data share one file.
        order: "<" or ">".
        dims: the seven sizes, 1 where not declared.
        rank: how many of them were declared.
        fields: all of them.
    """

    version: int
    single: bool
    order: str
    dims: tuple[int, ...]
    rank: int
    fields: np.void

    @property
    def dtype(self) -> np.dtype:
        """Of one stored number.

        Raises:
            FileFormatError: complex, 128-bit or unknown numbers.
        """
        code = int(self.fields["datatype"])
        if code in COMPLEX:
            raise FileFormatError("it holds complex numbers; write its magnitude or phase as a file of real numbers")
        if code not in TYPES:
            raise FileFormatError(f"its data type {code} is not one that images are registered in")
        return np.dtype(self.order + TYPES[code])

    @property
    def colours(self) -> int:
        """Values interleaved at each voxel: 3 for RGB, 4 for RGBA, else 1."""
        return COLOURS.get(int(self.fields["datatype"]), 1)

    @property
    def offset(self) -> int:
        """Where the numbers begin, in bytes."""
        declared = float(self.fields["vox_offset"])
        least = (352 if self.version == 1 else 544) if self.single else 0
        if not np.isfinite(declared) or declared > 1 << 40:
            raise FileFormatError(f"its header says that the image begins at byte {declared}")
        return max(int(declared), least)

    @property
    def scaling(self) -> tuple[float, float] | None:
        """(slope, intercept) to be applied to the stored numbers, or None."""
        slope, intercept = float(self.fields["scl_slope"]), float(self.fields["scl_inter"])
        if slope == 0 or not np.isfinite(slope):  # the standard: no scaling
            return None
        if not np.isfinite(intercept):
            raise FileFormatError(f"its header scales intensities by {slope} and then adds {intercept}")
        return None if (slope, intercept) == (1.0, 0.0) else (slope, intercept)

    @property
    def intent(self) -> int:
        """What the numbers mean; see the standard."""
        return int(self.fields["intent_code"])

    @property
    def intent_name(self) -> str:
        """The program's own name for it."""
        return bytes(self.fields["intent_name"]).split(b"\0")[0].decode("latin-1")


def parse(head: bytes) -> Header:
    """Understand the first bytes of a file.

    Raises:
        FileFormatError: they are not a NIfTI header, or its sizes make no sense.
    """
    for layout, size, version, magics in (
        (NIFTI1, 348, 1, {b"n+1": True, b"ni1": False}),
        (NIFTI2, 540, 2, {b"n+2": True, b"ni2": False}),
    ):
        for order in "<>":
            if len(head) < 4 or int.from_bytes(head[:4], "little" if order == "<" else "big") != size:
                continue
            if len(head) < size:
                raise FileFormatError(f"the file is cut short: its header has {len(head)} of {size} bytes")
            fields = np.frombuffer(head[:size], layout.newbyteorder("<" if order == "<" else ">"))[0]
            single = magics.get(bytes(fields["magic"])[:3])
            if single is None:
                raise FileFormatError("it is not NIfTI (no magic number); if it is an Analyze 7.5 file, convert it "
                                      "first, for it does not say which side is left")  # fmt: skip
            return Header(version, single, order, *_dims(fields), fields)
    raise FileFormatError("it is not a NIfTI file: its first four bytes are not the size of a NIfTI header")


def _dims(fields: np.void) -> tuple[tuple[int, ...], int]:
    declared = [int(n) for n in fields["dim"]]
    rank = declared[0]
    if not 1 <= rank <= 7:
        raise FileFormatError(f"its header declares {rank} dimensions; NIfTI knows 1 to 7")
    dims = [n if i < rank else 1 for i, n in enumerate(declared[1:])]
    if min(dims) < 1:
        raise FileFormatError(f"its header declares the sizes {declared[1 : rank + 1]}; every one must be at least 1")
    if rank == 1:
        raise FileFormatError(f"it holds a line of {dims[0]} numbers, not an image")
    if dims[5] > 1 or dims[6] > 1:
        raise FileFormatError(f"it has more than five dimensions ({declared[1 : rank + 1]}); split it first")
    return tuple(dims), rank
