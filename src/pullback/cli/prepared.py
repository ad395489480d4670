"""--cache and --no-cache: where the scans lie that were prepared for a network."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pullback.cli.options import file

if TYPE_CHECKING:
    from pullback.learn import Cache


def add_cache(parser: ArgumentParser) -> None:
    """The two options."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--cache", metavar="DIR", type=file, help="where scans of DATA are kept once they are read, "
                       "scaled and laid on the grid (default: pullback/scans in your cache folder)")  # fmt: skip
    where.add_argument("--no-cache", action="store_true", help="keep none: prepare them anew, in memory")


@contextmanager
def prepared(options: Namespace, quiet: bool) -> Iterator[Cache | None]:
    """The cache that was asked for; afterwards, what is in it."""
    from pullback.learn import Cache
    from pullback.learn.data.prepared import default_folder

    if options.no_cache:
        yield None
        return
    cache = Cache(options.cache or default_folder())
    yield cache
    if (cache.found or cache.made) and not quiet:
        print(f"cache: {cache}", file=sys.stderr)
