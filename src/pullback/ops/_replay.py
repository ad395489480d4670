"""Work on a GPU that is recorded once and then replayed.

A step of a registration starts some thirty kernels, always the same ones on memory of the same size. On a coarse level
a GPU is done with each before the program has started the next. A CUDA graph holds all of them and is started as one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from pullback.ops import _cuda, _dispatch
from pullback.typing import Tensor

FIRST = 2
"""So many calls run as they are: kernels are compiled, and what is kept from call to call is made."""


class Replayed:
    """A function of one tensor that makes tensors from it, and from others that stay as they are.

    It may not wait for the GPU, nor copy from the CPU. Where it does nevertheless, or where there is no GPU, it is
    called as it is. What a call returns is overwritten by the next.
    """

    def __init__(self, function: Callable[[Tensor], tuple[Tensor, ...]]) -> None:
        self.function = function
        self.calls = 0
        self.graph: Any = None
        self.given: Tensor | None = None
        self.made: tuple[Tensor, ...] = ()
        self.stubborn = _cuda.missing() is not None or _cuda.interpreted() or not _dispatch.allows("cuda")

    def __call__(self, values: Tensor) -> tuple[Tensor, ...]:
        """What the function makes of these values."""
        self.calls += 1
        if self.graph is None and (self.stubborn or self.calls <= FIRST or values.device.type != "cuda"):
            return self.function(values)
        with _cuda.on(values):
            if self.graph is None and not self._record(values):
                return self.function(values)
            assert self.given is not None
            self.given.copy_(values)
            self.graph.replay()
        return self.made

    def _record(self, values: Tensor) -> bool:
        """Whether the function could be recorded."""
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        given = values.detach().clone()
        stream.wait_stream(torch.cuda.current_stream())
        begun = False
        try:
            with torch.cuda.stream(stream):
                graph.capture_begin(capture_error_mode="thread_local")
                begun = True
                made = self.function(given)
                begun = False
                graph.capture_end()
        except RuntimeError:  # something in it waits for the GPU
            self.stubborn = True
            if begun:
                _ended(graph, stream)
            return False
        torch.cuda.current_stream().wait_stream(stream)
        self.graph, self.given, self.made = graph, given, made
        _dispatch.note("step", "replayed")
        return True


def _ended(graph: Any, stream: Any) -> None:
    """A recording that went wrong must be ended all the same."""
    try:
        with torch.cuda.stream(stream):
            graph.capture_end()
    except RuntimeError:
        return
