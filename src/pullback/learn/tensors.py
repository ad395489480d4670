"""Named tensors in a file: safetensors with one JSON text beside them. Never unpickled, whole or not at all.

The header is read and checked here before the library reads the numbers: sizes against the file, names against what is
wanted. A file that does not hold what it says is refused with a sentence.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from pullback.errors import ModelError
from pullback.io.atomic import atomic
from pullback.io.limits import check_memory, readable
from pullback.typing import Tensor

TEXT = "pullback"
"""The one key of the header's metadata; it holds JSON."""
MOST_BYTES = 4_000_000_000
MOST_HEADER = 8_000_000
PICKLES = (b"\x80", b"PK\x03\x04")
"""First bytes of Python pickles and of the zip files in which torch keeps them."""


def write_tensors(path: Path, tensors: dict[str, Tensor], text: dict[str, Any]) -> None:
    """Write the file, and wait until it is on the disk: after a power cut it is the old one or the new one.

    Raises:
        InputError: it cannot be written.
    """
    plain = {name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}
    content = save(plain, {TEXT: json.dumps(text)})
    with atomic(path) as temporary, temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def read_text(path: Path) -> dict[str, Any]:
    """The JSON text of a file, without its tensors.

    Raises:
        ModelError: see `read_tensors`.
    """
    text, _ = _header(path)
    return text


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors by name, and the text.

    Raises:
        ModelError: there is no such file, it is no safetensors file of pullback, too large, damaged or cut short.
    """
    text, _ = _header(path)
    try:
        return load(path.read_bytes()), text
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged ({_line(error)}); copy or make it again") from error


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor, from the header alone.

    Raises:
        ModelError: see `read_tensors`.
    """
    _, entries = _header(path)
    return {name: tuple(entry["shape"]) for name, entry in entries.items()}


def _header(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    if not path.is_file():
        raise ModelError(f"there is no file {path}; give a .safetensors file that pullback wrote")
    size = path.stat().st_size
    with path.open("rb") as file:
        first = file.read(8)
        length = int.from_bytes(first, "little")
        if size > MOST_BYTES:
            raise ModelError(f"{path} has {readable(size)}; weights of more than {readable(MOST_BYTES)} are refused")
        if len(first) < 8 or not 2 <= length <= min(MOST_HEADER, size - 8):
            if first.startswith(PICKLES):
                raise ModelError(f"{path} is a Python pickle, which could run any code; pullback reads .safetensors "
                                 "only")  # fmt: skip
            raise ModelError(f"{path} is no safetensors file, or it is damaged or cut short")
        raw = file.read(length)
    try:
        entries = json.loads(raw)
        text = json.loads(entries.pop("__metadata__", {}).get(TEXT, "null"))
        ends = [int(entry["data_offsets"][1]) for entry in entries.values()]
        named = all(isinstance(entry["shape"], list) for entry in entries.values())
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ModelError(f"{path} has a damaged header ({_line(error)}); copy or make it again") from error
    if not isinstance(text, dict) or not named:
        raise ModelError(f"{path} was not written by pullback: its header does not say what it is")
    if max(ends, default=0) != size - 8 - length:
        raise ModelError(f"{path} is cut short or too long: its header declares {max(ends, default=0)} bytes of "
                         f"numbers, and {size - 8 - length} follow; copy it again")  # fmt: skip
    check_memory(2 * size)
    return text, entries


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def finite(tensors: dict[str, Tensor]) -> bool:
    """Whether every number is one."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values() if tensor.is_floating_point())
