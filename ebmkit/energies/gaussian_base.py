"""An energy beside that of a Gaussian, which holds chains near the data where a network says nothing."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from ebmkit.energies.declarations import GaussianBaseConfig
from ebmkit.errors import CapabilityError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.energy import Energy, abilities_of, at_least_fp32, lacks_ability, level_coordinate_of, values_of
from ebmkit.protocols.guided import guidance_strength


class GaussianBase(nn.Module):
    """E(x) = inner(x) + T‖x − m‖²/2s², so that p(x) ∝ exp(−inner(x)/T) · N(x; m, s²I).

    The network learns how the data differ from the Gaussian, and far from all data the Gaussian decides. What tells
    classes and latents apart is that of the network: a term in x alone changes no law given x.

    Source: Xie, Lu, Zhu, Wu (2016), eq. 1, with m = 0.
    """

    def __init__(self, config: GaussianBaseConfig, inner: Energy, temperature: float) -> None:
        super().__init__()
        self.inner, self.mean = inner, config.mean
        self.half_precision = temperature / (2 * config.sd**2)
        self.abilities = abilities_of(inner)

    @property
    def guidance_strength(self) -> float | None:
        """β of a latent, as inside."""
        return guidance_strength(self.inner)

    def evaluate(self, point: Point, *abilities: str) -> Mapping[str, Tensor]:
        """Returns what was asked for, from one pass of what it wraps."""
        if not set(abilities) <= self.abilities:
            raise lacks_ability(self, sorted(set(abilities) - self.abilities)[0])
        values = dict(values_of(self.inner, point, *abilities))
        base = self.base(point)
        if "energy" in values:
            values["energy"] = at_least_fp32(values["energy"]) + base
        for name in filter(level_coordinate_of, abilities):
            values[name] = at_least_fp32(values[name]) + base[:, None]
        return values

    def base(self, point: Point) -> Tensor:
        """Returns T‖x − m‖²/2s² [B], nats: −T log N(x; m, s²I) without its constant."""
        return self.half_precision * at_least_fp32(point.x - self.mean).flatten(1).square().sum(dim=1)

    def forward(self, point: Point) -> Tensor:
        """Returns the energies [B], nats."""
        return self.evaluate(point, "energy")["energy"]


def build_gaussian_base(config: GaussianBaseConfig, context: BuildContext) -> GaussianBase:
    """Wraps `context.inner`; raises CapabilityError where there is none."""
    if context.inner is None:
        raise CapabilityError("gaussian-base wraps an energy, found none: set inner in the BuildContext.")
    return GaussianBase(config, context.inner, context.temperature)
