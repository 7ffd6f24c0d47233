"""What must be true of built parts before they train or sample."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from torch import nn

from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.protocols.coordinate import Coordinate
from ebmkit.protocols.sampler import Sampler, is_discrete, moves_x
from ebmkit.recipes.recipe import Recipe
from ebmkit.training.step import Parts


def check_trainable(recipe: Recipe, owners: Mapping[str, nn.Module]) -> None:
    """Raises CapabilityError where training could change nothing."""
    if any(p.requires_grad for module in owners.values() for p in module.parameters()):
        return
    names = ", ".join(part.use for part in recipe.parts["objective"])
    raise CapabilityError(
        f"Nothing here can be trained: neither energy {recipe.part('energy').use} nor objective {names} owns a "
        "parameter. Use ebmkit.sample to draw from such an energy."
    )


def check_optimisers(recipe: Recipe, owners: Collection[str]) -> None:
    """Raises RecipeError for optimiser settings of a part that owns no parameters."""
    for name in recipe.optim:
        if name not in owners and name != "energy":
            raise RecipeError(f"[optim.{name}] has no effect: {name} owns no parameters. Remove it.")


def check_moves(parts: Parts) -> None:
    """Raises CapabilityError where chains would stay where they began."""
    if parts.requires.negatives and not moves_x(parts.sampler):
        raise CapabilityError(
            f"{type(parts.sampler).__name__} moves no x, so every chain would stay where it began: put a sampler of x "
            "before it, as --sampler mala+gibbs."
        )


def check_references(parts: Parts, batch_size: int) -> None:
    """Raises CapabilityError where the buffer can never have as many other rows as objectives want of it."""
    wanted, rows = parts.requires.reference, len(parts.buffer)
    if wanted and wanted + batch_size > rows:
        raise CapabilityError(
            f"{wanted} reference rows are wanted beside a batch of {batch_size} chains, but the buffer has {rows} "
            "rows: raise buffer.capacity or ask for fewer."
        )


def check_values(sampler: Sampler, coordinates: Iterable[Coordinate], x_values: str) -> None:
    """Refuses a sampler that moves real-valued x where x is discrete, or the reverse, and coordinates that noise it.

    Args:
        sampler: of a run.
        coordinates: of the run.
        x_values: of its data, "real" or how discrete x is held.

    Raises:
        CapabilityError: they do not fit each other.
    """
    wrong = [type(p).__name__ for p in parts_of(sampler) if moves_x(p) and is_discrete(p) != (x_values != "real")]
    if wrong and x_values == "real":
        raise CapabilityError(
            f"{wrong[0]} moves discrete x, but x of these data is real-valued: take sgld, mala, hmc or nuts."
        )
    if wrong:
        raise CapabilityError(
            f"{wrong[0]} moves real-valued x, but x of these data is {x_values}: take gibbs-with-gradients."
        )
    noisy = [c.name for c in coordinates if c.noises_x]
    if noisy and x_values != "real":
        raise CapabilityError(f"Coordinate '{noisy[0]}' noises x, but x of these data is {x_values}: leave it out.")


def parts_of(sampler: Sampler) -> Iterator[Sampler]:
    """Yields the sampler, or the parts of a sequence."""
    return (part for part, _ in parts_with(sampler, frozenset()))


def parts_with(sampler: Sampler, names: frozenset[str]) -> Iterator[tuple[Sampler, frozenset[str]]]:
    """Yields the same, each with the coordinates that its points have: `names`, and what the samplers around it add."""
    children: tuple[Sampler, ...] = getattr(sampler, "children", ())
    for child in children:
        yield from parts_with(child, names | getattr(sampler, "hands_down", frozenset()))
    if not children:
        yield sampler, names
