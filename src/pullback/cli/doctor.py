"""pullback doctor: check this installation, and say what could be better."""

from __future__ import annotations

import platform
from argparse import Namespace
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import pullback
from pullback.cli.options import Parser

NEEDED = ("torch", "numpy", "nibabel", "h5py", "isal", "pydicom", "pillow", "tifffile", "pyyaml", "rich", "jinja2",
          "matplotlib", "jaxtyping", "safetensors")  # fmt: skip
EXTRAS = {
    "SimpleITK": "SimpleITK images in Python (pip install 'pullback[itk]')",
    "pylibjpeg": "compressed DICOM (pip install 'pullback[dicom]')",
}


def parser() -> Parser:
    """The options of this command."""
    return Parser("pullback doctor", "Check this installation: versions, devices, kernels, and what is missing.")


def run(options: Namespace) -> int:
    """Print the findings; 1 if something is missing without which it cannot work."""
    del options
    here = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    print(f"pullback {pullback.__version__} on {here}")
    versions = {name: _version(name) for name in (*NEEDED, *EXTRAS)}
    missing = [name for name in NEEDED if versions[name] is None]
    print("needed     " + ", ".join(f"{name} {versions[name] or 'MISSING'}" for name in NEEDED))
    print("extras     " + ", ".join(f"{name} {versions[name] or '(none)'}" for name in EXTRAS))
    if "torch" not in missing:
        for line in _torch():
            print(line)
    advice = [f"{name} is missing: pip install {name}" for name in missing]
    advice += [f"for {use}" for name, use in EXTRAS.items() if versions[name] is None]
    print("\n".join(f"advice     {line}" for line in advice) or "All is well.")
    return 1 if missing else 0


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _torch() -> Iterator[str]:
    import torch

    from pullback import ops

    devices = ["cpu"]
    devices += [f"cuda:{k} ({torch.cuda.get_device_name(k)})" for k in range(torch.cuda.device_count())]
    devices += ["mps"] if torch.backends.mps.is_available() else []
    yield f"threads    {torch.get_num_threads()} (--threads N changes it)"
    yield f"devices    {', '.join(devices)}; --device auto takes {'cuda' if torch.cuda.is_available() else 'cpu'}"
    for row in ops.explain():
        yield f"kernel     {row.op:<16} {row.row:<10} {row.reason}"
