"""One sampler after another, as one transition."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from dataclasses import replace

from torch import Generator

from ebmkit.errors import CapabilityError
from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.sampler import Composite, Goes, Sampler, SamplerInfo, SamplerState, Tail, Tuning
from ebmkit.protocols.traits import joined
from ebmkit.samplers.acceptance import joint_rate


class Sequence:
    """Runs its parts in order; each has its own tuning, under its place in the order.

    The graph of a tail is that of the last part that does not just pass one on.
    """

    def __init__(self, children: SequenceOf[Sampler]) -> None:
        if not children:
            raise CapabilityError("A sequence needs at least one sampler.")
        self.children = tuple(children)
        self.traits = joined(child.traits for child in children)

    def init(self, point: Point, rng: Generator, tuning: Tuning | None = None) -> SamplerState:
        """Returns the state that starts at a point."""
        tunings: dict[str, Tuning] = {}
        for i, child in enumerate(self.children):
            state = child.init(point, rng, (tuning or {}).get(str(i)))
            point, tunings[str(i)] = state.point, state.tuning  # a part may add coordinates of its own
        return SamplerState(point=point, rng=rng, tuning=tunings)

    def step(
        self, view: EnergyView, state: SamplerState, *, tail: Tail | None = None
    ) -> tuple[SamplerState, SamplerInfo]:
        """Returns the state after every part has made its transition."""
        last = max((i for i, child in enumerate(self.children) if child.traits.tail != "passes"), default=-1)
        point, tuning, infos = state.point, dict(state.tuning), []
        for i, child in enumerate(self.children):
            before = SamplerState(point=point, rng=state.rng, tuning=tuning.get(str(i), {}))
            after, info = child.step(view, before, tail=tail if i == last else None)
            point, tuning[str(i)] = after.point, after.tuning
            infos.append(info)
        return replace(state, point=point, tuning=tuning), _joined(state.point, infos)

    def without(self, goes: Goes, tuning: Tuning) -> tuple[Sampler, Tuning] | None:
        """Returns the sequence of the parts that stay, renumbered; see `Composite`."""
        parts = [without(child, tuning.get(str(i), {}), goes) for i, child in enumerate(self.children)]
        kept = [part for part in parts if part is not None]
        if len(kept) == len(parts) and all(k is c for (k, _), c in zip(kept, self.children, strict=True)):
            return self, tuning
        return (Sequence([c for c, _ in kept]), {str(i): t for i, (_, t) in enumerate(kept)}) if kept else None


def without(sampler: Sampler, tuning: Tuning, goes: Goes) -> tuple[Sampler, Tuning] | None:
    """Returns a sampler without the parts that go, and its tuning; None where nothing is left."""
    if isinstance(sampler, Composite):
        return sampler.without(goes, tuning)
    return None if goes(sampler) else (sampler, tuning)


def _joined(start: Point, infos: list[SamplerInfo]) -> SamplerInfo:
    return SamplerInfo(
        start=start,
        accept_rate=joint_rate(infos),
        n_moves=sum(info.n_moves for info in infos),
        n_gradients=sum(info.n_gradients for info in infos),
        n_proposals=sum(info.n_proposals for info in infos),
        children=tuple(infos),
    )
