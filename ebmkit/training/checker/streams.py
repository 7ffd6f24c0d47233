"""The global random streams, which no part of a run may touch: everything random follows from the run's seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ebmkit.errors import PluginError


@dataclass(frozen=True, eq=False)
class GlobalStreams:
    """Where the global random streams of torch (CPU, and CUDA where it is in use), numpy and Python stand."""

    cpu: Tensor
    cuda: Tensor | None
    numpy: dict[str, Any]
    python: tuple[Any, ...]

    @classmethod
    def now(cls) -> GlobalStreams:
        """Returns where they stand."""
        started = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        cuda = torch.cuda.get_rng_state() if started else None
        held: Any = np.random.get_state(legacy=False)
        return cls(torch.get_rng_state(), cuda, held, random.getstate())

    def restore(self) -> None:
        """Puts them back."""
        torch.set_rng_state(self.cpu)
        if self.cuda is not None:
            torch.cuda.set_rng_state(self.cuda)
        np.random.set_state(self.numpy)
        random.setstate(self.python)

    def advanced(self, *, of_torch_alone: bool = False) -> str:
        """Returns whose stream has been drawn from since, "" where none has."""
        now = GlobalStreams.now()
        if _moved(self.cpu, now.cpu) or _moved(self.cuda, now.cuda):
            return "torch's"
        if of_torch_alone:
            return ""
        if now.numpy["state"]["pos"] != self.numpy["state"]["pos"]:
            return "numpy's"
        if not np.array_equal(now.numpy["state"]["key"], self.numpy["state"]["key"]):
            return "numpy's"
        return "Python's" if now.python != self.python else ""


def _moved(before: Tensor | None, now: Tensor | None) -> bool:
    if before is None or now is None:
        return False
    return not torch.equal(before, now)


@contextmanager
def own_stream_only(part: str, advice: str, *, of_torch_alone: bool = False) -> Iterator[None]:
    """Raises PluginError, at its end, where a part has drawn from a global random stream.

    Args:
        part: as messages call it, "Sampler 'mala'".
        advice: which stream it is to take.
        of_torch_alone: leave the streams of numpy and Python out, which an import or a download may advance.
    """
    before = GlobalStreams.now()
    yield
    whose = before.advanced(of_torch_alone=of_torch_alone)
    if whose:
        before.restore()
        raise PluginError(
            f"{part} drew from {whose} global random stream, so that the run cannot be repeated from its seed. {advice}"
        )
