"""The objective: how data compare with perturbed data, by their energies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import log

import torch
from torch import Generator, Tensor

from ebmkit import BuildContext, CapabilityError, Energy, Phases, RecipeError, Requires, at_least_fp32
from ebmkit_energy_discrepancy.declarations import USUAL_FLIP, USUAL_SIGMA, EnergyDiscrepancyConfig
from ebmkit_energy_discrepancy.perturb import flipped, gaussian

Perturb = Callable[[Tensor, int, Generator], Tensor]
BITS = (0.0, 1.0)
"""The two values of binary x whose data have no range."""


def energy_discrepancy(data: Tensor, perturbed: Tensor, stabiliser: float) -> Tensor:
    """Returns mean log(w/M + (1/M) Σ_j exp(E(x) − E(x_j))), nats.

    Args:
        data: E(x)/T [B].
        perturbed: E(x_j)/T [B, M].
        stabiliser: w.

    Source: Schröder et al. (2023), eq. 8.

    >>> energy_discrepancy(torch.zeros(2), torch.zeros(2, 4), 0.0)  # an energy that is flat tells nothing apart
    tensor(0.)
    >>> energy_discrepancy(torch.zeros(2), torch.zeros(2, 4), 4.0)  # log 2
    tensor(0.6931)
    """
    rise = data[:, None] - perturbed
    if stabiliser:
        rise = torch.cat([torch.full_like(rise[:, :1], log(stabiliser)), rise], dim=1)
    return (torch.logsumexp(rise, dim=1) - log(perturbed.shape[1])).mean()


class EnergyDiscrepancy:
    """mean log(w/M + (1/M) Σ_j exp((E(x) − E(x_j))/T)), x_j data that a symmetric kernel perturbed twice.

    As M grows it is E_p[E(x)/T] + E_y log ∫ q(y | x') exp(−E(x')/T) dx', least where p ∝ exp(−E/T) is the law of the
    data, whatever the perturbation. With a small one it is a multiple of score matching, with a large one of
    likelihood. Coordinates of a point other than x stay as they are: the law that is learned is that of x given them.

    Source: Schröder, Ou, Lim, Li, Vollmer, Duncan, NeurIPS 2023, definition 1 and eq. 8.
    """

    requires = Requires(negatives=False)

    def __init__(self, config: EnergyDiscrepancyConfig, perturb: Perturb, *, temperature: float) -> None:
        self.config, self.perturb, self.temperature = config, perturb, temperature

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        """Returns "discrepancy", nats."""
        data, n = phases.positive, self.config.n_perturbed
        copies = data.map(lambda rows: rows.repeat_interleave(n, dim=0))
        perturbed = copies.replace(x=self.perturb(data.x, n, phases.rng("noise")).flatten(0, 1))
        below = at_least_fp32(phases.evaluate("positive")) / self.temperature
        above = at_least_fp32(energy(perturbed)).view(-1, n) / self.temperature
        return {"discrepancy": energy_discrepancy(below, above, self.config.stabiliser)}


def build_energy_discrepancy(config: EnergyDiscrepancyConfig, context: BuildContext) -> EnergyDiscrepancy:
    """Builds the objective; raises CapabilityError for one-hot x, RecipeError for noise of the other kind of x."""
    return EnergyDiscrepancy(config, _perturbation(config, context), temperature=context.temperature)


def _perturbation(config: EnergyDiscrepancyConfig, context: BuildContext) -> Perturb:
    if context.x_values == "real":
        _check_unset("flip", config.flip, context, "sigma")
        return partial(_gaussian, sigma=config.sigma or USUAL_SIGMA)
    if context.x_values == "binary":
        _check_unset("sigma", config.sigma, context, "flip")
        return partial(_flipped, flip=config.flip or USUAL_FLIP, value_range=context.value_range or BITS)
    raise CapabilityError(
        f"energy-discrepancy perturbs real-valued x by Gaussian noise and binary x by flips, but x of these data is "
        f"{context.x_values}: choose a set of bits, or --objective cd with a sampler of such x."
    )


def _check_unset(name: str, value: float | None, context: BuildContext, instead: str) -> None:
    if value is not None:
        raise RecipeError(
            f"objective.energy-discrepancy.{name} = {value:g} has no meaning where x is {context.x_values}: leave it "
            f"out, or set {instead}."
        )


def _gaussian(x: Tensor, n: int, rng: Generator, sigma: float) -> Tensor:
    return gaussian(x, n, sigma, rng)


def _flipped(x: Tensor, n: int, rng: Generator, flip: float, value_range: tuple[float, float]) -> Tensor:
    return flipped(x, n, flip, value_range, rng)
