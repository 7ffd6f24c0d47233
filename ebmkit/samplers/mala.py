"""Metropolis-adjusted Langevin."""

from __future__ import annotations

from torch import Generator, Tensor

from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.sampler import SamplerInfo, SamplerState, Tail, Tuning
from ebmkit.samplers.declarations.metropolis import EXACT, MalaConfig
from ebmkit.samplers.metropolis import Evaluated, Target, build_target, transition
from ebmkit.samplers.reflection import bounced, mirrored
from ebmkit.samplers.step_size import StepSize, build_steps


def mala_proposal(x: Tensor, gradient: Tensor, noise: Tensor, step_size: Tensor) -> Tensor:
    """Returns x' = x − (s²/2) g(x) + sξ.

    Args:
        x: [B, *event], data units.
        gradient: g(x) [B, *event], any deterministic function of x; ∇E/T makes good proposals. Per data unit.
        noise: ξ [B, *event], standard normal.
        step_size: s, data units, broadcast against x; one for each entry is a diagonal preconditioner s².
    """
    return x - step_size**2 / 2 * gradient + step_size * noise


def log_accept_ratio(
    energy: Tensor, energy_new: Tensor, gradient: Tensor, gradient_new: Tensor, noise: Tensor, step_size: Tensor
) -> Tensor:
    """Returns log r = E(x) − E(x') − ½‖−ξ + (s/2)(g(x) + g(x'))‖² + ½‖ξ‖² [B].

    The squares are multiplied out: with a = (s/2)(g(x) + g(x')) their difference is ⟨a, ξ − a/2⟩, which does not
    subtract two numbers of size d/2. Exact for any g, as long as the proposal and both terms here use the same one.

    Args:
        energy: E(x)/T [B].
        energy_new: E(x')/T [B].
        gradient: g(x) [B, *event], per data unit.
        gradient_new: g(x'), turned in the entries in which x' came about by a bounce at a wall.
        noise: ξ, that made x' from x.
        step_size: s, data units, broadcast against x.

    Source: Roberts, Tweedie (1996), section 1.4.2. The published DA-EBM code has s²/2 where this has s/2: not exact.
    """
    pull = step_size / 2 * (gradient + gradient_new)
    return energy - energy_new + (pull * (noise - pull / 2)).flatten(1).sum(dim=1)


class Mala:
    """K adjusted Langevin moves per transition, at K + 1 gradients."""

    traits = EXACT
    n_gradients = 1

    def __init__(self, *, config: MalaConfig, target: Target, steps: StepSize) -> None:
        self.config, self.target, self.steps = config, target, steps
        self.bounds, self.warmup = target.bounds, self.config.warmup

    def init(self, point: Point, rng: Generator, tuning: Tuning | None = None) -> SamplerState:
        """Returns the state that starts at a point, with the step size of `tuning` if it has one."""
        return SamplerState(point=point, rng=rng, tuning=self.steps.init(point, tuning))

    def step(
        self, view: EnergyView, state: SamplerState, *, tail: Tail | None = None
    ) -> tuple[SamplerState, SamplerInfo]:
        """Returns the state after K moves; see `Sampler.step` and `metropolis.transition`."""
        step_size = self.steps.of(state.tuning, state.point)
        return transition(self, view, state, n_moves=self.config.moves, step_size=step_size, tail=tail)

    def adapted(self, tuning: Tuning, info: SamplerInfo) -> Tuning:
        """Returns the tuning after one transition; see `Adaptive`."""
        return self.steps.adapted(tuning, info)

    def propose(
        self, view: EnergyView, chains: Evaluated, noise: Tensor, step_size: Tensor
    ) -> tuple[Evaluated, Tensor]:
        """Returns the Langevin proposal and its log acceptance ratio [B]."""
        x, sign = mirrored(mala_proposal(chains.point.x, chains.gradient, noise, step_size), self.target.bounds)
        new = self.target.at(view, chains.point.replace(x=x))
        gradient_new = bounced(new.gradient, sign)
        return new, log_accept_ratio(chains.energy, new.energy, chains.gradient, gradient_new, noise, step_size)

    def replay(self, view: EnergyView, point: Point, noise: Tensor, step_size: Tensor) -> Tensor:
        """Returns the proposal with the graph of the live energy."""
        x = mala_proposal(point.x, self.target.live_gradient(view, point), noise, step_size)
        return mirrored(x, self.target.bounds)[0]


def build_mala(config: MalaConfig, context: BuildContext) -> Mala:
    """Builds the sampler; raises CapabilityError where `step_size_per` names no discrete coordinate of the run."""
    return Mala(config=config, target=build_target(context), steps=build_steps(config, context))
