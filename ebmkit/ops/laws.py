"""Normalised laws of x: draws and densities. Annealing starts from them, and noise is drawn from them."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi, prod
from typing import Protocol

import torch
from torch import Generator, Tensor

from ebmkit.errors import DataError

FULL_UP_TO = 4_096
"""Entries of x up to which a covariance is held whole: its decomposition takes seconds there."""


class Law(Protocol):
    """A law of x [B, *event] that can be drawn from, with its density."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Returns log q(x) [B], nats, its normaliser included; differentiable in x."""
        ...

    def draw(self, n: int, rng: Generator) -> Tensor:
        """Returns n draws [n, *event]."""
        ...

    @property
    def sd(self) -> Tensor:
        """Standard deviation of each entry [*event]."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Uniform:
    """Uniform on [low, high] in each of the entries.

    Attributes:
        low: lowest value of x.
        high: highest value.
        event_shape: of x.
        device: where draws lie.
    """

    low: float
    high: float
    event_shape: tuple[int, ...]
    device: torch.device | str = "cpu"

    def log_prob(self, x: Tensor) -> Tensor:
        """Returns −d log(high − low) [B], for x within."""
        return 0 * x.flatten(1).sum(dim=1) - prod(self.event_shape) * log(self.high - self.low)

    def draw(self, n: int, rng: Generator) -> Tensor:
        """Returns n draws [n, *event]."""
        u = torch.rand((n, *self.event_shape), generator=rng, device=self.device)
        return self.low + (self.high - self.low) * u

    @property
    def sd(self) -> Tensor:
        """(high − low)/√12 in each entry."""
        return torch.full(self.event_shape, (self.high - self.low) / 12**0.5, device=self.device)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Gaussian:
    """N(mean, root rootᵀ).

    Attributes:
        mean: [*event].
        root: lower triangular [d, d], or the standard deviation of each entry [d].
    """

    mean: Tensor
    root: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        """Returns log N(x) [B], in the dtype of x."""
        difference, root = (x - self.mean.to(x)).flatten(1), self.root.to(x)
        if root.ndim == 1:
            white, scales = difference / root, root
        else:
            white = torch.linalg.solve_triangular(root, difference.T, upper=False).T
            scales = root.diagonal()
        return -white.square().sum(dim=1) / 2 - scales.log().sum() - len(root) * log(2 * pi) / 2

    def draw(self, n: int, rng: Generator) -> Tensor:
        """Returns n draws [n, *event] in float32."""
        noise = torch.randn((n, len(self.root)), generator=rng, device=self.root.device, dtype=self.root.dtype)
        moved = noise * self.root if self.root.ndim == 1 else noise @ self.root.T
        return (self.mean + moved.view(n, *self.mean.shape)).float()

    @property
    def sd(self) -> Tensor:
        """Of each entry [*event]."""
        squares = self.root.square() if self.root.ndim == 1 else self.root.square().sum(dim=1)
        return squares.sqrt().view(self.mean.shape).float()


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Mixture:
    """Equally likely N(centre, sd² I): a kernel density estimate where the centres are data.

    Attributes:
        centres: [N, *event].
        sd: s.d. of each, a scalar.
    """

    centres: Tensor
    sd: Tensor

    @classmethod
    def around(cls, x: Tensor, sd: float | None = None) -> Mixture:
        """Returns the mixture around x [N, *event]; unset, sd is N^(−1/(d + 4)) of the root mean variance (Scott)."""
        n, d = len(x), x[0].numel()
        spread = x.flatten(1).double().var(dim=0).mean().sqrt() if n > 1 else torch.ones((), dtype=torch.float64)
        scott = float(spread) * n ** (-1 / (d + 4))
        return cls(centres=x.float(), sd=torch.tensor(scott if sd is None else sd))

    def log_prob(self, x: Tensor) -> Tensor:
        """Returns the log density [B], nats."""
        rows, centres = x.flatten(1), self.centres.to(x).flatten(1)
        squares = torch.cdist(rows, centres, compute_mode="donot_use_mm_for_euclid_dist").square()
        d = rows.shape[1]
        inside = torch.logsumexp(-squares / (2 * self.sd.to(x) ** 2), dim=1)
        return inside - log(len(centres)) - d * (self.sd.to(x).log() + log(2 * pi) / 2)

    def draw(self, n: int, rng: Generator) -> Tensor:
        """Returns n draws [n, *event]."""
        which = torch.randint(len(self.centres), (n,), generator=rng, device=self.centres.device)
        chosen = self.centres[which]
        noise = torch.randn(chosen.shape, generator=rng, device=chosen.device, dtype=chosen.dtype)
        return chosen + self.sd * noise


def fitted(x: Tensor, *, scale: float = 1.0, spread: float = 0.0) -> Gaussian:
    """Returns the Gaussian with the moments of scale · x + spread · noise, x [N, *event].

    The covariance is whole where it can be: with noise, up to 4,096 entries; without, where there are five rows an
    entry, else each entry has a variance alone, at least 1e-4 of their mean.

    Raises:
        DataError: there are fewer than two rows, or they are not finite.
    """
    if len(x) < 2 or not bool(torch.isfinite(x).all()):
        raise DataError(
            f"A Gaussian is fitted to finite x of at least 2 rows; found {len(x)} rows of {tuple(x.shape)}."
        )
    rows = x.flatten(1).double() * scale
    mean, d = rows.mean(dim=0), rows.shape[1]
    if d <= FULL_UP_TO and (spread > 0 or len(rows) >= 5 * d):
        covariance = torch.cov(rows.T).reshape(d, d)
        floor = spread**2 + 1e-8 * float(covariance.diagonal().mean())
        root, info = torch.linalg.cholesky_ex(covariance + floor * torch.eye(d).to(covariance))
        if not int(info):
            return Gaussian(mean=mean.view(x.shape[1:]), root=root)
    variance = rows.var(dim=0)
    least = 1e-4 * variance.mean().clamp(min=1e-12)
    return Gaussian(mean=mean.view(x.shape[1:]), root=(variance.clamp(min=least) + spread**2).sqrt())
