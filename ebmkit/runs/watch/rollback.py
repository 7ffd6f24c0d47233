"""Going back: where an alarm would stop a run, to a checkpoint after which all was well, with a smaller rate."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ebmkit.errors import RecipeError
from ebmkit.recipes.tables import RunConfig
from ebmkit.training.alarms.table import EVERY

WINDOW = 5 * EVERY
"""Steps without a signal beyond a threshold, after which a checkpoint before them counts as healthy."""


class Rollbacks:
    """Which checkpoints were followed by a healthy window, and how often the run went back.

    Everything here is a function of the steps that were made, and goes into each checkpoint: a run that is resumed goes
    back as one that had not stopped.

    Args:
        config: `[run]`.
        on_disk: whether there are checkpoints.
        n_processes: that train the run.
        after: step after which the stage of the run begins: it never goes back beyond it.

    Raises:
        RecipeError: rollbacks are asked for, and there are no alarms, no checkpoints, or several processes.
    """

    def __init__(self, config: RunConfig, *, on_disk: bool, n_processes: int = 1, after: int = 0) -> None:
        if config.rollbacks and n_processes > 1:
            raise RecipeError(
                f"run.rollbacks = {config.rollbacks}, and {n_processes} processes train this run: several processes do "
                "not go back together yet. Leave run.rollbacks out, or train in one process."
            )
        if config.rollbacks and not (config.alarms and on_disk):
            lacking = "run.alarms = true" if not config.alarms else "a run directory (out=)"
            raise RecipeError(f"run.rollbacks = {config.rollbacks} needs {lacking}: a run goes back to a checkpoint.")
        self.config = config
        self.made: list[dict[str, Any]] = []
        self.healthy = after
        self.waiting: list[int] = []

    @property
    def seed(self) -> int:
        """Of the run from now on: a function of that of the recipe and of the number of rollbacks."""
        if not self.made:
            return self.config.seed
        text = f"{self.config.seed} rollback {len(self.made)}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])

    @property
    def rate(self) -> float:
        """Factor on every learning rate from now on."""
        return float(self.config.rollback_rate ** len(self.made))

    @property
    def needs(self) -> frozenset[int]:
        """Steps whose checkpoints must stay, beside the newest."""
        return frozenset((self.healthy, *self.waiting)) if self.config.rollbacks else frozenset()

    @property
    def are_left(self) -> bool:
        """Whether the run may go back once more."""
        return len(self.made) < self.config.rollbacks

    @property
    def wants_start(self) -> bool:
        """Whether the run needs a checkpoint before its first step."""
        return self.config.rollbacks > 0

    def saves(self, step: int) -> None:
        """Is told of a checkpoint before it is written."""
        if self.config.rollbacks and step not in self.waiting:
            self.waiting.append(step)

    def look(self, step: int, *, is_well: bool) -> None:
        """Is told of a look of the alarms, and whether no signal was beyond a threshold."""
        if not is_well:
            self.waiting = []
            return
        passed = [saved for saved in self.waiting if step - saved >= WINDOW]
        self.healthy = max((self.healthy, *passed))
        self.waiting = [saved for saved in self.waiting if saved not in passed]

    def go_back(self, step: int, why: str) -> dict[str, Any]:
        """Enters one more rollback, and returns it as it is written down."""
        self.made.append({"step": step, "alarm": why, "kind": "rollback", "to": self.healthy})
        self.made[-1] |= {"seed": self.seed, "rate": self.rate}
        self.waiting = []
        return self.made[-1]

    def as_json(self) -> dict[str, Any]:
        """Returns what a checkpoint holds of it."""
        return {"made": self.made, "healthy": self.healthy, "waiting": self.waiting}

    def take(self, saved: Mapping[str, Any]) -> None:
        """Takes what a checkpoint holds of it."""
        self.made, self.healthy = list(saved["made"]), int(saved["healthy"])
        self.waiting = list(saved["waiting"])
