"""Several processes: each would train a copy, until training over several is there. Imports no torch."""

from __future__ import annotations

import os

from ebmkit.errors import RecipeError


def refuse_copies() -> None:
    """Raises RecipeError in one of several processes that `torchrun` started."""
    size = os.environ.get("WORLD_SIZE", "1")
    if size.isdecimal() and int(size) > 1:
        raise RecipeError(
            f"WORLD_SIZE is {size}: {size} processes were started, and each would train a copy of the same model. "
            "Training over several processes is not there yet: start one without torchrun, or unset WORLD_SIZE."
        )
