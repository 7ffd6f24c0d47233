"""The bias of a sampler that is not adjusted, and how it shrinks with the step."""

from __future__ import annotations

import math

import torch

from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.sampler import Sampler
from ebmkit.testing.check import CheckFailed, NotApplicable
from ebmkit.testing.examined import Examined
from ebmkit.testing.law import seeded
from ebmkit.testing.wavy import WAVY_COSINE, WavyView, draw_wavy

STEPS = {1: (0.05, 0.2), 2: (0.3, 0.5)}
"""Declared order → the two steps at which it is fitted; between `OTHER` for others."""
OTHER = (0.3, 0.5)
STANDARD_ERROR = 4e-4
"""Of a bias below, with 20,000 chains and 1,000 transitions."""


def bias_order(part: Examined) -> None:
    """Raises CheckFailed where the bias of E cos 2x does not shrink with the step at the declared order."""
    traits = part.traits
    if traits.adjusted or not traits.moves_x or traits.bias_order is None:
        raise NotApplicable("it declares no bias order")
    if "step_size" not in part.setting_names:
        raise NotApplicable("it has no setting step_size, whose bias could be looked at")
    order, steps = traits.bias_order, STEPS.get(traits.bias_order, OTHER)
    biases = [abs(cosine_bias(part, step)) for step in steps]
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


def cosine_bias(part: Examined, step: float) -> float:
    """Returns the bias of E cos 2x in the sampler's own law for ½x² + ½cos 2x, from 1,000 moves of 20,000 chains."""
    sampler: Sampler = part.built(BuildContext(event_shape=(1,)), moves=1, step_size=step)
    state, total = sampler.init(Point(x=draw_wavy(20_000, seeded(0))), seeded(1)), torch.zeros(())
    seen = WavyView()
    for i in range(1060):
        state, _ = sampler.step(seen, state)
        total += torch.cos(2 * state.point.x).mean() * (i >= 60)
    return float(total / 1000) - WAVY_COSINE
