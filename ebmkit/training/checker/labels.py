"""What messages call the parts of a run."""

from __future__ import annotations

from dataclasses import dataclass

from ebmkit.recipes.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What messages call the parts of a run; coordinates and objectives have names of their own.

    Attributes:
        dataset: "Data set 'npz'".
        stages: of the energy: the innermost, and each wrapper around it.
        sampler: the whole of it.
        samplers: each part of a sequence, in order.
        buffer: of the chains.
    """

    dataset: str = "The data set"
    stages: tuple[str, ...] = ("The energy",)
    sampler: str = "The sampler"
    samplers: tuple[str, ...] = ()
    buffer: str = "The buffer"


def labels_of(recipe: Recipe) -> Labels:
    """Returns the names of a resolved recipe's parts."""
    samplers = [part.use for part in recipe.parts.get("sampler", ())]
    return Labels(
        dataset=f"Data set '{recipe.part('data').use}'",
        stages=(
            f"Energy '{recipe.part('energy').use}'",
            *(f"Wrapper '{part.use}'" for part in recipe.parts.get("wrapper", ())),
        ),
        sampler=f"Sampler '{'+'.join(samplers)}'",
        samplers=tuple(f"Sampler '{name}'" for name in samplers),
        buffer=f"Buffer '{recipe.part('buffer').use}'" if "buffer" in recipe.parts else "The buffer",
    )
