"""The energy of (x, level) with the level after the backbone: one pass gives all levels."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn

from ebmkit import (
    BuildContext,
    CapabilityError,
    Energy,
    Point,
    abilities_of,
    at_least_fp32,
    guidance_strength,
    lacks_ability,
    level_coordinate_of,
    seeded,
    values_of,
)
from ebmkit.energies.heads import half_squared_norm
from ebmkit.energies.initialise import init_linear
from ebmkit.energies.probe import length_of
from ebmkit_diffusion.level import LEVEL, Level
from ebmkit_diffusion.level_conditioned import LEVELS
from ebmkit_diffusion.level_embedding import LevelBase, LevelTable, embedding_layers, level_coordinate, level_of
from ebmkit_diffusion.level_gaussians import gaussians_of
from ebmkit_diffusion.wrapper_declarations import LevelHeadConfig


def all_half_squared_norms(features: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    """Returns ½‖a_t ∘ f + c_t‖² [B, L], nats, for features [B, F] and a, c [L, F], without a tensor [B, L, F]."""
    squares = features.square() @ (gain.square() / 2).T
    return squares + features @ (gain * shift).T + half_squared_norm(shift)


class LevelHead(nn.Module):
    """E(x, t) = ½‖f_t(x)‖² or −⟨f_t(x), 1⟩, plus a learned offset b_t, where f_t modulates features that know no t.

    "half-squared-norm": f_t = a_t ∘ f + c_t. "bilinear": f_t = f, read out by −⟨f, W·silu(embedding of t)⟩. Gains start
    near 1 and shifts near 0. All T + 1 energies are products of small matrices after one pass of the backbone.

    Source: ours; the bilinear read-out is that of Zhang, Tan, Ou, Stat 2023.
    """

    def __init__(
        self, config: LevelHeadConfig, inner: Energy, level: Level, base: LevelBase, *, n_features: int
    ) -> None:
        super().__init__()
        self.inner, self.n_levels, self.norm = inner, level.n_values, config.head == "half-squared-norm"
        self.reading = LevelTable(level.n_values, config.waves, self._layers(config, n_features))
        self.base = base
        hidden = set(filter(level_coordinate_of, abilities_of(inner)))  # of other coordinates: f sees their own value
        self.abilities = abilities_of(inner) - hidden | {"features", LEVELS}

    def evaluate(self, point: Point, *abilities: str) -> Mapping[str, Tensor]:
        """Returns what was asked for, from one pass of the backbone."""
        if not set(abilities) <= self.abilities:
            raise lacks_ability(self, sorted(set(abilities) - self.abilities)[0])
        inner = [name for name in abilities if name not in ("energy", LEVELS)]
        values = dict(values_of(self.inner, point.without(LEVEL), *dict.fromkeys([*inner, "features"])))
        features, unscaled = at_least_fp32(values["features"]), self._unscaled()
        reading = self._scaled(unscaled)
        if LEVELS in abilities:
            values[LEVELS] = self._all(features, reading) + self.base.all(point.x)
        if "energy" in abilities:
            level = level_of(point, "level-head")
            values["energy"] = self._at(features, reading[level]) + self.base.at(point)
        if "features" in abilities:
            values["features"] = self._features(point, features, unscaled)
        return {name: values[name] for name in abilities}

    def levels(self, point: Point) -> Tensor:
        """Returns the energies [B, T + 1], nats, of every level given all else."""
        return self.evaluate(point, LEVELS)[LEVELS]

    def drawn(self, point: Point, rng: Generator) -> Tensor | None:
        """Returns x [B, *event] of rows at a last level whose law is that of the base alone; None elsewhere."""
        return self.base.drawn(point, rng)

    @property
    def guidance_strength(self) -> float | None:
        """β of the latent of the backbone, nats; None where it has none."""
        return guidance_strength(self.inner)

    def forward(self, point: Point) -> Tensor:
        """Returns the energies [B], nats, at the level of each row."""
        return self.evaluate(point, "energy")["energy"]

    def _layers(self, config: LevelHeadConfig, n_features: int) -> nn.Module:
        """Returns the layers from sinusoids to how a level reads features: gain and shift [2F], or weights [F]."""
        last = nn.Linear(config.embedding, (2 if self.norm else 1) * n_features)
        if self.norm:  # every level starts with the features as they are
            init_linear(last, 1e-3)
        return nn.Sequential(*embedding_layers(config.waves, config.embedding), nn.SiLU(), last)

    def _unscaled(self) -> Tensor:
        """Returns how each level reads features: a_t and c_t [T + 1, 2F], or weights [T + 1, F]."""
        reading = at_least_fp32(self.reading())
        if not self.norm:
            return reading
        gain, shift = reading.chunk(2, dim=1)
        return torch.cat([1 + gain, shift], dim=1)

    def _scaled(self, reading: Tensor) -> Tensor:
        """Returns it with the energy of the network multiplied as the base asks: by 0 at a level that is the base's."""
        scales = self.base.network_scales()
        return reading if scales is None else reading * (scales.sqrt() if self.norm else scales)[:, None]

    def _modulated(self, features: Tensor, reading: Tensor) -> Tensor:
        gain, shift = reading.chunk(2, dim=1)
        return gain * features + shift

    def _features(self, point: Point, features: Tensor, unscaled: Tensor) -> Tensor:
        """Returns f_t without the scale of its level: a level whose energy is the base's alone has a direction, too."""
        if not self.norm:
            return features
        return self._modulated(features, unscaled[level_of(point, "level-head")])

    def _at(self, features: Tensor, reading: Tensor) -> Tensor:
        if self.norm:
            return half_squared_norm(self._modulated(features, reading))
        return -(features * reading).sum(dim=1)

    def _all(self, features: Tensor, reading: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):  # differences of nats need the digits
            if self.norm:
                gain, shift = reading.chunk(2, dim=1)
                return all_half_squared_norms(features, gain, shift)
            return -features @ reading.T


def build_level_head(config: LevelHeadConfig, context: BuildContext) -> LevelHead:
    """Wraps `context.inner`; raises CapabilityError where there is none, or it has no features."""
    if context.inner is None:
        raise CapabilityError("level-head wraps an energy, found none: set inner in the BuildContext.")
    level = level_coordinate(context, "level-head")
    found = length_of(context.inner, "features", context, hidden=(LEVEL,))
    base = LevelBase(config, level, gaussians_of(config, level, context), context.temperature)
    with seeded(context.seed):
        return LevelHead(config, context.inner, level, base, n_features=found).to(context.device)
