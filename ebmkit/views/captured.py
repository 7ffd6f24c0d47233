"""Functions captured as one graph of kernels with static tensors, replayed without Python."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

import torch
from torch import Tensor

from ebmkit.errors import CapabilityError
from ebmkit.views.agreement import Results, disagreement
from ebmkit.views.specialised import Function

WARM_UP = 3
"""Runs before the capture, in which libraries take their workspaces and choose their kernels."""
TOLERANCE = 0.25
"""How far a replayed row may be from the eager one, relative to its norm: kernels that add in any order, over many
moves. A graph that missed something is off by far more, in nearly all rows."""


class CaptureBackend(Protocol):
    """Records the kernels that a function launches."""

    def on(self, device: torch.device) -> AbstractContextManager[object]:
        """Returns the context in which everything of a device is done; raises CapabilityError if it captures none."""
        ...

    def warm_up(self, work: Callable[[], Results]) -> None:
        """Runs the function a few times where a capture allows it."""
        ...

    def capture(self, work: Callable[[], Results]) -> tuple[Callable[[], None], Results]:
        """Returns what replays the kernels, and the tensors that every replay writes."""
        ...


class CudaGraphs:
    """CUDA graphs (the pattern of `torch.cuda.graph`: warm-up on a side stream, then the capture)."""

    def on(self, device: torch.device) -> AbstractContextManager[object]:
        """Returns the context in which a CUDA device is the current one, with its own current stream."""
        if device.type != "cuda":
            raise CapabilityError(
                f'engine "graph" captures what runs on CUDA, but x is on {device}: move the energy and x to "cuda", '
                'or use engine = "eager".'
            )
        return torch.cuda.device(device)

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
    copies, so that a later replay does not write over an earlier result. It is captured on other values than those
    given, and its first replay, on those given, must give what the function gives.

    Args:
        function: of tensors.
        tensors: of the shapes, strides and types to capture, all on one device.
        backend: records and replays.

    Raises:
        CapabilityError: the backend captures nothing of that device, or a replay computes something else.
    """
    device = tensors[0].device
    with backend.on(device):
        expected = function(*tensors)  # what an energy makes at its first call is not to be made within a graph
        inputs = [_others(tensor) for tensor in tensors]

        def work() -> Results:
            return tuple(function(*inputs))

        backend.warm_up(work)
        replay, results = backend.capture(work)

    def run(*tensors: Tensor) -> Results:
        with backend.on(device):
            for static, tensor in zip(inputs, tensors, strict=True):
                static.copy_(tensor.detach())
            replay()
            return tuple(result.clone() for result in results)

    _check(run(*tensors), expected)
    return run


def _others(tensor: Tensor) -> Tensor:
    """Returns a tensor laid out alike with other values: rows backwards, and moved unless they are indices."""
    values = tensor.detach().flip(0)
    if tensor.is_floating_point():
        values = values + (1 + values.abs().amax())
    return torch.empty_like(tensor).copy_(values)


def _check(found: Results, expected: Results) -> None:
    off = max(disagreement(found, expected))
    if off > TOLERANCE:
        raise CapabilityError(
            f"Replayed as a graph, rows differ by up to {off:.1%} from the eager ones (at most {TOLERANCE:.0%} is "
            'rounding). Use engine = "eager"; an energy that draws random numbers, keeps state, or computes on another '
            "device than that of x cannot be captured."
        )
