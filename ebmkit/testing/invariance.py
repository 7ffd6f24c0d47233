"""Whether a sampler leaves p ∝ exp(−E/T) invariant: chains that start in a law must stay in it."""

from __future__ import annotations

from typing import NamedTuple

from ebmkit.testing.bias import right_temperature
from ebmkit.testing.check import CheckFailed, NotApplicable
from ebmkit.testing.examined import Examined
from ebmkit.testing.law import Law
from ebmkit.testing.own_coordinates import MOMENTUM, REPLICAS, all_deviations
from ebmkit.testing.starts import Started, fitting, started
from ebmkit.testing.statistics import Deviation, limit, worst
from ebmkit.training.checker.snapshots import of_point, same

N, TRANSITIONS = 20_000, 6


class Followed(NamedTuple):
    """Chains that started in a law, and where they are some transitions later.

    Attributes:
        start: of them.
        deviations: statistic → how far it is off.
        acceptance: mean of the last transition.
        stood_still: nothing that the sampler says it moves has moved.
    """

    start: Started
    deviations: dict[str, Deviation]
    acceptance: float
    stood_still: bool


def exact(found: Started) -> Started:
    """Returns what was started; raises NotApplicable where the sampler does not claim to leave p invariant."""
    if not found.sampler.traits.adjusted:
        raise NotApplicable("it is not adjusted: its bias is looked at instead")
    return found


def followed(start: Started, transitions: int = TRANSITIONS) -> Followed:
    """Returns chains some transitions after their start."""
    state, rate = start.state, 1.0
    for _ in range(transitions):
        state, info = start.sampler.step(start.view, state)
        rate = float(info.accept_rate.mean())
    before, after = of_point(start.state.point), of_point(state.point)
    moving = [name for name in start.sampler.traits.moves if name in after]
    return Followed(
        start=start,
        deviations=all_deviations(start.sampler, start.law, state.point),
        acceptance=rate,
        stood_still=all(same(before[name], after[name]) for name in moving),
    )


def stays_in(part: Examined, law: Law, temperature: float = 1.0) -> None:
    """Raises CheckFailed where chains that start exactly in a law leave it."""
    found = followed(exact(started(part, law, N, temperature=temperature)))
    if found.stood_still:
        raise CheckFailed(
            f"no chain moved in {TRANSITIONS} transitions, of {N:,} on {law.name}. Look at proposals and acceptance: "
            "short steps must be accepted."
        )
    name, off = worst(found.deviations)
    if not off.size < limit(len(found.deviations)):
        raise CheckFailed(
            f"{N:,} chains started as exact draws of {law.name} (T = {temperature:g}); {TRANSITIONS} transitions later "
            f"{name} is {off}, where {limit(len(found.deviations)):.1f} are allowed. {_advice(found, temperature)}"
        )


def _advice(found: Followed, temperature: float) -> str:
    """Returns where to look, by what the sampler moves."""
    traits = found.start.sampler.traits
    if temperature != 1.0:
        return "Divide energies and gradients by context.temperature, once: p ∝ exp(−E/T)."
    if REPLICAS in traits.moves:
        return (
            "An exchange of replicas is accepted with log r = (1/T − 1/T′)(E − E′): look at its sign and both energies."
        )
    if MOMENTUM in traits.moves:
        return (
            "Look at the momentum: after a rejection keep the one that the move began with, negated (Horowitz, 1991), "
            "unless the next move draws a whole new one; and both energies in log r hold ½‖p‖²."
        )
    if traits.discrete:
        return "The ratio must hold the probability of the way back, by the same rule: log q(x′ → x) − log q(x → x′)."
    return (
        "The ratio must be that of the proposal that is made: compare log q(x → x′) with log q(x′ → x), their "
        "variances and step sizes: x − (s²/2)∇E + sξ has variance s², and its log density is divided by 2s²."
    )


def knows_the_temperature(part: Examined) -> None:
    """Raises CheckFailed where p ∝ exp(−E/T) is not what is sampled at T = 3."""
    if part.traits.adjusted:
        stays_in(part, fitting(part, 2).law, temperature=3.0)
    else:
        right_temperature(part)
