"""The energy of (x, level) by a backbone that hears the level in every block."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from einops import rearrange
from torch import Generator, Tensor, nn
from torch.nn import functional

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
    levels_of,
    seeded,
    values_of,
)
from ebmkit.energies.heads import CONDITION
from ebmkit.energies.probe import length_of
from ebmkit.energies.sweep import sweep
from ebmkit.ops.rows import rows_as
from ebmkit_diffusion.level import LEVEL, Level
from ebmkit_diffusion.level_embedding import LevelBase, LevelTable, embedding_layers, level_coordinate, level_of
from ebmkit_diffusion.level_gaussians import gaussians_of
from ebmkit_diffusion.wrapper_declarations import LevelConditionedConfig

LEVELS = levels_of(LEVEL)
"""The ability to give the energies of all levels."""


class LevelConditioned(nn.Module):
    """E(x, t) of a backbone that is handed an embedding of t, plus a learned offset b_t.

    With head "inner" the energy is the backbone's own, so ½‖f(x, t)‖² stays one; with "bilinear" it is
    −⟨f(x, t), W·silu(embedding of t)⟩. Features and latents are those at the level of the point, and so are the
    energies of all values of another coordinate, which only the head "inner" lets through.

    Source: Zhang, Tan, Ou, Stat 2023; the bilinear head is theirs, offsets of their own and the inner head are ours.
    """

    def __init__(
        self, config: LevelConditionedConfig, inner: Energy, level: Level, base: LevelBase, *, n_features: int
    ) -> None:
        super().__init__()
        self.inner, self.n_levels, self.rows = inner, level.n_values, config.rows
        self.table = LevelTable(
            level.n_values, config.waves, nn.Sequential(*embedding_layers(config.waves, config.conditioning))
        )
        self.base = base
        self.read = nn.Linear(config.conditioning, n_features) if config.head == "bilinear" else None
        hidden = filter(level_coordinate_of, abilities_of(inner) if self.read is not None else ())
        self.abilities = abilities_of(inner) - set(hidden) | {LEVELS}

    def evaluate(self, point: Point, *abilities: str) -> Mapping[str, Tensor]:
        """Returns what was asked for: from one pass, or from T + 1 where all levels are."""
        if not set(abilities) <= self.abilities:
            raise lacks_ability(self, sorted(set(abilities) - self.abilities)[0])
        if LEVELS not in abilities:
            return self._pass(point, abilities)
        others = tuple(name for name in abilities if name not in (LEVELS, "energy"))
        values = self._sweep(point, others)
        if "energy" in abilities:
            values["energy"] = values[LEVELS].gather(1, level_of(point, "level-conditioned")[:, None])[:, 0]
        return values

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

    def _pass(self, point: Point, abilities: tuple[str, ...]) -> dict[str, Tensor]:
        """Returns abilities other than all levels, by one pass of the backbone."""
        level, table = level_of(point, "level-conditioned"), self.table()
        conditioned = self._conditioned(point, table[level])
        bilinear = self.read is not None and "energy" in abilities
        asked = [name for name in abilities if not (bilinear and name == "energy")] + ["features"] * bilinear
        values = dict(values_of(self.inner, conditioned, *dict.fromkeys(asked)))
        if bilinear:
            values["energy"] = self._bilinear(values["features"], table, level)
        scales = self.base.network_scales()
        for name in abilities:
            if name == "energy" or level_coordinate_of(name):
                own = values[name] if scales is None else values[name] * rows_as(scales[level], values[name])
                values[name] = own + rows_as(self.base.at(point), values[name])
        return {name: values[name] for name in abilities}

    def _sweep(self, point: Point, others: tuple[str, ...]) -> dict[str, Tensor]:
        """Returns all levels [B, T + 1], and other abilities at the point's own, at most `rows` rows a pass."""
        asked = ("energy", *others)
        found = [self._pass(piece, asked) for _, piece in sweep(point, LEVEL, self.n_levels, self.rows)]
        every = {
            name: rearrange(
                torch.cat([values[name] for values in found]), "(b level) ... -> b level ...", level=self.n_levels
            )
            for name in asked
        }
        result = {LEVELS: every["energy"]}
        if others:
            own = torch.arange(len(point), device=point.x.device), level_of(point, "level-conditioned")
            result.update({name: every[name][own] for name in others})
        return result

    def _conditioned(self, point: Point, embedding: Tensor) -> Point:
        given = point.aux.get(CONDITION)
        return point.without(LEVEL).with_aux(**{CONDITION: embedding if given is None else embedding + given})

    def _bilinear(self, features: Tensor, table: Tensor, level: Tensor) -> Tensor:
        assert self.read is not None
        weights = self.read(functional.silu(table))[level]
        return -(at_least_fp32(features) * at_least_fp32(weights)).sum(dim=1)


def build_level_conditioned(config: LevelConditionedConfig, context: BuildContext) -> LevelConditioned:
    """Wraps `context.inner`; raises CapabilityError where there is none, or it hears no conditioning vector."""
    if context.inner is None:
        raise CapabilityError("level-conditioned wraps an energy, found none: set inner in the BuildContext.")
    level = level_coordinate(context, "level-conditioned")
    found = length_of(context.inner, "features", context, hidden=(LEVEL,), conditioning=config.conditioning)
    base = LevelBase(config, level, gaussians_of(config, level, context), context.temperature)
    with seeded(context.seed):
        return LevelConditioned(config, context.inner, level, base, n_features=found).to(context.device)
