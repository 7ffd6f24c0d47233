"""What draws are worth and what they cost, in seven lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ebmkit.errors import DataError
from ebmkit.sampling.diagnostics import ess_bulk, ess_tail, r_hat

R_HAT_BOUND, ESS_BOUND = 1.01, 400.0


class Printer(Protocol):
    """What a notebook hands to `_repr_pretty_`, the method by which an object says how it is shown."""

    def text(self, text: str, /) -> None:
        """Shows a text."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Diagnostics:
    """What draws are worth and what they cost; `print` it.

    Attributes:
        r_hat: [*event], of each entry of x.
        ess_bulk: [*event], draws.
        ess_tail: [*event], draws.
        energy: mean over all draws, nats.
        energy_r_hat: R-hat of the energy.
        accept_rate: [B] in [0, 1].
        n_draws: draws of each chain.
        n_gradients: energy gradients that each chain spent, burn-in included.
    """

    r_hat: Tensor
    ess_bulk: Tensor
    ess_tail: Tensor
    energy: float
    energy_r_hat: float
    accept_rate: Tensor
    n_draws: int
    n_gradients: int

    @property
    def least_ess(self) -> float:
        """The smallest bulk or tail ESS of any entry of x, draws; NaN if one is."""
        return float(torch.stack([self.ess_bulk, self.ess_tail]).amin())

    @property
    def ess_per_1000_gradients(self) -> float:
        """Least ESS for 1,000 gradients of all chains together; infinite where none was spent."""
        gradients = self.n_gradients * len(self.accept_rate)
        return 1000 * self.least_ess / gradients if gradients else float("inf")

    @property
    def is_reliable(self) -> bool:
        """Whether every R-hat is below 1.01 and every ESS above 400, as Vehtari et al. (2021) advise; NaN is not."""
        mixed = bool((self.r_hat < R_HAT_BOUND).all()) and self.energy_r_hat < R_HAT_BOUND
        return mixed and self.least_ess > ESS_BOUND

    def _repr_pretty_(self, printer: Printer, cycle: bool) -> None:
        printer.text(str(self))

    def __str__(self) -> str:
        rates, known = self.accept_rate, self.r_hat.nan_to_num(-1)
        place = [int(i) for i in torch.unravel_index(known.argmax(), known.shape)]
        lines = [
            f"{len(rates):,} chains × {self.n_draws:,} draws, {self.n_gradients:,} gradients a chain",
            f"acceptance               {rates.mean():.2f}, of a chain {rates.min():.2f} to {rates.max():.2f}",
            f"energy                   {self.energy:.4g} nats, R-hat {self.energy_r_hat:.3f}",
            f"R-hat of x, highest      {self.r_hat.flatten()[known.argmax()]:.3f} at {place}",
            f"ESS bulk, least          {self.ess_bulk.amin():,.0f}",
            f"ESS tail, least          {self.ess_tail.amin():,.0f}",
            f"ESS per 1,000 gradients  {self.ess_per_1000_gradients:.3g}",
        ]
        if unknown := int(self.r_hat.isnan().sum()):
            lines.append(
                f"No R-hat for {unknown:,} of {known.numel():,} entries: one chain, under 4 draws, constant or NaN."
            )
        if not self.is_reliable:
            lines.append(
                f"Not reliable: that takes R-hat below {R_HAT_BOUND} and ESS above {ESS_BOUND:.0f} throughout."
            )
        return "\n".join(lines)


def emitted_in_words(energy: Tensor, n_gradients: int) -> str:
    """Returns what is known of draws that `emit` chose, with energies [n], nats; they are not laid out by chain."""
    mean = f", energy {energy.double().mean():.4g} nats" if len(energy) else ""
    return f"{len(energy):,} draws that emit chose{mean}, {n_gradients:,} gradients a chain; they have no R-hat or ESS."


def diagnose(x: Tensor, energy: Tensor, accept_rate: Tensor, n_gradients: int) -> Diagnostics:
    """Returns the diagnostics of draws.

    Args:
        x: [draws, B, *event].
        energy: [draws, B], nats.
        accept_rate: [B] in [0, 1].
        n_gradients: energy gradients that each chain spent.

    Raises:
        DataError: x is not laid out by draw and chain, or has no entries.
    """
    if x.ndim < 2 or not x.numel():
        raise DataError(f"Diagnostics need draws [draws, chains, ...] with entries, found {tuple(x.shape)}.")
    return Diagnostics(
        r_hat=r_hat(x),
        ess_bulk=ess_bulk(x),
        ess_tail=ess_tail(x),
        energy=float(energy.double().mean()),
        energy_r_hat=float(r_hat(energy)),
        accept_rate=accept_rate,
        n_draws=len(x),
        n_gradients=n_gradients,
    )
