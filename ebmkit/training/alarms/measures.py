"""What each alarm measures of the signals of a look: numbers of which the larger is the worse. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

Signals = Mapping[str, float]
"""By name, as `signals.signals` finds them; what a run does not have is absent."""

NOMINAL = 1e-3
"""Nats: below this temperature gradients are only weighed against it, and energies have no unit."""

STILL = 1e3
"""Spreads of the data over the way of a chain: above it a chain does not move."""

NEAR = 20.0
"""Sizes of the data: chains further away say nothing of the energies near the data."""

SMALL_LOSS, SMALL_NORM = 1e-2, 1e-3
"""Least loss and gradient norm that growth is counted from: a network may begin at zero."""

LARGE = 20.0
"""Size of data, in spreads of fresh chains, from which on they may be out of reach."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """One look.

    Attributes:
        now: signals of this look.
        first: those of the first look of this call, before the first update.
        temperature: T of the run, nats.
        n_entries: d, entries of x.
        usual: gradient norms as they are on average, by name; none before there were enough looks.
    """

    now: Signals
    first: Signals
    temperature: float
    n_entries: int
    usual: Signals = field(default_factory=dict)


def outside(look: Looked) -> float | None:
    """Returns the share of values outside the declared range."""
    return look.now.get("outside")


def data_scale(look: Looked) -> float | None:
    """Returns how far data are out of reach that are large and unbounded: in spreads of chains, or away from them."""
    if "outside" in look.now or look.now.get("data_size", 0.0) <= LARGE:
        return None
    wider = _over(look.now.get("data_sd"), look.now.get("chain_sd"))
    away = _over(look.now.get("chain_distance"), look.now.get("data_sd"))
    return max((value for value in (wider, away) if value is not None), default=None)


def energy_scale(look: Looked) -> float | None:
    """Returns the spread of the energies of the data, in units of the run."""
    return _over(look.now.get("spread_positive"), _unit(look))


def gap(look: Looked) -> float | None:
    """Returns |E⁺ − E⁻| in units of the run; chains that are far away say nothing of the energy near the data."""
    if "gap" not in look.now or (distance(look) or 0.0) > NEAR:
        return None
    return _over(abs(look.now["gap"]), _unit(look))


def saturated(look: Looked) -> float | None:
    """Returns the share at the ends of the range, of that which is not there in the data."""
    if "saturated" not in look.now:
        return None
    data = look.now["saturated_data"]
    return (look.now["saturated"] - data) / max(1 - data, 1e-2)


def distance(look: Looked) -> float | None:
    """Returns how far the chains are from the centre of the data, in sizes of the data."""
    return _over(look.now.get("chain_distance"), look.now.get("data_size"))


def rejected(look: Looked) -> float | None:
    """Returns the share of proposals that were rejected."""
    accepted = look.now.get("chain_accept_rate")
    return None if accepted is None else 1 - accepted


def stillness(look: Looked) -> float | None:
    """Returns the spread of the data over the way of a chain."""
    return _over(look.now.get("data_sd"), look.now.get("chain_displacement"))


def timid(look: Looked) -> float | None:
    """Returns the spread of the data over the way of a chain, where nearly all proposals are accepted."""
    lost = rejected(look)
    return None if lost is None or lost > 0.005 else stillness(look)


def collapse(look: Looked) -> float | None:
    """Returns the spread of the data over that of the chains, where it is not the data that are too wide."""
    if data_scale(look) is not None:
        return None
    return _over(look.now.get("data_sd"), look.now.get("chain_sd"))


def unchanged(look: Looked) -> float | None:
    """Returns at how many looks the buffer held the same rows, although chains moved."""
    return None if (stillness(look) or inf) > STILL else look.now.get("buffer_unchanged")


def loss_growth(look: Looked) -> float | None:
    """Returns the largest loss over what it was at first."""
    least = max(look.temperature * look.n_entries, SMALL_LOSS)
    return _over(look.now.get("loss"), max(look.first.get("loss", 0.0), least))


def gradient_growth(look: Looked) -> float | None:
    """Returns the largest growth of the gradient norm of an owner."""
    names = [name for name in look.now if name.startswith("gradient_norm.")]
    return max((look.now[name] / max(look.first.get(name, 0.0), SMALL_NORM) for name in names), default=None)


def gradient_jump(look: Looked) -> float | None:
    """Returns how many times its usual value the gradient norm of an owner has, the largest of them."""
    jumps = (look.now[name] / usual for name, usual in look.usual.items() if name in look.now)
    return max(jumps, default=None)


def _unit(look: Looked) -> float:
    """Returns the unit of energies of a run, nats: of its law, or where T is nominal of its own beginning."""
    if look.temperature >= NOMINAL:
        return look.temperature * (look.n_entries + 10)
    return max(1e4 * look.first.get("spread_positive", 0.0), 1e4 * abs(look.first.get("gap", 0.0)), 10.0)


def _over(above: float | None, below: float | None) -> float | None:
    if above is None or below is None:
        return None
    if below > 0:
        return above / below
    return inf if above > 0 else None
