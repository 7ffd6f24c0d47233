"""The no-U-turn sampler, all chains of a batch together."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from ebmkit.ops.rows import normal, rows_as
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.sampler import SamplerInfo, SamplerState, Tail, Tuning
from ebmkit.samplers.declarations.metropolis import NUTS, NutsConfig
from ebmkit.samplers.hmc import kick, log_accept_ratio
from ebmkit.samplers.metropolis import Evaluated, Target, build_target, choose, no_tail
from ebmkit.samplers.reflection import Bounds, bounced, mirrored
from ebmkit.samplers.step_size import StepSize, build_steps

MAX_ERROR = 1000.0  # nats of energy error at which a trajectory counts as diverged: its weight is 0 in any precision


class Place(NamedTuple):
    """A state of every trajectory: the chains there, and their momentum p [B, *event]."""

    chains: Evaluated
    momentum: Tensor


class Tree(NamedTuple):
    """A trajectory of every chain, or a branch that is to be joined to one.

    Attributes:
        first, last: its ends in time; of a branch, `last` is the newest state whichever way it goes.
        proposal: one of its states, drawn with probability ∝ exp(−H) (and by `doubled`).
        log_weight: log Σ exp(H₀ − H) [B].
        momentum: Σp [B, *event].
        grows: [B] bool, all states are allowed and no aligned piece turns back.
        accepted: Σ min(1, exp(H₀ − H)) [B] over the states made while it grew.
        n_states: [B], their number.
    """

    first: Place
    last: Place
    proposal: Evaluated
    log_weight: Tensor
    momentum: Tensor
    grows: Tensor
    accepted: Tensor
    n_states: Tensor


Piece = tuple[int, Tensor, Tensor]
"""Neighbouring states of a branch: how many, the first momentum, and Σp over the states before them."""


def no_u_turn(first: Tensor, last: Tensor, total: Tensor) -> Tensor:
    """Returns [B] bool: both end momenta point along ρ = Σp − (p₁ + pₙ)/2, the way made from the first to the last.

    The same from either end, so that a trajectory is built with one probability from each of its states.

    Source: Betancourt (2017), appendix A.4.2, with unit mass. There the ends count whole; as halves they make ρ the
    trapezoidal rule for the way, and steps near half a period cannot hide a turn (as in NumPyro).
    """
    way = total - (first + last) / 2
    return ((first * way).flatten(1).sum(dim=1) > 0) & ((last * way).flatten(1).sum(dim=1) > 0)


def leapfrog_step(place: Place, step_size: Tensor, at: Callable[[Tensor], Evaluated], bounds: Bounds = None) -> Place:
    """Returns the place one leapfrog step on, bouncing at bounds; a negative ε goes back in time."""
    momentum = kick(place.momentum, place.chains.gradient, step_size / 2)
    x, sign = mirrored(place.chains.point.x + step_size * momentum, bounds)
    chains = at(x)
    return Place(chains, kick(bounced(momentum, sign), chains.gradient, step_size / 2))


def with_state(branch: Tree, origin: Place, new: Place, uniform: Tensor, allowed: Tensor) -> Tree:
    """Returns the branch with one more state, which becomes the proposal with probability w/Σw.

    Weights are w = exp(H₀ − H), H₀ that of the origin. A state that is not allowed ends the branch.
    """
    log_weight = log_accept_ratio(origin.chains.energy, new.chains.energy, origin.momentum, new.momentum)
    allowed = allowed & (log_weight > -MAX_ERROR)
    total = torch.logaddexp(branch.log_weight, log_weight)
    taken = allowed & (torch.log1p(-uniform) <= log_weight - total)
    return branch._replace(
        last=new,
        proposal=choose(taken, new.chains, branch.proposal),
        log_weight=total,
        momentum=branch.momentum + new.momentum,
        grows=branch.grows & allowed,
        accepted=branch.accepted + torch.where(allowed & branch.grows, log_weight.clamp(max=0).exp(), 0),
        n_states=branch.n_states + branch.grows,
    )


def straight(pieces: list[Piece], last: Tensor, total: Tensor) -> tuple[list[Piece], Tensor]:
    """Joins the newest two pieces while their sizes are equal; returns the pieces, and [B] bool: no joined one turns.

    So each aligned piece of 2^i states is checked once, when its last state is there: its momentum is `last`, and Σp of
    the branch is `total`.
    """
    ahead = torch.ones(last.shape[:1], dtype=torch.bool, device=last.device)
    while len(pieces) > 1 and pieces[-2][0] == pieces[-1][0]:
        size, first, before = pieces[-2]
        pieces = [*pieces[:-2], (2 * size, first, before)]
        ahead = ahead & no_u_turn(first, last, total - before)
    return pieces, ahead


def branch_from(
    origin: Place, end: Place, step_size: Tensor, uniform: Tensor,
    at: Callable[[Tensor], Evaluated], allows: Callable[[Evaluated], Tensor], bounds: Bounds = None,
) -> Tree:  # fmt: skip
    """Returns the n states that follow an end of a trajectory that started at the origin, for n uniform numbers [n, B].

    ε, in data units and broadcast against x, is negative in rows that go back in time.
    """
    nothing = torch.full_like(origin.chains.energy, -torch.inf)
    made, pieces = _seed(end, nothing, torch.zeros_like(end.momentum)), list[Piece]()
    for chance in uniform.unbind():
        new = leapfrog_step(made.last, step_size, at, bounds)
        pieces = [*pieces, (1, new.momentum, made.momentum)]
        made = with_state(made, origin, new, chance, allows(new.chains))
        pieces, ahead = straight(pieces, new.momentum, made.momentum)
        made = made._replace(grows=made.grows & ahead)
    return made


def doubled(tree: Tree, branch: Tree, forward: Tensor, uniform: Tensor) -> Tree:
    """Returns the trajectory with the branch joined to it, in the rows where both still grow.

    The branch's state becomes the proposal with probability min(1, W'/W): more often than by its share of the weight,
    and exact all the same.

    Source: Betancourt (2017), appendix A.3.2.
    """
    joined = tree.grows & branch.grows
    taken = joined & (torch.log1p(-uniform) <= branch.log_weight - tree.log_weight)
    first, last = _chosen(joined & ~forward, branch.last, tree.first), _chosen(joined & forward, branch.last, tree.last)
    momentum = torch.where(rows_as(joined, tree.momentum), tree.momentum + branch.momentum, tree.momentum)
    return Tree(
        first=first,
        last=last,
        proposal=choose(taken, branch.proposal, tree.proposal),
        log_weight=torch.where(joined, torch.logaddexp(tree.log_weight, branch.log_weight), tree.log_weight),
        momentum=momentum,
        grows=joined & no_u_turn(first.momentum, last.momentum, momentum),
        accepted=tree.accepted + torch.where(tree.grows, branch.accepted, 0),
        n_states=tree.n_states + torch.where(tree.grows, branch.n_states, 0),
    )


def _seed(place: Place, log_weight: Tensor, momentum: Tensor) -> Tree:
    """Returns a trajectory that has only its start."""
    grows, none = torch.ones_like(log_weight, dtype=torch.bool), torch.zeros_like(log_weight)
    return Tree(place, place, place.chains, log_weight, momentum, grows, none, none)


def _chosen(rows: Tensor, yes: Place, no: Place) -> Place:
    momentum = torch.where(rows_as(rows, no.momentum), yes.momentum, no.momentum)
    return Place(choose(rows, yes.chains, no.chains), momentum)


def draw_noise(chains: Evaluated, max_depth: int, rng: Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns all that is random in one move of D doublings at most, the same whenever it stops.

    Momentum [B, *event]; forward in time [D, B] bool; uniform [D, B] for the doublings, [2^D − 1, B] for the states.
    """
    energy, momentum = chains.energy, normal(chains.point.x, rng)
    shape = (2 * max_depth + 2**max_depth - 1, len(energy))
    uniform = torch.rand(shape, generator=rng, device=energy.device, dtype=energy.dtype)
    return momentum, uniform[:max_depth] < 0.5, uniform[max_depth : 2 * max_depth], uniform[2 * max_depth :]


