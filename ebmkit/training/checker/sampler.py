"""Whether a transition is a pure function of chains, tuning and stream, and returns what it was given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from ebmkit.data.spec import DataSpec
from ebmkit.errors import PluginError
from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.sampler import Bounded, Composite, Sampler, SamplerInfo, SamplerState, Tail, Tuning
from ebmkit.samplers.nonfinite import finite_rows
from ebmkit.training.checker.points import check_detached, check_discrete, check_like, check_within
from ebmkit.training.checker.snapshots import changed, kept, listed, modes, of_module, of_point, same
from ebmkit.training.checker.streams import own_stream_only

ADVICE = "Draw from the generator of the state: generator=state.rng."

Step = tuple[SamplerState, SamplerInfo]


class Transition(NamedTuple):
    """What a transition is made from.

    Attributes:
        view: of the energy.
        start: B chains.
        tuning: of the sampler.
        rng: gives the stream, at its beginning whenever it is called.
        tail: last moves whose graph the run wants; None for none.
    """

    view: EnergyView
    start: Point
    tuning: Tuning
    rng: Callable[[], Generator]
    tail: Tail | None = None


def check_sampler(label: str, sampler: Sampler, of: Transition, data: DataSpec | None, *, twice: bool) -> Step | None:
    """Returns a transition; raises PluginError where the sampler breaks its promise.

    Args:
        label: what messages call it.
        sampler: of the run, or one of its parts.
        of: what the transition is made from.
        data: what the data set says of itself.
        twice: make it twice, and compare.

    Returns:
        State and info, None where a chain is not finite: the training step says more of that.
    """
    before = _watched(of)
    mode = modes(of.view.live)
    with own_stream_only(label, ADVICE):
        step = _made(label, sampler, of, None if twice else of.tail)
        _check_untouched(label, before, _watched(of), mode == modes(of.view.live))
        if not bool(finite_rows(step[0].point.map(torch.detach)).all()):
            return None
        _check_end(label, sampler, of, step, data)
        if twice:
            step = _again(label, sampler, of, step)
    if of.tail is not None and not step[0].point.x.requires_grad:
        raise PluginError(
            f"{label} was asked for the graph of its last {of.tail.moves} moves and returned x without one. Keep it, "
            'or declare tail = "refuses".'
        )
    return step


def _made(label: str, sampler: Sampler, of: Transition, tail: Tail | None) -> Step:
    rng = of.rng()
    made: object = sampler.step(of.view, sampler.init(of.start, rng, of.tuning), tail=tail)
    if not isinstance(made, tuple) or len(made) != 2:
        raise PluginError(f"{label}: step returned {type(made).__name__}. It returns (SamplerState, SamplerInfo).")
    state, info = made
    if not isinstance(state, SamplerState) or not isinstance(info, SamplerInfo):
        found = f"({type(state).__name__}, {type(info).__name__})"
        raise PluginError(f"{label}: step returned {found}. It returns (SamplerState, SamplerInfo).")
    if state.rng is not rng and not torch.equal(state.rng.get_state(), rng.get_state()):
        raise PluginError(
            f"{label} returned another stream than it was handed: its next transition would draw other numbers, or the "
            "same ones again. Return rng=state.rng."
        )
    return state, info


def _check_end(label: str, sampler: Sampler, of: Transition, step: Step, data: DataSpec | None) -> None:
    state, info = step
    who = f"{label} returned"
    point = check_like(who, state.point, of.start)
    if of.tail is None:
        check_detached(who, point)
    check_within(who, point.map(torch.detach), _bounds(sampler))
    check_discrete(who, point, data)
    for name, value in of_point(point).items():
        if name not in sampler.traits.moves and not same(value, of_point(of.start)[name]):
            raise PluginError(
                f"{label} moved '{name}', which its traits do not name. Leave it, or declare moves with '{name}' in it."
            )
    _check_rate(label, info.accept_rate, len(point))
    for name, tuned in _leaves(state.tuning):
        if not isinstance(tuned, Tensor):
            raise PluginError(
                f"{label} returned '{name}' of its tuning as {type(tuned).__name__}. Tuning holds tensors, which a "
                "checkpoint can save: torch.tensor(…)."
            )


def _bounds(sampler: Sampler) -> tuple[float, float] | None:
    """Returns the bounds that a sampler declares; of a sequence, those of the last part that moves x."""
    if isinstance(sampler, Composite):
        movers = [child for child in sampler.children if child.traits.moves_x]
        return _bounds(movers[-1]) if movers else None
    return sampler.bounds if isinstance(sampler, Bounded) else None


def _check_rate(label: str, rate: object, n: int) -> None:
    if not isinstance(rate, Tensor) or rate.shape != (n,):
        found = f"shape {tuple(rate.shape)}" if isinstance(rate, Tensor) else type(rate).__name__
        raise PluginError(f"{label}: its accept_rate has {found} for {n} chains. It is one number a chain, [B].")
    if bool(((rate < -1e-6) | (rate > 1 + 1e-6) | rate.isnan()).any()):
        raise PluginError(
            f"{label}: its accept_rate lies outside of [0, 1]. It is accepted over made proposals, 1 where "
            "there are none."
        )


def _again(label: str, sampler: Sampler, of: Transition, first: Step) -> Step:
    """Returns the same transition made again, with its tail; raises PluginError where it ends elsewhere."""
    again = _made(label, sampler, of, of.tail)
    ends = (of_point(first[0].point), of_point(again[0].point.map(torch.detach)))
    differ = [name for name, value in ends[0].items() if _elsewhere(value, ends[1][name])]
    if differ:
        raise PluginError(
            f"{label} made one transition twice, from the same chains, tuning and stream, and {listed(differ)} ended "
            f"elsewhere. It must be pure: no state of its own, no other stream. {ADVICE}"
        )
    return again


def _elsewhere(first: Tensor, again: Tensor) -> bool:
    """Whether many rows differ by more than rounding: an eighth of them, or half where it is not exact."""
    if first.shape != again.shape:
        return True
    rounding, many = (1e-5, 8) if first.device.type == "cpu" else (1e-2, 2)
    gap = (first.double() - again.double()).abs()
    rows = (gap > rounding * (1 + first.double().abs())).reshape(len(first), -1).any(dim=1)
    return int(rows.sum()) * many > len(rows)


def _watched(of: Transition) -> dict[str, dict[str, Tensor]]:
    """Returns copies of everything that a transition must leave as it is."""
    weights = kept(of_module(of.view.live))
    return {"its start": kept(of_point(of.start)), "its tuning": kept(_flat(of.tuning)), "the energy": weights}


def _leaves(tuning: Tuning, above: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for key, value in tuning.items():
        found += _leaves(value, f"{above}{key}.") if hasattr(value, "items") else [(f"{above}{key}", value)]
    return found


def _flat(tuning: Tuning) -> dict[str, Tensor]:
    return {name: _tensor(value) for name, value in _leaves(tuning)}


def _tensor(value: Any) -> Tensor:
    return torch.as_tensor(value)


def _check_untouched(label: str, before: dict[str, dict[str, Tensor]], now: dict[str, Any], modes_kept: bool) -> None:
    for what, tensors in before.items():
        written = changed(tensors, now[what])
        if written:
            raise PluginError(
                f"{label} wrote into {what} ({listed(written)}). A transition returns new tensors and changes none."
            )
    if not modes_kept:
        raise PluginError(
            f"{label} changed the mode of the energy, or which of its weights require a gradient. Leave the modules "
            "alone, and ask view.gradient."
        )
