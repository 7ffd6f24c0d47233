"""Copies of a run's parts, on which a step can be rehearsed: whatever it does to them, the run does not see."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from ebmkit.point import Batch
from ebmkit.protocols.buffer import Buffer
from ebmkit.protocols.energy import Energy
from ebmkit.protocols.sampler import Tuning
from ebmkit.training.parts import Parts
from ebmkit.views.view import view

LARGEST = 2**28
"""Bytes of the largest buffer that is copied."""
ROWS = 16
"""Rows of a batch that are rehearsed."""


def copied(parts: Parts, stages: Sequence[Energy]) -> tuple[Parts, tuple[Energy, ...]]:
    """Returns the parts of a run, copied together, so that what they share they still share; and energies inside.

    A buffer of more than 256 MiB is left out. Chains are moved eagerly, on a view of the copied energy.
    """
    buffer = None if parts.buffer is None or bytes_of(parts.buffer) > LARGEST else parts.buffer
    held: dict[str, Any] = {
        "coordinates": parts.coordinates,
        "energy": parts.energy,
        "sampler": parts.sampler,
        "buffer": buffer,
        "objectives": dict(parts.objectives),
    }
    made, inside = copy.deepcopy((held, tuple(stages)))
    chunk = 0 if parts.view.passes.chunk == "auto" else parts.view.passes.chunk
    seen = view(made["energy"], parts.view.precision, chunk=chunk)
    return replace(parts, **made, view=seen, checker=None), inside


def copied_tuning(tuning: Tuning) -> Tuning:
    """Returns a tuning with tensors of its own."""
    return copy.deepcopy(dict(tuning))


def copied_batch(batch: Batch) -> Batch:
    """Returns the first rows of a batch, with tensors of their own."""
    return Batch(x=batch.x[:ROWS].clone(), y=None if batch.y is None else batch.y[:ROWS].clone())


@torch.no_grad()
def bytes_of(buffer: Buffer) -> int:
    """Returns the bytes of a buffer's rows."""
    return sum(tensor.numel() * tensor.element_size() for tensor in buffer.state_dict().values())
