"""Noise-contrastive estimation, with a known law of the noise and conditional on the datum."""

from __future__ import annotations

from collections.abc import Mapping
from math import log

import torch
from torch import Tensor, nn
from torch.nn import functional

from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.objectives.declarations.noise_contrastive import (
    ConditionalNoiseContrastiveConfig,
    NoiseContrastiveConfig,
    noised,
)
from ebmkit.objectives.noise import GivenNoise, Noise, NoiseLaw, noise_of
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.energy import Energy
from ebmkit.protocols.objective import Phases, Requires
from ebmkit.protocols.traits import ObjectiveTraits


def noise_contrastive(logit_data: Tensor, logit_noise: Tensor, ratio: int) -> Tensor:
    """Returns −mean log h(data) − ν · mean log(1 − h(noise)), h = σ(logit − log ν), nats.

    Args:
        logit_data: log p(x) − log q(x) of data [B].
        logit_noise: the same of draws of q [νB].
        ratio: ν, draws for each datum.

    Source: Gutmann, Hyvärinen (2010), eq. 3; ν: Gutmann, Hyvärinen (2012), eq. 8.

    >>> noise_contrastive(torch.zeros(3), torch.zeros(3), 1)  # nothing is known: 2 log 2
    tensor(1.3863)
    """
    shift = log(ratio)
    return functional.softplus(shift - logit_data).mean() + ratio * functional.softplus(logit_noise - shift).mean()


class NoiseContrastive(nn.Module):
    """Tells data from draws of q by −E/T + c − log q, c learned: with enough data c = −log Z, and E is normalised.

    Attributes:
        log_z: −c, nats, a scalar.
        temperature: of the run; of an objective that a program hands over, 1 until it is placed in one.

    Source: Gutmann, Hyvärinen (2010).
    """

    requires = Requires(negatives=False)
    traits = ObjectiveTraits(shared=frozenset({"classification"}))  # it trains the energy, and c beside it

    def __init__(self, noise: Noise, *, ratio: int, temperature: float) -> None:
        super().__init__()
        self.noise, self.ratio, self.temperature = noise, ratio, temperature
        self.log_z = nn.Parameter(torch.zeros(()))

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        """Returns "classification", nats."""
        data = phases.positive
        drawn = self.noise.draw(self.ratio * len(data), phases.rng("noise")).to(data.x)
        copies = data.map(lambda rows: rows.repeat_interleave(self.ratio, dim=0))
        noise = copies.replace(x=drawn)
        above = self._logit(phases.evaluate("positive"), data)
        return {"classification": noise_contrastive(above, self._logit(energy(noise), noise), self.ratio)}

    def placed(self, context: BuildContext) -> None:
        """Takes the temperature and the device of a run to which it is handed; see `Placed`.

        Raises:
            CapabilityError: x is discrete or noised there, or of another shape than the draws of the noise.
        """
        _check_real("noise-contrastive", context)
        if wrong := noised(context.selection()):
            raise CapabilityError(f"noise-contrastive cannot be used here: {wrong}")
        if isinstance(self.noise, GivenNoise):
            self.noise.check_shape(tuple(context.event_shape))
        self.temperature = context.temperature
        self.to(context.device)

    def _logit(self, energy: Tensor, point: Point) -> Tensor:
        return -energy / self.temperature - self.log_z - self.noise.log_prob(point.x)


class ConditionalNoiseContrastive:
    """mean log(1 + exp(−(E(x + σε) − E(x))/T)), nats: which of two is the datum, by their energies alone.

    The noise is symmetric, so neither log Z nor a density of it appears.

    Source: Ceylan, Gutmann (2018), eq. 10 and 13.
    """

    requires = Requires(negatives=False)

    def __init__(self, *, sigma: float, ratio: int, temperature: float) -> None:
        self.sigma, self.ratio, self.temperature = sigma, ratio, temperature

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        """Returns "classification", nats."""
        data = phases.positive
        copies = data.map(lambda rows: rows.repeat_interleave(self.ratio, dim=0))
        x = copies.x
        noise = torch.randn(x.shape, generator=phases.rng("noise"), device=x.device, dtype=x.dtype)
        below = phases.evaluate("positive").repeat_interleave(self.ratio)
        rise = (energy(copies.replace(x=x + self.sigma * noise)) - below) / self.temperature
        return {"classification": functional.softplus(-rise).mean()}


def build_noise_contrastive(config: NoiseContrastiveConfig, context: BuildContext) -> NoiseContrastive:
    """Builds the objective, its noise fitted to data; raises CapabilityError where x is discrete, or has no range."""
    _check_real("noise-contrastive", context)
    built = NoiseContrastive(noise_of(config, context), ratio=config.ratio, temperature=context.temperature)
    return built.to(context.device)


def with_noise(law: NoiseLaw, *, ratio: int = 1) -> NoiseContrastive:
    """Returns the objective with any normalised law of x as its noise, to be handed to `ebmkit.fit` or `ebmkit.parts`.

    The law is not trained, and not kept with checkpoints: who goes on with such a run hands it over again.

    Args:
        law: with `log_prob(x)` [B], nats, its normaliser included, and `sample((n,))` [n, *event], as the distributions
            of torch have them. It draws from torch's global stream: what it draws here is the stream of the step.
        ratio: draws of the law for each datum.

    Raises:
        CapabilityError: the law has no density of real-valued x, or is not one of whole x.
        RecipeError: the ratio is not positive.

    >>> law = torch.distributions.MultivariateNormal(torch.zeros(2), torch.eye(2))
    >>> with_noise(law, ratio=4).ratio
    4
    """
    if not isinstance(ratio, int) or ratio < 1:
        raise RecipeError(f"ratio is a whole number of draws for each datum, 1 or more; found {ratio}.")
    return NoiseContrastive(GivenNoise(law), ratio=ratio, temperature=1.0)


def build_conditional(config: ConditionalNoiseContrastiveConfig, context: BuildContext) -> ConditionalNoiseContrastive:
    """Builds the objective; raises CapabilityError where x is discrete."""
    _check_real("conditional-noise-contrastive", context)
    return ConditionalNoiseContrastive(sigma=config.sigma, ratio=config.ratio, temperature=context.temperature)


def _check_real(name: str, context: BuildContext) -> None:
    if context.x_values != "real":
        raise CapabilityError(f"{name} compares data with Gaussian noise, but x of these data is {context.x_values}.")
