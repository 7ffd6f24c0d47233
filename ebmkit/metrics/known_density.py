"""Energies against a known density: errors at data and between modes, mode weights, importance-sampling ESS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ebmkit.errors import DataError
from ebmkit.evaluation.uncertainty import bootstrap
from ebmkit.metrics.declarations.known_density import KnownDensityConfig
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.metric import Better, Estimate, Measured, Subject

NEAR = 0.25
"""Points between modes lie from a quarter to three quarters of the way between two data."""

DEFINITION = (
    "Error ε = E/T + log p − c, nats, at exact draws of p, c its mean there: its root mean square; within modes, less "
    "its mean over each mode; of modes, the root mean square of these means. Between modes, ε at points from ¼ to ¾ of "
    "the way from a datum of one mode to one of another. Weights w = exp(−E/T)/p at the same draws of p: ESS "
    "(Σw)²/(n Σw²); mode weights, the share of w at the draws of each mode beside the share "
    "of these draws. ± by the bootstrap over draws."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """What is known of some draws of p.

    Attributes:
        log_ratio: −E/T − log p [N], nats: the log weight of each, up to a constant.
        mode: its mode [N].
    """

    log_ratio: Tensor
    mode: Tensor


def error_at_data(log_ratio: Tensor) -> float:
    """Returns the root mean square of the energy's error, nats, after the best constant.

    >>> error_at_data(torch.tensor([3.0, 5.0]))
    1.0
    """
    return float(log_ratio.double().std(correction=0))


def error_within_modes(rows: Rows, n_modes: int) -> float:
    """Returns the root mean square of the error, nats, after the best constant of each mode."""
    means, _ = mode_errors(rows, n_modes)
    return float((rows.log_ratio.double() - means[rows.mode]).square().mean().sqrt())


def error_of_modes(rows: Rows, n_modes: int) -> float:
    """Returns the root mean square over modes, each as often as it is drawn, of how far its energies are off, nats."""
    means, counts = mode_errors(rows, n_modes)
    shares = counts / counts.sum()
    return float((shares * (means - (shares * means).sum()).square()).sum().sqrt())


def mode_errors(rows: Rows, n_modes: int) -> tuple[Tensor, Tensor]:
    """Returns the mean of the log ratio over each mode [K], nats, 0 where it was not drawn, and draws of each [K]."""
    counts = torch.bincount(rows.mode, minlength=n_modes).double()
    sums = torch.zeros(n_modes, dtype=torch.float64).index_add(0, rows.mode, rows.log_ratio.double())
    return sums / counts.clamp(min=1), counts


def effective_share(log_ratio: Tensor) -> float:
    """Returns (Σw)²/(n Σw²), from 1/n to 1: 1 where the model is p, on the draws.

    Source: Kong (1992); of these draws: OuYang, Grenioux, Hernández-Lobato (2026).

    >>> round(effective_share(torch.zeros(10)), 6)
    1.0
    """
    log_w = log_ratio.double()
    share = 2 * torch.logsumexp(log_w, dim=0) - torch.logsumexp(2 * log_w, dim=0)
    return float(share.exp() / len(log_w))


def mode_masses(rows: Rows, n_modes: int) -> Tensor:
    """Returns the model's mass of each mode [K], of all that it has where p has its draws: shares of w."""
    shares = torch.softmax(rows.log_ratio.double(), dim=0)
    return torch.zeros(n_modes, dtype=torch.float64).index_add(0, rows.mode, shares)


def total_variation(rows: Rows, n_modes: int) -> float:
    """Returns ½ Σ|mass − share of the draws| over modes: 0 where the model is p, whichever draws these are."""
    shares = mode_errors(rows, n_modes)[1] / len(rows.mode)
    return float((mode_masses(rows, n_modes) - shares).abs().sum() / 2)


def error_between(between: Tensor, log_ratio: Tensor) -> float:
    """Returns the root mean square of the error, nats, at points between modes, with the best constant at data."""
    return float((between.double() - log_ratio.double().mean()).square().mean().sqrt())


