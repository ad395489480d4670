"""Progress: a bar on a terminal, a line for each level with -v, and otherwise silence."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pullback.registration import Step

Watcher: TypeAlias = "Callable[[Step], None]"


@contextmanager
def progress(quiet: bool, verbose: bool) -> Iterator[Watcher]:
    """A function that takes each `Step` of a registration and shows it, for as long as the block lasts."""
    if quiet:
        yield lambda step: None
    elif sys.stderr.isatty():
        with _bar(verbose) as show:
            yield show
    else:
        tell = Levels(lambda line: print(line, file=sys.stderr, flush=True))
        yield tell if verbose else lambda step: None
        tell.finish()


@contextmanager
def _bar(verbose: bool) -> Iterator[Watcher]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=1.0)
        tell = Levels(lambda line: bar.console.print(line, highlight=False))

        def show(step: Step) -> None:
            where = f"{step.stage}, level {step.level} of {step.levels}"
            text = f"{where}: loss {step.loss:.4g}"
            bar.update(task, completed=step.share, description=text, refresh=step.step == 1)
            if verbose:
                tell(step)

        yield show
        tell.finish()


class Levels:
    """Gathers steps, and says a line when a level is over.

    Args:
        say: takes each line.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._first: Step | None = None
        self._last: Step | None = None

    def __call__(self, step: Step) -> None:
        """Take one step."""
        last = self._last
        if last is None or (last.stage, last.level) != (step.stage, step.level) or step.step <= last.step:
            self.finish()
            self._first = step
        self._last = step

    def finish(self) -> None:
        """Say what the last level came to, if there is one."""
        if self._first is not None and self._last is not None:
            first, last = self._first, self._last
            self._say(
                f"{last.stage}, level {last.level} of {last.levels}: {last.step} of at most {last.steps} steps, "
                f"loss {first.loss:.5g} -> {last.loss:.5g}"
            )
        self._first = self._last = None
