"""pullback data: public data sets to download, and the folder of prepared scans."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from pullback.cli.options import Parser, UsageError, file

if TYPE_CHECKING:
    from pullback.learn.data.fetch import Watch

EXAMPLES = """
pullback data list
pullback data fetch mnist
pullback data fetch medmnist:pneumoniamnist --folder data/
pullback data cache
pullback data cache --clear
"""


def parser() -> Parser:
    """The options of this command."""
    p = Parser("pullback data", "list: the public data sets that can be downloaded, and which of them are there.\n"
               "fetch: download one, and compare it with its published checksum.\n"
               "cache: how much room the scans take that `train` prepared; --clear removes them.", EXAMPLES,
               usage="pullback data list|fetch|cache [NAME ...] [options]")  # fmt: skip
    p.add_argument("what", metavar="list|fetch|cache", choices=("list", "fetch", "cache"), help="what to do")
    p.add_argument("names", metavar="NAME", nargs="*", help="for fetch: mnist, medmnist:pneumoniamnist, ...")
    p.add_argument("--folder", metavar="DIR", type=file, help="where to (default: PULLBACK_DATA, else pullback/data in "
                   "your cache folder); for cache: the folder of prepared scans")  # fmt: skip
    p.add_argument("--clear", action="store_true", help="for cache: remove the prepared scans")
    p.add_argument("-q", "--quiet", action="store_true", help="no progress")
    return p


def run(options: Namespace) -> int:
    """Do one of the three."""
    if (options.what == "fetch") != bool(options.names):
        raise UsageError("pullback data fetch takes names, list and cache none; see pullback data --help")
    if options.clear and options.what != "cache":
        raise UsageError("--clear is for pullback data cache")
    {"list": _list, "fetch": _fetch, "cache": _cache}[options.what](options)
    return 0


def _list(options: Namespace) -> None:
    from pullback.learn.data.fetch import files_of, offered, the_folder

    folder = options.folder or the_folder()
    for name in offered():
        there = all((folder / path).is_file() for path in files_of(name))
        print(f"{name:<26}{'there' if there else ''}".rstrip())
    print(f"in {folder}")


def _fetch(options: Namespace) -> None:
    from pullback.learn import fetch
    from pullback.learn.data.fetch import files_of

    for name in options.names:
        files_of(name)  # a name that is wrong is told of before anything is downloaded
    for name in options.names:
        for path in fetch(name, options.folder, watch=None if options.quiet else progress()):
            print(path)


def progress() -> Watch:
    """A line that is kept up to date, on a terminal."""

    def tell(name: str, done: int, total: int) -> None:
        if sys.stderr.isatty():
            share = f" of {total / 1e6:.1f}" if total else ""
            end = "\n" if done == total else ""
            print(f"\r\x1b[K{name}: {done / 1e6:.1f}{share} MB", end=end, file=sys.stderr, flush=True)

    return tell


def _cache(options: Namespace) -> None:
    from pullback.io.limits import readable
    from pullback.learn.data.prepared import cleared, default_folder, kept

    folder: Path = options.folder or default_folder()
    files = kept(folder)
    size = sum(path.stat().st_size for path in files)
    if options.clear:
        cleared(folder)
        print(f"removed {len(files)} prepared scans ({readable(size)}) from {folder}")
    else:
        print(f"{len(files)} prepared scans, {readable(size)}, in {folder}")
