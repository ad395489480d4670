"""Run the tutorial's pages as programs, warnings being errors, and keep their figures: `make tutorial`.

    python docs/run_tutorial.py [PART OF A NAME ...] [--out tutorial-result]

Each page checks what it finds, so this is a test of pullback, too. With PULLBACK_DATA set to a folder of real images,
pages that can use some do; the others, and all without it, make their own.
"""

import argparse
import os
import runpy
import subprocess
import sys
import time
from pathlib import Path

PAGES = Path(__file__).parents[1] / "tutorial"
PATIENCE = 600  # seconds


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the tutorial's pages as programs and keep their figures.")
    parser.add_argument("parts", nargs="*", help="parts of names, such as 03 or mutual; all pages by default")
    parser.add_argument("--out", type=Path, default=Path("tutorial-result"), help="folder for the figures")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        show_page(asked.one, asked.out)
        return 0
    pages = [
        page for page in sorted(PAGES.glob("[0-9]*.py")) if not asked.parts or any(p in page.stem for p in asked.parts)
    ]
    if not pages:
        parser.error(f"no page of {PAGES} has {' or '.join(asked.parts)} in its name")
    failed = [page.stem for page in pages if not run(page, asked.out)]
    print(f"Figures: {asked.out}/" if not failed else f"Failed: {', '.join(failed)}")
    return len(failed)


def run(page: Path, out: Path) -> bool:
    """Run one page in a process of its own; say how it went."""
    command = [sys.executable, "-W", "error", __file__, "--one", str(page), "--out", str(out / page.stem)]
    start = time.monotonic()
    answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE,
                            env=os.environ | {"MPLBACKEND": "agg"})  # fmt: skip
    print(
        f"{page.stem:30} {'ok    ' if answer.returncode == 0 else 'FAILED'} {time.monotonic() - start:6.1f} s",
        flush=True,
    )
    if answer.returncode:
        print(answer.stdout)
    return answer.returncode == 0


def show_page(page: Path, out: Path) -> None:
    """Run a page here; whatever it shows is written to `out` instead."""
    import matplotlib.pyplot as plt  # only in the page's own process
    from site_style import reset

    reset({}, page.name)
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("figure_*.png"):
        old.unlink()
    written: list[Path] = []

    def write_figures() -> None:
        for number in plt.get_fignums():
            written.append(out / f"figure_{len(written) + 1:02}.png")
            plt.figure(number).savefig(written[-1])
        plt.close("all")

    plt.show = write_figures
    runpy.run_path(str(page), run_name="__main__")
    write_figures()


if __name__ == "__main__":
    sys.exit(main())
