"""What the commands' options share. Nothing here may import torch."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from pullback.errors import InputError

DIRECTION = (
    "direction: a transform maps fixed points to moving points. Images go the other way by pull-back:\n"
    "  warped(x) = moving(transform(x)). Landmarks from moving to fixed use the inverse."
)


class UsageError(InputError):
    """The command line itself cannot be understood."""


class Parser(argparse.ArgumentParser):
    """An argparse parser whose mistakes are one line, and whose help keeps its line breaks."""

    def __init__(self, prog: str, description: str, examples: str = "", **more: object) -> None:
        more.setdefault("epilog", f"{DIRECTION}\n\nexamples:\n{_indented(examples)}" if examples else None)
        super().__init__(
            prog=prog,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **more,  # type: ignore[arg-type]
        )

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        raise UsageError(f"{message} (see {self.prog} --help)")


def whole(text: str) -> int:
    """A whole number that is not negative, as an argparse type."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"must be a whole number, not negative; got {text!r}")
    return int(text)


def file(text: str) -> Path:
    """A path, as an argparse type; nothing is opened."""
    if not text:
        raise argparse.ArgumentTypeError("an empty file name")
    return Path(text)


def _indented(text: str) -> str:
    return "\n".join(f"  {line.strip()}" for line in text.strip().splitlines())
