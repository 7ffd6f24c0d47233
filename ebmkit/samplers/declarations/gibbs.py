"""What core's Gibbs samplers are called and can be given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, MinLen

from ebmkit.plugins.component import Component, Need, Selection
from ebmkit.plugins.numbers import Count


@dataclass(frozen=True, kw_only=True, slots=True)
class GibbsConfig:
    """An exact draw of one discrete coordinate given all else.

    Attributes:
        coordinate: its name.
        window: 0 draws among all values, by the energy's `levels`; w ≥ 2 among the w values of a block with a random
            offset, by w energies a draw (all values, if there are no more: for an energy without `levels`).
    """

    coordinate: Annotated[str, MinLen(1)] = "level"
    window: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class GwgConfig:
    """One entry of a discrete x changes in a move, chosen by the gradient, and is accepted or rejected.

    Attributes:
        moves: moves per transition; it costs moves + 1 gradients.
        values: "binary": each entry of x is the lowest or the highest value of the data's range (0 and 1 without one);
            "one-hot": the last axis of x has a single 1; "auto": what the data say, binary outside a run.
    """

    moves: Count = 20
    values: Literal["auto", "binary", "one-hot"] = "auto"


def _gibbs_gives(config: GibbsConfig, selection: Selection) -> tuple[str, ...]:
    draws = () if config.window else (f"draws.{config.coordinate}",)
    return ("sampler.exact", f"moves.{config.coordinate}", *draws)


def _gibbs_needs(config: GibbsConfig, selection: Selection) -> tuple[Need, ...]:
    point = Need(f"point.{config.coordinate}", default=config.coordinate)
    if config.window:
        return (point,)
    otherwise = "give this gibbs a window (window = 10 for 10 values): any energy will do, asked once for each of them"
    return (point, Need(f"energy.levels.{config.coordinate}", otherwise=otherwise))


def _gibbs_refused(config: GibbsConfig, selection: Selection) -> str:
    return "window = 1 would never move the coordinate: give 0 (all) or at least 2." if config.window == 1 else ""


COMPONENTS = (
    Component(
        kind="sampler",
        name="gibbs",
        config=GibbsConfig,
        build="ebmkit.samplers.gibbs:build_gibbs",
        summary="exact draw of a discrete coordinate from the energies of its values",
        cite="Geman, Geman, Stochastic relaxation, Gibbs distributions, and the Bayesian restoration of images, "
        "IEEE Transactions on Pattern Analysis and Machine Intelligence 1984",
        gives=_gibbs_gives,
        needs=_gibbs_needs,
        refuse=_gibbs_refused,
    ),
    Component(
        kind="sampler",
        name="gibbs-with-gradients",
        config=GwgConfig,
        build="ebmkit.samplers.gibbs_with_gradients:build_gwg",
        summary="exact moves of binary or one-hot x, one entry at a time, the gradient says which",
        cite="Grathwohl, Swersky, Hashemi, Duvenaud, Maddison, Oops I took a gradient: scalable sampling for discrete "
        "distributions, ICML 2021",
        gives=("sampler.exact", "sampler.discrete"),
    ),
)
