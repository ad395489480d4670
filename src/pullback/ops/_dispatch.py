"""The table of kernels: for each op its rows, fastest first. The last row is always the torch reference.

A row is the name of a module beside the op, loaded by name on first use: it holds a function named after the op, and,
unless it is the reference, `supports(*tensors, **options)` and `available()` (None, or the reason why not). The rows
that ran are recorded, so that a result can say what made it.
"""

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

from torch import Tensor

from pullback.errors import KernelError

ROWS: dict[str, tuple[str, ...]] = {
    "sample": ("cpu", "cuda", "reference"),
    "inside": ("cpu", "cuda", "reference"),
    "compose": ("cpu", "cuda", "reference"),
    "smooth": ("cpu", "cuda", "reference"),
    "force": ("cpu", "cuda", "reference"),
    "sample_coarse": ("cpu", "cuda", "reference"),
    "force_coarse": ("cpu", "cuda", "reference"),
    "largest": ("cpu", "cuda", "reference"),
    "mse": ("cpu", "reference"),
    "sampled_mse": ("cpu", "reference"),
    "ncc": ("cpu", "reference"),
    "pair_sums": ("cpu", "reference"),
    "lncc": ("cpu", "cuda", "reference"),
    "joint_histogram": ("cpu", "cuda", "reference"),
    "sampled_histogram": ("cuda", "reference"),
    "mind": ("cpu", "reference"),
    "ffd": ("cpu", "reference"),
    "ffd_sample": ("cpu", "reference"),
    "exponential": ("cpu", "reference"),
    "jacobian": ("cpu", "reference"),
    "resize": ("cpu", "reference"),
}

_forced: ContextVar[str | None] = ContextVar("forced kernels", default=os.environ.get("PULLBACK_KERNELS") or None)
_log: ContextVar[dict[str, str] | None] = ContextVar("kernels that ran", default=None)


@dataclass(frozen=True)
class Row:
    """One row of the table, as `explain` shows it."""

    op: str
    row: str
    live: bool
    reason: str


@cache
def _load(op: str, row: str) -> ModuleType:
    return importlib.import_module(f"pullback.ops.{op}.{row}")


@cache
def _missing(op: str, row: str) -> str | None:
    """Why a row cannot run on this machine; None when it can."""
    return None if row == "reference" else _load(op, row).available()


def choose(op: str, *tensors: Tensor | None, **options: Any) -> Callable[..., Any]:
    """The fastest live row of an op for these tensors and options, as a function with the op's own signature.

    Where an op has no row of the forced name, or that row does not support the tensors, the reference runs.

    Raises:
        KernelError: `use_kernels` or PULLBACK_KERNELS names a row that no op has, or that this machine cannot run.
    """
    forced = _forced.get()
    for row in _candidates(op, forced):
        if row == forced and (reason := _missing(op, row)) is not None:
            raise KernelError(f"the {row!r} kernel of {op!r} cannot run here: {reason}; choose another row, or none")
        if row == "reference" or (
            _missing(op, row) is None and _load(op, row).supports(*(t for t in tensors if t is not None), **options)
        ):
            log = _log.get()
            if log is not None:
                log[op] = row
            function: Callable[..., Any] = getattr(_load(op, row), op)
            return function
    raise KernelError(f"no kernel of {op!r} can run on this input")


def _candidates(op: str, forced: str | None) -> tuple[str, ...]:
    rows = ROWS[op]
    if forced is None:
        return rows
    names = sorted({row for rows in ROWS.values() for row in rows})
    if forced not in names:
        raise KernelError(f"there are no {forced!r} kernels; choose one of {names}")
    return (forced, "reference") if forced in rows and forced != "reference" else ("reference",)


@contextmanager
def use_kernels(row: str | None) -> Iterator[None]:
    """Force one row, for example "reference", everywhere inside a `with`; None gives the choice back to the table."""
    token = _forced.set(row)
    try:
        yield
    finally:
        _forced.reset(token)


@contextmanager
def recorded() -> Iterator[dict[str, str]]:
    """Inside the `with`, a dictionary fills with {op: row that ran}."""
    log: dict[str, str] = {}
    token = _log.set(log)
    try:
        yield log
    finally:
        _log.reset(token)


def note(what: str, how: str) -> None:
    """Record beside the rows that ran what else was done, and how."""
    log = _log.get()
    if log is not None:
        log[what] = how


def allows(row: str) -> bool:
    """Whether rows of this name may be chosen."""
    return _forced.get() in (None, row)


def explain() -> list[Row]:
    """Every row of every op, and why it can or cannot run here."""
    return [
        Row(op, row, (reason := _missing(op, row)) is None, reason or "live")
        for op, rows in ROWS.items()
        for row in rows
    ]
