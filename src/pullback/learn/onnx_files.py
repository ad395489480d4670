"""export_onnx: a trained network as an ONNX file, for programs without torch (ONNX Runtime, 3D Slicer, C++, browsers).

`torch.export` follows the network with symbols for sizes, so that one file takes every batch and every size; padding,
the integration of a velocity and the warping are in the graph. The card travels in the file's metadata.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pullback.errors import InputError, ModelError
from pullback.io.atomic import atomic
from pullback.learn.networks import PairNetwork, warp
from pullback.learn.weights import Card, load_weights
from pullback.typing import Batch

OPSET = 20
"""The first whose GridSample takes volumes; ONNX Runtime has it since 1.17."""
AXES = {2: ("rows", "columns"), 3: ("slices", "rows", "columns")}
METADATA = "pullback"
"""The key of the file's metadata under which the card lies, as JSON."""
NEEDED = ("onnx", "onnxscript")


def export_onnx(model: PairNetwork | str | Path, path: str | Path, card: Card | None = None) -> Path:
    """Write a network as an ONNX file.

    Its inputs are `fixed` and `moving`, (batch, channels, *shape) from 0 to 1; its outputs `displacement`,
    (batch, D, *shape) in voxels along the axes of the arrays, from fixed to moving, `warped`, which is the moving image
    pulled back through it, and `inverse`, from moving to fixed, where the network gives both ways. Any batch and any
    shape is taken.

    Args:
        model: a network, or what `load_weights` takes.
        path: ends in .onnx.
        card: of a network that is given as such; a file brings its own.

    Returns:
        The path.

    Raises:
        InputError: the packages `onnx` and `onnxscript` are missing, or the file cannot be written.
        ModelError: the weights cannot be read, or the network holds something that ONNX has not.

    Example:
        >>> export_onnx("heart-2d", "network.pt")
        Traceback (most recent call last):
        pullback.errors.InputError: an ONNX file ends in .onnx; got network.pt
    """
    path = Path(path)
    if path.suffix.lower() != ".onnx":
        raise InputError(f"an ONNX file ends in .onnx; got {path.name}")
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(f"ONNX files are written by {' and '.join(NEEDED)}, and {', '.join(missing)} is not "
                         "installed: pip install 'pullback[onnx]'")  # fmt: skip
    if not isinstance(model, nn.Module):
        model, card = load_weights(model)
    with atomic(path) as temporary:
        temporary.write_bytes(_content(model, card))
    return path


class _Whole(nn.Module):
    """The network with tensors out, and the warping at its end."""

    def __init__(self, model: PairNetwork) -> None:
        super().__init__()
        self.model = model

    def forward(self, fixed: Batch, moving: Batch) -> tuple[Batch, ...]:
        said = self.model(fixed, moving)
        outputs = said.displacement, warp(moving, said.displacement)
        return outputs if said.inverse is None else (*outputs, said.inverse)


def _content(model: PairNetwork, card: Card | None) -> bytes:
    d, training = model.dimension, model.training
    shape = [2 * model.stride + 2 * axis for axis in range(d)]  # unequal, so that no two axes are taken for one
    example = tuple(torch.rand(2, 2, model.channels, *shape).to(next(model.parameters()).device))
    free = dict.fromkeys((0, *range(2, d + 2)), torch.export.Dim.DYNAMIC)
    names = ["displacement", "warped", *(["inverse"] if model.bidirectional else [])]
    try:
        with _quiet(), torch.no_grad():
            program: Any = torch.onnx.export(
                _Whole(model.eval()), example, dynamo=True, opset_version=OPSET, dynamic_shapes=(free, free),
                input_names=["fixed", "moving"], output_names=names, verbose=False,
            )  # fmt: skip
    except (torch.onnx.errors.OnnxExporterError, RuntimeError, ValueError, TypeError) as error:
        what = " ".join(str(error.__cause__ or error).split())[:200]
        raise ModelError(f"this network cannot be written as ONNX: {what}") from error
    finally:
        model.train(training)
    proto = program.model_proto
    _describe(proto, card, d)
    return bytes(proto.SerializeToString())


def _describe(proto: Any, card: Card | None, dimension: int) -> None:
    """Names for the free sizes, and the card."""
    words = ("batch", None, *AXES[dimension])
    for value in [*proto.graph.input, *proto.graph.output]:
        for size, word in zip(value.type.tensor_type.shape.dim, words, strict=True):
            if size.dim_param and word:
                size.dim_param = word
    del proto.graph.value_info[:]  # sizes in between, under the old names; they follow from the graph
    proto.doc_string = ("displacement: from fixed to moving voxels, warped(v) = moving(v + displacement(v)); "
                        "images are scaled to 0..1")  # fmt: skip
    entry = proto.metadata_props.add()
    entry.key, entry.value = METADATA, json.dumps({} if card is None else card.to_dict())


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks about itself."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def onnx_difference(path: str | Path, model: PairNetwork | str | Path) -> float:
    """The largest difference between the displacements of an ONNX file and of its network, in voxels, on random images.

    Raises:
        InputError: the package `onnxruntime` is missing.
    """
    if find_spec("onnxruntime") is None:
        raise InputError("ONNX files are run by onnxruntime, which is not installed: pip install 'pullback[onnx]'")
    import onnxruntime  # noqa: PLC0415  # an optional extra

    network = model if isinstance(model, nn.Module) else load_weights(model)[0]
    network = network.to("cpu").eval()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    shape = [5 * network.stride // 2 + axis for axis in range(network.dimension)]  # that is padded
    fixed, moving = torch.rand(2, 1, network.channels, *shape)
    with torch.no_grad():
        ours = network(fixed, moving).displacement
    theirs = session.run(["displacement"], {"fixed": fixed.numpy(), "moving": moving.numpy()})[0]
    return float((ours - torch.from_numpy(theirs)).abs().max())
