"""A latent direction beside an energy: attaching it changes no energy of x."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from ebmkit import BuildContext, CapabilityError, Energy, Point, abilities_of, level_coordinate_of, seeded, values_of
from ebmkit.energies.initialise import init_linear
from ebmkit.energies.probe import length_of
from ebmkit.energies.sweep import sweep
from ebmkit_clel.declarations import LatentHeadConfig

LATENT = "latent"
"""The ability, and the key in `Point.aux` under which a point holds its condition s [B, D]."""


def joint_energy(energy: Tensor, latent: Tensor, condition: Tensor, beta: float) -> Tensor:
    """Returns E(x, s) = E(x) − β⟨g(f(x)), s⟩ [B], nats (Lee et al., 2023, for unit s).

    For unit z, p(z|x) is von Mises–Fisher about g with concentration β/T, so its normaliser depends on no x.
    A sum s = Σ wᵢzᵢ is the product of the conditions zᵢ: k of them cost what one costs, at strength β‖s‖.

    Args:
        energy: E(x) [...], nats.
        latent: g(f(x)) [..., D] of unit norm.
        condition: s [..., D] of any norm.
        beta: β, nats.
    """
    return energy - beta * (latent * condition.to(latent.dtype)).sum(dim=-1)


class LatentHead(nn.Module):
    """E(x), unchanged, with the latent g(f(x)); of a point that holds a latent s, the joint energy E(x) − β⟨g, s⟩.

    g has no biases, so it is positively homogeneous: the norm of the features models p(x), their direction p(z|x).
    """

    def __init__(self, config: LatentHeadConfig, inner: Energy, n_features: int) -> None:
        super().__init__()
        self.inner = inner
        self.beta, self.rows = config.beta, config.rows
        self.abilities = abilities_of(inner) | {LATENT}
        self.g = nn.Sequential(
            nn.Linear(n_features, config.hidden, bias=False),
            nn.LeakyReLU(0.2),
            nn.Linear(config.hidden, config.latent, bias=False),
        )
        init_linear(self.g)

    @property
    def guidance_strength(self) -> float:
        """β of a latent in the joint energy, nats."""
        return self.beta

    def direction(self, features: Tensor) -> Tensor:
        """Returns g(f) [B, D] of unit norm, in fp32, of features [B, F]."""
        z = self.g(features.to(next(self.g.parameters()).dtype))
        return functional.normalize(z if z.dtype == torch.float64 else z.float(), dim=-1)

    def evaluate(self, point: Point, *abilities: str) -> Mapping[str, Tensor]:
        """Returns what was asked for, from one pass of the inner energy.

        All values of a coordinate of a conditioned point take further ones: see `_joint_levels`.
        """
        condition, bare = point.aux.get(LATENT), point.without(LATENT)
        directed = LATENT in abilities or (condition is not None and "energy" in abilities)
        inner = [name for name in abilities if name != LATENT] + ["features"] * directed
        values = dict(values_of(self.inner, bare, *dict.fromkeys(inner)))
        if directed:
            values[LATENT] = self.direction(values["features"])
        if condition is not None and "energy" in abilities:
            values["energy"] = joint_energy(values["energy"], values[LATENT], condition, self.beta)
        for name in abilities:
            if condition is not None and (coordinate := level_coordinate_of(name)):
                values[name] = self._joint_levels(bare, coordinate, values[name], condition)
        return {name: values[name] for name in abilities}

    def latent(self, point: Point) -> Tensor:
        """Returns g(f(x)) [B, D] of unit norm, fp32."""
        return self.evaluate(point, LATENT)[LATENT]

    def forward(self, point: Point) -> Tensor:
        """Returns the energies [B], nats: of x, or of (x, latent) where the point holds a latent."""
        return self.evaluate(point, "energy")["energy"]

    def _joint_levels(self, point: Point, coordinate: str, levels: Tensor, condition: Tensor) -> Tensor:
        """Returns the joint energies [B, L]: the direction of the features may differ from value to value.

        B·L rows at once would not fit into memory: it is asked for in pieces.
        """
        n, energies = levels.shape[1], torch.split(rearrange(levels, "b level -> (b level)"), self.rows)
        pieces = zip(sweep(point, coordinate, n, self.rows), energies, strict=True)
        joint = [joint_energy(e, self.latent(piece), condition[row], self.beta) for (row, piece), e in pieces]
        return rearrange(torch.cat(joint), "(b level) -> b level", level=n)


def build_latent_head(config: LatentHeadConfig, context: BuildContext) -> LatentHead:
    """Wraps `context.inner`; raises CapabilityError where there is none, or it has no features."""
    if context.inner is None:
        raise CapabilityError("latent-head wraps an energy, found none: set inner in the BuildContext.")
    n_features = length_of(context.inner, "features", context)
    with seeded(context.seed):
        return LatentHead(config, context.inner, n_features).to(context.device)
