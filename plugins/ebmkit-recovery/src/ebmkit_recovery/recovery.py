"""The energy of x given its anchor, by a backbone that hears the level."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ebmkit import (
    BuildContext,
    CapabilityError,
    Energy,
    Point,
    abilities_of,
    at_least_fp32,
    lacks_ability,
    seeded,
    values_of,
)
from ebmkit.energies.heads import CONDITION
from ebmkit.ops.rows import rows_as
from ebmkit_recovery.anchor import level_of_ladder
from ebmkit_recovery.declarations import ANCHOR, LEVEL, RecoveryConfig
from ebmkit_recovery.ladder import Ladder

OWN = (LEVEL, ANCHOR)


def recovery_energy(energy: Tensor, y: Tensor, anchor: Tensor, precision: Tensor, temperature: float) -> Tensor:
    """Returns E(y, t) + T‖y − x̃‖²/2σ_t² [B], nats: with p(y) ∝ exp(−E/T), p(y given x̃) is that of this energy at T.

    Args:
        energy: E(y, t) [B], nats.
        y: [B, *event], data units.
        anchor: x̃ = y + σ_t ε [B, *event].
        precision: 1/σ_t² [B]; 0 where nothing is known of y.
        temperature: T, nats.

    Source: Gao et al. (2021), eq. 5.
    """
    squares = at_least_fp32((y - anchor).flatten(1)).square().sum(dim=1)
    return energy + temperature * precision * squares / 2


class Recovery(nn.Module):
    """E(y, t) and the pull of the anchor for t ≥ 1; E(a_1 x, 1) at level 0, the energy of data by their own density.

    The levels share a backbone, which is handed y/a_t = x_{t−1}, of about one size at every level, and a learned vector
    of the level. Their offsets have no meaning: no level is compared with another.
    """

    vectors: nn.Parameter
    precisions: Tensor
    first: Tensor
    scales: Tensor
    means: Tensor
    variances: Tensor

    def __init__(self, config: RecoveryConfig, inner: Energy, ladder: Ladder, temperature: float) -> None:
        super().__init__()
        self.inner, self.temperature, self.gaussian = inner, temperature, config.base == "gaussian"
        n = len(ladder.scales) - 1
        self.vectors = nn.Parameter(torch.randn(n, config.conditioning))
        self.abilities = frozenset(abilities_of(inner)) & {"energy", "features"}
        levels = range(1, n + 1)
        tables = {
            "precisions": [0.0, *(1 / ladder.sds[t] ** 2 for t in levels)],
            "first": [ladder.scales[1], *(1.0 for _ in levels)],
            "scales": [1.0, *(ladder.scales[t] for t in levels)],
            "means": [config.base_mean * ladder.kept[t] for t in levels],
            "variances": [ladder.variance(t, config.base_sd) for t in levels],
        }
        for name, values in tables.items():
            self.register_buffer(name, torch.tensor(values), persistent=False)

    def evaluate(self, point: Point, *abilities: str) -> Mapping[str, Tensor]:
        """Returns what was asked for, from one pass."""
        if not set(abilities) <= self.abilities:
            raise lacks_ability(self, sorted(set(abilities) - self.abilities)[0])
        level = self._level(point)
        y = point.x * rows_as(self.first[level], point.x).to(point.x)
        at = (level - 1).clamp(min=0)
        before = point.replace(x=point.x / rows_as(self.scales[level], point.x).to(point.x))
        values = dict(values_of(self.inner, self._heard(before, self.vectors[at]), *abilities))
        if "energy" in abilities:
            energy = values["energy"] + (self._base(y, at) if self.gaussian else 0)
            values["energy"] = recovery_energy(energy, y, point.aux[ANCHOR], self.precisions[level], self.temperature)
        return values

    def forward(self, point: Point) -> Tensor:
        """Returns the energies [B], nats."""
        return self.evaluate(point, "energy")["energy"]

    def _heard(self, point: Point, vector: Tensor) -> Point:
        given = point.aux.get(CONDITION)
        return point.without(*OWN).with_aux(**{CONDITION: vector if given is None else vector + given})

    def _base(self, y: Tensor, at: Tensor) -> Tensor:
        flat = at_least_fp32(y.flatten(1))
        squares = (flat - self.means[at, None]).square().sum(dim=1)
        return self.temperature * squares / (2 * self.variances[at])

    def _level(self, point: Point) -> Tensor:
        missing = [name for name in OWN if name not in point.aux]
        if missing:
            have = ", ".join(point.aux) or "no coordinate"
            raise CapabilityError(
                f"recovery gives the energy of x given its {' and '.join(missing)}, but the point has: {have}. Add "
                f"--coordinate {'+'.join(OWN)}."
            )
        return point.aux[LEVEL]


def build_recovery(config: RecoveryConfig, context: BuildContext) -> Recovery:
    """Wraps `context.inner`; raises CapabilityError where there is none, or the run has no ladder."""
    if context.inner is None:
        raise CapabilityError("recovery wraps an energy, found none: set inner in the BuildContext.")
    level = level_of_ladder(context, "recovery")
    with seeded(context.seed):
        return Recovery(config, context.inner, level.ladder, context.temperature).to(context.device)
