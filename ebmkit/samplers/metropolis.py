"""What Metropolis-adjusted samplers share: the target, the decision of each row, and the graph of the last moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ebmkit.errors import CapabilityError
from ebmkit.ops.gradients import energy_and_gradient
from ebmkit.ops.rows import normal, rows_as
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.sampler import SamplerInfo, SamplerState, Tail
from ebmkit.samplers.declarations.langevin import WARM
from ebmkit.samplers.reflection import Walls
from ebmkit.samplers.warmup import WARMUP


class Evaluated(NamedTuple):
    """A point with what is kept of it through the moves.

    Attributes:
        point: B chains.
        energy: E/T [B].
        gradient: ∇E/T [B, *event], per data unit.
    """

    point: Point
    energy: Tensor
    gradient: Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """The law p(x) ∝ exp(−E(x)/T) on the values that x may have.

    Attributes:
        temperature: T, nats.
        bounds: (lowest, highest) value of x, None where it is unbounded.
    """

    temperature: float = 1.0
    bounds: tuple[float, float] | None = None

    def at(self, view: EnergyView, point: Point) -> Evaluated:
        """Returns the point with E/T and ∇E/T: one pass where the view's precisions agree, one gradient in any case."""
        energy, gradient = view.energy_and_gradient(point)
        return Evaluated(point, self._reduced(energy), self._reduced(gradient))

    def gradient(self, view: EnergyView, point: Point) -> Tensor:
        """Returns ∇E/T [B, *event]."""
        return self._reduced(view.gradient(point))

    def gradient_on_the_way(self, view: EnergyView, point: Point) -> Tensor:
        """Returns ∇E/T [B, *event] within a proposal, of which only the end is asked whether it is finite.

        Where energy and gradient are one pass, it is spared what `view.gradient` does to mark rows whose energy is not
        finite.
        """
        one_pass = view.precision == "fp32"
        return self._reduced(view.energy_and_gradient(point)[1] if one_pass else view.gradient(point))

    def live_gradient(self, view: EnergyView, point: Point) -> Tensor:
        """Returns ∇E/T [B, *event] of the live energy with its graph; x must require a gradient."""
        return self._reduced(energy_and_gradient(view.live, point, graph=True)[1])

    def allows(self, chains: Evaluated) -> Tensor:
        """Returns [B] bool: finite energy, finite gradient, x within bounds. What is not allowed is rejected."""
        allowed = torch.isfinite(chains.energy) & torch.isfinite(chains.gradient).flatten(1).all(dim=1)
        if self.bounds is None:
            return allowed
        low, high = self.bounds
        x = chains.point.x
        return allowed & ((x >= low) & (x <= high)).flatten(1).all(dim=1)

    def _reduced(self, value: Tensor) -> Tensor:
        return value if self.temperature == 1.0 else value / self.temperature


class Kernel(Protocol):
    """One adjusted move.

    Attributes:
        target: what it leaves invariant.
    """

    target: Target

    @property
    def n_gradients(self) -> int:
        """Gradients that one move costs."""
        ...

    def propose(
        self, view: EnergyView, chains: Evaluated, noise: Tensor, step_size: Tensor
    ) -> tuple[Evaluated, Tensor]:
        """Returns the proposal and its log acceptance ratio [B]."""
        ...

    def replay(self, view: EnergyView, point: Point, noise: Tensor, step_size: Tensor) -> Tensor:
        """Returns the proposed x with the graph of the live energy, from a point whose x may carry a graph."""
        ...


