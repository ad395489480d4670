"""Outputs appear whole or not at all: write to a temporary name in the same folder, then rename."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pullback.errors import InputError

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or write elsewhere",
    errno.EDQUOT: "your disk quota is used up; free some space or write elsewhere",
    errno.EACCES: "permission denied; choose a folder that you may write to",
    errno.EPERM: "permission denied; choose a folder that you may write to",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it when the block ends well and deleted when it does not.

    Args:
        path: where the file shall appear; a file already there is replaced only at the very end.

    Yields:
        A path in the same folder with the same full suffix (so that `.nii.gz` stays `.nii.gz`). Nothing exists there
        yet.

    Raises:
        InputError: the folder does not exist, the disk is full, or writing is not permitted.

    Example:
        >>> import tempfile
        >>> wanted = Path(tempfile.mkdtemp()) / "numbers.txt"
        >>> with atomic(wanted) as temporary:
        ...     _ = temporary.write_text("1 2 3")
        >>> wanted.read_text()
        '1 2 3'
    """
    wanted = Path(path)
    wanted = wanted.resolve() if wanted.is_symlink() else wanted
    if wanted.exists() and not wanted.is_file():
        raise InputError(f"cannot write {path}: there is a folder or a device of that name; choose another name")
    if not wanted.parent.is_dir():
        raise InputError(f"cannot write {path}: the folder {wanted.parent} does not exist; make it first")
    temporary = wanted.with_name(f".writing-{secrets.token_hex(4)}{full_suffix(wanted)}")
    try:
        yield temporary
        temporary.replace(wanted)
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise InputError(f"cannot write {path}: {reason}") from error
    finally:
        temporary.unlink(missing_ok=True)


def full_suffix(path: str | os.PathLike[str]) -> str:
    """The suffix that tells the format, in lower case: `.nii.gz` and `.mrk.json` count as one.

    Example:
        >>> full_suffix("a.b.NII.gz"), full_suffix("scan.mha"), full_suffix("IM0001")
        ('.nii.gz', '.mha', '')
    """
    suffixes = [s.lower() for s in Path(path).suffixes[-2:]]
    if len(suffixes) == 2 and (suffixes[1] == ".gz" or suffixes == [".mrk", ".json"]):
        return "".join(suffixes)
    return suffixes[-1] if suffixes else ""
