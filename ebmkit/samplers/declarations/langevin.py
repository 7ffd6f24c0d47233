"""What core's unadjusted Langevin samplers are called and can be given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from ebmkit.plugins.component import Component, Need, Selection
from ebmkit.plugins.numbers import Moves, Positive
from ebmkit.plugins.short_repr import short_repr
from ebmkit.protocols.traits import SamplerTraits, X

USUAL_STEP_SIZE, USUAL_NOISE = 100.0, 0.001
WARM = 1e-3 * (1 - 1e-9)  # settings are rounded: what is meant as .001 may come out below it
"""Nats: temperatures from which settings are those of a law to be sampled, and below those of a noisy descent."""

Bounds = Literal["auto", "mirror", "clamp", "off"]

SGLD = SamplerTraits(bias_order=1, tail="keeps")
UNDERDAMPED = SamplerTraits(moves=frozenset({X, "momentum"}), bias_order=2, tail="keeps")


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class SgldConfig:
    """Unadjusted Langevin moves x ← x − η∇E + σξ, within the range of the data.

    Attributes:
        moves: moves per transition.
        step_size: η, the gradient coefficient, data units² per nat; unset: from the noise and the temperature,
            η = σ²/2T, or 100 where T is free and .005 where it is 1.
        noise: σ, data units; unset: from the temperature, σ² = 2ηT, or .001 where that is free too.
        bounds: how x stays in the value range of the data: "mirror" folds it back, which keeps the bias of first
            order; "clamp" sets it to the wall, as published; "off" lets it go; "auto" mirrors at T of .001 or more and
            clamps below, where the data have a range and no coordinate noises x.
        clip: bound on each entry of ∇E, nats per data unit; 0 for none.
        scale: relative step of each entry of x: gradient by its square, noise by itself, so that the temperature stays;
            none, or as many as a datum has entries. Best is its s.d. under p.
    """

    moves: Moves = 20
    step_size: Annotated[float, Gt(0)] | None = None
    noise: Annotated[float, Ge(0)] | None = None
    bounds: Bounds = "auto"
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
            step_size = 0.005 if temperature >= WARM else USUAL_STEP_SIZE
        noise = _rounded(sqrt(2 * step_size * temperature)) if self.noise is None else self.noise
        return replace(self, step_size=step_size, noise=noise)


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class UnderdampedConfig:
    """Unadjusted Langevin moves with momentum, split as BAOAB.

    Attributes:
        moves: moves per transition; it costs moves + 1 gradients.
        step_size: h, data units.
        friction: γ, per unit of integrated time: the momentum forgets itself over 1/γh moves.
        scale: relative step of each entry of x, 1/√mass: none, or as many as a datum has entries. Best is its s.d.
            under p.
        bounds: how x stays in the value range of the data: "mirror" folds it back and turns the momentum, which keeps
            the bias of second order; "clamp" sets it to the wall; "off" lets it go; "auto" mirrors at T of .001 or more
            and clamps below, where the data have a range and no coordinate noises x.
    """

    moves: Moves = 20
    step_size: Positive = 0.1
    friction: Positive = 1.0
    scale: tuple[Positive, ...] = ()
    bounds: Bounds = "auto"


def bounds_refused(config: SgldConfig | UnderdampedConfig, selection: Selection) -> str:
    """Returns why chains cannot be kept in the range of the data, or ""."""
    if config.bounds in ("mirror", "clamp") and selection.noised:
        return f'{selection.noised[0]} noises x, so the range of the data bounds nothing. Set bounds = "auto".'
    return ""


def _rounded(value: float) -> float:
    return float(f"{value:.12g}")


COMPONENTS = (
    Component(
        kind="sampler",
        name="sgld",
        config=SgldConfig,
        build="ebmkit.samplers.sgld:build_sgld",
        summary="unadjusted Langevin moves, x ← x − η∇E + σξ within the range of the data",
        cite=(
            "Max Welling, Yee Whye Teh (2011). Bayesian learning via stochastic gradient Langevin dynamics. ICML; "
            "Yilun Du, Igor Mordatch (2019). Implicit generation and modeling with energy-based models. NeurIPS. "
            "arXiv:1903.08689"
        ),
        traits=SGLD,
        refuse=bounds_refused,
    ),
    Component(
        kind="sampler",
        name="underdamped",
        config=UnderdampedConfig,
        build="ebmkit.samplers.underdamped:build_underdamped",
        summary="Langevin moves with momentum (BAOAB), unadjusted, bias of second order in the step",
        cite=(
            "Benedict Leimkuhler, Charles Matthews (2013). Rational construction of stochastic numerical methods for "
            "molecular sampling. Applied Mathematics Research eXpress. arXiv:1203.5428"
        ),
        traits=UNDERDAMPED,
        needs=(Need("point.momentum", default="momentum"),),
        refuse=bounds_refused,
    ),
)
