"""The chains of one training step: drawn, moved, written back. The only place where training moves chains."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator

from ebmkit.errors import DataError, DivergenceError
from ebmkit.point import Point
from ebmkit.protocols.sampler import SamplerInfo, Tail, Tuning
from ebmkit.samplers.adaptation import adapted
from ebmkit.samplers.nonfinite import explain, finite_rows
from ebmkit.samplers.warmup import warming
from ebmkit.training.alarms.table import advice
from ebmkit.training.monitor import is_filled
from ebmkit.training.parts import Parts
from ebmkit.training.pooled import pooled_info, pooled_tuning


class Chains(NamedTuple):
    """The chains of a step, each None where no objective asks for it.

    Attributes:
        tuning: of the sampler, after it has learnt from the transition.
        negative: ends of the chains, detached.
        tail: rows of them with the graph of their last moves.
        reference: other rows of the buffer.
        info: the sampler's diagnostics.
    """

    tuning: Tuning
    negative: Point | None = None
    tail: Point | None = None
    reference: Point | None = None
    info: SamplerInfo | None = None


def first_tuning(parts: Parts) -> Tuning:
    """Returns the sampler's tuning before its first step, empty without chains."""
    return warming(parts.sampler) if parts.requires.negatives else {}


def move_chains(parts: Parts, positive: Point, step: int, tuning: Tuning, rng: Callable[[str], Generator]) -> Chains:
    """Draws chains from the buffer, makes one transition and writes them back.

    Raises:
        DataError: data and chains have another shape.
        DivergenceError: a chain is not finite; the buffer is as before.
    """
    needs, buffer = parts.requires, parts.buffer
    assert buffer is not None, "objectives that need negatives were assembled without a buffer"
    match = frozenset(positive.aux) - parts.sampler.traits.coordinates
    token, start = buffer.draw(positive, rng("draw"), match)
    if start.x.shape[1:] != positive.x.shape[1:]:
        data, chains = list(positive.x.shape[1:]), list(start.x.shape[1:])
        raise DataError(f"Step {step}: the data of this step have shape {data} a row, the chains {chains}.")
    kept = Tail(moves=needs.tail_moves, rows=min(needs.tail_rows, len(start)) or None) if needs.tail_moves else None
    first = parts.sampler.init(start, rng("chains"), tuning)
    state, info = parts.sampler.step(parts.view, first, tail=kept)
    negative = state.point.map(torch.detach)
    if not bool(finite_rows(negative).all()):  # one host synchronisation, before anything is stored
        why = explain(parts.sampler, parts.view, parts.sampler.init(start, rng("chains"), tuning), info)
        raise DivergenceError(
            f"Step {step}: a chain is not finite; {why} Nothing was updated. {advice('chain-not-finite')}"
        )
    reference = None
    if needs.reference and is_filled(buffer, needs.reference_fill):
        reference = buffer.reference(needs.reference, rng("reference"), exclude=token)
    buffer.put(token, negative)
    learnt = pooled_tuning(first.tuning, state.tuning, parts.world)
    return Chains(
        tuning=adapted(parts.sampler, learnt, pooled_info(parts.sampler, info, parts.world)),
        negative=negative,
        tail=state.point.map(lambda tensor: tensor[: kept.rows]) if kept else None,
        reference=reference,
        info=info,
    )
