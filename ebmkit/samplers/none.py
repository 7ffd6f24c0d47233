"""The sampler of a model that was trained without chains and names none to draw from it."""

from __future__ import annotations

from typing import NoReturn

from torch import Generator

from ebmkit.errors import CapabilityError
from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.sampler import SamplerState, Tail, Tuning
from ebmkit.protocols.traits import SamplerTraits


class NoSampler:
    """Moves nothing: whoever starts chains with it is told what to do."""

    traits = SamplerTraits(moves=frozenset(), asks_gradient=False)

    def init(self, point: Point, rng: Generator, tuning: Tuning | None = None) -> NoReturn:
        """Raises CapabilityError."""
        raise CapabilityError(
            "This model was trained without chains, and its recipe names no sampler. Name one to draw from it: "
            '`ebmkit sample DIR --sampler mala`, or [sample] sampler = "mala" in the recipe; where x is discrete, '
            "gibbs-with-gradients. With a noise level: --method anneal needs none."
        )

    def step(self, view: EnergyView, state: SamplerState, *, tail: Tail | None = None) -> NoReturn:
        """Raises CapabilityError."""
        self.init(state.point, state.rng)
