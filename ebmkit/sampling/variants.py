"""A run's sampler, changed: without the parts that move what is held or only augment, or with smaller steps."""

from __future__ import annotations

from dataclasses import replace

from ebmkit.errors import CapabilityError
from ebmkit.protocols.sampler import Rescalable, Sampler, Tuning
from ebmkit.recipes.tables import samplers_named
from ebmkit.samplers.sequence import Sequence, without
from ebmkit.sampling.model import Model


def holding(model: Model, names: frozenset[str]) -> Model:
    """Returns the run with a sampler that leaves some coordinates alone.

    Raises:
        CapabilityError: a part moves one of them together with something else, or nothing else is moved.
    """

    def goes(sampler: Sampler) -> bool:
        held = sampler.traits.coordinates & names
        others = sorted(sampler.traits.coordinates - names)
        if held and (others or sampler.traits.moves_x):
            raise CapabilityError(
                f"--given {', '.join(sorted(held))}: {type(sampler).__name__} moves it together with "
                f"{', '.join(others) or 'x'}, so it cannot be held. Train with a sampler that moves it by itself, as "
                "gibbs does."
            )
        return bool(held)

    kept = without(model.sampler, model.tuning, goes)
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
    kept = without(model.sampler, model.tuning, lambda part: part.traits.only_augments)
    if kept is None:
        raise CapabilityError(
            "Plain transitions leave the sampler of this run nothing to do: no part of it asks the energy."
        )
    return replace(model, sampler=kept[0], tuning=kept[1])


def slower(model: Model, divisor: float) -> tuple[Model, tuple[str, ...]]:
    """Returns the run with the steps of its unadjusted samplers divided, at the same temperature, and their names.

    Of x − η∇E + σξ, η is divided by the number and σ by its root: T = σ²/2η stays.
    """
    parts = model.sampler.children if isinstance(model.sampler, Sequence) else (model.sampler,)
    trained = [part.use for part in model.recipe.parts.get("sampler", ())]
    used = samplers_named(model.recipe.table("sample").sampler) or trained
    names = list(used) if len(used) == len(parts) else [type(part).__name__ for part in parts]
    changed = {i: part.slower(divisor) for i, part in enumerate(parts) if isinstance(part, Rescalable)}
    if divisor == 1 or not changed:
        return model, ()
    if len(parts) == 1:
        return replace(model, sampler=changed[0], tuning=_slower_tuning(model.tuning, divisor)), (names[0],)
    sampler = Sequence([changed.get(i, part) for i, part in enumerate(parts)])
    tuned = {str(i): _slower_tuning(model.tuning[str(i)], divisor) for i in changed if str(i) in model.tuning}
    return replace(model, sampler=sampler, tuning={**model.tuning, **tuned}), tuple(names[i] for i in changed)


def _slower_tuning(tuning: Tuning, divisor: float) -> Tuning:
    return {**tuning, **({"step_size": tuning["step_size"] / divisor} if "step_size" in tuning else {})}
