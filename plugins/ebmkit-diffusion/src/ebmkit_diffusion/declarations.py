"""What this package offers: declarations and settings. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Interval

from ebmkit import Component, Need, SamplerTraits, Selection, short_repr
from ebmkit.samplers.declarations.gibbs import window_refused
from ebmkit.samplers.declarations.steps import StepConfig, band_refused
from ebmkit_diffusion.level_declarations import COMPONENTS as LEVEL_COMPONENTS
from ebmkit_diffusion.objective_declarations import CITE, LEVEL, LEVELS
from ebmkit_diffusion.objective_declarations import COMPONENTS as OBJECTIVES
from ebmkit_diffusion.wrapper_declarations import COMPONENTS as WRAPPERS

MGMS = SamplerTraits(moves=frozenset({"x", "level"}), adjusted=True, tail="keeps")
"""What mgms does; "level" is the coordinate of that name."""

DESCENT = SamplerTraits(moves=frozenset({"x", "level"}), tail="keeps")
"""What the step down of annealed does; the moves before it change neither what it moves nor what it refuses."""


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class MgmsConfig(StepConfig):
    """MALA at a fixed level, then a Gibbs draw of the level, each level with a step size of its own.

    Attributes:
        moves: K, Langevin moves per transition; it costs moves + 1 gradients and the energies of all levels.
        adapt_every: transitions whose trials are pooled, by level, for one adaptation.
        first_steps: "equal" starts every level at step_size; "noise" at step_size·√β_t, level 0 as level 1.
        window: 0 draws the level among all; w ≥ 2 among the w levels of a block with a random offset.
        warmup: first transitions of training that accept every finite proposal: not exact, but chains leave the noise.
        memory: transitions over which the diagnostics forget.
    """

    moves: Annotated[int, Interval(gt=0, le=1_000_000)] = 40
    first_steps: Literal["equal", "noise"] = "equal"
    window: Annotated[int, Ge(0)] = 0
    warmup: Annotated[int, Ge(0)] = 0
    memory: Annotated[float, Ge(1)] = 100.0


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class AnnealedConfig(StepConfig):
    """MALA at a fixed level, then one level down; from level 0 a chain starts again as noise.

    A tail, as `improved-cd` asks for, is the graph of the step down alone: of the chains that make it.

    Attributes:
        moves: Langevin moves at each level; a transition costs moves + 2 gradients.
        adapt_every: transitions whose trials are pooled, by level, for one adaptation.
        linger: probability that a chain stays at its level for one more transition: moves/(1 − linger) moves at each
            level on average, at no more cost a step.
    """

    moves: Annotated[int, Interval(gt=0, le=1_000_000)] = 2
    linger: Annotated[float, Interval(ge=0, lt=1)] = 0.0


def _mgms_refused(config: MgmsConfig, selection: Selection) -> str:
    return band_refused(config, selection) or window_refused(config.window)


def _mgms_gives(config: MgmsConfig, selection: Selection) -> tuple[str, ...]:
    return () if config.window else ("draws.level",)


def _mgms_needs(config: MgmsConfig, selection: Selection) -> tuple[Need, ...]:
    return (LEVEL,) if config.window else (LEVEL, LEVELS)


COMPONENTS: tuple[Component, ...] = (
    *LEVEL_COMPONENTS,
    *WRAPPERS,
    Component(
        kind="sampler",
        name="mgms",
        config=MgmsConfig,
        build="ebmkit_diffusion.mgms:build_mgms",
        summary="MALA on x at a fixed level, then an exact draw of the level; a step size for each level",
        cite=CITE,
        needs=_mgms_needs,
        traits=MGMS,
        gives=_mgms_gives,
        refuse=_mgms_refused,
    ),
    Component(
        kind="sampler",
        name="annealed",
        config=AnnealedConfig,
        build="ebmkit_diffusion.annealed:build_annealed",
        summary="MALA on x at a fixed level, then one level down: chains that are annealed from noise, again and again",
        needs=(LEVEL,),
        traits=DESCENT,
        refuse=band_refused,
    ),
    *OBJECTIVES,
)

RECIPES = Path(__file__).parent / "recipes"
