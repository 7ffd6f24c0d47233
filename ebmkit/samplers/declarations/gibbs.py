"""What core's Gibbs samplers are called and can be given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from annotated_types import Ge, MinLen

from ebmkit.plugins.component import Component, Need, Selection
from ebmkit.plugins.numbers import Moves
from ebmkit.plugins.short_repr import short_repr
from ebmkit.protocols.traits import SamplerTraits


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class GibbsConfig:
    """An exact draw of one discrete coordinate given all else.

    Attributes:
        coordinate: its name; unset: the one that noises x, else the only discrete one.
        window: 0 draws among all values, by the energy's `levels.NAME`; w ≥ 2 among the w values of a block with a
            random offset, by w energies a draw (all values, if there are no more).
    """

    coordinate: Annotated[str, MinLen(1)] | None = None
    window: Annotated[int, Ge(0)] = 0

    def settled(self, selection: Selection) -> GibbsConfig:
        """Returns the config with the coordinate decided; it stays unset where several could be meant, or none."""
        if self.coordinate is not None:
            return self
        meant = selection.noised or selection.discrete
        return replace(self, coordinate=meant[0]) if len(meant) == 1 else self


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class GibbsWithGradientsConfig:
    """One entry of a discrete x changes in a move, chosen by the gradient, and is accepted or rejected.

    Attributes:
        moves: moves per transition; it costs moves + 1 gradients.
        values: "binary": each entry of x is the lowest or the highest value of the data's range (0 and 1 without one);
            "one-hot": the last axis of x has a single 1; "auto": what the data say, binary outside a run.
    """

    moves: Moves = 20
    values: Literal["auto", "binary", "one-hot"] = "auto"


GWG = SamplerTraits(discrete=True, adjusted=True)
"""What gibbs-with-gradients does."""


def gibbs_traits(config: GibbsConfig, selection: Selection | None = None) -> SamplerTraits:
    """Returns what gibbs does: it draws its coordinate, and hands on a graph that x carries."""
    moves = frozenset({config.coordinate} if config.coordinate else ())
    return SamplerTraits(moves=moves, adjusted=True, asks_gradient=False, tail="passes")


def _gibbs_gives(config: GibbsConfig, selection: Selection) -> tuple[str, ...]:
    return (f"draws.{config.coordinate}",) if config.coordinate and not config.window else ()


def _gibbs_needs(config: GibbsConfig, selection: Selection) -> tuple[Need, ...]:
    if not config.coordinate:
        return ()
    point = Need(f"point.{config.coordinate}", default=config.coordinate)
    if config.window:
        return (point,)
    otherwise = "give this gibbs a window (window = 10 for 10 values): any energy will do, asked once for each of them"
    return (point, Need(f"energy.levels.{config.coordinate}", otherwise=otherwise))


def _gibbs_refused(config: GibbsConfig, selection: Selection) -> str:
    return coordinate_unclear(config, selection) or window_refused(config.window)


def coordinate_unclear(config: GibbsConfig, selection: Selection) -> str:
    """Returns why nobody knows which coordinate is meant, or ""."""
    if config.coordinate is not None:
        return ""
    if meant := selection.noised or selection.discrete:
        return f'it could draw {" or ".join(meant)}. Say which: sampler.gibbs.coordinate = "{meant[0]}".'
    return (
        "it draws a discrete coordinate, and the run has none. Add one (--coordinate label), or name one: "
        "sampler.gibbs.coordinate."
    )


def window_refused(window: int) -> str:
    """Returns why a draw from a window this wide makes no sense, or ""."""
    return "window = 1 would never move the coordinate: give 0 (all) or at least 2." if window == 1 else ""


COMPONENTS = (
    Component(
        kind="sampler",
        name="gibbs",
        config=GibbsConfig,
        build="ebmkit.samplers.gibbs:build_gibbs",
        summary="exact draw of a discrete coordinate from the energies of its values",
        cite=(
            "Stuart Geman, Donald Geman (1984). Stochastic relaxation, Gibbs distributions, and the Bayesian "
            "restoration of images. IEEE Transactions on Pattern Analysis and Machine Intelligence"
        ),
        traits=gibbs_traits,
        gives=_gibbs_gives,
        needs=_gibbs_needs,
        refuse=_gibbs_refused,
    ),
    Component(
        kind="sampler",
        name="gibbs-with-gradients",
        config=GibbsWithGradientsConfig,
        build="ebmkit.samplers.gibbs_with_gradients:build_gwg",
        summary="exact moves of binary or one-hot x, one entry at a time, the gradient says which",
        cite=(
            "Will Grathwohl, Kevin Swersky, Milad Hashemi, David Duvenaud, Chris Maddison (2021). Oops I took a "
            "gradient: scalable sampling for discrete distributions. ICML. arXiv:2102.04509"
        ),
        traits=GWG,
    ),
)
