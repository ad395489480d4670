"""quick: start and end the process of a small job without what it never uses of torch.

For the console script and `python -m pullback` alone, which own their process: never for who imports pullback. Of the
second that `import torch` takes, a third goes into the kernels for tensors without data (`torch._meta_registrations`),
which compilers and exporters ask for. They are postponed: the module is there, and is loaded when something of it is
asked for. Only with versions of torch that were tried; any other starts as it always does.
"""

from __future__ import annotations

import atexit
import importlib
import os
import re
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

COMMANDS = ("register", "apply", "evaluate", "info", "landmarks", "track", "report", "recipe")
"""Those that need nothing of what is left out."""
TRIED = ("2.13",)
"""Versions of torch that were seen to register with every recipe in such a process (tests/end_to_end/test_quick.py)."""
POSTPONED = ("torch._meta_registrations",)


class Late(ModuleType):
    """A module that is loaded when something of it is asked for, beside what every module has."""

    def __getattr__(self, name: str) -> Any:
        """The real thing, loaded now."""
        if name.startswith("__") or self.__spec__ is None or not isinstance(self.__spec__.loader, _Postponed):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        loader = self.__spec__.loader.real
        self.__class__ = ModuleType  # type: ignore[assignment] # first: it may ask for itself
        loader.exec_module(self)
        return getattr(self, name)


class _Postponed(Loader):
    """Makes a `Late` in the place of a module."""

    def __init__(self, real: Loader) -> None:
        self.real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return Late(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Only what random generators wait for: torch does it on the way, deep in what is left out."""
        del module
        core, base = (importlib.import_module(f"torch.{name}") for name in ("_C", "_opaque_base"))
        core._set_generator_metaclass(base.OpaqueBaseMeta)


class _Finder(MetaPathFinder):
    """Finds the modules that are postponed, before anybody else does."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in POSTPONED:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Postponed(spec.loader)
        return spec


def torch_version() -> str:
    """The version of torch that an import would load, in two numbers; empty where it cannot be told."""
    spec = PathFinder.find_spec("torch")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder) / "version.py"
        found = re.search(r"__version__ = '(\d+\.\d+)", file.read_text(encoding="utf-8")) if file.is_file() else None
        if found:
            return found[1]
    return ""


def start() -> bool:
    """Leave out of `import torch` what no command of `COMMANDS` needs; whether anything is left out."""
    if "torch" in sys.modules or torch_version() not in TRIED:
        return False
    sys.meta_path.insert(0, _Finder())
    return True


def end(code: int) -> None:
    """End the process at once, once all is written: to take a thousand modules apart takes a tenth of a second.

    Returns where somebody watches the process: a profiler, a debugger or a coverage tool, who has things to do at the
    end, or where something could not be written, which is told on the way out.
    """
    if sys.gettrace() or sys.getprofile() or sys.flags.inspect or "coverage" in sys.modules:
        return
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return
    os._exit(code)
