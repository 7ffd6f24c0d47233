"""Gaussians of diffused data, one for each level: what an energy starts from."""

from __future__ import annotations

from math import log, pi

import torch
from torch import Generator, Tensor, nn

from ebmkit import BuildContext, CapabilityError, at_least_fp32
from ebmkit.ops.rows import normal, rows_as
from ebmkit_diffusion.level import Level
from ebmkit_diffusion.wrapper_declarations import LevelConditionedConfig, LevelHeadConfig

WHOLE = 4_096
"""Entries of x up to which a covariance is decomposed whole: in float64 it takes 134 MB and minutes there."""
DRAWS, NUMBERS = 20_000, 2**26
"""Training data that moments are fitted to, at most, and numbers in them."""
LEAST = 1e-4
"""Smallest variance along a direction, of the mean variance: pixels that never change have none."""


class IsotropicGaussians(nn.Module):
    """−log N(x; a_t m, (a_t² s² + n_t²) I) but for (d/2) log 2π, nats, at levels t = 0 … T; n_t: s.d. of all noise."""

    means: Tensor
    variances: Tensor

    def __init__(self, level: Level, *, mean: float, sd: float) -> None:
        super().__init__()
        self.register_buffer("means", mean * level.scales, persistent=False)
        self.register_buffer("variances", (sd * level.scales) ** 2 + level.spreads**2, persistent=False)

    def at(self, x: Tensor, level: Tensor) -> Tensor:
        """Returns the energies [B] of x [B, *event], each row at its own level [B]."""
        return self._energies(x, level)

    def all(self, x: Tensor) -> Tensor:
        """Returns the energies [B, T + 1] of x [B, *event] at every level."""
        return self._energies(x, slice(None))

    def least_sds(self) -> Tensor:
        """Returns the s.d. [T + 1] along the narrowest direction of each level, data units."""
        return self.variances.sqrt()

    def draw(self, like: Tensor, level: Tensor, rng: Generator) -> Tensor:
        """Returns x [B, *event], shaped as `like`, from the Gaussian of each row's level [B]."""
        return rows_as(self.means[level], like) + rows_as(self.variances[level].sqrt(), like) * normal(like, rng)

    def _energies(self, x: Tensor, level: Tensor | slice) -> Tensor:
        flat = at_least_fp32(x.flatten(1))
        total, squares = flat.sum(dim=1), flat.square().sum(dim=1)
        if isinstance(level, slice):
            total, squares = total[:, None], squares[:, None]
        mean, variance, n = self.means[level], self.variances[level], flat.shape[1]
        return (squares - 2 * mean * total + n * mean**2) / (2 * variance) + n / 2 * variance.log()


