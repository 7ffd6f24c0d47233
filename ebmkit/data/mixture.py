"""A mixture of Gaussians in any number of dimensions as a data set that is drawn afresh in every batch."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi

import torch
from torch import Generator, Tensor

from ebmkit.data.mixture_config import GaussianMixtureConfig
from ebmkit.data.toy import ToyData
from ebmkit.plugins.context import BuildContext


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GaussianMixture:
    """Σ_k w_k N(mean_k, diag(sd²)): all modes have one shape.

    Attributes:
        log_weights: log w [K], nats; their exponentials sum to 1.
        means: [K, D], data units.
        sd: of each entry [D], data units.
    """

    log_weights: Tensor
    means: Tensor
    sd: Tensor

    def draw(self, n: int, rng: Generator) -> tuple[Tensor, Tensor]:
        """Returns n points x [n, D] in float32, data units, and the mode [n] of each."""
        chances = self.log_weights.exp().to(rng.device)
        mode = torch.multinomial(chances, n, replacement=True, generator=rng)
        noise = torch.randn((n, len(self.sd)), generator=rng, device=rng.device)
        return self.means.to(noise)[mode] + self.sd.to(noise) * noise, mode

    def log_density(self, x: Tensor) -> Tensor:
        """Returns log p [B], nats, at x [B, D], in the dtype of x; computed in float64."""
        return torch.logsumexp(self.log_joint(x), dim=1).to(x.dtype)

    def log_joint(self, x: Tensor) -> Tensor:
        """Returns log w_k + log N(x; mean_k, diag(sd²)) [B, K], nats, in float64."""
        sd, means = self.sd.to(x.device), self.means.to(x.device)
        distances = torch.cdist(x.double() / sd, means / sd, compute_mode="donot_use_mm_for_euclid_dist")
        inside = -distances.square() / 2 - sd.log().sum() - len(sd) * log(2 * pi) / 2
        return self.log_weights.to(x.device) + inside

    def standardised(self) -> GaussianMixture:
        """Returns the law of (x − mean)/s.d., entry by entry, mean and s.d. those of the mixture."""
        weights = self.log_weights.exp()[:, None]
        mean = (weights * self.means).sum(dim=0)
        spread = ((weights * (self.means - mean).square()).sum(dim=0) + self.sd.square()).sqrt()
        return GaussianMixture(log_weights=self.log_weights, means=(self.means - mean) / spread, sd=self.sd / spread)


def mixture(config: GaussianMixtureConfig) -> GaussianMixture:
    """Returns the mixture of some settings: its means are a function of them alone."""
    rng = torch.Generator().manual_seed(config.seed)
    uniform = torch.rand((config.modes, config.dimensions), generator=rng).double()
    weights = torch.arange(1, config.modes + 1, dtype=torch.float64)
    if config.weights == "equal":
        weights = torch.ones_like(weights)
    raw = GaussianMixture(
        log_weights=(weights / weights.sum()).log(),
        means=(2 * uniform - 1) * config.half_width,
        sd=torch.full((config.dimensions,), config.sd, dtype=torch.float64),
    )
    return raw.standardised() if config.standardised else raw


def build_mixture(config: GaussianMixtureConfig, context: BuildContext) -> ToyData:
    """Builds the set; the label of a datum is its mode."""
    law = mixture(config)
    return ToyData(
        name="gaussian-mixture",
        n=config.n,
        draw=law.draw,
        log_density_of=law.log_density,
        device=context.device,
        n_classes=config.modes,
        event_shape=(config.dimensions,),
    )
