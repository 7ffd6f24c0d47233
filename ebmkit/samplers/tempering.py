"""Parallel tempering: each chain has replicas at higher temperatures, which move by themselves and are exchanged.

x is the replica at T. The others are an entry of the point, `replicas` [B, R − 1, *event], so that they follow their
row into the buffer, and everything else sees chains at T and nothing of the ladder.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from einops import rearrange, repeat
from torch import Generator, Tensor

from ebmkit.errors import CapabilityError
from ebmkit.ops.rows import copies, rows_as
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.sampler import Goes, Sampler, SamplerInfo, SamplerState, Tail, Tuning
from ebmkit.samplers.adaptation import build_adaptation
from ebmkit.samplers.declarations.metropolis import MalaConfig
from ebmkit.samplers.declarations.tempering import TEMPERING, TemperingConfig
from ebmkit.samplers.mala import Mala
from ebmkit.samplers.metropolis import build_target, no_tail
from ebmkit.samplers.step_size import StepSize, build_scale

REPLICAS, RUNG = "replicas", "rung"
"""Coordinates of the points: the hotter replicas of a chain, and the rung of a replica that moves by itself."""

ROWS = "(chain rung) ... -> chain rung ..."
"""How the rows of a flat batch of replicas belong to chains."""


def geometric_ladder(n_temperatures: int, highest: float) -> Tensor:
    """Returns T_k/T = h^(k/(R − 1)), from 1 to h, in equal ratios [R]."""
    return highest ** torch.linspace(0, 1, n_temperatures)


def log_swap_ratio(energy: Tensor, energy_above: Tensor, weight: Tensor, weight_above: Tensor) -> Tensor:
    """Returns log r = (w − w')(E − E')/T of an exchange between two rungs: a hot replica of lower energy comes down.

    E/T and w = T/T_k are the colder rung's, E'/T and w' the hotter one's. Source: Geyer (1991); Syed et al. (2022).
    """
    return (weight - weight_above) * (energy - energy_above)


def exchange(energy: Tensor, weights: Tensor, uniform: Tensor, first: int) -> tuple[Tensor, Tensor]:
    """Returns which replica comes to each rung [B, R], and which of the exchanges (k, k + 1) were made [B, n].

    The pairs are k = first, first + 2, …; a replica without a finite energy stays where it is.

    Args:
        energy: E/T [B, R], coldest first.
        weights: T/T_k [R].
        uniform: [B, n] in [0, 1).
        first: 0 for the even pairs, 1 for the odd ones.
    """
    low, high = slice(first, -1, 2), slice(first + 1, None, 2)
    log_ratio = log_swap_ratio(energy[:, low], energy[:, high], weights[low], weights[high])
    made = torch.isfinite(energy[:, low]) & torch.isfinite(energy[:, high]) & (torch.log1p(-uniform) <= log_ratio)
    order = torch.arange(energy.shape[1], device=energy.device).repeat(len(energy), 1)
    order[:, low] += made
    order[:, high] -= made.long()
    return order, made


class Tempered:
    """A view of T/T_k times an energy, k being the row's rung: what a sampler at T has to see to sample at T_k."""

    def __init__(self, view: EnergyView, weights: Tensor) -> None:
        self.view, self.weights = view, weights
        self.live = lambda point: self._weighed(point, view.live(point.without(RUNG)))
        self.precision, self.captures = view.precision, False

    def energy(self, point: Point) -> Tensor:
        """Returns T/T_k · E [B], nats."""
        return self._weighed(point, self.view.energy(point.without(RUNG)))

    def levels(self, point: Point, name: str) -> Tensor:
        """Returns T/T_k · E [B, L] of all values of a discrete coordinate, nats."""
        return self._weighed(point, self.view.levels(point.without(RUNG), name))

    def gradient(self, point: Point) -> Tensor:
        """Returns T/T_k · ∇ₓE [B, *event]."""
        return self._weighed(point, self.view.gradient(point.without(RUNG)))

    def energy_and_gradient(self, point: Point) -> tuple[Tensor, Tensor]:
        """Returns both."""
        energy, gradient = self.view.energy_and_gradient(point.without(RUNG))
        return self._weighed(point, energy), self._weighed(point, gradient)

    def _weighed(self, point: Point, value: Tensor) -> Tensor:
        return value * rows_as(self.weights.to(value)[point.aux[RUNG]], value)


class Swaps:
    """Exchanges between all even pairs of neighbouring rungs, then between all odd ones: no gradient, one energy.

    Always in this order, a state that is exchanged keeps its direction from one transition to the next. Each of the
    R − 1 children of its info is one pair, coldest first.
    """

    traits = replace(TEMPERING, asks_gradient=False)

    def __init__(self, *, weights: Tensor, temperature: float) -> None:
        self.weights, self.temperature = weights, temperature

    def init(self, point: Point, rng: Generator, tuning: Tuning | None = None) -> SamplerState:
        """Returns the state that starts at a point."""
        return SamplerState(point=point, rng=rng, tuning=tuning or {})

    def step(
        self, view: EnergyView, state: SamplerState, *, tail: Tail | None = None
    ) -> tuple[SamplerState, SamplerInfo]:
        """Returns the state with replicas exchanged; raises CapabilityError for a tail."""
        if tail is not None:
            raise no_tail("an exchange of replicas")
        n, n_rungs = len(state.point), len(self.weights)
        energy = view.energy(_flat(state.point).without(RUNG)) / self.temperature
        energy = rearrange(energy, ROWS, rung=n_rungs)
        place, made = torch.arange(n_rungs, device=energy.device).expand(n, -1), energy.new_zeros(n, n_rungs - 1)
        uniform = torch.rand(made.shape, generator=state.rng, device=energy.device, dtype=energy.dtype)
        for first in (0, 1):
            order, made[:, first::2] = exchange(energy, self.weights.to(energy), uniform[:, first::2], first)
            energy, place = energy.gather(1, order), place.gather(1, order)
        x = _ladder(state.point)[torch.arange(n, device=energy.device)[:, None], place]
        info = SamplerInfo(
            start=state.point, accept_rate=made.mean(dim=1), n_moves=1, n_gradients=0, n_proposals=n_rungs - 1
        )
        pairs = tuple(replace(info, accept_rate=pair, n_proposals=1) for pair in made.unbind(dim=1))
        return replace(state, point=_unladder(state.point, x)), replace(info, children=pairs)


