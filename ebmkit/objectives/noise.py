"""The laws of the noise that data are told from: fitted to data, uniform, or any that a program hands over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Generator, Tensor, nn

from ebmkit.errors import CapabilityError
from ebmkit.objectives.declarations.noise_contrastive import NoiseContrastiveConfig
from ebmkit.ops.laws import Gaussian, Mixture, Uniform, fitted
from ebmkit.plugins.context import BuildContext
from ebmkit.rng import seeded, stream

FITTED_TO = 10_000
"""Data that a Gaussian is fitted to."""

N_TRIED = 4
"""Draws of a given law that are looked at before it is taken."""


class Noise(Protocol):
    """A normalised law of x."""

    def draw(self, n: int, rng: Generator) -> Tensor:
        """Returns n draws [n, *event]."""
        ...

    def log_prob(self, x: Tensor) -> Tensor:
        """Returns log q(x) [B], nats, its normaliser included."""
        ...


class NoiseLaw(Protocol):
    """What a program may hand over as noise: the distributions of torch are such laws."""

    def sample(self, sample_shape: Any) -> Tensor:
        """Returns draws [n, *event] for a sample_shape (n,)."""
        ...

    def log_prob(self, value: Tensor) -> Tensor:
        """Returns log q [B], nats, its normaliser included, of x [B, *event]."""
        ...


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


class UniformNoise(nn.Module):
    """Uniform on the value range of the data."""

    def __init__(self, law: Uniform) -> None:
        super().__init__()
        self.law = law

    def draw(self, n: int, rng: Generator) -> Tensor:
        """Returns n draws [n, *event]."""
        return self.law.draw(n, rng)

    def log_prob(self, x: Tensor) -> Tensor:
        """Returns log q(x) [B], nats."""
        return self.law.log_prob(x)


class GivenNoise:
    """A law that a program handed over, held constant; its draws come from the stream of the step.

    Raises:
        CapabilityError: it has no density of real-valued x, or its draws and densities are not one a row.
    """

    def __init__(self, law: NoiseLaw) -> None:
        self.law, self.name = law, type(law).__name__
        for method, what in (("log_prob", "density log q(x) with its normaliser"), ("sample", "way to be drawn from")):
            if not callable(getattr(law, method, None)):
                raise CapabilityError(
                    f"noise-contrastive compares data with a law of known density, and {self.name} has no {what} "
                    f"(`{method}`). Take conditional-noise-contrastive, which needs no density, or a law that has both."
                )
        try:
            drawn = self.draw(N_TRIED, stream(0, 0, "a law that was given"))
        except (RuntimeError, ValueError) as error:  # a scale that is negative, say
            raise CapabilityError(
                f"The noise {self.name} cannot be drawn from, {type(error).__name__}: {error}. Scales must be above 0."
            ) from error
        self.event_shape, self.device = tuple(drawn.shape[1:]), drawn.device
        self._check(drawn)

    def __deepcopy__(self, memo: dict[int, object]) -> GivenNoise:
        return self

    @torch.no_grad()
    def draw(self, n: int, rng: Generator) -> Tensor:
        """Returns n draws [n, *event]."""
        with _global_stream_from(rng):
            return self.law.sample((n,))

    @torch.no_grad()
    def log_prob(self, x: Tensor) -> Tensor:
        """Returns log q(x) [B], nats; raises CapabilityError where it is not finite."""
        try:
            found = self.law.log_prob(x.to(self.device)).to(x)
        except ValueError as error:  # how torch's distributions refuse x outside of their support
            raise CapabilityError(self._outside(str(error).splitlines()[0])) from error
        if not bool(torch.isfinite(found).all()):
            raise CapabilityError(self._outside("log q(x) is not finite there"))
        return found

    def check_shape(self, event_shape: tuple[int, ...]) -> None:
        """Raises CapabilityError where data have another shape than its draws."""
        if self.event_shape != event_shape:
            raise CapabilityError(
                f"The noise {self.name} draws x of shape {list(self.event_shape)}, and a datum here has "
                f"{list(event_shape)}: give it a law of whole data."
            )

    def _check(self, drawn: Tensor) -> None:
        """Raises CapabilityError where draws, or their densities, are not what a law of real-valued x has."""
        if _is_discrete(self.law) or not drawn.is_floating_point():
            raise CapabilityError(f"The noise {self.name} draws discrete x, which has no density beside real-valued x.")
        try:
            density = self.law.log_prob(drawn)
        except NotImplementedError as error:
            raise CapabilityError(
                f"noise-contrastive compares data with a law of known density, and log_prob of {self.name} is not "
                "implemented. Take conditional-noise-contrastive, which needs no density."
            ) from error
        if tuple(density.shape) != (N_TRIED,):
            raise CapabilityError(
                f"log_prob of the noise {self.name} gave {list(density.shape)} for {N_TRIED} draws of shape "
                f"{list(self.event_shape)}: it must be one number a draw. Of independent entries make one law: "
                f"torch.distributions.Independent(law, {max(len(self.event_shape), 1)})."
            )
        if not bool(torch.isfinite(density).all() & torch.isfinite(drawn).all()):
            raise CapabilityError(
                f"The noise {self.name} gives its own draws a density that is not finite: a law of a scale that is "
                "zero or negative has none. Give it positive scales."
            )

    def _outside(self, why: str) -> str:
        return (
            f"The noise {self.name} has no density at some x that it is asked for: {why}. Wherever there are data, "
            "there must be noise: take a law that is positive everywhere, as a Gaussian."
        )


@contextmanager
def _global_stream_from(rng: Generator) -> Iterator[None]:
    """Within it torch's global streams, of the CPU and of the device of `rng`, go on from `rng`; then as before."""
    seed = int(torch.randint(2**62, (), generator=rng, device=rng.device))
    with seeded(seed):
        if rng.device.type != "cuda":
            yield
            return
        with torch.random.fork_rng(devices=[rng.device]), torch.cuda.device(rng.device):
            torch.cuda.manual_seed(seed)
            yield


def _is_discrete(law: Any) -> bool:
    try:
        return bool(law.support.is_discrete)
    except (AttributeError, NotImplementedError):  # a law of one's own need not say
        return False


def noise_of(config: NoiseContrastiveConfig, context: BuildContext) -> Noise:
    """Returns the noise that a config names; raises CapabilityError where x has no range to be uniform in."""
    if config.noise == "uniform":
        return uniform_noise(context)
    return gaussian_noise(config, context) if config.noise == "gaussian" else kde_noise(config, context)


def uniform_noise(context: BuildContext) -> UniformNoise:
    """Returns the uniform law on the value range of the data; raises CapabilityError where they have none."""
    if context.value_range is None:
        raise CapabilityError('noise = "uniform" needs data with a value range: take noise = "gaussian".')
    low, high = context.value_range
    return UniformNoise(Uniform(low=low, high=high, event_shape=tuple(context.event_shape), device=context.device))


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
