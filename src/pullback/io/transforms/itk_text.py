"""Text: ITK's .tfm and .txt ("#Insight Transform File"), and bare RAS matrices as greedy and c3d write them."""

from pathlib import Path

import numpy as np
import torch

from pullback.errors import FileFormatError, InputError
from pullback.io.atomic import atomic
from pullback.io.transforms.itk_types import Record
from pullback.transforms import Affine

MAGIC = "#Insight Transform File"
LARGEST = 1 << 31
DIRECTION = "# maps points of the fixed image to points of the moving image, LPS mm"


def read_text(path: Path) -> str:
    """The whole file as text.

    Raises:
        FileFormatError: it is too large, or not text.
    """
    if path.stat().st_size > LARGEST:
        raise FileFormatError("it is too large to be a text transform")
    raw = path.read_bytes()
    if b"\0" in raw[:4096]:
        raise FileFormatError("it is binary, not a text transform")
    return raw.decode("utf-8", "replace")


def parse_itk(text: str) -> list[Record]:
    """The records of an ITK transform file.

    Raises:
        FileFormatError: it is not one, or is cut short.
    """
    records: list[Record] = []
    kind: str | None = None
    values: dict[str, np.ndarray] = {}

    def finish() -> None:
        if kind is None:
            return
        if "Parameters" not in values and not kind.startswith(("CompositeTransform", "IdentityTransform")):
            raise FileFormatError(f"{kind[:60]} has no parameters; the file is cut short")
        none = np.zeros(0)
        records.append(Record(kind, values.get("Parameters", none), values.get("FixedParameters", none)))

    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        key, colon, value = line.partition(":")
        key = key.strip()
        if not colon or key not in ("Transform", "Parameters", "FixedParameters"):
            raise FileFormatError(f"it has the line '{line[:60]}', which no ITK transform has")
        if key == "Transform":
            finish()
            kind, values = value.strip(), {}
        else:
            values[key] = _numbers(value)
    finish()
    return records


def _numbers(text: str) -> np.ndarray:
    try:
        return np.array(text.split(), dtype=np.float64)
    except ValueError:
        raise FileFormatError(f"its parameters are not numbers: '{text.strip()[:60]}'") from None


def parse_matrix(text: str) -> Affine | None:
    """A bare 3x3 or 4x4 matrix of fixed -> moving RAS mm, or None if the text is no such thing."""
    rows = [line.split("#")[0].replace(",", " ").split() for line in text.splitlines()]
    rows = [row for row in rows if row]
    try:
        matrix = np.array([[float(word) for word in row] for row in rows])
    except ValueError:
        return None
    return Affine(torch.from_numpy(matrix)) if matrix.shape in ((3, 3), (4, 4)) else None


def write_text(records: list[Record], path: Path) -> None:
    """Write matrices as an ITK transform file.

    Raises:
        InputError: there is a field among them.
    """
    if any(record.name == "DisplacementFieldTransform" for record in records):
        raise InputError(f"cannot write {path}: a text file is no place for a displacement field; write .h5")
    lines = [MAGIC + " V1.0", DIRECTION]
    for number, record in enumerate(records):
        lines += [f"#Transform {number}", f"Transform: {record.kind}"]
        if record.name != "CompositeTransform":
            lines += [f"Parameters: {_join(record.parameters)}", f"FixedParameters: {_join(record.fixed)}"]
    with atomic(path) as one:
        one.write_text("\n".join(lines) + "\n", encoding="ascii")


def _join(values: np.ndarray) -> str:
    return " ".join(f"{float(v):.17g}" for v in values)
