"""What this package offers: declarations and settings. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval

from ebmkit import Component, Need, SamplerTraits, Selection, short_repr
from ebmkit.samplers.declarations.gibbs import window_refused
from ebmkit.samplers.declarations.steps import StepConfig, band_refused
from ebmkit_diffusion.objective_declarations import CITE, LEVEL, LEVELS
from ebmkit_diffusion.objective_declarations import COMPONENTS as OBJECTIVES
from ebmkit_diffusion.schedules import SCHEDULES, Betas, usual_ends, wrong_with

Width = Annotated[int, Gt(0)]
Positive = Annotated[float, Gt(0)]


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class LevelConfig:
    """Noise levels t = 0 … T: x_t ~ N(√ᾱ_t x_0, (1 − ᾱ_t) I), ᾱ_t = Π (1 − β_i), t = 0 clean.

    Attributes:
        noise_levels: T, levels beside the clean one; unset: 50 for images, else 6, as published.
        schedule: of β: "sqrt-cumulative-linear" (published: β_t = (Σ_{i ≤ t} b_i)², b evenly spaced), "linear",
            "cosine".
        low: b_1 (or β_1), the first of the evenly spaced; unset: published at T = 50 and 6, else a hundredth of high.
        high: b_T (or β_T), the last; unset: published at T = 50 and 6, else such that ᾱ falls to .055 as there.
        smooth: s.d. of noise that is added to data before they are diffused, data units after scaling to [−1, 1]; 0 as
            published. The model is then one of slightly noisy data: level 0 has room to move where pixels are constant.
        start_mean: m, data units after scaling; fresh chains of level t are N(√ᾱ_t m, (ᾱ_t s² + 1 − ᾱ_t) I).
        start_sd: s, data units after scaling; 0 and 1, as published, are N(0, I) at every level. With those of a base
            "gaussian" fresh chains are in equilibrium when training begins.
    """

    noise_levels: Annotated[int, Ge(1)] | None = None
    schedule: Literal["sqrt-cumulative-linear", "linear", "cosine"] = "sqrt-cumulative-linear"
    low: Annotated[float, Ge(0)] | None = None
    high: Positive | None = None
    smooth: Annotated[float, Ge(0)] = 0.0
    start_mean: float = 0.0
    start_sd: Positive = 1.0

    def settled(self, selection: Selection) -> LevelConfig:
        """Returns the config with every unset value decided; the ends of a cosine stay unset, it has none."""
        images = selection.event_shape is not None and len(selection.event_shape) == 3
        n = self.noise_levels or (50 if images else 6)
        if self.schedule == "cosine":
            return replace(self, noise_levels=n)
        low, high = (float(f"{end:.6g}") for end in usual_ends(self.schedule, n))
        return replace(
            self,
            noise_levels=n,
            low=low if self.low is None else self.low,
            high=high if self.high is None else self.high,
        )

    def betas(self) -> Betas:
        """Returns β_0 = 0, β_1 … β_T of a settled config."""
        return SCHEDULES[self.schedule](self.noise_levels or 1, self.low or 0.0, self.high or 1.0)


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class LevelConditionedConfig:
    """Energies of (x, t) by a backbone that hears the level in every block. All levels cost T + 1 passes.

    Attributes:
        conditioning: length of the embedding of the level.
        waves: sines and cosines of the level that the embedding is made of.
        head: "inner" takes the backbone's own energy; "bilinear", as published, gives −⟨f(x, t),
            W·silu(embedding of t)⟩.
        offset: nats a unit of the learned offset of each level; 0 for none.
        base: "none", or "gaussian": the energy of N(√ᾱ_t m, (ᾱ_t s² + 1 − ᾱ_t) I) is added, to start from.
        base_mean: m, data units after scaling to [−1, 1].
        base_sd: s, data units after scaling to [−1, 1].
        rows: rows of a pass when all levels are asked for.
    """

    conditioning: Width = 128
    waves: Width = 128
    head: Literal["inner", "bilinear"] = "inner"
    offset: Annotated[float, Ge(0)] = 1.0
    base: Literal["none", "gaussian"] = "none"
    base_mean: float = 0.0
    base_sd: Positive = 0.5
    rows: Width = 4096


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class LevelHeadConfig:
    """Energies of (x, t) by a backbone that does not hear the level: all of them cost one pass.

    Attributes:
        embedding: length of the embedding of the level.
        waves: sines and cosines of the level that the embedding is made of.
        head: "half-squared-norm" gives ½‖a_t ∘ f(x) + c_t‖²; "bilinear" gives −⟨f(x), W·silu(embedding of t)⟩.
        offset: nats a unit of the learned offset of each level; 0 for none.
        base: "none", or "gaussian": the energy of N(√ᾱ_t m, (ᾱ_t s² + 1 − ᾱ_t) I) is added, to start from.
        base_mean: m, data units after scaling to [−1, 1].
        base_sd: s, data units after scaling to [−1, 1].
    """

    embedding: Width = 128
    waves: Width = 128
    head: Literal["half-squared-norm", "bilinear"] = "bilinear"
    offset: Annotated[float, Ge(0)] = 1.0
    base: Literal["none", "gaussian"] = "none"
    base_mean: float = 0.0
    base_sd: Positive = 0.5


MGMS = SamplerTraits(moves=frozenset({"x", "level"}), adjusted=True, tail="keeps")
"""What mgms does; "level" is the coordinate of that name."""


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


def _level_refused(config: LevelConfig, selection: Selection) -> str:
    if config.schedule == "cosine" and (config.low is not None or config.high is not None):
        return "a cosine schedule has no low and high: leave them out."
    wrong = wrong_with(config.betas())
    return f"{wrong}." if wrong else ""


def _conditioned_needs(config: LevelConditionedConfig, selection: Selection) -> tuple[Need, ...]:
    return (
        Need("energy.condition", config={"conditioning": config.conditioning}),
        Need("energy.features"),
        LEVEL,
    )


def _conditioned_hides(config: LevelConditionedConfig, selection: Selection) -> tuple[str, ...]:
    return ("energy.half-squared-norm", *_others_levels(selection)) if config.head == "bilinear" else ()


def _head_hides(config: LevelHeadConfig, selection: Selection) -> tuple[str, ...]:
    norm = ("energy.half-squared-norm",) if config.head == "bilinear" else ()
    return (*norm, *_others_levels(selection))


def _others_levels(selection: Selection) -> tuple[str, ...]:
    """Returns the words for all values of another coordinate: the head reads features at the point's own value."""
    return tuple(f"energy.levels.{name}" for name in selection.coordinates if name != "level")


