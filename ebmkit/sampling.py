"""`ebmkit.sample`: run any sampler on any energy, and keep what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ebmkit.building import build
from ebmkit.components import BuildContext
from ebmkit.errors import CapabilityError, DivergenceError, RecipeError
from ebmkit.phases import stream
from ebmkit.point import Point
from ebmkit.protocols import Energy, EnergyView, Sampler
from ebmkit.views import view


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """Draws of batched chains.

    Attributes:
        x: [draws, B, *event], data units. With `emit`, [n, *event]: the rows that were emitted, in order.
        aux: coordinate → [draws, B, ...], likewise.
        accept_rate: [B], mean over all transitions.
        n_gradients: energy gradients that each chain spent, burn-in included.
        final: where the chains ended.
    """

    x: Tensor
    aux: Mapping[str, Tensor]
    accept_rate: Tensor
    n_gradients: int
    final: Point


def sample(
    energy: Energy | EnergyView,
    sampler: Sampler | str,
    start: Point | Tensor,
    *,
    transitions: int,
    burn_in: int = 0,
    thin: int = 1,
    seed: int = 0,
    emit: Callable[[Point], Tensor] | None = None,
) -> Samples:
    """Runs chains and returns their draws.

    Args:
        energy: any callable from `Point` to [B] nats, or a view made by `ebmkit.view`.
        sampler: a built part, or the name of one (built with its default settings at temperature 1).
        start: B chains; a tensor [B, *event] stands for a point without coordinates.
        transitions: transitions after burn-in; every `thin`-th is kept.
        burn_in: transitions that are thrown away first.
        thin: transitions a draw.
        seed: of the chains' random stream; the global stream is not touched.
        emit: point → [B] bool; keeps just the rows for which it holds, after each transition.

    Raises:
        RecipeError: a count is not positive, or there are no chains.
        CapabilityError: the energy does not return [B].
        DivergenceError: a chain is not finite any more.

    >>> import torch, ebmkit
    >>> sampler = ebmkit.build("sampler", "sgld", step_size=0.01, moves=10)
    >>> draws = ebmkit.sample(lambda p: p.x.square().sum(1) / 2, sampler, torch.zeros(4, 2), transitions=3)
    >>> draws.x.shape, draws.n_gradients
    (torch.Size([3, 4, 2]), 30)
    """
    if transitions < 1 or burn_in < 0 or thin < 1:
        raise RecipeError(
            f"sample needs transitions ≥ 1, burn_in ≥ 0, thin ≥ 1; found {transitions}, {burn_in}, {thin}."
        )
    point = start if isinstance(start, Point) else Point(x=start)
    seen = energy if isinstance(energy, EnergyView) else view(energy)
    _check_start(seen, point)
    built = _built(sampler, point)
    state = built.init(point, stream(seed, 0, "sample", point.x.device))
    kept: list[Point] = []
    accepted, gradients = torch.zeros(len(point), device=point.x.device), 0
    for i in range(burn_in + transitions):
        state, info = built.step(seen, state)
        accepted, gradients = accepted + info.accept_rate, gradients + info.n_gradients
        if i >= burn_in and (i - burn_in + 1) % thin == 0:
            kept.append(_kept(state.point, emit))
        if not bool(torch.isfinite(state.point.x).all()):
            raise DivergenceError(f"A chain is not finite after transition {i + 1}: use a smaller step.")
    join = torch.cat if emit else torch.stack
    points = kept or [state.point.map(lambda t: t[:0])]
    return Samples(
        x=join([p.x for p in points]),
        aux={name: join([p.aux[name] for p in points]) for name in point.aux},
        accept_rate=accepted / (burn_in + transitions),
        n_gradients=gradients,
        final=state.point,
    )


def _kept(point: Point, emit: Callable[[Point], Tensor] | None) -> Point:
    if emit is None:
        return point
    rows = emit(point)
    return point.map(lambda tensor: tensor[rows])


def _built(sampler: Sampler | str, point: Point) -> Any:
    if not isinstance(sampler, str):
        return sampler
    return build("sampler", sampler, context=BuildContext(event_shape=tuple(point.x.shape[1:]), device=point.x.device))


def _check_start(seen: EnergyView, point: Point) -> None:
    if len(point) == 0:
        raise RecipeError("sample needs at least one chain; start has none.")
    if not bool(torch.isfinite(point.x).all()):
        raise RecipeError("start holds values that are not finite.")
    value = seen.energy(point)
    if value.shape != (len(point),):
        raise CapabilityError(
            f"The energy returned shape {tuple(value.shape)} for {len(point)} chains; it must be [B]."
        )