class KnownDensity:
    """The energy of a model against log p of its data; see `KnownDensityConfig`."""

    def __init__(self, config: KnownDensityConfig) -> None:
        self.config = config

    def measure(self, subject: Subject) -> Measured:
        """Returns what the energies are worth.

        Raises:
            DataError: the density of the data is not known.
        """
        known = subject.data_log_density()
        if known is None:
            raise DataError(
                "The density of these data is not known. Those of 'gaussian-mixture' and 'toy' are; a data set says it "
                "by a method log_density(x)."
            )
        batch = subject.held_out(self.config.n)
        mode = torch.zeros(len(batch.x), dtype=torch.int64) if batch.y is None else batch.y.cpu().long()
        n_modes = int(mode.max()) + 1
        temperature = float(subject.model.temperature)
        ratio = _log_ratio(subject, known, temperature)
        rows = Rows(log_ratio=ratio(batch.x), mode=mode)
        points = between_modes(batch.x, mode, subject.rng("between modes")) if n_modes > 1 else batch.x[:0]
        between = ratio(points) if len(points) else torch.zeros(0)
        notes = _notes(rows, between)
        finite = between[between.isfinite()]
        return Measured(
            estimates=estimates(rows, n_modes, finite, subject.rng("bootstrap of a known density")),
            definition=DEFINITION,
            notes=notes,
        )


def _log_ratio(subject: Subject, known: Callable[[Tensor], Tensor], temperature: float) -> Callable[[Tensor], Tensor]:
    def ratio(x: Tensor) -> Tensor:
        return -subject.energy(x).double() / temperature - known(x).double()

    return ratio


def between_modes(x: Tensor, mode: Tensor, rng: Generator) -> Tensor:
    """Returns points [M, *event], M at most N, on the way from a datum of one mode to one of another.

    Args:
        x: data [N, *event].
        mode: of each [N].
        rng: of the pairs, on the CPU.
    """
    other = torch.randperm(len(x), generator=rng)
    share = NEAR + (1 - 2 * NEAR) * torch.rand((len(x),), generator=rng)
    share = share.view(-1, *[1] * (x.ndim - 1)).to(x)
    return (x + share * (x[other] - x))[mode != mode[other]]


def estimates(rows: Rows, n_modes: int, between: Tensor, rng: Generator) -> Mapping[str, Estimate]:
    """Returns every number with its error by the bootstrap over draws."""
    drawn = torch.stack([rows.log_ratio.double(), rows.mode.double()], dim=1)

    def of(statistic: Callable[[Rows], float], unit: str = "nats", better: Better = "lower") -> Estimate:
        error = bootstrap(lambda some: statistic(_rows(some)), drawn, rng=rng)
        return Estimate(value=statistic(rows), error=error, n=len(drawn), better=better, unit=unit)

    found = {"energy error at data": of(lambda some: error_at_data(some.log_ratio))}
    if n_modes > 1:
        found["energy error within modes"] = of(lambda some: error_within_modes(some, n_modes))
        found["energy error of modes"] = of(lambda some: error_of_modes(some, n_modes))
    if len(between):
        value = error_between(between, rows.log_ratio)
        error = bootstrap(error_between, between, rows.log_ratio, rng=rng)
        found["energy error between modes"] = Estimate(
            value=value, error=error, n=len(between), better="lower", unit="nats"
        )
    found["ESS share"] = of(lambda some: effective_share(some.log_ratio), unit="", better="higher")
    if n_modes > 1:
        found["mode weights: total variation"] = of(lambda some: total_variation(some, n_modes), unit="")
    return found


def _rows(drawn: Tensor) -> Rows:
    return Rows(log_ratio=drawn[:, 0], mode=drawn[:, 1].long())


def _notes(rows: Rows, between: Tensor) -> tuple[str, ...]:
    notes = ["All weights are at draws of p: mass that the model has elsewhere does not show in them."]
    n_outside = int((~between.isfinite()).sum())
    if n_outside:
        notes.append(f"{n_outside:,} of {len(between):,} points between modes have no density at all and are left out.")
    return tuple(notes)


def build_known_density(config: KnownDensityConfig, context: BuildContext) -> KnownDensity:
    """Builds the metric."""
    return KnownDensity(config)
