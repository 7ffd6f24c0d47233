"""A run's sampler with smaller steps, for an energy that is steeper than the one it was trained for."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

from ebmkit.assembly.assemble import build_sampler
from ebmkit.assembly.model import Model
from ebmkit.plugins.host import host
from ebmkit.protocols.sampler import Tuning
from ebmkit.recipes.recipe import Part
from ebmkit.recipes.settings import validated


def slower(model: Model, divisor: float) -> tuple[Model, tuple[str, ...]]:
    """Returns the run with the steps of its unadjusted samplers divided, at the same temperature, and their names.

    Of x − η∇E + σξ, η is divided by the number and σ by its root: T = σ²/2η stays.
    """
    parts = model.recipe.parts.get("sampler", ())
    changed = [_slower_part(model, part, divisor) for part in parts]
    names = tuple(part.use for part, new in zip(parts, changed, strict=True) if new is not part)
    if divisor == 1 or not names:
        return model, ()
    context = model.context()
    slowed = {str(i) for i, (part, new) in enumerate(zip(parts, changed, strict=True)) if new is not part}
    if len(parts) == 1:
        tuning = _slower_tuning(model.tuning, divisor)
    else:
        tuning = {k: _slower_tuning(v, divisor) if k in slowed else v for k, v in model.tuning.items()}
    return replace(model, sampler=build_sampler(changed, context), tuning=tuning), names


def _slower_part(model: Model, part: Part, divisor: float) -> Part:
    """Returns the part with its step divided, the same part where it is adjusted or has no step."""
    selection = model.context().selection()
    component = host().get("sampler", part.use)
    config = validated(component.config, part.settings, f"sampler {part.use}")
    if "sampler.unadjusted" not in component.ask("gives", config, selection) or "step_size" not in part.settings:
        return part
    settings = {**part.settings, "step_size": part.settings["step_size"] / divisor}
    if "noise" in settings:
        settings["noise"] = settings["noise"] / sqrt(divisor)
    return Part(part.use, settings)


def _slower_tuning(tuning: Tuning, divisor: float) -> Tuning:
    return {**tuning, **({"step_size": tuning["step_size"] / divisor} if "step_size" in tuning else {})}
