"""A result folder that appears whole or not at all, whatever stops the work: an error, a full disk, Ctrl-C."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pullback.errors import InputError

LAST = "result.json"
"""Where this file stands, the result is whole."""

HALVES = ("to_fixed.h5", "to_moving.h5", "middle.nii.gz")
"""What a symmetric registration leaves besides."""

EXTRAS = ("report.html", "displacement.nii.gz", *HALVES)
"""What an earlier result in the same folder may have, and this one not."""


@contextmanager
def together(folder: str | Path) -> Iterator[Path]:
    """A hidden folder whose files appear in `folder` together when the block ends well, and vanish when it does not.

    A folder that is not there yet appears in one step. In one that is, files of the same names are replaced, a report
    or displacement of an earlier result is taken away so that it cannot be mistaken for this one's, and result.json
    goes first and comes last.

    Args:
        folder: where the files shall appear.

    Yields:
        The hidden folder, on the same disk.

    Raises:
        InputError: the folder cannot be made or written, or something else is in the way.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give the name of a folder for the result")
    home = folder if folder.exists() else folder.parent
    missing = [parent for parent in (home, *home.parents) if not parent.exists()]
    hidden = home / f".writing-{secrets.token_hex(4)}"
    try:
        with _refusals(folder):
            hidden.mkdir(parents=True)
        yield hidden
        with _refusals(folder):
            if folder.exists():
                _move_in(hidden, folder)
            else:
                hidden.rename(folder)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        for parent in missing:  # innermost first
            with suppress(OSError):  # somebody else has put something there
                parent.rmdir()
        raise


def _move_in(hidden: Path, folder: Path) -> None:
    for name in (LAST, *EXTRAS):
        (folder / name).unlink(missing_ok=True)
    for path in sorted(hidden.iterdir(), key=lambda path: path.name == LAST):
        path.replace(folder / path.name)
    hidden.rmdir()


@contextmanager
def _refusals(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write the folder {folder}: {error.strerror or error}; choose another one") from error
