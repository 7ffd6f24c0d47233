"""A finished run: its directory, and the model that was loaded from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ebmkit.data.spec import DataSpec
from ebmkit.evaluation.evaluate import evaluate
from ebmkit.evaluation.record import Evaluation
from ebmkit.point import Point
from ebmkit.protocols.coordinate import Coordinate
from ebmkit.protocols.objective import Objective
from ebmkit.protocols.sampler import Sampler, Tuning
from ebmkit.recipes.recipe import Recipe
from ebmkit.sampling.generate import Generated
from ebmkit.sampling.model import Model


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run directory and the model that was loaded from it.

    Attributes:
        directory: of the run.
        model: with its averaged weights.
    """

    directory: Path
    model: Model

    @property
    def recipe(self) -> Recipe:
        """Resolved."""
        return self.model.recipe

    @property
    def energy(self) -> Any:
        """A module that maps x [B, *event] or a `Point` to [B] nats, with its averaged weights."""
        return self.model.energy

    def score(self, x: Tensor | Point) -> Tensor:
        """Returns ∇ₓ log p [B, *event]; see `Model.score`."""
        return self.model.score(x)

    def sample(self, n: int, **how: Any) -> Generated:
        """Returns n fresh samples; see `Model.sample`."""
        return self.model.sample(n, **how)

    def evaluate(self, metrics: object = None, **settings: Any) -> Evaluation:
        """Returns the numbers of some metrics, each with its error; see `ebmkit.evaluate`."""
        return evaluate(self.model, metrics, **settings)

    @property
    def temperature(self) -> float:
        """T of p ∝ exp(−E/T), nats."""
        return self.model.temperature

    @property
    def sampler(self) -> Sampler:
        """As in training."""
        return self.model.sampler

    @property
    def objectives(self) -> Mapping[str, Objective]:
        """By name, with their averaged weights."""
        return self.model.objectives

    @property
    def coordinates(self) -> tuple[Coordinate, ...]:
        """In order."""
        return self.model.coordinates

    @property
    def data(self) -> DataSpec:
        """Event shape, value range and classes of the data."""
        return self.model.data

    @property
    def step(self) -> int:
        """Training steps made."""
        return self.model.step

    @property
    def device(self) -> torch.device:
        """Where the modules are."""
        return self.model.device

    @property
    def tuning(self) -> Tuning:
        """Step sizes of the sampler, as training left them, adaptation ended."""
        return self.model.tuning