def _head_gives(config: LevelHeadConfig, selection: Selection) -> tuple[str, ...]:
    norm = ("energy.half-squared-norm",) if config.head == "half-squared-norm" else ()
    return ("energy.levels.level", "energy.features", *norm)


def _mgms_refused(config: MgmsConfig, selection: Selection) -> str:
    return band_refused(config, selection) or window_refused(config.window)


def _mgms_gives(config: MgmsConfig, selection: Selection) -> tuple[str, ...]:
    return () if config.window else ("draws.level",)


def _mgms_needs(config: MgmsConfig, selection: Selection) -> tuple[Need, ...]:
    return (LEVEL,) if config.window else (LEVEL, LEVELS)


COMPONENTS: tuple[Component, ...] = (
    Component(
        kind="coordinate",
        name="level",
        config=LevelConfig,
        build="ebmkit_diffusion.level:build_level",
        summary="noise level: data are diffused to a random level, and chains hold theirs",
        cite=CITE,
        aliases=("noise", "noise-level", "sigma", "diffusion"),
        needs=(LEVELS, Need("moves.level", default="gibbs", config={"coordinate": "level"})),
        gives=("point.noised", "point.discrete"),
        refuse=_level_refused,
    ),
    Component(
        kind="wrapper",
        name="level-conditioned",
        config=LevelConditionedConfig,
        build="ebmkit_diffusion.level_conditioned:build_level_conditioned",
        summary="energy of (x, level) whose blocks all hear the level; all levels at once cost T + 1 passes",
        cite=CITE,
        needs=_conditioned_needs,
        gives=("energy.levels.level", "energy.features"),
        hides=_conditioned_hides,
    ),
    Component(
        kind="wrapper",
        name="level-head",
        config=LevelHeadConfig,
        build="ebmkit_diffusion.level_head:build_level_head",
        summary="energy of (x, level) with the level after the backbone; all levels at once cost one pass",
        cite=CITE,
        needs=(Need("energy.features"), LEVEL),
        gives=_head_gives,
        hides=_head_hides,
    ),
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
    *OBJECTIVES,
)

RECIPES = Path(__file__).parent / "recipes"
