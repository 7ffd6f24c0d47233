"""Denoising score matching, on one noise scale or over the levels of a coordinate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ebmkit.errors import CapabilityError
from ebmkit.objectives.declarations.score_matching import DenoisingScoreMatchingConfig
from ebmkit.ops.gradients import score
from ebmkit.ops.rows import rows_as
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.coordinate import Coordinate, Noising, in_units_of_chains
from ebmkit.protocols.energy import Energy
from ebmkit.protocols.objective import SCORE, Phases, Requires


def denoising_errors(score: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """Returns ‖σS + ε‖² [B], no unit: how far the score is from that of the noise which a row was given.

    Args:
        score: S at x̃ = ax + σε [B, *event], per data unit.
        noise: ε [B, *event].
        sigma: σ [B], data units.

    Source: Vincent (2011), eq. 9; Song, Ermon (2019), eq. 5, with λ(σ) = σ².

    >>> denoising_errors(torch.tensor([[-2.0, 0.0]]), torch.tensor([[1.0, 1.0]]), torch.tensor([0.5]))
    tensor([1.])
    """
    return (rows_as(sigma, score) * score + noise).flatten(1).square().sum(dim=1)


def gaussian_weights(kept: Tensor, sigma: Tensor, data_sd: float, largest: float) -> Tensor:
    """Returns (a²s² + σ²)/(a²s²) [B], one over the error per entry that is left for a Gaussian, at most `largest`.

    Given x̃ the noise of Gaussian data of variance s² has the variance a²s²/(a²s² + σ²).

    Args:
        kept: a [B].
        sigma: σ [B], data units.
        data_sd: s, data units.
        largest: bound.
    """
    signal = (kept * data_sd).square()
    return ((signal + sigma.square()) / signal).clamp(max=largest)


class DenoisingScoreMatching:
    """weight · mean w·‖σS(x̃) + ε‖² with S = −∇E/T.

    Its minimum is the score of the law of x̃, data with noise of s.d. σ. Far modes and levels do not know of each
    other's mass: what their energies differ by, a score does not show.

    Source: Vincent (2011); Song, Ermon (2019).
    """

    def __init__(
        self, config: DenoisingScoreMatchingConfig, *, temperature: float, coordinates: Sequence[Coordinate] = ()
    ) -> None:
        self.config, self.temperature, self.coordinates = config, temperature, tuple(coordinates)
        noising = [coordinate for coordinate in coordinates if isinstance(coordinate, Noising)]
        self.levels = noising[0] if noising else None
        asked = frozenset({SCORE}) if self.levels else frozenset[str]()
        self.requires = Requires(negatives=False, abilities=asked, derivatives=2)

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        """Returns "denoising", no unit."""
        errors, weights = self._over_levels(phases) if self.levels else self._on_one_scale(energy, phases)
        return {"denoising": self.config.weight * (weights * errors).mean()}

    def _on_one_scale(self, energy: Energy, phases: Phases) -> tuple[Tensor, Tensor]:
        assert self.config.sigma is not None
        x = phases.positive.x
        rng = phases.rng("noise")
        noise = torch.randn(x.shape, generator=rng, device=x.device, dtype=x.dtype)
        noisy = phases.positive.replace(x=x + self.config.sigma * noise)
        sigma = torch.full((len(x),), self.config.sigma, dtype=x.dtype, device=x.device)
        errors = denoising_errors(score(energy, noisy) / self.temperature, noise, sigma)
        return errors, self._weights(torch.ones_like(sigma), sigma)

    def _over_levels(self, phases: Phases) -> tuple[Tensor, Tensor]:
        assert self.levels is not None
        point = phases.positive
        kept, sigma = (part.to(point.x.dtype) for part in self.levels.noise(point))
        clean = in_units_of_chains(self.coordinates, phases.batch.x)
        has_noise = sigma > 0
        safe = sigma.where(has_noise, torch.ones_like(sigma))
        noise = (point.x - rows_as(kept, clean) * clean) / rows_as(safe, clean)
        errors = denoising_errors(phases.evaluate("positive", SCORE) / self.temperature, noise, sigma)
        return errors.where(has_noise, torch.zeros_like(errors)), self._weights(kept, sigma)

    def _weights(self, kept: Tensor, sigma: Tensor) -> Tensor:
        if self.config.data_sd is None:
            return torch.ones_like(sigma)
        return gaussian_weights(kept, sigma, self.config.data_sd, self.config.max_weight)


SILENT = "leave this objective out. A coordinate of your own says it with a method `noise`."


def build_denoising(config: DenoisingScoreMatchingConfig, context: BuildContext) -> DenoisingScoreMatching:
    """Builds the objective; raises CapabilityError where x is discrete, or a coordinate's noise is not known."""
    if context.x_values != "real":
        raise CapabilityError(f"denoising-score-matching adds noise to x, but x of these data is {context.x_values}.")
    noised = [coordinate for coordinate in context.coordinates if coordinate.noises_x]
    silent = [coordinate.name for coordinate in noised if not isinstance(coordinate, Noising)]
    if silent or len(noised) > 1:
        names = ", ".join(coordinate.name for coordinate in noised)
        raise CapabilityError(
            f"denoising-score-matching needs to know the noise in x, one coordinate's, but x is noised by {names}"
            + (f", and '{silent[0]}' does not say by how much: {SILENT}" if silent else ".")
        )
    settled = config.settled(context.selection())
    return DenoisingScoreMatching(
        replace(settled, sigma=None if noised else settled.sigma),
        temperature=context.temperature,
        coordinates=context.coordinates,
    )
