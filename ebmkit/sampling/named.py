"""The sampler that draws a model's samples, where it is not the one that training moved chains with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from ebmkit.assembly.checks import check_draws, check_values
from ebmkit.assembly.parts import build_sampler
from ebmkit.protocols.sampler import Sampler, Tuning
from ebmkit.recipes.recipe import Part
from ebmkit.recipes.tables import samplers_named
from ebmkit.rng import stream
from ebmkit.samplers.none import NoSampler
from ebmkit.sampling.chosen_sampler import quick_to_adapt
from ebmkit.sampling.model import Model
from ebmkit.sampling.sample import sample
from ebmkit.sampling.starts import fresh_chains
from ebmkit.sampling.variants import holding

N_CHAINS, N_TRANSITIONS = 64, 50
"""Fresh chains, and transitions of them, on which the steps of a sampler are adapted that training never used."""


def ready(model: Model, given: Mapping[str, Tensor], seed: int) -> Model:
    """Returns the model with the sampler that draws its samples, which leaves alone what is given.

    Where training has moved no chains with it, its steps are adapted first, on fresh chains that hold what is given;
    they are a function of the seed.

    Raises:
        CapabilityError: the sampler cannot hold what is given.
    """
    model = with_named_sampler(model)
    adapts = model.untuned or not _has_chains(model)
    model = holding(model, frozenset(given))
    if isinstance(model.sampler, NoSampler) or not adapts:
        return model
    return replace(model, tuning=_adapted(model, given, seed), untuned=False)


def with_named_sampler(model: Model) -> Model:
    """Returns the model with the sampler that `[sample]` names, untuned; as it is where none is, or it has it."""
    if model.untuned or not samplers_named(model.recipe.table("sample").sampler):
        return model
    return replace(model, sampler=its_sampler(model), tuning={}, untuned=True)


def its_sampler(model: Model) -> Sampler:
    """Returns the sampler that `[sample]` names, with steps that learn from each transition, else the model's own.

    Raises:
        CapabilityError: it cannot draw x of these data.
    """
    names = samplers_named(model.recipe.table("sample").sampler)
    if not names:
        return model.sampler
    sampler = build_sampler([quick_to_adapt(Part(name)) for name in names], model.context())
    check_values(sampler, model.coordinates, model.data.x_values)
    check_draws(sampler)
    return sampler


def _has_chains(model: Model) -> bool:
    """Returns whether training moves chains; a model without objectives comes with a sampler that is ready."""
    return not model.objectives or any(objective.requires.negatives for objective in model.objectives.values())


def _adapted(model: Model, given: Mapping[str, Tensor], seed: int) -> Tuning:
    start = fresh_chains(model, N_CHAINS, stream(seed, 0, "tuning", model.device), given)
    first = model.sampler.init(start, stream(seed, 0, "tuning chains", model.device), model.tuning).tuning
    if not _has_steps(first):
        return first
    return sample(
        model.view(), model.sampler, start, transitions=1, burn_in=N_TRANSITIONS, seed=seed, tuning=model.tuning
    ).tuning


def _has_steps(tuning: Tuning) -> bool:
    return "step_size" in tuning or any(_has_steps(own) for own in tuning.values() if isinstance(own, Mapping))
