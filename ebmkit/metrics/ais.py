"""log Z by annealed importance sampling from below and from above, and the likelihood of held-out data with it."""

from __future__ import annotations

from math import sqrt

from torch import Tensor

from ebmkit.errors import CapabilityError
from ebmkit.evaluation.uncertainty import standard_error
from ebmkit.metrics.annealing.clean import bits_a_nat, bits_per_dim, bounds_of, has_levels, reduced_energy
from ebmkit.metrics.annealing.log_z import LogZ, Ways, annealed_log_z
from ebmkit.metrics.declarations.likelihood import AisConfig
from ebmkit.ops.laws import Law, Uniform, fitted
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.metric import Estimate, Measured, Subject
from ebmkit.rng import stream
from ebmkit.sampling.model import Model

FEW_CHAINS = 5.0
"""Effective chains below which an estimate is told to hang on few of them."""
ONE_VALUE = 1.0
"""Gap, nats, above which the two ways are told not to agree."""


class Ais:
    """log Z of exp(−E/T) and −log p of held-out data; see `AisConfig`."""

    def __init__(self, config: AisConfig) -> None:
        self.config = config

    def measure(self, subject: Subject) -> Measured:
        """Returns log Z between two ways, and −log p of held-out data.

        Raises:
            CapabilityError: the energy is none of x alone, or a uniform base was asked for x without a range.
            DivergenceError: an energy is not finite.
        """
        config, model = self.config, subject.model
        temperature = config.temperature or model.temperature
        energy, held = reduced_energy(model, temperature), subject.held_out()
        starts, whence = self._starts(subject)
        base, law = self._base(subject)
        found = annealed_log_z(
            base, energy, starts.to(model.device),
            Ways(n=config.n_chains, n_pilot=max(16, config.n_chains // 4), settle=config.settle),
            stream(subject.seed, 0, "metric ais", model.device),
            n_temperatures=config.n_temperatures, n_moves=config.moves, n_leapfrog=config.n_leapfrog,
            bounds=bounds_of(model),
        )  # fmt: skip
        reduced = subject.energy(held.x).double() / temperature
        return Measured(
            estimates={**log_z_estimates(found, config.n_chains), **likelihood_estimates(reduced, found, model)},
            definition=(
                f"log Z of exp(−E/T), T = {temperature:g}, by {config.n_temperatures} geometric temperatures from "
                f"{law} to the model, both ways; ± of log Z, and of what follows from it, is half the gap and two "
                f"standard errors, no standard error. −log p of held-out data is E/T + log Z{convention(model)}."
            ),
            notes=(
                *_beyond_use(found, model, temperature),
                *remarks(found, "n_temperatures"),
                _about_starts(whence, len(starts), config.settle),
            ),
        )

    def _base(self, subject: Subject) -> tuple[Law, str]:
        model, bounds = subject.model, bounds_of(subject.model)
        if self.config.base == "gaussian" or (self.config.base == "auto" and bounds is None):
            if bounds is not None:
                raise CapabilityError(
                    f"A Gaussian base has mass outside of [{bounds[0]:g}, {bounds[1]:g}], where x is bounded: set "
                    'metric.ais.base = "uniform".'
                )
            return fitted(subject.data("train").x.to(model.device)), "a Gaussian fitted to training data"
        if bounds is None:
            raise CapabilityError('x has no bounds, so no law is uniform on it: set metric.ais.base = "gaussian".')
        uniform = Uniform(low=bounds[0], high=bounds[1], event_shape=tuple(model.data.event_shape), device=model.device)
        return uniform, f"the uniform law on [{bounds[0]:g}, {bounds[1]:g}]"

    def _starts(self, subject: Subject) -> tuple[Tensor, str]:
        """Returns where the chains of the way back start, and what it is."""
        asked = self.config.starts
        visits = any(coordinate.leaves_data for coordinate in subject.model.coordinates)
        if asked == "data" or (asked == "auto" and visits):
            return subject.held_out(self.config.n_chains).x, "held-out data"
        return subject.generate(self.config.n_chains).x, "fresh chains of the sampler"


def log_z_estimates(found: LogZ, n: int) -> dict[str, Estimate]:
    """Returns log Z with its bounds, of n chains each way."""
    return {
        "log Z": Estimate(value=found.value, error=found.error, n=2 * n, unit="nats"),
        "log Z, forward": Estimate(value=found.lower, error=found.lower_error, n=n, unit="nats"),
        "log Z, reverse": Estimate(value=found.upper, error=found.upper_error, n=n, unit="nats"),
        "gap": Estimate(
            value=found.gap, error=sqrt(found.lower_error**2 + found.upper_error**2), n=2 * n, better="lower",
            unit="nats",
        ),
        "effective chains, the fewer way": Estimate(value=found.effective, error=None, n=n, better="higher"),
    }  # fmt: skip


def likelihood_estimates(reduced: Tensor, found: LogZ, model: Model, log_units: float = 0.0) -> dict[str, Estimate]:
    """Returns −log p of data by their E/T [N], nats a datum, and in bits a dimension.

    Args:
        reduced: E/T of held-out data.
        found: log Z, over x as chains hold it.
        model: of these data.
        log_units: log of a volume of data in that of chains; 0 where log Z is over x of data.
    """
    value = float(reduced.mean()) + found.value - log_units
    return nats_and_bits("−log p of held-out data", value, found.error + 2 * standard_error(reduced), reduced, model)


def nats_and_bits(name: str, value: float, error: float, of: Tensor, model: Model) -> dict[str, Estimate]:
    """Returns a −log p in nats a datum and in bits a dimension."""
    bits, bits_error = bits_per_dim(value, model), error * bits_a_nat(model)
    return {
        name: Estimate(value=value, error=error, n=len(of), better="lower", unit="nats"),
        f"{name}, a dimension": Estimate(
            value=bits, error=bits_error, n=len(of), better="lower", unit="bits/dim"
        ),
    }  # fmt: skip


def convention(model: Model) -> str:
    """Returns what bits a dimension are."""
    if not has_levels(model):
        return ", a density in the units of the data, and so are bits a dimension"
    return "; bits a dimension are of dequantised data in units of their 256 levels"


def remarks(found: LogZ, setting: str) -> list[str]:
    """Returns what is to be known of a log Z, and which setting makes its path finer."""
    told = []
    if abs(found.gap) > ONE_VALUE:
        told.append(
            f"The two ways differ by {found.gap:.3g} nats: what is known is the interval, not its middle. More "
            f"{setting} or n_chains make it smaller."
        )
    if found.effective < FEW_CHAINS:
        told.append(f"One way hangs on {found.effective:.1f} effective chains: its standard error is too small.")
    return told


def _beyond_use(found: LogZ, model: Model, temperature: float) -> list[str]:
    """Returns that the likelihood is not known, where its error is above a bit a dimension."""
    bits = found.error * bits_a_nat(model)
    if bits <= 1:
        return []
    return [
        f"log Z is known to within {bits:.3g} bits a dimension: these numbers do not say how likely data are. At T = "
        f"{temperature:g}, E/T is too steep for so short an annealing; a model that is sampled cold, in short runs, "
        "has a likelihood in name only."
    ]


def _about_starts(whence: str, n: int, settle: int) -> str:
    return (
        f"The way back starts at {n:,} {whence} after {settle} adjusted transitions. It bounds log Z from above only "
        "as far as these are draws of the model: where they miss modes, log Z may lie above it."
    )


def build_ais(config: AisConfig, context: BuildContext) -> Ais:
    """Builds the metric."""
    return Ais(config)
