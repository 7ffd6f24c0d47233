"""What went wrong in a transition after which a chain is not finite: the part, the move and the chains.

Inside the moves nobody looks: that would make the host wait. Whoever made a transition looks once at its end. As a
transition is a function of point, tuning and stream, the one that failed is then made again under a watchful view.
"""

from __future__ import annotations

import re
from dataclasses import replace

import torch
from torch import Tensor

from ebmkit.errors import DivergenceError
from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.sampler import Sampler, SamplerInfo, SamplerState
from ebmkit.samplers.sequence import Sequence


def finite_rows(point: Point) -> Tensor:
    """Returns [B] bool: x and every real-valued coordinate of the row are finite."""
    values = [value.reshape(len(value), -1) for value in (point.x, *point.aux.values()) if value.is_floating_point()]
    rows = [torch.isfinite(value).all(dim=1) for value in values]
    return torch.stack(rows).all(dim=0) if rows else torch.ones(len(point), dtype=torch.bool, device=point.x.device)


def explain(sampler: Sampler, view: EnergyView, before: SamplerState, info: SamplerInfo) -> str:
    """Returns which move of which part went wrong, by making a transition again whose end is not finite.

    Args:
        sampler: that made it.
        view: of the energy, as it was then.
        before: the state that it started from, its stream where it stood then; the stream is advanced.
        info: of the transition.
    """
    if isinstance(sampler, Sequence) and len(info.children) == len(sampler.children):
        return _of_sequence(sampler, view, before, info)
    try:
        after, _ = sampler.step(_Watched(view, sampler, info), before)
    except DivergenceError as found:
        return str(found)
    return _said(sampler, info.n_moves, info, finite_rows(after.point), "moved to values that are not finite")


def _of_sequence(sampler: Sequence, view: EnergyView, before: SamplerState, info: SamplerInfo) -> str:
    """Returns the same of the first part at whose end a chain is not finite."""
    for i, (child, its) in enumerate(zip(sampler.children, info.children, strict=True)):
        start = replace(before, tuning=before.tuning.get(str(i), {}))
        stream = start.rng.clone_state()
        after, _ = child.step(view, start)
        if not bool(finite_rows(after.point).all()):
            return explain(child, view, replace(start, rng=stream), its)
        before = replace(before, point=after.point)
    return "a chain was not finite, but the same transition made again keeps all of them finite."


class _Watched:
    """A view that raises DivergenceError at the first gradient that it is asked for at, or that is, no finite value."""

    def __init__(self, view: EnergyView, sampler: Sampler, info: SamplerInfo) -> None:
        self.view, self.sampler, self.info = view, sampler, info
        self.live, self.n_gradients = view.live, 0
        self.precision, self.captures = view.precision, False

    def energy(self, point: Point) -> Tensor:
        return self.view.energy(point)

    def levels(self, point: Point, name: str) -> Tensor:
        return self.view.levels(point, name)

    def gradient(self, point: Point) -> Tensor:
        self._arrived(point)
        gradient = self.view.gradient(point)
        self._answered(point, gradient)
        return gradient

    def energy_and_gradient(self, point: Point) -> tuple[Tensor, Tensor]:
        self._arrived(point)
        energy, gradient = self.view.energy_and_gradient(point)
        self._answered(point, gradient)
        return energy, gradient

    def _arrived(self, point: Point) -> None:
        """Looks at x, which the move before this gradient made."""
        self.n_gradients += 1
        rows = finite_rows(point)
        if not bool(rows.all()):
            move = -(-(self.n_gradients - 1) // self._a_move())
            raise DivergenceError(_said(self.sampler, move, self.info, rows, "moved to values that are not finite"))

    def _answered(self, point: Point, gradient: Tensor) -> None:
        """Looks at the gradient and, where it is not finite, whether the energy is."""
        rows = torch.isfinite(gradient).flatten(1).all(dim=1)
        if bool(rows.all()):
            return
        what = "a gradient" if bool(torch.isfinite(self.view.energy(point))[~rows].all()) else "an energy"
        first = self.info.n_gradients - self._a_move() * self.info.n_moves  # gradients before the first move
        move = -(-(self.n_gradients - first) // self._a_move())
        raise DivergenceError(_said(self.sampler, move, self.info, rows, f"met {what} that is not finite"))

    def _a_move(self) -> int:
        return max(1, self.info.n_gradients // max(1, self.info.n_moves))


def _said(sampler: Sampler, move: int, info: SamplerInfo, rows: Tensor, what: str) -> str:
    name = re.sub(r"(?<!^)(?=[A-Z])", "-", type(sampler).__name__).lower()
    chains = f"{int((~rows).sum()):,} of {len(rows):,} chains"
    return f"move {max(1, move)} of {info.n_moves} of {name}: {chains} {what}."
