"""A real browser, headless: Chromium, found or named by PULLBACK_BROWSER; nothing is downloaded.

Without one these tests skip, and say so. With CI set they fail instead, unless PULLBACK_BROWSER=none says that it is
known that there is none.
"""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


def found_browser() -> str | None:
    named = os.environ.get("PULLBACK_BROWSER")
    if named == "none":
        return None
    return named or next((path for path in map(shutil.which, NAMES) if path), None)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The running browser."""
    path = found_browser()
    if path is None:
        say = "no Chromium is found (on Debian: apt-get install chromium; or name one: PULLBACK_BROWSER=/path/to/it)"
        if os.environ.get("CI") and os.environ.get("PULLBACK_BROWSER") != "none":
            pytest.fail(f"{say}; PULLBACK_BROWSER=none skips these tests")
        pytest.skip(say)
    sync_api = importlib.import_module("playwright.sync_api")  # only where there is something for it to drive
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium) -> Iterator[Callable[..., Any]]:
    """visit(file, ending="#...", width=1280, theme="light") -> the page; it may cause no error and no request."""
    contexts, faults = [], []

    def go(file: Path, ending: str = "", width: int = 1280, theme: str = "light", motion: str = "reduce") -> Any:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion=motion, offline=True
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda line: faults.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda sent: None if sent.url.startswith(("file:", "data:")) else faults.append(sent.url))
        page.goto(file.resolve().as_uri() + ending)
        return page

    yield go
    for context in contexts:
        context.close()
    assert not faults, faults


@pytest.fixture
def play(visit) -> Callable[..., Any]:
    """The interactive page, once everything on it is drawn."""

    def go(ending: str = "", **how: Any) -> Any:
        page = visit(ROOT / "docs" / "_static" / "play" / "index.html", ending, **how)
        settle(page)
        return page

    return go


def settle(page: Any) -> None:
    page.wait_for_function("!PLAY.page.busy()")


@pytest.fixture
def settled() -> Callable[[Any], None]:
    """Wait until the interactive page has drawn what was asked of it."""
    return settle
