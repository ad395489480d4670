"""What the commands' options share. Nothing here may import torch."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn, TypeAlias

from pullback.errors import InputError

DIRECTION = (
    "direction: a transform maps fixed points to moving points. Images go the other way by pull-back:\n"
    "  warped(x) = moving(transform(x)). Landmarks from moving to fixed use the inverse."
)


Group: TypeAlias = argparse._ArgumentGroup
"""What `add_argument_group` gives."""


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


def how_to_run(parser: argparse.ArgumentParser) -> Group:
    """The options of every command that computes: the group, for those that have more."""
    run = parser.add_argument_group("how to run")
    run.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)")
    run.add_argument("--threads", metavar="N", type=whole, help="CPU threads (default: as many as torch takes)")
    run.add_argument("-q", "--quiet", action="store_true", help="no progress bar and no summary")
    return run


def changes(group: Group | argparse.ArgumentParser) -> None:
    """The options of every command that changes a recipe without a file."""
    group.add_argument("--set", metavar="PLACE=VALUE", action="append", default=[], help="a value of the recipe, named "
                       "as `pullback recipe show` nests it: --set prepare.flatten_mm=40, "
                       "--set stages.1.schedule.tolerance=1e-3 (repeatable)")  # fmt: skip
    group.add_argument("--term", metavar="YAML", action="append", default=[], help="a further term in what is "
                       "minimised: --term '{similarity: {kind: MSE}, weight: 0.1}' (repeatable)")  # fmt: skip


def keep_inputs(inputs: Iterable[Path | None], folder: Path, names: Iterable[str]) -> None:
    """Refuse a folder in which a result would overwrite an input.

    Raises:
        UsageError: one of the names there is an input.
    """
    if {path.resolve() for path in inputs if path is not None} & {(folder / name).resolve() for name in names}:
        raise UsageError(f"an input would be overwritten by the result in {folder}; choose another folder")


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
