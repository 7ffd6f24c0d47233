"""Hamiltonian Monte Carlo."""

from __future__ import annotations

from collections.abc import Callable

from torch import Generator, Tensor

from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.sampler import SamplerInfo, SamplerState, Tail, Tuning
from ebmkit.samplers.declarations.metropolis import EXACT, HmcConfig
from ebmkit.samplers.metropolis import Evaluated, Target, build_target, transition
from ebmkit.samplers.reflection import Bounds, bounced, mirrored
from ebmkit.samplers.step_size import StepSize, build_steps


def kick(momentum: Tensor, gradient: Tensor, step_size: Tensor) -> Tensor:
    """Returns p − ε∇E(x)/T: the momentum after a time ε at x."""
    return momentum - step_size * gradient


def leapfrog(
    x: Tensor,
    momentum: Tensor,
    gradient: Tensor,
    step_size: Tensor,
    n_leapfrog: int,
    gradient_at: Callable[[Tensor], Tensor],
    bounds: Bounds = None,
) -> tuple[Tensor, Tensor]:
    """Returns x after L leapfrog steps, and the momentum half a step before: close with `kick(p, ∇E(x)/T, ε/2)`.

    The caller wants the energy at the end and gets it in one pass with the last gradient; L − 1 are spent here.

    Args:
        x: [B, *event], data units.
        momentum: p [B, *event], standard normal at equilibrium.
        gradient: ∇E/T at x [B, *event], per data unit.
        step_size: ε, data units, broadcast against x; one for each entry is a diagonal mass 1/ε².
        n_leapfrog: L.
        gradient_at: x → ∇E/T.
        bounds: (lowest, highest) value of x, at which it bounces; None for none.

    Source: Neal (2011), eq. 5.18–5.20, with neighbouring half kicks joined.
    """
    momentum = kick(momentum, gradient, step_size / 2)
    for i in range(n_leapfrog):
        x, sign = mirrored(x + step_size * momentum, bounds)
        momentum = bounced(momentum, sign)
        if i < n_leapfrog - 1:
            momentum = kick(momentum, gradient_at(x), step_size)
    return x, momentum


def log_accept_ratio(energy: Tensor, energy_new: Tensor, momentum: Tensor, momentum_new: Tensor) -> Tensor:
    """Returns log r = E(x)/T + ½‖p‖² − E(x')/T − ½‖p'‖² [B].

    Leapfrog keeps volume, and leads back where it came from when −p' starts it: nothing else enters the ratio.

    Source: Neal (2011), section 5.3.2.
    """
    kinetic = (momentum - momentum_new) * (momentum + momentum_new) / 2
    return energy - energy_new + kinetic.flatten(1).sum(dim=1)


class Hmc:
    """K Hamiltonian proposals per transition, each from a fresh momentum, at K·L + 1 gradients."""

    traits = EXACT

    def __init__(self, *, config: HmcConfig, target: Target, steps: StepSize) -> None:
        self.config, self.target, self.steps = config, target, steps
        self.bounds, self.warmup = target.bounds, 0
        self.n_gradients = config.n_leapfrog

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
        """Returns the end of the trajectory that starts with momentum `noise`, and its log acceptance ratio [B]."""
        point = chains.point
        x, momentum = leapfrog(
            point.x, noise, chains.gradient, step_size, self.config.n_leapfrog,
            lambda x: self.target.gradient_on_the_way(view, point.replace(x=x)), self.target.bounds,
        )  # fmt: skip
        new = self.target.at(view, point.replace(x=x))
        momentum = kick(momentum, new.gradient, step_size / 2)
        return new, log_accept_ratio(chains.energy, new.energy, noise, momentum)

    def replay(self, view: EnergyView, point: Point, noise: Tensor, step_size: Tensor) -> Tensor:
        """Returns the end of the trajectory with the graph of the live energy."""

        def gradient_at(x: Tensor) -> Tensor:
            return self.target.live_gradient(view, point.replace(x=x))

        gradient = gradient_at(point.x)
        return leapfrog(point.x, noise, gradient, step_size, self.config.n_leapfrog, gradient_at, self.target.bounds)[0]


def build_hmc(config: HmcConfig, context: BuildContext) -> Hmc:
    """Builds the sampler; raises CapabilityError where `step_size_per` names no discrete coordinate of the run."""
    return Hmc(config=config, target=build_target(context), steps=build_steps(config, context))
