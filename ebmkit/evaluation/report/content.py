"""What a report is made of, as plain data: who reads the files hands it in, and nothing here touches the disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from ebmkit.evaluation.record import Evaluation
from ebmkit.recipes.recipe import Recipe


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluated:
    """An evaluation, and where its pictures are.

    Attributes:
        found: its numbers.
        folder: of its pictures.
    """

    found: Evaluation
    folder: Path


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Drawn:
    """What the model itself has shown: fresh chains, the way of a few of them, and energies.

    Attributes:
        step: training steps of the model.
        n_parameters: of its energy.
        x: fresh chains [n, *event] in the value range of the data; None where none could be drawn.
        value_range: of the data, None where it is unbounded.
        how: how the chains were made, in words.
        notes: what makes them differ from the model's law.
        film: (transition, x of a few chains [k, *event]) from the start to the end.
        film_energies: their energies [k] at each of these, nats.
        energies: series → energies [N], nats.
        plane: log-density of the model and its window, drawn as PNG; None where x is not in the plane.
        left_out: what could not be had, and why.
    """

    step: int
    n_parameters: int
    x: Tensor | None
    value_range: tuple[float, float] | None
    how: str = ""
    notes: Sequence[str] = ()
    film: Sequence[tuple[int, Tensor]] = ()
    film_energies: Sequence[Tensor] = ()
    energies: Mapping[str, Tensor] = field(default_factory=dict)
    plane: bytes | None = None
    left_out: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RunContent:
    """One run, as its directory tells of it.

    Attributes:
        name: unlike that of any other run of the report.
        directory: as it was named.
        recipe: None where it cannot be read.
        recipe_text: of its file.
        metrics: logged steps, `step` first.
        alarms: findings, by step.
        environment: versions, device, commit.
        seconds: logged step → seconds of training until then, pauses left out; empty where nothing tells.
        checkpoints: steps of those that are there.
        pictures: name → (step, file), by step: "step" for chains or samples.
        evaluations: by step.
        drawn: by the model; None where it was not asked, or cannot be loaded.
        left_out: what is missing from the page, and why.
    """

    name: str
    directory: str
    recipe: Recipe | None
    recipe_text: str = ""
    metrics: Sequence[Mapping[str, Any]] = ()
    alarms: Sequence[Mapping[str, Any]] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[int, float] = field(default_factory=dict)
    checkpoints: Sequence[int] = ()
    pictures: Mapping[str, Sequence[tuple[int, Path]]] = field(default_factory=dict)
    evaluations: Sequence[Evaluated] = ()
    drawn: Drawn | None = None
    left_out: Sequence[str] = ()

    @property
    def steps(self) -> int:
        """Training steps made, as far as the files tell."""
        logged = self.metrics[-1]["step"] if self.metrics else 0
        return int(max(logged, *self.checkpoints, *(a["step"] for a in self.alarms), 0, 0))

    @property
    def planned(self) -> int | None:
        """Training steps that were asked for."""
        return None if self.recipe is None else _steps(self.recipe)

    @property
    def latest(self) -> Evaluated | None:
        """The newest evaluation."""
        return self.evaluations[-1] if self.evaluations else None


def _steps(recipe: Recipe) -> int | None:
    steps = recipe.tables.get("run", {}).get("steps")
    return steps if isinstance(steps, int) else None
