"""The sampler that draws a model's samples, where it is not the one that training moved chains with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

from ebmkit.assembly.assemble import build_sampler
from ebmkit.assembly.model import Model
from ebmkit.plugins.host import host
from ebmkit.prior import Fresh
from ebmkit.protocols.sampler import Sampler, Tuning
from ebmkit.recipes.recipe import Part
from ebmkit.recipes.tables import samplers_named
from ebmkit.rng import stream
from ebmkit.samplers.none import NoSampler
from ebmkit.sampling.sample import sample

N_CHAINS, N_TRANSITIONS = 64, 50
"""Fresh chains, and transitions of them, on which the steps of a sampler are adapted that training never used."""


def with_its_sampler(model: Model, seed: int) -> Model:
    """Returns the model with the sampler that draws its samples, ready to use.

    Where training has moved no chains with it, its steps are adapted on fresh chains first; they are a function of the
    seed.
    """
    sampler = its_sampler(model)
    if isinstance(sampler, NoSampler) or (sampler is model.sampler and _has_chains(model)):
        return model
    return replace(model, sampler=sampler, tuning=_adapted(model, sampler, seed))


def its_sampler(model: Model) -> Sampler:
    """Returns the sampler that `[sample]` names, with steps that learn from each transition, else the model's own."""
    names = samplers_named(model.recipe.table("sample").sampler)
    if not names:
        return model.sampler
    return build_sampler([_quick_to_adapt(name) for name in names], model.context())


def has_sampler(model: Model) -> bool:
    """Returns whether anything draws the samples of a model."""
    return not isinstance(its_sampler(model), NoSampler)


def _has_chains(model: Model) -> bool:
    """Returns whether training moves chains; a model without objectives comes with a sampler that is ready."""
    return not model.objectives or any(objective.requires.negatives for objective in model.objectives.values())


def _quick_to_adapt(name: str) -> Part:
    """Returns a sampler with its defaults, but that its step learns from each transition, where it can."""
    has = {field.name for field in fields(host().get("sampler", name).config)}
    return Part(name, {"adapt": "dual-averaging", "adapt_every": 1} if {"adapt", "adapt_every"} <= has else {})


def _adapted(model: Model, sampler: Sampler, seed: int) -> Tuning:
    start = Fresh(model.context())(N_CHAINS, stream(seed, 0, "tuning", model.device), "generation")
    first = sampler.init(start, stream(seed, 0, "tuning chains", model.device)).tuning
    if not _has_steps(first):
        return first
    return sample(model.view(), sampler, start, transitions=1, burn_in=N_TRANSITIONS, seed=seed).tuning


def _has_steps(tuning: Tuning) -> bool:
    return "step_size" in tuning or any(_has_steps(own) for own in tuning.values() if isinstance(own, Mapping))
