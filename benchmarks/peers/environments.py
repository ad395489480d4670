"""Make an environment for each peer, in a folder of its own, so that no tool's libraries meet another's.

    python environments.py [FOLDER]

FOLDER is PEERS_ENVIRONMENTS, or .bench. A tool whose interpreter is named by PEERS_PYTHON_<TOOL> (GREEDY, ANTS,
ELASTIX, SIMPLEITK, DIPY, FIREANTS, CONVEXADAM) is left alone. What is there already is kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

TORCH = ("torch==2.13.0", "numpy", "scipy", "SimpleITK", "tqdm", "pandas", "matplotlib", "scikit-image")
PACKAGES = {
    "greedy": ("picsl_greedy==1.4.0.3",),
    "ants": ("antspyx==0.6.3",),
    "elastix": ("itk-elastix==0.25.4",),
    "simpleitk": ("SimpleITK==2.5.7",),
    "dipy": ("dipy==1.12.1",),
    "fireants": TORCH,
    "convexadam": TORCH,
}
ALONE = {"fireants": "fireants==1.5.0", "convexadam": "convexAdam==0.2.0"}
"""Installed without what they ask for: an old SimpleITK, and whichever torch comes first, of several gigabytes."""


def make(folder: Path, tool: str, packages: tuple[str, ...]) -> None:
    alone = ALONE.get(tool)
    wanted, stamp = " ".join([*packages, *([alone] if alone else [])]), folder / tool / "installed.txt"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"Making the environment of {tool} in {folder / tool} ...", flush=True)
    venv.create(folder / tool, clear=True, with_pip=True)
    python = folder / tool / "bin" / "python"
    words = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*words, "nibabel", *packages], check=True)
    if alone:
        subprocess.run([*words, "--no-deps", alone], check=True)
    stamp.write_text(wanted)


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PEERS_ENVIRONMENTS", ".bench")).absolute()
    for tool, packages in PACKAGES.items():
        if not os.environ.get(f"PEERS_PYTHON_{tool.upper()}"):
            make(folder, tool, packages)


if __name__ == "__main__":
    main()
