"""The bias of a sampler that is not adjusted: how it shrinks with the step, and whether its temperature is right."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.sampler import Sampler
from ebmkit.testing.check import CheckFailed, NotApplicable
from ebmkit.testing.examined import Examined
from ebmkit.testing.law import seeded
from ebmkit.testing.wavy import WAVY_COSINE, WAVY_SQUARE, WavyView, draw_wavy

STEPS = {1: (0.05, 0.2), 2: (0.3, 0.5)}
"""Declared order → the two steps at which it is fitted; between `OTHER` for others."""
OTHER = (0.3, 0.5)
STANDARD_ERROR = 4e-4
"""Of a bias below, with 20,000 chains and 1,000 transitions."""
HOT = 3.0
WARMTH = (0.85, 1.2)
"""Between which shares of its exact value E x² lies at the temperature `HOT` and a third of the shortest step."""


def bias_order(part: Examined) -> None:
    """Raises CheckFailed where the bias of E cos 2x does not shrink with the step at the declared order."""
    order = _declared_order(part)
    steps = STEPS.get(order, OTHER)
    biases = [abs(long_run(part, step)[0] - WAVY_COSINE) for step in steps]
    if not all(math.isfinite(bias) for bias in biases):
        raise CheckFailed(f"its chains are not finite on ½x² + ½cos 2x at step_size = {steps[0]:g} or {steps[1]:g}.")
    if biases[1] < 8 * STANDARD_ERROR:
        raise NotApplicable(f"its bias at step_size = {steps[1]:g} is too small to be measured")
    fitted = math.log(biases[1] / max(biases[0], STANDARD_ERROR)) / math.log(steps[1] / steps[0])
    if not -0.5 < fitted - order < 0.75:  # terms of higher order steepen it where steps are long
        raise CheckFailed(
            f"the mean of cos 2x is {biases[0]:.4f} off at step_size = {steps[0]:g} and {biases[1]:.4f} at "
            f"{steps[1]:g} (± {STANDARD_ERROR:g}): an order of {fitted:.2f}, where bias_order = {order} is declared. A "
            "bias that does not shrink is that of another temperature or drift; else declare the order that it has."
        )


def right_temperature(part: Examined) -> None:
    """Raises CheckFailed where short steps at T = 3 do not give the width of p ∝ exp(−E/T)."""
    step = STEPS.get(_declared_order(part), OTHER)[0] / HOT
    if getattr(part.component.config(**part.settings), "implied_temperature", None) is not None:
        raise NotApplicable("its settings fix its temperature")
    share = long_run(part, step, HOT)[1] / WAVY_SQUARE
    if not WARMTH[0] < share < WARMTH[1]:
        raise CheckFailed(
            f"at T = {HOT:g} and step_size = {step:.2g} the mean of x² is {share:.2f} times that of p ∝ exp(−E/T). "
            "Look at context.temperature: a drift of η∇E needs noise of variance 2ηT."
        )


def _declared_order(part: Examined) -> int:
    traits = part.traits
    if traits.adjusted or not traits.moves_x or traits.bias_order is None:
        raise NotApplicable("it declares no bias order")
    if "step_size" not in part.setting_names:
        raise NotApplicable("it has no setting step_size, whose bias could be looked at")
    return traits.bias_order


def long_run(part: Examined, step: float, temperature: float = 1.0) -> tuple[float, float]:
    """Returns the means of cos 2x and x² in the sampler's own law, from 1,000 moves of 20,000 chains.

    The energy is T(½x² + ½cos 2x), whose law at T is that of ½x² + ½cos 2x at 1.
    """
    context = BuildContext(event_shape=(1,), temperature=temperature)
    sampler: Sampler = part.built(context, moves=1, step_size=step)
    state, seen = sampler.init(Point(x=draw_wavy(20_000, seeded(0))), seeded(1)), WavyView(temperature)
    total: Tensor = torch.zeros(2)
    for i in range(1060):
        state, _ = sampler.step(seen, state)
        x = state.point.x
        total += torch.stack([torch.cos(2 * x).mean(), x.square().mean()]) * (i >= 60)
    cosine, square = (float(value) / 1000 for value in total)
    return cosine, square
