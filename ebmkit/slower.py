"""A run's sampler with smaller steps, for an energy that is steeper than the one it was trained for."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import torch

from ebmkit.building import build_sampler
from ebmkit.components import BuildContext, Selection
from ebmkit.plugins import host
from ebmkit.protocols import Tuning
from ebmkit.recipe import Part, validated
from ebmkit.runs import Run


def slower(run: Run, divisor: float) -> tuple[Run, tuple[str, ...]]:
    """Returns the run with the steps of its unadjusted samplers divided, at the same temperature, and their names.

    Of x − η∇E + σξ, η is divided by the number and σ by its root: T = σ²/2η stays.
    """
    parts = run.recipe.parts["sampler"]
    changed = [_slower_part(run, part, divisor) for part in parts]
    names = tuple(part.use for part, new in zip(parts, changed, strict=True) if new is not part)
    if divisor == 1 or not names:
        return run, ()
    context = BuildContext(
        event_shape=run.facts.event_shape,
        value_range=run.facts.value_range,
        x_values=run.facts.x_values,
        coordinates=run.coordinates,
        n_classes=run.facts.n_classes,
        n_data=run.facts.n_data,
        device=run.device,
        dtype=torch.float32,
        temperature=run.recipe.table("run").temperature,
    )
    slowed = {str(i) for i, (part, new) in enumerate(zip(parts, changed, strict=True)) if new is not part}
    if len(parts) == 1:
        tuning = _slower_tuning(run.tuning, divisor)
    else:
        tuning = {k: _slower_tuning(v, divisor) if k in slowed else v for k, v in run.tuning.items()}
    return replace(run, sampler=build_sampler(changed, context), tuning=tuning), names


def _slower_part(run: Run, part: Part, divisor: float) -> Part:
    """Returns the part with its step divided, the same part where it is adjusted or has no step."""
    selection = Selection(
        temperature=run.recipe.table("run").temperature,
        coordinates=tuple(c.name for c in run.coordinates),
        event_shape=run.facts.event_shape,
    )
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
