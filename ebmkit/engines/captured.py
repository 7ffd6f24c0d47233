"""Functions captured as one graph of kernels with static tensors, replayed without Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from ebmkit.engines.specialised import Function

WARM_UP = 3
"""Runs before the capture, in which libraries take their workspaces and choose their kernels."""

Results = tuple[Tensor, ...]


class CaptureBackend(Protocol):
    """Records the kernels that a function launches."""

    def warm_up(self, work: Callable[[], Results]) -> None:
        """Runs the function a few times where a capture allows it."""
        ...

    def capture(self, work: Callable[[], Results]) -> tuple[Callable[[], None], Results]:
        """Returns what replays the kernels, and the tensors that every replay writes."""
        ...


class CudaGraphs:
    """CUDA graphs (the pattern of `torch.cuda.graph`: warm-up on a side stream, then the capture)."""

    def warm_up(self, work: Callable[[], Results]) -> None:
        """Runs the function on a side stream, and waits for it."""
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                work()
        torch.cuda.current_stream().wait_stream(side)

    def capture(self, work: Callable[[], Results]) -> tuple[Callable[[], None], Results]:
        """Returns the graph's replay, and its results, whose memory belongs to the graph."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            results = work()
        return graph.replay, results


def capture(function: Function, tensors: tuple[Tensor, ...], backend: CaptureBackend) -> Function:
    """Returns a version of a function that copies its arguments in, replays, and copies the results out.

    Tensors that the function closes over are read where they are at every replay: what is copied into them counts. It
    must draw no random numbers, wait for no value, and give the same shapes whatever the values are. Results are
    copies, so that a later replay does not write over an earlier result.

    Args:
        function: of tensors.
        tensors: of the shapes, strides and types to capture; their values are only tried.
        backend: records and replays.
    """
    function(*tensors)  # what an energy makes at its first call is not to be made within a graph
    inputs = [torch.empty_like(tensor).copy_(tensor.detach()) for tensor in tensors]

    def work() -> Results:
        return tuple(function(*inputs))

    backend.warm_up(work)
    replay, results = backend.capture(work)

    def run(*tensors: Tensor) -> Results:
        for static, tensor in zip(inputs, tensors, strict=True):
            static.copy_(tensor.detach())
        replay()
        return tuple(result.clone() for result in results)

    return run