class Nuts:
    """K no-U-turn moves per transition, each from a fresh momentum, at K · (2^D − 1) + 1 gradients.

    Exact for any deterministic gradient, as Hamiltonian Monte Carlo is. A state without a finite energy ends its
    trajectory; at bounds it bounces. Rows that have ended are carried along unchanged until the last has.
    """

    traits = NUTS

    def __init__(self, *, config: NutsConfig, target: Target, steps: StepSize) -> None:
        self.config, self.target, self.steps = config, target, steps
        self.bounds, self.warmup = target.bounds, 0

    def init(self, point: Point, rng: Generator, tuning: Tuning | None = None) -> SamplerState:
        """Returns the state that starts at a point, with the step size of `tuning` if it has one."""
        return SamplerState(point=point, rng=rng, tuning=self.steps.init(point, tuning))

    def step(
        self, view: EnergyView, state: SamplerState, *, tail: Tail | None = None
    ) -> tuple[SamplerState, SamplerInfo]:
        """Returns the state after K moves; raises CapabilityError for a tail."""
        if tail is not None:
            raise no_tail("nuts")
        step_size = self.steps.of(state.tuning, state.point)
        chains = self.target.at(view, state.point.map(torch.detach))
        rates, spent = torch.zeros_like(chains.energy), 1
        for _ in range(self.config.moves):
            tree, n_gradients = self._trajectory(view, chains, state.rng, step_size)
            chains, spent = tree.proposal, spent + n_gradients
            rates = rates + tree.accepted / tree.n_states
        moves = self.config.moves
        info = SamplerInfo(
            start=state.point, accept_rate=rates / moves, n_moves=moves, n_gradients=spent, n_proposals=moves
        )
        point = state.point.replace(x=chains.point.x)
        return SamplerState(point=point, rng=state.rng, tuning=state.tuning), info

    def adapted(self, tuning: Tuning, info: SamplerInfo) -> Tuning:
        """Returns the tuning after one transition; see `Adaptive`."""
        return self.steps.adapted(tuning, info)

    def _trajectory(self, view: EnergyView, chains: Evaluated, rng: Generator, step_size: Tensor) -> tuple[Tree, int]:
        """Returns a trajectory through the chains, and the gradients it cost."""
        momentum, directions, doublings, states = draw_noise(chains, self.config.max_depth, rng)
        origin = Place(chains, momentum)
        tree, made = _seed(origin, torch.zeros_like(chains.energy), momentum), 0

        def at(x: Tensor) -> Evaluated:
            return self.target.at(view, chains.point.replace(x=x))

        for depth, forward in enumerate(directions.unbind()):
            if self.config.stops_early and not bool(tree.grows.any()):
                break
            end = _chosen(forward, tree.last, tree.first)
            signed = torch.where(rows_as(forward, momentum), step_size, -step_size)
            uniform = states[made : made + 2**depth]
            branch = branch_from(origin, end, signed, uniform, at, self.target.allows, self.target.bounds)
            tree, made = doubled(tree, branch, forward, doublings[depth]), made + 2**depth
        return tree, made


def build_nuts(config: NutsConfig, context: BuildContext) -> Nuts:
    """Builds the sampler; raises CapabilityError where `step_size_per` names no discrete coordinate of the run."""
    return Nuts(config=config, target=build_target(context), steps=build_steps(config, context))
