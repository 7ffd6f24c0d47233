"""A run's sampler without some of its parts: those that move what is held, or those that only augment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ebmkit.assembly.model import Model
from ebmkit.errors import CapabilityError
from ebmkit.protocols.sampler import Sampler, Tuning, moves_x, owns_tail
from ebmkit.samplers.sequence import Sequence

Goes = Callable[[Sampler], bool]
Kept = tuple[Sampler, Tuning] | None


def holding(model: Model, names: frozenset[str]) -> Model:
    """Returns the run with a sampler that leaves some coordinates alone.

    Raises:
        CapabilityError: a part moves one of them together with something else, or nothing else is moved.
    """

    def goes(sampler: Sampler) -> bool:
        held = sampler.moves_coordinates & names
        others = sorted(sampler.moves_coordinates - names)
        if held and (others or moves_x(sampler)):
            raise CapabilityError(
                f"--given {', '.join(sorted(held))}: {type(sampler).__name__} moves it together with "
                f"{', '.join(others) or 'x'}, so it cannot be held. Train with a sampler that moves it by itself, as "
                "gibbs does."
            )
        return bool(held)

    kept = _without(model.sampler, model.tuning, goes)
    if kept is None:
        given = ", ".join(sorted(names))
        raise CapabilityError(
            f"--given {given}: the sampler of this run moves nothing else. Train with one that moves x."
        )
    return replace(model, sampler=kept[0], tuning=kept[1])


def without_augmentation(model: Model) -> Model:
    """Returns the run without the parts of its sampler that change x without asking the energy, as augmentations do.

    Raises:
        CapabilityError: no part is left.
    """
    kept = _without(model.sampler, model.tuning, only_augments)
    if kept is None:
        raise CapabilityError(
            "Plain transitions leave the sampler of this run nothing to do: no part of it asks the energy."
        )
    return replace(model, sampler=kept[0], tuning=kept[1])


def only_augments(sampler: Sampler) -> bool:
    """Returns whether a sampler moves x, no coordinate, and asks the energy for no gradient (see `Sampler`)."""
    return moves_x(sampler) and not owns_tail(sampler) and not sampler.moves_coordinates


def _without(sampler: Sampler, tuning: Tuning, goes: Goes) -> Kept:
    """Returns a sampler without the parts that go, and their places in the tuning; None where nothing is left.

    A sampler of which nothing goes is returned as it is.
    """
    sequence = sampler if isinstance(sampler, Sequence) else getattr(sampler, "sequence", None)
    if sequence is None:
        return None if goes(sampler) else (sampler, tuning)
    parts = [_without(child, tuning.get(str(i), {}), goes) for i, child in enumerate(sequence.children)]
    kept = [part for part in parts if part is not None]
    if len(kept) == len(parts) and all(k is c for (k, _), c in zip(kept, sequence.children, strict=True)):
        return sampler, tuning
    return (Sequence([c for c, _ in kept]), {str(i): t for i, (_, t) in enumerate(kept)}) if kept else None
