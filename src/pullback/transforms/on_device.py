"""on_device: the same transform with its fields elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from pullback.transforms.affine import Affine
from pullback.transforms.transform import Transform
from pullback.typing import Tensor


def on_device(transform: Transform, device: torch.device | str) -> Transform:
    """The transform with its fields on a device; itself where they are there. Matrices stay on the CPU.

    Example:
        >>> here = Affine.identity(3)
        >>> on_device(here, "cpu") is here
        True
    """
    changed = {}
    if not isinstance(transform, Affine):
        for name in getattr(transform, "__dataclass_fields__", ()):
            value = getattr(transform, name)
            moved = _moved(value, torch.device(device))
            if moved is not value:
                changed[name] = moved
    whole: Any = transform
    result: Transform = replace(whole, **changed) if changed else transform
    return result


def _brought(value: Tensor, device: torch.device) -> Tensor:
    """To the CPU. Memory that the system has not handed over yet would be, page by page, by the thread that copies."""
    return torch.empty_like(value, device=device).zero_().copy_(value)


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return _brought(value, device) if value.device.type == "cuda" and device.type == "cpu" else value.to(device)
    if isinstance(value, Transform):
        return on_device(value, device)
    if isinstance(value, tuple) and any(isinstance(part, Transform) for part in value):
        parts = tuple(_moved(part, device) for part in value)
        return value if all(a is b for a, b in zip(parts, value, strict=True)) else parts
    return value
