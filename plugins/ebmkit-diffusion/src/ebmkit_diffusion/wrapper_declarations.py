"""The wrappers of this package, energies of (x, level): declarations and settings. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from ebmkit import Component, Need, Selection, short_repr
from ebmkit_diffusion.objective_declarations import CITE, LEVEL

Width = Annotated[int, Gt(0)]
Positive = Annotated[float, Gt(0)]
Base = Literal["none", "gaussian", "pca-gaussian"]
Network = Literal["plain", "over-sd"]


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
        base: "none"; "gaussian": the energy of N(√ᾱ_t m, (ᾱ_t s² + 1 − ᾱ_t) I) is added, to start from;
            "pca-gaussian": that of N(√ᾱ_t μ, ᾱ_t Σ + (1 − ᾱ_t) I), μ and Σ of the data, normalised.
        base_mean: m, data units after scaling to [−1, 1]; of "gaussian".
        base_sd: s, data units after scaling to [−1, 1]; of "gaussian".
        base_rank: of "pca-gaussian": directions of Σ that are kept, with one variance in all others; 0 for all. It
            costs 4 · entries · rank bytes.
        network: "plain"; "over-sd" divides the network's energy at each level by the smallest s.d. of the base there.
        pin_last: the energy of the last level is that of the base alone, so its law and normaliser are known.
        rows: rows of a pass when all levels are asked for.
    """

    conditioning: Width = 128
    waves: Width = 128
    head: Literal["inner", "bilinear"] = "inner"
    offset: Annotated[float, Ge(0)] = 1.0
    base: Base = "none"
    base_mean: float = 0.0
    base_sd: Positive = 0.5
    base_rank: Annotated[int, Ge(0)] = 0
    network: Network = "plain"
    pin_last: bool = False
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
        base: "none"; "gaussian": the energy of N(√ᾱ_t m, (ᾱ_t s² + 1 − ᾱ_t) I) is added, to start from;
            "pca-gaussian": that of N(√ᾱ_t μ, ᾱ_t Σ + (1 − ᾱ_t) I), μ and Σ of the data, normalised.
        base_mean: m, data units after scaling to [−1, 1]; of "gaussian".
        base_sd: s, data units after scaling to [−1, 1]; of "gaussian".
        base_rank: of "pca-gaussian": directions of Σ that are kept, with one variance in all others; 0 for all. It
            costs 4 · entries · rank bytes.
        network: "plain"; "over-sd" divides the network's energy at each level by the smallest s.d. of the base there.
        pin_last: the energy of the last level is that of the base alone, so its law and normaliser are known.
    """

    embedding: Width = 128
    waves: Width = 128
    head: Literal["half-squared-norm", "bilinear"] = "bilinear"
    offset: Annotated[float, Ge(0)] = 1.0
    base: Base = "none"
    base_mean: float = 0.0
    base_sd: Positive = 0.5
    base_rank: Annotated[int, Ge(0)] = 0
    network: Network = "plain"
    pin_last: bool = False


def _base_refused(config: LevelConditionedConfig | LevelHeadConfig, selection: Selection) -> str:
    asked = 'network = "over-sd"' if config.network == "over-sd" else "pin_last" if config.pin_last else ""
    if asked and config.base == "none":
        return f'{asked} needs a base, and there is none: set base = "pca-gaussian".'
    if config.base_rank and config.base != "pca-gaussian":
        return f'base_rank is that of base = "pca-gaussian", found base = "{config.base}": leave it out.'
    usual, idle = LevelHeadConfig(), config.base != "gaussian" and not selection.resolved
    if idle and (config.base_mean, config.base_sd) != (usual.base_mean, usual.base_sd):
        return f'base_mean and base_sd are those of base = "gaussian", found base = "{config.base}": leave them out.'
    return ""


def _conditioned_needs(config: LevelConditionedConfig, selection: Selection) -> tuple[Need, ...]:
    return (
        Need("energy.condition", config={"conditioning": config.conditioning}),
        Need("energy.features"),
        LEVEL,
    )


def _conditioned_hides(config: LevelConditionedConfig, selection: Selection) -> tuple[str, ...]:
    if config.head == "bilinear":
        return ("energy.half-squared-norm", *_others_levels(selection))
    scaled = config.network == "over-sd" or config.pin_last
    return ("energy.half-squared-norm",) if scaled else ()


def _head_hides(config: LevelHeadConfig, selection: Selection) -> tuple[str, ...]:
    norm = ("energy.half-squared-norm",) if config.head == "bilinear" else ()
    return (*norm, *_others_levels(selection))


def _others_levels(selection: Selection) -> tuple[str, ...]:
    """Returns the words for all values of another coordinate: the head reads features at the point's own value."""
    return tuple(f"energy.levels.{name}" for name in selection.coordinates if name != "level")


def _head_gives(config: LevelHeadConfig, selection: Selection) -> tuple[str, ...]:
    norm = ("energy.half-squared-norm",) if config.head == "half-squared-norm" else ()
    return ("energy.levels.level", "energy.features", *norm)


COMPONENTS: tuple[Component, ...] = (
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
        refuse=_base_refused,
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
        refuse=_base_refused,
    ),
)
