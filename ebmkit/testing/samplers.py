"""What every sampler promises: p is invariant where it says so, rows do not know each other, and it is pure."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from ebmkit.errors import CapabilityError
from ebmkit.point import Point
from ebmkit.protocols.sampler import Tail
from ebmkit.testing.bias import bias_order
from ebmkit.testing.check import CheckFailed, NotApplicable
from ebmkit.testing.examined import Examined, Promise
from ebmkit.testing.law import Law, seeded
from ebmkit.testing.starts import EVERY, Scaled, Started, fitting, started
from ebmkit.testing.statistics import deviations, limit, worst, z_of_chi_square
from ebmkit.testing.tails import graph_of_the_tail
from ebmkit.testing.targets import box, gaussian
from ebmkit.training.checker.sampler import ADVICE, Transition, check_sampler
from ebmkit.training.checker.snapshots import of_point, same
from ebmkit.training.checker.streams import own_stream_only
from ebmkit.views.view import view

N, TRANSITIONS = 20_000, 6
N_ROWS, N_TIMES = 2_000, 24


def exact(found: Started) -> Started:
    """Returns what was started; raises NotApplicable where the sampler does not claim to leave p invariant."""
    if not found.sampler.traits.adjusted:
        raise NotApplicable("it is not adjusted: its bias is looked at instead")
    return found


def stays_in(part: Examined, law: Law, temperature: float = 1.0) -> None:
    """Raises CheckFailed where chains that start exactly in a law leave it."""
    start = exact(started(part, law, N, temperature=temperature))
    state = start.state
    for _ in range(TRANSITIONS):
        state, _ = start.sampler.step(start.view, state)
    moving = [name for name in start.sampler.traits.moves if name == "x" or name in state.point.aux]
    if all(same(of_point(start.state.point)[name], of_point(state.point)[name]) for name in moving):
        raise CheckFailed(
            f"no chain moved in {TRANSITIONS} transitions, of {N:,} on {law.name}. Look at proposals and acceptance."
        )
    aux = state.point.aux
    more = {"square of the momentum": (_momentum_square, 1.0)} if "momentum" in aux else {}
    found = deviations(law, state.point, more)
    name, z = worst(found)
    if not abs(z) < limit(len(found)):
        raise CheckFailed(_left(law, name, z, len(found), temperature))


def _momentum_square(point: Point) -> Tensor:
    return point.aux["momentum"].flatten(1).square().mean(dim=1)


def _left(law: Law, name: str, z: float, n: int, temperature: float) -> str:
    """Returns what is said of chains that left their law."""
    if temperature == 1.0:
        advice = (
            "The ratio must be that of the proposal that is made: compare log q(x → x') with log q(x' → x), their "
            "variances and step sizes, and what happens to a momentum when a proposal is rejected."
        )
    else:
        advice = "Divide energies and gradients by context.temperature, once: p ∝ exp(−E/T)."
    return (
        f"{N:,} chains started as exact draws of {law.name} (T = {temperature:g}); {TRANSITIONS} transitions later its "
        f"{name} is {abs(z):.1f} standard errors off, where {limit(n):.1f} are allowed. {advice}"
    )


def knows_the_temperature(part: Examined) -> None:
    """Raises CheckFailed where p ∝ exp(−E/T) is not left invariant at T = 3."""
    stays_in(part, fitting(part, 2).law, temperature=3.0)


def rows_do_not_meet(part: Examined) -> None:
    """Raises CheckFailed where a chain depends on the others of its batch, or shares its random numbers with them."""
    for seed in range(16):
        _look_at_half(part, seed)
    start = fitting(part, N_ROWS)
    for what, z in _sharing(start).items():
        if not z < limit(3):
            raise CheckFailed(
                f"the chains of a batch share random numbers: the mean {what} of {N_ROWS:,} chains changes with "
                f"the stream far more than that of independent ones ({z:.0f} standard errors). Draw one "
                "number for each row: torch.rand(B, generator=state.rng), one accept decision each."
            )


def _look_at_half(part: Examined, seed: int) -> None:
    """Compares the first half of a batch beside two other halves, on energies so steep that much is rejected."""
    start, half = fitting(part, 64), 32
    point, seen = start.state.point, view(Scaled(start.law.energy, 1 + seed / 8))
    last = point.x[half:]
    far = 2 * last if start.law.value_range is None else last[:1].expand_as(last).contiguous()
    other = point.replace(x=torch.cat([point.x[:half], far]))
    ends = []
    for begin in (point, other):
        with torch.random.fork_rng(devices=[]):  # who draws from a global stream is told so by another check
            torch.manual_seed(seed)
            ends.append(start.sampler.step(seen, start.sampler.init(begin, seeded(seed)))[0].point)
    for name, value in of_point(ends[0]).items():
        if not torch.allclose(value[:half].double(), of_point(ends[1])[name][:half].double(), atol=1e-4):
            raise CheckFailed(
                f"'{name}' of the first {half} chains ended elsewhere when the other chains of the batch started "
                "elsewhere. Each row is proposed and accepted by itself: no sum or mean over the batch."
            )


def _sharing(start: Started) -> dict[str, float]:
    """Returns z values of how much the means over a batch of displacement and acceptance change with the stream.

    Every transition begins at the same points, so that nothing but the stream can change them.
    """
    seen: dict[str, list[Tensor]] = {"displacement": [], "size of a displacement": [], "acceptance": []}
    before, name = start.state.point, max(start.sampler.traits.moves)
    for seed in range(N_TIMES):
        state, info = start.sampler.step(start.view, start.sampler.init(before, seeded(100 + seed)))
        moved = (of_point(state.point)[name].double() - of_point(before)[name].double()).reshape(N_ROWS, -1)[:, 0]
        for key, value in zip(seen, (moved, moved.square(), info.accept_rate.double()), strict=True):
            seen[key].append(value)
    return {key: _over_dispersion(torch.stack(values)) for key, values in seen.items()}


def _over_dispersion(values: Tensor) -> float:
    """Returns the z of the spread of means [T] over rows of values [T, B] against that of independent rows."""
    variance = values.var(dim=1).mean() / values.shape[1]
    means = values.mean(dim=1)
    if not float(variance) > 0:
        return float("inf") if float(means.var()) > 0 else 0.0
    return z_of_chi_square(float((means - means.mean()).square().sum() / variance), len(means) - 1)


def is_pure(part: Examined, double: bool = False) -> None:
    """Raises PluginError where a transition is not a function of chains, tuning and stream, or touches anything."""
    start = fitting(part, 64, double=double)
    with own_stream_only(part.label, ADVICE):
        start.sampler.step(start.view, start.sampler.init(start.state.point, seeded(4)))
    of = Transition(start.view, start.state.point, start.sampler.init(start.state.point, seeded(4)).tuning, _stream)
    check_sampler(part.label, start.sampler, of, None, twice=True)


def _stream() -> torch.Generator:
    return seeded(5)


def moves_what_it_says(part: Examined) -> None:
    """Raises CheckFailed where a coordinate that the traits name never moves."""
    start = fitting(part, 200)
    state = start.state
    for _ in range(TRANSITIONS):
        state, _ = start.sampler.step(start.view, state)
    for name in sorted(start.sampler.traits.moves):
        if same(of_point(state.point)[name], of_point(start.state.point)[name]):
            raise CheckFailed(
                f"'{name}' of 200 chains is what it was after {TRANSITIONS} transitions. Move it, or take it out of "
                "the traits' moves."
            )


def stays_within(part: Examined) -> None:
    """Raises CheckFailed where x leaves the range of the data."""
    start = started(part, box, 500)
    if not start.sampler.traits.moves_x or start.sampler.traits.only_augments:
        raise NotApplicable("it does not move x by the energy")
    x = start.sampler.step(start.view, start.state)[0].point.x
    if float(x.min()) < 0 or float(x.max()) > 1:
        raise CheckFailed(
            f"x is in [{float(x.min()):.3g}, {float(x.max()):.3g}], and context.value_range is (0, 1). Reflect x at "
            "the walls, or reject what lies beyond."
        )


def refuses_what_is_not_finite(part: Examined) -> None:
    """Raises CheckFailed where a proposal without a finite energy is accepted."""
    start = exact(started(part, gaussian, 400))
    if not start.sampler.traits.moves_x:
        raise NotApplicable("it does not move x")
    point = start.state.point
    allowed = point.replace(x=torch.cat([-point.x[:, :1].abs(), point.x[:, 1:]], dim=1))
    for value in (float("nan"), float("inf"), float("-inf")):
        seen = view(partial(_forbidden, value=value))
        end, _ = start.sampler.step(seen, start.sampler.init(allowed, seeded(6)))
        if not bool((torch.isfinite(end.point.x).all()) & (end.point.x[:, 0] <= 0).all()):
            raise CheckFailed(f"a proposal whose energy is {value} was accepted. Accept where log r is finite alone.")


def _forbidden(point: Point, value: float) -> Tensor:
    energy: Tensor = gaussian.energy(point)
    return torch.where(point.x[:, 0] > 0, value, energy)


def refuses_a_tail(part: Examined) -> None:
    """Raises CheckFailed where a tail is neither kept nor refused with words."""
    start = fitting(part, 8)
    if start.sampler.traits.tail != "refuses":
        raise NotApplicable(f"it {start.sampler.traits.tail} a tail")
    try:
        start.sampler.step(start.view, start.state, tail=Tail())
    except CapabilityError:
        return
    raise CheckFailed("its traits refuse a tail, and a transition with one was made. Raise CapabilityError.")


LAW = "chains that start as exact draws of a law are exact draws of it after any number of transitions"
PROMISES = (
    Promise(name="pure", text="a transition is a function of chains, tuning and its stream alone", look=is_pure),
    *(Promise(name=f"law-{law.name}", text=LAW, look=partial(stays_in, law=law)) for law in EVERY),
    Promise(name="temperature", text="p ∝ exp(−E/T) is left invariant at any T", look=knows_the_temperature),
    Promise(name="bias-order", text="the bias shrinks with the step at the declared order", look=bias_order),
    Promise(name="rows", text="each chain is moved by itself", look=rows_do_not_meet),
    Promise(name="float64", text="what is in float64 stays in float64", look=partial(is_pure, double=True)),
    Promise(name="moves", text="it moves what its traits say", look=moves_what_it_says),
    Promise(name="walls", text="x stays within the range of the data", look=stays_within),
    Promise(name="finite", text="no proposal without a finite energy is accepted", look=refuses_what_is_not_finite),
    Promise(name="tail", text="the graph of the last moves is that of the accepted path", look=graph_of_the_tail),
    Promise(name="no-tail", text="a tail that is not kept is refused", look=refuses_a_tail),
)
"""Of every sampler, chosen by its traits when they are looked at."""
