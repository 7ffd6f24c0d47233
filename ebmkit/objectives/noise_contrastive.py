"""Noise-contrastive estimation, with a known law of the noise and conditional on the datum."""

from __future__ import annotations

from collections.abc import Mapping
from math import log

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from ebmkit.errors import CapabilityError
from ebmkit.objectives.declarations.noise_contrastive import (
    ConditionalNoiseContrastiveConfig,
    NoiseContrastiveConfig,
)
from ebmkit.ops.laws import Gaussian, Mixture, fitted
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.energy import Energy
from ebmkit.protocols.objective import Phases, Requires
from ebmkit.protocols.traits import ObjectiveTraits

FITTED_TO = 10_000
"""Data that a Gaussian is fitted to."""


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

    Source: Gutmann, Hyvärinen (2010).
    """

    requires = Requires(negatives=False)
    traits = ObjectiveTraits(shared=frozenset({"classification"}))  # it trains the energy, and c beside it

    def __init__(self, noise: GaussianNoise | KdeNoise, *, ratio: int, temperature: float) -> None:
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

    def _logit(self, energy: Tensor, point: Point) -> Tensor:
        return -energy / self.temperature - self.log_z - self.noise.log_prob(point.x)


class GaussianNoise(nn.Module):
    """N(mean, root rootᵀ), its tensors kept with the checkpoint."""

    mean: Tensor
    root: Tensor

    def __init__(self, law: Gaussian) -> None:
        super().__init__()
        self.register_buffer("mean", law.mean)
        self.register_buffer("root", law.root)

    def draw(self, n: int, rng: Generator) -> Tensor:
        """Returns n draws [n, *event]."""
        return Gaussian(mean=self.mean, root=self.root).draw(n, rng)

    def log_prob(self, x: Tensor) -> Tensor:
        """Returns log q(x) [B], nats."""
        return Gaussian(mean=self.mean, root=self.root).log_prob(x)


class KdeNoise(nn.Module):
    """Equally likely Gaussians around data, kept with the checkpoint."""

    centres: Tensor
    sd: Tensor

    def __init__(self, law: Mixture) -> None:
        super().__init__()
        self.register_buffer("centres", law.centres)
        self.register_buffer("sd", law.sd)

    def draw(self, n: int, rng: Generator) -> Tensor:
        """Returns n draws [n, *event]."""
        return Mixture(centres=self.centres, sd=self.sd).draw(n, rng)

    def log_prob(self, x: Tensor) -> Tensor:
        """Returns log q(x) [B], nats."""
        return Mixture(centres=self.centres, sd=self.sd).log_prob(x)


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
    """Builds the objective, its noise fitted to data; raises CapabilityError where x is discrete."""
    _check_real("noise-contrastive", context)
    noise = gaussian_noise(config, context) if config.noise == "gaussian" else kde_noise(config, context)
    built = NoiseContrastive(noise, ratio=config.ratio, temperature=context.temperature)
    return built.to(context.device)


def gaussian_noise(config: NoiseContrastiveConfig, context: BuildContext) -> GaussianNoise:
    """Returns the Gaussian of the data; where they are not at hand, one of its shape that a checkpoint fills."""
    shape = context.event_shape
    d = torch.Size(shape).numel()
    x = torch.zeros(2, *shape) if context.sample is None else context.sample(FITTED_TO)
    law = fitted(x, spread=0.0) if context.sample else Gaussian(mean=torch.zeros(shape), root=torch.eye(d))
    return GaussianNoise(Gaussian(mean=law.mean.float(), root=config.widen * law.root.float()))


def kde_noise(config: NoiseContrastiveConfig, context: BuildContext) -> KdeNoise:
    """Returns Gaussians around data; where they are not at hand, of a shape that a checkpoint fills."""
    n = min(config.centres, context.n_data or config.centres)
    centres = torch.zeros(n, *context.event_shape) if context.sample is None else context.sample(n)
    return KdeNoise(Mixture.around(centres, config.bandwidth))


def build_conditional(config: ConditionalNoiseContrastiveConfig, context: BuildContext) -> ConditionalNoiseContrastive:
    """Builds the objective; raises CapabilityError where x is discrete."""
    _check_real("conditional-noise-contrastive", context)
    return ConditionalNoiseContrastive(sigma=config.sigma, ratio=config.ratio, temperature=context.temperature)


def _check_real(name: str, context: BuildContext) -> None:
    if context.x_values != "real":
        raise CapabilityError(f"{name} compares data with Gaussian noise, but x of these data is {context.x_values}.")
