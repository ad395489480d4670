"""main: choose the command, run it, and turn whatever happens into a sentence and an exit code.

0 done; 1 a fault of ours; 2 the input or the command cannot be used; 3 a registration that did not succeed; 130 stopped
by Ctrl-C, 143 by SIGTERM.
"""

from __future__ import annotations

import difflib
import gc
import importlib
import os
import signal
import sys
import threading
import traceback
import warnings
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, ModuleType
from typing import TextIO

import pullback
from pullback.cli import quick
from pullback.cli.options import DIRECTION, Parser, UsageError
from pullback.errors import PullbackError, PullbackWarning

COMMANDS = {
    "register": "align a moving image with a fixed one",
    "apply": "carry an image, labels or points through a transform; or write it as a displacement field",
    "landmarks": "make a transform out of landmarks that are known in both images",
    "evaluate": "measure a result against labels, landmarks or a known answer; compare methods",
    "track": "follow one frame of a cine through all others",
    "group": "bring a series of images together, none of them in a special place",
    "template": "make an image in the middle of many",
    "report": "make the one-page report of a result folder",
    "info": "tell what is in an image, a transform or a result folder",
    "recipe": "list the recipes, or show one to change",
    "phantom": "make a synthetic heart or a pair with a known answer",
    "train": "train a network that registers, on your scans or on a public data set",
    "evaluate-model": "compare a trained network with doing nothing and with a classical recipe",
    "export-model": "write a trained network as an ONNX file, for programs without torch",
    "data": "download a public data set; see how much room prepared scans take",
    "demo": "register a synthetic beating heart and compare with the truth",
    "doctor": "check this installation",
}


def process() -> int:
    """`main` in a process of its own, which ends with it: the console script.

    Importing torch makes a million objects that stay. To look through them for garbage again and again, and once more
    at the end, took a third of the start-up time.
    """
    gc.set_threshold(50_000, 20, 100)
    small = sys.argv[1:2] in [[name] for name in quick.COMMANDS]
    if small:
        quick.start()
    try:
        code = main()
    finally:
        gc.freeze()
    if small:
        quick.end(code)
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code.

    Args:
        arguments: what follows `pullback` on the command line; that of this process by default.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # on a busy machine, threads that spin cost a tenfold
    words = list(sys.argv[1:] if arguments is None else arguments)
    verbose = False
    try:
        with _terminable():
            if not words or words[0].startswith("-"):
                return _top(words)
            command = _command(words[0])
            options = _options(command, words)
            verbose = options.verbose
            with _notes(verbose):
                code = int(command.run(options))
            sys.stdout.flush()  # here, where a closed pipe is still told apart from a fault
            return code
    except PullbackError as error:
        _say(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        _say("stopped; nothing half-written was left behind")
        return 130
    except BrokenPipeError:  # the reader of our output, `head` for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        return _fault(error, verbose)


def _top(words: list[str]) -> int:
    """`pullback` without a command: help, the version, or a mistake."""
    rows = "\n".join(f"  {name:<14} {purpose}" for name, purpose in COMMANDS.items())
    parser = Parser(
        prog="pullback",
        usage="pullback COMMAND ...",
        description="Align any two medical images, the heart first, and know whether to trust the result.",
        epilog=f"commands:\n{rows}\n\n{DIRECTION}\n\nstart here:\n  pullback demo\n"
        "  pullback register fixed.nii.gz moving.nii.gz --out result/ --report\n"
        "  pullback COMMAND --help\n\n"
        "exit codes: 0 done, 2 the input cannot be used, 3 the registration did not succeed, 1 a fault of pullback's",
    )
    parser.add_argument("--version", action="version", version=f"pullback {pullback.__version__}")
    parser.parse_args(words)
    parser.print_help()
    return 0


def _command(name: str) -> ModuleType:
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(COMMANDS)}"
        raise UsageError(f"there is no command {name!r}; {hint}")
    return importlib.import_module(f"pullback.cli.{name.replace('-', '_')}")


def _options(command: ModuleType, words: list[str]) -> Namespace:
    parser: Parser = command.parser()
    common = parser.add_argument_group("more")
    common.add_argument("-v", "--verbose", action="store_true", help="tell more; after a fault, show where it happened")
    if len(words) == 1 and any(action.required for action in parser._actions):  # argparse would name but one of them
        raise UsageError(f"nothing was given; {parser.format_usage().strip()} (see {parser.prog} --help)")
    return parser.parse_intermixed_args(words[1:])


@contextmanager
def _notes(verbose: bool) -> Iterator[None]:
    """Choices that pullback made for the user become notes, once each; other people's warnings are for -v."""
    said: set[str] = set()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        del filename, lineno, file, line
        text = _one_line(message) if issubclass(category, PullbackWarning) else f"({category.__name__}) {message}"
        if text not in said:
            said.add(text)
            _say(f"note: {text}")

    with warnings.catch_warnings():
        warnings.simplefilter("always" if verbose else "ignore")
        warnings.simplefilter("always", PullbackWarning)
        warnings.showwarning = show
        yield


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM, with which batch systems end a job, cleans up as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _fault(error: Exception, verbose: bool) -> int:
    if verbose:
        traceback.print_exception(error)
    what = _one_line(f"{type(error).__name__}: {error}")
    ask = "please report it with the lines above" if verbose else "run it again with -v and report what it prints"
    _say(f"fault: {what}; this is a mistake in pullback, not in your input: {ask}")
    return 1


def _say(text: str) -> None:
    print(f"pullback: {_one_line(text)}", file=sys.stderr)


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
