"""pullback export-model: a trained network as an ONNX file."""

from __future__ import annotations

from argparse import Namespace
from importlib.util import find_spec

from pullback.cli.options import Parser, file

EXAMPLES = """
pullback export-model run/ network.onnx
pullback export-model run/model.safetensors network.onnx
pullback export-model cine-2d cine.onnx
"""


def parser() -> Parser:
    """The options of this command."""
    p = Parser("pullback export-model", "Write a trained network as an ONNX file, for programs without torch. Inputs:\n"
               "fixed and moving, (batch, channels, *shape) from 0 to 1, of any size. Outputs: displacement, in\n"
               "voxels, warped, and inverse where the network gives both ways. The card is in the metadata.", EXAMPLES,
               usage="pullback export-model MODEL OUT.onnx")  # fmt: skip
    p.add_argument("model", metavar="MODEL", type=file, help="the folder of a training, a .safetensors file, or the "
                   "name of a network that comes with pullback")  # fmt: skip
    p.add_argument("out", metavar="OUT.onnx", type=file, help="the file to write")
    return p


def run(options: Namespace) -> int:
    """Write, compare, tell."""
    from pullback.errors import ModelError
    from pullback.learn import export_onnx, onnx_difference

    export_onnx(options.model, options.out)
    if find_spec("onnxruntime") is None:
        print(f"written to {options.out} (onnxruntime is not installed: not compared with torch)")
        return 0
    apart = onnx_difference(options.out, options.model)
    if not apart < 0.01:
        raise ModelError(f"{options.out} was written, but ONNX Runtime is {apart:.3g} voxels away from torch; do not "
                         "use it, and report this")  # fmt: skip
    print(f"written to {options.out}; ONNX Runtime gives what torch gives, to within {apart:.1g} voxels")
    return 0