def transition(
    kernel: Kernel, view: EnergyView, state: SamplerState, *, n_moves: int, step_size: Tensor, tail: Tail | None
) -> tuple[SamplerState, SamplerInfo]:
    """Makes K adjusted moves, at K · n_gradients + 1 gradients of the view.

    A proposal is accepted with probability min(1, r), each row by itself; a rejected row keeps x bit for bit. While the
    tuning holds a "warmup" above 0, every allowed proposal is taken, which is not exact; the acceptance rate is still
    that of the ratio, so that the step size can adapt.

    Args:
        kernel: proposes.
        view: of the energy.
        state: where the transition starts.
        n_moves: K.
        step_size: data units, broadcast against x.
        tail: the moves and rows whose graph is kept. It follows accepted proposals with every decision held constant,
            so a row whose tail moves were all rejected carries none. A partial gradient: the decision's own is left
            out.
    """
    chains = kernel.target.at(view, state.point.map(torch.detach))
    kept, rows = (0, None) if tail is None else (min(tail.moves, n_moves), tail.rows)
    n_accepted = torch.zeros(len(state.point), device=chains.energy.device)
    warmup: Tensor | None = state.tuning.get(WARMUP)
    live: Tensor | None = None
    for i in range(n_moves):
        noise = normal(chains.point.x, state.rng)
        chance = torch.rand(chains.energy.shape, generator=state.rng, device=noise.device, dtype=chains.energy.dtype)
        proposal, log_ratio = kernel.propose(view, chains, noise, step_size)
        allowed = kernel.target.allows(proposal)
        accepted = allowed & (torch.log1p(-chance) <= log_ratio)
        moved = accepted if warmup is None else accepted | (allowed & (warmup > 0))
        before, chains = chains.point, choose(moved, proposal, chains)
        if i >= n_moves - kept:
            taken = torch.where(rows_as(moved, noise), step_size, 0)  # a rejected row's step has length 0
            live = replayed(kernel, view, before, chains.point.x[:rows], noise, taken, live)
        n_accepted = n_accepted + accepted
    x = chains.point.x if live is None else torch.cat([live, chains.point.x[len(live) :]])
    info = SamplerInfo(
        start=state.point,
        accept_rate=n_accepted / n_moves,
        n_moves=n_moves,
        n_gradients=1 + n_moves * kernel.n_gradients,
        n_proposals=n_moves,
    )
    return SamplerState(point=state.point.replace(x=x), rng=state.rng, tuning=state.tuning), info


def replayed(
    kernel: Kernel, view: EnergyView, before: Point, end: Tensor, noise: Tensor, taken: Tensor, live: Tensor | None
) -> Tensor:
    """Returns the end of one more move, bit for bit, with the graph of how it came about.

    Args:
        kernel: that proposed it.
        view: of the energy.
        before: B chains before the move.
        end: x of the first rows after it: those whose graph is kept.
        noise: [B, *event], of the move.
        taken: [B, *event], its step, 0 in rows that rejected it.
        live: x of these rows before the move with its graph; None where the graph begins here.
    """
    start = before.map(lambda tensor: tensor[: len(end)])
    start = start.replace(x=start.x.requires_grad_() if live is None else live)
    return carry(end, kernel.replay(view, start, noise[: len(end)], taken[: len(end)]))


def choose(accepted: Tensor, proposal: Evaluated, current: Evaluated) -> Evaluated:
    """Returns the proposal in accepted rows and the current chains, bit for bit, in the others; only x was proposed."""
    x = torch.where(rows_as(accepted, current.point.x), proposal.point.x, current.point.x)
    gradient = torch.where(rows_as(accepted, current.gradient), proposal.gradient, current.gradient)
    return Evaluated(current.point.replace(x=x), torch.where(accepted, proposal.energy, current.energy), gradient)


def carry(value: Tensor, replay: Tensor) -> Tensor:
    """Returns the value, bit for bit, with the gradient of a replay of how it came about."""
    return value + (replay - replay.detach())


def build_target(context: BuildContext) -> Target:
    """Returns the run's target: its temperature, and the value range of the data unless a coordinate noises x."""
    noised = context.x_is_noised
    return Target(temperature=context.temperature, bounds=None if noised else context.value_range)


def build_bounds(asked: str, temperature: float, context: BuildContext, name: str) -> Walls | None:
    """Returns the walls of a sampler that is not adjusted, None where x is unbounded.

    Args:
        asked: "auto", "mirror", "clamp" or "off".
        temperature: of its moves, nats.
        context: of the run.
        name: of the sampler, for the message.

    Raises:
        CapabilityError: walls are asked for where x has no range.
    """
    bounds = build_target(context).bounds
    if asked in ("mirror", "clamp") and bounds is None:
        why = "a coordinate noises x" if context.x_is_noised else "the data have no value range"
        raise CapabilityError(f'{name}: bounds = "{asked}", but {why}. Set bounds = "auto".')
    if bounds is None or asked == "off":
        return None
    return Walls(bounds=bounds, mirror=asked == "mirror" or (asked == "auto" and temperature >= WARM))


def no_tail(name: str) -> CapabilityError:
    """Returns the error for a tail that is asked of a sampler whose moves have no graph."""
    return CapabilityError(
        f"A tail was asked of {name}, but the end of its move is no differentiable function of the start. "
        "Samplers that have one: sgld, underdamped, mala, hmc."
    )
