"""What must be true of built parts before they train or sample."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from torch import nn

from ebmkit.errors import CapabilityError, PluginError, RecipeError
from ebmkit.plugins.component import Selection
from ebmkit.plugins.host import host
from ebmkit.protocols.coordinate import Coordinate
from ebmkit.protocols.energy import derivatives_of
from ebmkit.protocols.objective import Objective
from ebmkit.protocols.sampler import Composite, Sampler
from ebmkit.protocols.traits import SamplerTraits
from ebmkit.recipes.declared import declaration_of
from ebmkit.recipes.recipe import Part, Recipe
from ebmkit.recipes.settings import validated
from ebmkit.training.parts import Parts


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
    if not parts.requires.negatives:
        return
    traits = parts.sampler.traits
    if not traits.moves_x:
        raise CapabilityError(
            f"{type(parts.sampler).__name__} moves no x, so every chain would stay where it began: put a sampler of x "
            "before it, as --sampler mala+gibbs."
        )
    check_draws(parts.sampler)
    if parts.requires.tail_moves and traits.tail != "keeps":
        raise CapabilityError(
            f"An objective wants the graph of the last moves, but {type(parts.sampler).__name__} does not keep it: end "
            "with sgld, underdamped, mala or hmc, or with parts after it that pass the graph on, as gibbs does."
        )


def check_draws(sampler: Sampler) -> None:
    """Raises CapabilityError where no part moves x by the energy, so that chains would show the prior alone."""
    if all(part.traits.only_augments or not part.traits.moves_x for part in parts_of(sampler)):
        raise CapabilityError(
            f"{type(sampler).__name__} moves no x by the energy, so chains would show their start alone: take one that "
            "does, as mala, or put it before, as mala+gibbs."
        )


def check_declared_negatives(part: Part, built: Objective, selection: Selection) -> None:
    """Raises PluginError where an objective, once built, needs chains and its declaration says no, or the reverse."""
    component = declaration_of("objective", part, host())
    config = validated(component.config, part.settings, f"objective {part.use}")
    declared, found = component.needs_negatives(config, selection), built.requires.negatives
    if declared != found:
        raise PluginError(
            f"Objective '{part.use}' is declared with negatives = {declared}, but what it built has requires.negatives "
            f"= {found}. A run has chains, or none, by the declaration: write negatives={found} in its Component."
        )


def check_derivatives(parts: Parts) -> None:
    """Raises CapabilityError where an objective differentiates the energy more often than it can be."""
    bound = derivatives_of(parts.energy)
    for name, objective in parts.objectives.items():
        wanted = objective.requires.derivatives
        if bound is not None and wanted > bound:
            raise CapabilityError(
                f"Objective {name} differentiates the energy {wanted} times in a row, and this one can be "
                f"differentiated {bound} times: its layers have closed forms for no more. Take an energy of plain "
                "torch layers, such as --energy mlp, or another objective."
            )


def check_references(parts: Parts, batch_size: int) -> None:
    """Raises CapabilityError where the buffer can never have as many other rows as objectives want of it."""
    wanted, rows = parts.requires.reference, 0 if parts.buffer is None else len(parts.buffer)
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
    wrong = [
        type(p).__name__ for p in parts_of(sampler) if _moves_values(p) and p.traits.discrete != (x_values != "real")
    ]
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


def _moves_values(sampler: Sampler) -> bool:
    """Whether it moves x by the energy; an augmentation changes what it is given."""
    return sampler.traits.moves_x and not sampler.traits.only_augments


def check_traits(sampler: Any, declared: SamplerTraits, name: str) -> None:
    """Raises PluginError where a built sampler does something else than its declaration says."""
    if not isinstance(sampler, Sampler):
        raise PluginError(f"sampler '{name}' built {type(sampler).__name__}, which lacks traits, init or step.")
    if sampler.traits != declared:
        found = {f.name: (getattr(declared, f.name), getattr(sampler.traits, f.name)) for f in fields(SamplerTraits)}
        said = "; ".join(f"{key}: {_shown(a)} declared, {_shown(b)} built" for key, (a, b) in found.items() if a != b)
        raise PluginError(
            f"sampler '{name}': its declaration and what it built differ in traits ({said}). Give both the same."
        )


def _shown(value: Any) -> str:
    return "{" + ", ".join(sorted(value)) + "}" if isinstance(value, frozenset) else repr(value)


def parts_of(sampler: Sampler) -> Iterator[Sampler]:
    """Yields the sampler, or the parts of a sequence."""
    return (part for part, _ in parts_with(sampler, frozenset()))


def parts_with(sampler: Sampler, names: frozenset[str]) -> Iterator[tuple[Sampler, frozenset[str]]]:
    """Yields the same, each with the coordinates that its points have: `names`, and what the samplers around it add."""
    if not isinstance(sampler, Composite):
        yield sampler, names
        return
    for child in sampler.children:
        yield from parts_with(child, names | getattr(sampler, "hands_down", frozenset()))