class Tempering:
    """A transition of another sampler in every replica at its own temperature, then exchanges with the neighbours.

    Leaves Π_k p(x_k)^(T/T_k) invariant, given all other coordinates: exact for x at T. Its info has two children: the
    moves of all B·R replicas, row b·R + k being chain b's at rung k, and the exchanges.
    """

    traits = TEMPERING
    hands_down = frozenset({RUNG})  # a coordinate of the points that its parts move

    def __init__(self, *, child: Sampler, ladder: Tensor, temperature: float = 1.0) -> None:
        self.ladder, self.weights = ladder, 1 / ladder
        self.children = (child, Swaps(weights=self.weights, temperature=temperature))

    def init(self, point: Point, rng: Generator, tuning: Tuning | None = None) -> SamplerState:
        """Returns the state at a point, with copies of x where it has no replicas; CapabilityError for too many."""
        n_replicas, shape = len(self.ladder) - 1, point.x.shape
        if REPLICAS not in point.aux:
            point = point.with_aux(**{REPLICAS: copies(point.x, n_replicas)})
        if point.aux[REPLICAS].shape != (shape[0], n_replicas, *shape[1:]):
            raise CapabilityError(
                f"tempering with {n_replicas + 1} temperatures keeps {n_replicas} replicas of x {tuple(shape)}, but "
                f"the point has {tuple(point.aux[REPLICAS].shape)}. Give the coordinate the sampler's n_temperatures."
            )
        held = dict((tuning or {}).get("0") or self._first(point, rng))
        return SamplerState(point=point, rng=rng, tuning={"0": held, "1": {}})

    def step(
        self, view: EnergyView, state: SamplerState, *, tail: Tail | None = None
    ) -> tuple[SamplerState, SamplerInfo]:
        """Returns the state after moves and exchanges; raises CapabilityError for a tail."""
        if tail is not None:
            raise no_tail("tempering")
        child, swaps = self.children
        flat = SamplerState(point=_flat(state.point), rng=state.rng, tuning=state.tuning["0"])
        moved, moves = child.step(Tempered(view, self.weights), flat)
        point = _unladder(state.point, rearrange(moved.point.x, ROWS, rung=len(self.ladder)))
        after, exchanges = swaps.step(view, replace(state, point=point))
        n, rates = len(self.ladder), moves.accept_rate[:: len(self.ladder)]
        info = replace(moves, start=state.point, accept_rate=rates, n_gradients=n * moves.n_gradients)
        info = replace(info, children=(moves, exchanges))
        return replace(after, tuning={**state.tuning, "0": moved.tuning}), info

    def without(self, goes: Goes, tuning: Tuning) -> tuple[Sampler, Tuning] | None:
        """Returns itself or None: it goes as a whole, or stays so."""
        return None if goes(self) else (self, tuning)

    def _first(self, point: Point, rng: Generator) -> Tuning:
        """Returns the child's tuning, with steps that grow like the width of a quadratic well: as √(T_k/T)."""
        tuning = self.children[0].init(_flat(point), rng).tuning
        if "step_size" not in tuning:
            return tuning
        return {**tuning, "step_size": tuning["step_size"] * self.ladder.sqrt().to(tuning["step_size"])}


def _ladder(point: Point) -> Tensor:
    """Returns all replicas [B, R, *event], that at T first."""
    return torch.cat([point.x.detach()[:, None], point.aux[REPLICAS].detach()], dim=1)


def _flat(point: Point) -> Point:
    """Returns all replicas as B·R rows that know their rung, each with its chain's other coordinates."""
    x = _ladder(point)
    n, n_rungs = x.shape[:2]
    others = point.without(REPLICAS).map(
        lambda tensor: repeat(tensor.detach(), "chain ... -> (chain rung) ...", rung=n_rungs)
    )
    rungs = repeat(torch.arange(n_rungs, device=x.device), "rung -> (chain rung)", chain=n)
    return others.replace(x=rearrange(x, "chain rung ... -> (chain rung) ...")).with_aux(**{RUNG: rungs})


def _unladder(point: Point, x: Tensor) -> Point:
    """Returns the point with all replicas replaced."""
    return point.replace(x=x[:, 0]).with_aux(**{REPLICAS: x[:, 1:]})


def build_tempering(config: TemperingConfig, context: BuildContext) -> Tempering:
    """Builds the sampler, with MALA moves that have a step size for each temperature."""
    steps = StepSize(
        first=config.step_size,
        per=RUNG,
        n_values=config.n_temperatures,
        scale=build_scale(config.scale, context),
        rule=build_adaptation(config, RUNG),
    )
    child = Mala(config=MalaConfig(moves=config.moves), target=build_target(context), steps=steps)
    ladder = geometric_ladder(config.n_temperatures, config.highest).to(context.device)
    return Tempering(child=child, ladder=ladder, temperature=context.temperature)
