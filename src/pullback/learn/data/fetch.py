"""fetch: public data sets, downloaded when asked for, compared with their published checksums, whole or not at all.

`downloads.json` says which files there are, where they lie, and what their checksums are: MNIST as torchvision's
mirrors have it, MedMNIST as its authors published it. Nothing here runs unless somebody asks for a download.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from pullback.errors import InputError
from pullback.io.atomic import atomic
from pullback.io.limits import readable

Watch: TypeAlias = Callable[[str, int, int], None]
"""(file, bytes so far, bytes in all or 0 where the server does not say)."""
PIECE = 1 << 20
MOST_BYTES = 2_000_000_000
SECONDS = 30
"""A server that says nothing for so long is given up."""


def the_folder() -> Path:
    """Where public data sets are looked for, there or not: PULLBACK_DATA, or `data` in `cache_folder`."""
    named = os.environ.get("PULLBACK_DATA")
    return Path(named) if named else cache_folder() / "data"


def data_folder(make: bool = False) -> Path:
    """The folder of public data sets: PULLBACK_DATA, or `pullback/data` in the user's cache folder.

    Args:
        make: make it, if it is not there.

    Raises:
        InputError: there is no such folder, or it cannot be made.
    """
    folder = the_folder()
    if make:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the folder {folder}: {error.strerror}; set PULLBACK_DATA") from error
    if not folder.is_dir():
        if os.environ.get("PULLBACK_DATA"):
            raise InputError(f"PULLBACK_DATA is {folder}, and there is no such folder")
        raise InputError("set PULLBACK_DATA to the folder that holds your data sets (mnist/, medmnist/), or download "
                         "one: pullback data fetch NAME")  # fmt: skip
    return folder


def cache_folder() -> Path:
    """Where pullback may keep what it can get again: PULLBACK_CACHE, by default pullback in the user's cache folder."""
    named = os.environ.get("PULLBACK_CACHE")
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pullback"


@cache
def sources() -> dict[str, Any]:
    """What `downloads.json` holds."""
    text = Path(__file__).with_name("downloads.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def files_of(name: str, table: Mapping[str, Any] | None = None) -> dict[str, tuple[list[str], str]]:
    """{file below the data folder: (addresses, checksum)} of a data set: mnist, or medmnist:NAME.

    Raises:
        InputError: there is no such data set to download.

    Example:
        >>> list(files_of("medmnist:pneumoniamnist"))
        ['medmnist/pneumoniamnist.npz']
    """
    table = sources() if table is None else table
    kind, _, rest = name.partition(":")
    entry = table.get(kind, {"files": {}, "from": []})
    wanted = rest.partition(":")[0] if kind == "medmnist" else ""  # mnist:5 is of mnist's files
    found = {
        path: ([address + path.rpartition("/")[2] for address in entry["from"]], checksum)
        for path, checksum in entry["files"].items()
        if not wanted or Path(path).stem == wanted
    }
    if not found or (kind == "medmnist" and not wanted):
        names = ", ".join(offered(table))
        raise InputError(f"{name!r} cannot be downloaded; choose one of {names}")
    return found


def offered(table: Mapping[str, Any] | None = None) -> list[str]:
    """The data sets that can be downloaded."""
    table = sources() if table is None else table
    several = [f"medmnist:{Path(path).stem}" for path in table.get("medmnist", {"files": {}})["files"]]
    return [kind for kind in table if kind != "medmnist"] + several


def fetch(
    name: str,
    folder: str | Path | None = None,
    *,
    table: Mapping[str, Any] | None = None,
    watch: Watch | None = None,
) -> list[Path]:
    """Download a public data set, unless it is there already.

    Each file appears only when it is whole and its checksum is the published one; an interrupted download leaves
    nothing behind.

    Args:
        name: mnist, or medmnist:NAME.
        folder: below which mnist/ or medmnist/ goes; `data_folder()` by default, made if need be.
        table: other files than those of `downloads.json`, in its form.
        watch: called as bytes arrive.

    Returns:
        The files.

    Raises:
        InputError: there is no such data set, no server gives the right file, another file of that name is there, or
            the folder cannot be written.
    """
    files = files_of(name, table)
    folder = data_folder(make=True) if folder is None else Path(folder)
    return [_one(folder / path, *where, watch or (lambda *_: None)) for path, where in files.items()]


def _one(path: Path, addresses: list[str], checksum: str, watch: Watch) -> Path:
    if path.is_file():
        if _checksum(path, checksum) != checksum:
            raise InputError(f"{path} is there, and it is not the published file (its checksum differs); move it away "
                             "to download that")  # fmt: skip
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {path.parent}: {error.strerror}; choose another one") from error
    failures = []
    for address in addresses:
        try:
            with atomic(path) as temporary:
                _download(address, temporary, checksum, lambda done, total: watch(path.name, done, total))
            return path
        except _FailedError as error:
            failures.append(f"{address}: {error}")
    raise InputError(f"cannot download {path.name} ({'; '.join(failures)}); try again, or put the file into "
                     f"{path.parent} yourself")  # fmt: skip


class _FailedError(Exception):
    """A server does not answer, or what it sends is not what was published."""


def _download(address: str, path: Path, checksum: str, watch: Callable[[int, int], None]) -> None:
    kind, _, wanted = checksum.partition(":")
    digest = hashlib.new(kind, usedforsecurity=False)
    with path.open("wb") as file:
        for piece in _pieces(address, watch):
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != wanted:
        raise _FailedError("the checksum of what it sends is not the published one")


def _pieces(address: str, watch: Callable[[int, int], None]) -> Iterator[bytes]:
    """What a server sends; only its failures become `_FailedError`, not those of the disk."""
    asked, done = urllib.request.Request(address, headers={"User-Agent": "pullback"}), 0
    try:
        with urllib.request.urlopen(asked, timeout=SECONDS) as answer:
            total = int(answer.headers.get("Content-Length") or 0)
            while piece := answer.read(PIECE):
                done += len(piece)
                if done > MOST_BYTES:
                    raise _FailedError(f"it sends more than {readable(MOST_BYTES)}")
                yield piece
                watch(done, total)
    except (OSError, http.client.HTTPException, ValueError) as error:  # URLError and timeouts are OSErrors
        raise _FailedError(str(error) or type(error).__name__) from error
    if done < total:
        raise _FailedError(f"only {done} of {total} bytes arrived")


def _checksum(path: Path, like: str) -> str:
    kind = like.partition(":")[0]
    with path.open("rb") as file:
        return f"{kind}:{_digest(file, kind)}"


def _digest(file: BinaryIO, kind: str) -> str:
    return hashlib.file_digest(file, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()  # type: ignore[arg-type]
