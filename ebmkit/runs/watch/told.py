"""What those who watch a run are told: of the run, of a logged step, of its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor

from ebmkit.protocols.objective import Phases
from ebmkit.recipes.recipe import Recipe
from ebmkit.training.step import StepReport


@dataclass(frozen=True, kw_only=True, slots=True)
class Described:
    """A run.

    Attributes:
        directory: of the run; None where it is kept in memory.
        recipe: resolved, with every "auto" decided.
        first_step: the first training step that is made now.
        steps: of the whole run.
    """

    directory: Path | None
    recipe: Recipe
    first_step: int
    steps: int

    @property
    def name(self) -> str:
        """Name of the directory, "run" where there is none."""
        return "run" if self.directory is None else self.directory.resolve().name


@dataclass(frozen=True, kw_only=True, slots=True)
class Reported:
    """A logged step.

    Attributes:
        step: of training.
        values: its numbers as `metrics.jsonl` holds them.
        losses: scalars on the device.
        metrics: scalars on the device.
        phases: data and chains of the step.
    """

    step: int
    values: Mapping[str, float]
    losses: Mapping[str, Tensor]
    metrics: Mapping[str, Tensor]
    phases: Phases


def reported(report: StepReport, values: Mapping[str, float]) -> Reported:
    """Returns what is told of a step."""
    return Reported(
        step=report.step, values=dict(values), losses=report.losses, metrics=report.metrics, phases=report.phases
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a run ended.

    Attributes:
        how: in one word.
        step: the last training step that was made.
        error: why it did not finish.
    """

    how: Literal["finished", "interrupted", "failed"]
    step: int
    error: BaseException | None = None