class PcaGaussians(nn.Module):
    """−log N(x; a_t μ, a_t² Σ + n_t² I), nats, normalised, at levels t = 0 … T: μ, Σ of data; n_t: s.d. of all noise.

    All levels share the eigenvectors of Σ, so x is turned once: O(d·k) a row, and O(k) for each level. Of Σ the k
    largest eigenvalues are kept with their directions, and the mean of the others in all other directions.

    What was fitted lies in buffers, 4·(d·k + d + k) bytes.

    Source: Tipping, Bishop (1999), Probabilistic principal component analysis, eq. 7–8, for the rest of the variance.
    """

    mean: Tensor
    directions: Tensor
    variances: Tensor
    rest: Tensor
    scales: Tensor
    noise: Tensor

    def __init__(self, level: Level, moments: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
        super().__init__()
        for name, value in zip(("mean", "directions", "variances", "rest"), moments, strict=True):
            self.register_buffer(name, value.float().clone())
        self.register_buffer("scales", level.scales, persistent=False)
        self.register_buffer("noise", level.sds**2, persistent=False)

    def at(self, x: Tensor, level: Tensor) -> Tensor:
        """Returns the energies [B] of x [B, *event], each row at its own level [B]."""
        with torch.autocast(x.device.type, enabled=False):
            turned, along, beside, away = self._turned(x)
            variances, rest = self._variances(level)
            shift = (1 - self.scales[level])[:, None]  # x − a μ = (x − μ) + (1 − a) μ: small where variances are
            inside = ((turned + shift * along).square() / variances).sum(dim=1)
            residual = (beside + shift * away).square().sum(dim=1)
            return (inside + residual / rest) / 2 + self._log_normaliser(variances, rest)

    def all(self, x: Tensor) -> Tensor:
        """Returns the energies [B, T + 1] of x [B, *event] at every level."""
        with torch.autocast(x.device.type, enabled=False):
            turned, along, beside, away = self._turned(x)
            variances, rest = self._variances(slice(None))
            shift = 1 - self.scales
            linear = turned @ (shift[:, None] * along / variances).T
            inside = turned.square() @ (0.5 / variances).T + linear + shift**2 / 2 * (along**2 / variances).sum(dim=1)
            own, cross = beside.square().sum(dim=1, keepdim=True), (beside @ away)[:, None]
            residual = own + 2 * shift * cross + shift**2 * away.square().sum()
            return inside + residual / (2 * rest) + self._log_normaliser(variances, rest)

    def least_sds(self) -> Tensor:
        """Returns the s.d. [T + 1] along the narrowest direction of each level, data units."""
        variances, rest = self._variances(slice(None))
        least = variances.min(dim=1).values
        return (least if self._is_whole() else torch.minimum(least, rest)).sqrt()

    def draw(self, like: Tensor, level: Tensor, rng: Generator) -> Tensor:
        """Returns x [B, *event], shaped as `like`, from the Gaussian of each row's level [B]."""
        variances, rest = self._variances(level)
        noise = normal(like.flatten(1), rng)
        turned = noise @ self.directions
        away = noise - turned @ self.directions.T
        x = (turned * variances.sqrt()) @ self.directions.T + rest.sqrt()[:, None] * away
        return (self.scales[level][:, None] * self.mean + x).view_as(like)

    def _is_whole(self) -> bool:
        return self.directions.shape[0] == self.directions.shape[1]

    def _turned(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns x − μ and μ along the directions [B, k], [k], and what is left of both [B, d], [d]."""
        flat = at_least_fp32(x.flatten(1))
        mean, directions = self.mean.to(flat), self.directions.to(flat)
        centred = flat - mean
        turned, along = centred @ directions, mean @ directions
        if self._is_whole():
            return turned, along, centred[:, :0], mean[:0]
        return turned, along, centred - turned @ directions.T, mean - directions @ along

    def _variances(self, level: Tensor | slice) -> tuple[Tensor, Tensor]:
        """Returns the variances [·, k] along the directions and [·] in all others."""
        kept, noise = self.scales[level] ** 2, self.noise[level]
        return kept[:, None] * self.variances + noise[:, None], kept * self.rest + noise

    def _log_normaliser(self, variances: Tensor, rest: Tensor) -> Tensor:
        d, k = self.directions.shape
        return (variances.log().sum(dim=1) + (d - k) * rest.log() + d * log(2 * pi)) / 2


def moments_of(x: Tensor, rank: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns μ [d], the eigenvectors [d, k] of the k largest eigenvalues of the covariance, these [k], and the rest's.

    Args:
        x: data [N, *event].
        rank: k, 0 for all d.
    """
    rows = x.flatten(1).double()
    n, d = rows.shape
    mean = rows.mean(dim=0)
    centred = rows - mean
    total = float(centred.square().sum() / (n - 1))
    if d <= WHOLE:
        values, directions = torch.linalg.eigh(centred.T @ centred / (n - 1))
    else:  # the same, from the products of rows: their number is smaller
        values, left = torch.linalg.eigh(centred @ centred.T / (n - 1))
        directions = torch.nn.functional.normalize(centred.T @ left, dim=0)
    k = rank or d
    kept = values[-k:].flip(0)
    rest = (total - float(kept.sum())) / max(d - k, 1)
    least = max(LEAST * total / d, 1e-12)
    return mean, directions[:, -k:].flip(1), kept.clamp(min=least), torch.tensor(max(rest, least))


def fitted_gaussians(level: Level, rank: int, context: BuildContext) -> PcaGaussians:
    """Returns the Gaussians of training data; where these are not at hand, standard ones that a checkpoint fills.

    Raises:
        CapabilityError: x has more entries than a whole covariance may, or fewer than the rank.
    """
    d = torch.Size(context.event_shape).numel()
    if rank > d or (d > WHOLE and not 0 < rank < WHOLE):
        bound = f"at most {d:,}, its number of entries" if rank > d else f"1 … {WHOLE - 1:,}, for so many entries"
        raise CapabilityError(f"base_rank = {rank:,} does not go with x of {d:,} entries: it must be {bound}.")
    if context.sample is None:
        k = rank or d
        return PcaGaussians(level, (torch.zeros(d), torch.eye(d, k), torch.ones(k), torch.ones(())))
    n = min(DRAWS, NUMBERS // d) if d <= WHOLE else WHOLE
    x = context.sample(n)
    least = 2 if d <= WHOLE else rank + 1
    if len(x) < least:
        raise CapabilityError(
            f'base = "pca-gaussian" of rank {rank or d:,} needs {least:,} data to fit to, found {len(x):,}: use '
            'base = "gaussian".'
        )
    return PcaGaussians(level, moments_of(x, rank))


def gaussians_of(
    config: LevelConditionedConfig | LevelHeadConfig, level: Level, context: BuildContext
) -> IsotropicGaussians | PcaGaussians | None:
    """Returns the base that a config asks for."""
    if config.base == "gaussian":
        return IsotropicGaussians(level, mean=config.base_mean, sd=config.base_sd)
    return fitted_gaussians(level, config.base_rank, context) if config.base == "pca-gaussian" else None
