"""Settings that samplers with an adapted step share, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

from ebmkit.plugins.component import Need, Selection
from ebmkit.plugins.numbers import Count, Moves, Positive, Rate

Adapt = Literal["band", "dual-averaging", "off"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StepConfig:
    """Moves whose step training adapts.

    Attributes:
        moves: moves per transition; it costs moves + 1 gradients.
        step_size: s, data units, where adaptation starts.
        adapt: how training adapts the step: "band" (grow above the band of acceptance rates, shrink below),
            "dual-averaging" (to the middle of the band), "off". A transition never adapts by itself.
        adapt_every: transitions whose trials are pooled for one adaptation.
        accept: the band of acceptance rates (lowest, highest).
    """

    moves: Moves = 20
    step_size: Positive = 0.1
    adapt: Adapt = "band"
    adapt_every: Count = 10
    accept: tuple[Rate, Rate] = (0.6, 0.8)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaledStepConfig(StepConfig):
    """The same, with a step of its own for each value of a coordinate and each entry of x.

    Attributes:
        step_size_per: a discrete coordinate each value of which has its own step size; "" for one in all; unset: the
            one that noises x, where there is one.
        scale: relative step of each entry of x, 1/√mass: none, or as many as a datum has entries. Best is its s.d.
            under p.
    """

    step_size_per: str | None = None
    scale: tuple[Positive, ...] = ()

    def settled(self, selection: Selection) -> Self:
        """Returns the config with the coordinate of the step sizes decided: noise levels want different ones."""
        per = next(iter(selection.noised), "") if self.step_size_per is None else self.step_size_per
        return replace(self, step_size_per=per)


def step_needs(config: ScaledStepConfig, selection: Selection) -> tuple[Need, ...]:
    """Returns the coordinate each value of which has its own step size, as a need."""
    name = config.step_size_per
    return (Need(f"point.{name}", default=name),) if name else ()


def band_refused(config: StepConfig, selection: Selection) -> str:
    """Returns why the acceptance rates of a config are no band, or ""."""
    low, high = config.accept
    return "" if low < high else f"accept = [{low:g}, {high:g}] is no band: give the lower rate first."
