"""What trains in one process alone says so. Imports no torch."""

from __future__ import annotations

from ebmkit.display.processes import n_launched
from ebmkit.errors import RecipeError


def refuse_copies() -> None:
    """Raises RecipeError in one of several processes that `torchrun` started."""
    n = n_launched()
    if n > 1:
        raise RecipeError(
            f"WORLD_SIZE is {n}: {n} processes were started, and each would train a copy of the same model. "
            "ebmkit.fit trains in one process; several train a recipe together, with ebmkit.run or with "
            "`torchrun --nproc-per-node N -m ebmkit run …`."
        )
