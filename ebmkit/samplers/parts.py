"""What core's samplers are called and can be given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Interval

from ebmkit.components import Component, Selection

USUAL_STEP_SIZE, USUAL_NOISE = 100.0, 0.001


@dataclass(frozen=True, kw_only=True, slots=True)
class SgldConfig:
    """Unadjusted Langevin moves x ← clamp(x − η∇E + σξ).

    Attributes:
        moves: moves a transition.
        step_size: η, the drift coefficient, data units² per nat; unset: from the noise and the temperature,
            η = σ²/2T, or 100 where T is free and .005 where it is 1.
        noise: σ, data units; unset: from the temperature, σ² = 2ηT, or .001 where that is free too.
        clamp: keep x in the value range of the data after each move; "auto" does where it has one and no coordinate
            noises x.
        clip: bound on each entry of ∇E, nats per data unit; 0 for none.
        scale: relative step of each entry of x: drift by its square, noise by itself, so that the temperature stays;
            none, or as many as a datum has entries. Best is its s.d. under p.
    """

    moves: Annotated[int, Gt(0)] = 20
    step_size: Annotated[float, Gt(0)] | None = None
    noise: Annotated[float, Ge(0)] | None = None
    clamp: Literal["auto", "on", "off"] = "auto"
    clip: Annotated[float, Ge(0)] = 0.0
    scale: tuple[Annotated[float, Gt(0)], ...] = ()

    @property
    def implied_temperature(self) -> float | None:
        """The temperature that both settings fix, σ²/2η; None while one of them is free."""
        return _rounded(self.noise**2 / (2 * self.step_size)) if self.noise and self.step_size else None

    @property
    def usual_temperature(self) -> float:
        """The temperature where nothing else decides, 5e-9 with the usual settings (Lee et al., 2023)."""
        return _rounded((self.noise or USUAL_NOISE) ** 2 / (2 * (self.step_size or USUAL_STEP_SIZE)))

    def settled(self, selection: Selection) -> SgldConfig:
        """Returns the config with every unset value decided."""
        temperature, step_size = selection.temperature, self.step_size
        if step_size is None and self.noise:
            step_size = _rounded(self.noise**2 / (2 * temperature))
        elif step_size is None:
            step_size = 0.005 if temperature >= 1e-3 else USUAL_STEP_SIZE
        noise = _rounded(sqrt(2 * step_size * temperature)) if self.noise is None else self.noise
        return replace(self, step_size=step_size, noise=noise)


def clamp_refused(config: Any, selection: Selection) -> str:
    """Returns why chains cannot be clamped to the range of the data, ""."""
    if config.clamp == "on" and "level" in selection.coordinates:
        return 'a level rescales and noises x, so the range of the data bounds nothing. Set clamp = "auto".'
    return ""


def _rounded(value: float) -> float:
    return float(f"{value:.12g}")


@dataclass(frozen=True, kw_only=True, slots=True)
class AugmentConfig:
    """A random augmentation of every chain, as the published samplers apply before Langevin moves.

    Attributes:
        preset: "strong": crops of area .08–1, flip, colour jitter .4/.4/.4/.1 with probability .8, grey with .2 (Chen
            et al., 2020); "weak": crops of .7 to 1, flip, jitter .1; "gentle": zoom, shift by a few per cent, flip.
        p: probability that a chain is augmented at all.
        crop: least area of the crop; unset: of the preset.
        strength: factor on the colour jitter of the preset.
        flip: mirror half of the images.
        inexact: allow it beside exact samplers, although it does not leave p invariant.
    """

    preset: Literal["strong", "weak", "gentle"] = "strong"
    p: Annotated[float, Interval(ge=0, le=1)] = 1.0
    crop: Annotated[float, Interval(gt=0, le=1)] | None = None
    strength: Annotated[float, Interval(ge=0, le=2)] = 1.0
    flip: bool = True
    inexact: bool = False


def _augment_refused(config: AugmentConfig, selection: Selection) -> str:
    if "level" in selection.coordinates:
        return "it works in the range of the data, and a level rescales and noises x. Leave one of them out."
    if "sampler.exact" in selection.words and not config.inexact:
        return (
            "an augmentation does not leave the density invariant, and an exact sampler is beside it. "
            "Set sampler.augment.inexact = true to have it all the same."
        )
    return ""


def _augment_skipped(config: AugmentConfig, selection: Selection) -> str:
    if selection.event_shape is not None and len(selection.event_shape) != 3:
        return "the data are not images"
    return "" if "sampler.unadjusted" in selection.words else "no unadjusted sampler is beside it"


COMPONENTS = (
    Component(
        kind="sampler",
        name="sgld",
        config=SgldConfig,
        build="ebmkit.samplers.sgld:build_sgld",
        summary="unadjusted Langevin moves, x ← clamp(x − η∇E + σξ)",
        cite="Welling, Teh, Bayesian learning via stochastic gradient Langevin dynamics, ICML 2011; "
        "Du, Mordatch, Implicit generation and modeling with energy-based models, NeurIPS 2019",
        gives=("sampler.unadjusted", "sampler.tail"),
        refuse=clamp_refused,
    ),
    Component(
        kind="sampler",
        name="augment",
        config=AugmentConfig,
        build="ebmkit.samplers.augment:build_augment",
        summary="random augmentation of the chains, before Langevin moves; not exact",
        cite="Du, Li, Tenenbaum, Mordatch, Improved contrastive divergence training of energy based models, ICML 2021",
        skip=_augment_skipped,
        refuse=_augment_refused,
    ),
)
