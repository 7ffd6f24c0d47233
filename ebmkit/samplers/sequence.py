"""One sampler after another, as one transition."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from dataclasses import replace

import torch
from torch import Generator

from ebmkit.errors import CapabilityError
from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.sampler import Sampler, SamplerInfo, SamplerState, Tail, Tuning, moves_x, owns_tail


class Sequence:
    """Runs its parts in order; each has its own tuning, under its place in the order.

    The graph of a tail belongs to the last part that moves x by the energy; later parts pass it on.
    """

    def __init__(self, children: SequenceOf[Sampler]) -> None:
        if not children:
            raise CapabilityError("A sequence needs at least one sampler.")
        self.children = tuple(children)
        self.moves_coordinates = frozenset().union(*(child.moves_coordinates for child in children))
        self.moves_x = any(moves_x(child) for child in children)
        self.passes_tail = not any(owns_tail(child) for child in children)

    def init(self, point: Point, rng: Generator, tuning: Tuning | None = None) -> SamplerState:
        """Returns the state that starts at a point."""
        tuning = tuning or {}
        states = {str(i): c.init(point, rng, tuning.get(str(i))).tuning for i, c in enumerate(self.children)}
        return SamplerState(point=point, rng=rng, tuning=states)

    def step(
        self, view: EnergyView, state: SamplerState, *, tail: Tail | None = None
    ) -> tuple[SamplerState, SamplerInfo]:
        """Returns the state after every part has made its transition."""
        last = max((i for i, child in enumerate(self.children) if owns_tail(child)), default=-1)
        point, tuning, infos = state.point, dict(state.tuning), []
        for i, child in enumerate(self.children):
            before = SamplerState(point=point, rng=state.rng, tuning=tuning.get(str(i), {}))
            after, info = child.step(view, before, tail=tail if i == last else None)
            point, tuning[str(i)] = after.point, after.tuning
            infos.append(info)
        return replace(state, point=point, tuning=tuning), _joined(state.point, infos)


def _joined(start: Point, infos: list[SamplerInfo]) -> SamplerInfo:
    moves = sum(info.n_moves for info in infos)
    accepted = torch.stack([info.accept_rate * info.n_moves for info in infos]).sum(dim=0)
    return SamplerInfo(
        start=start,
        accept_rate=accepted / moves if moves else torch.ones_like(accepted),
        n_moves=moves,
        n_gradients=sum(info.n_gradients for info in infos),
        children=tuple(infos),
    )
