"""`run.init`: the weights and averages of another run's last whole checkpoint as the start of this one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn

from ebmkit.assembly.assemble import Assembly
from ebmkit.assembly.complete import Asked, as_recipe
from ebmkit.data.spec import DataSpec
from ebmkit.errors import RecipeError, did_you_mean
from ebmkit.plain_files import check_plain
from ebmkit.plugins.host import host
from ebmkit.recipes.recipe import Part, Recipe, read_recipe
from ebmkit.recipes.settings import as_toml
from ebmkit.recipes.stage import of_stage
from ebmkit.recipes.tables import RunConfig
from ebmkit.runs.checkpoints import checkpoint
from ebmkit.runs.checkpoints.checkpoint import Saved
from ebmkit.runs.checkpoints.finite import open_names
from ebmkit.runs.checkpoints.of_model import checkpoint_of_model
from ebmkit.runs.checkpoints.state import TrainingState
from ebmkit.runs.files.directory import OWN, check_is_run
from ebmkit.runs.files.located import run_directory

COMPARED = ("energy", "wrapper", "coordinate")
TOLD = 4
"""Tensors of a kind that are named."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Init:
    """What a run began from.

    Attributes:
        run: as it was asked for.
        step: of its checkpoint.
        sha256: of the averaged weights of its energy.
        afresh: owners and wrappers that it lacks, and that begin afresh.
    """

    run: str
    step: int
    sha256: str
    afresh: tuple[str, ...]


def take_init(assembly: Assembly, state: TrainingState, note: Callable[[str], None]) -> Init | None:
    """Gives a run that is about to begin the weights and averages of the run that its recipe names, if it names one.

    Args:
        assembly: of the run.
        state: to fill.
        note: is told in one line what was taken and what begins afresh.

    Raises:
        CheckpointError: there is no such run, or its checkpoints are damaged.
        RecipeError: it is of another architecture: settings and tensors that differ are named.
    """
    config = assembly.recipe.table("run")
    if config.init is None:
        return None
    if assembly.parts.sharding is not None:
        raise RecipeError(
            f"run.init = {config.init}, and run.fully_shard splits the weights over processes: weights that are split "
            "cannot take those of another run yet. Leave one of them out."
        )
    directory = run_directory(config.init)
    check_is_run(directory)
    check_plain(directory, OWN)
    saved = checkpoint_of_model(directory, note)
    theirs = of_stage(read_recipe(directory / "recipe.toml"), saved.stage)
    names = _names(assembly, config.init_fresh, config.init)
    wrong = [*_differing_parts(assembly.recipe, theirs, config), *_differing_data(assembly.data, saved)]
    wrong += [f"{owner}: {said}" for owner in state.owners for said in _differing_tensors(state, owner, saved, names)]
    if wrong:
        raise RecipeError(_refusal(config, wrong, assembly.recipe, theirs))
    for owner in state.owners:
        _take(state, owner, saved, names)
    state.open = open_names(state.owners)
    absent = [owner for owner in state.owners if not _saved(saved, owner, averaged=True)]
    state_json = checkpoint.read_state(directory / "checkpoints" / f"step-{saved.step:08d}")
    made = Init(
        run=config.init,
        step=saved.step,
        sha256=state_json["files"]["ema.energy"][1],
        afresh=(*config.init_fresh, *absent),
    )
    note(_told(made, assembly.recipe, theirs))
    return made


def with_init(recipe: Asked, init: str | Path | None) -> Asked:
    """Returns what was asked with the run that it is to begin from."""
    return recipe if init is None else as_recipe(recipe).with_overrides([("run.init", str(init))])


def _saved(saved: Saved, owner: str, *, averaged: bool) -> Mapping[str, Tensor]:
    """Returns the weights of an owner; of a run that kept only its averages, these."""
    averages = saved.tensors.get(f"ema.{owner}", {})
    return averages if averaged else saved.tensors.get(owner, averages)


# --- which tensor of the other run is which of this one


def _names(assembly: Assembly, fresh: Sequence[str], init: str) -> Mapping[str, str]:
    """Returns what each tensor of the energy is called in the other run; those that begin afresh have no entry.

    A wrapper that the other run lacks is one more segment in the names of all that is inside it.
    """
    wrappers = [part.use for part in assembly.recipe.parts.get("wrapper", ())]
    for name in fresh:
        if name not in wrappers:
            raise RecipeError(
                f"run.init_fresh names '{name}', which is no wrapper of this run.{did_you_mean(name, wrappers)} "
                f"Wrappers: {', '.join(wrappers) or 'none'}. It says which of them {init} lacks."
            )
    energy = assembly.parts.energy
    if not isinstance(energy, nn.Module):
        return {}
    paths = {id(module): f"{path}." if path else "" for path, module in energy.named_modules()}
    cut = [
        (paths[id(assembly.inside[place + 1])], paths[id(assembly.inside[place])])
        for place, name in enumerate(wrappers)
        if name in fresh
    ]
    pairs = ((key, _without(key, cut)) for key in energy.state_dict())
    return {key: other for key, other in pairs if other is not None}


def _without(key: str, cut: Sequence[tuple[str, str]]) -> str | None:
    """Returns a name without the segments of some wrappers, the innermost first; None for what they own themselves."""
    for outer, inner in cut:
        if not key.startswith(outer):
            continue
        if not key.startswith(inner):
            return None
        key = outer + key[len(inner) :]
    return key


def _take(state: TrainingState, owner: str, saved: Saved, names: Mapping[str, str]) -> None:
    weights, averages = (_saved(saved, owner, averaged=averaged) for averaged in (False, True))
    own = state.owners[owner].state_dict()
    with torch.no_grad():
        for key, other in _pairs(own, owner, names):
            if other in weights:
                own[key].copy_(weights[other])
                state.averages.values[owner][key].copy_(averages[other])


def _pairs(own: Mapping[str, Tensor], owner: str, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((key, names[key]) for key in own if key in names) if owner == "energy" else ((key, key) for key in own)


# --- what differs


def _differing_parts(ours: Recipe, theirs: Recipe, config: RunConfig) -> Iterator[str]:
    for table in COMPARED:
        mine = {part.use: part for part in ours.parts.get(table, ())}
        other = {part.use: part for part in theirs.parts.get(table, ())}
        if table == "wrapper":
            for name in config.init_fresh:
                if name in other:
                    yield f"run.init_fresh names {name}, which it has: leave it out there"
                mine.pop(name, None)
        if list(mine) != list(other):
            yield f"{table} {'+'.join(mine) or 'none'} here, {'+'.join(other) or 'none'} there"
        for name in [name for name in mine if name in other]:
            yield from _differing_settings(table, mine[name], other[name])


def _differing_settings(kind: str, mine: Part, other: Part) -> Iterator[str]:
    if "given" in mine.settings or "given" in other.settings:  # a network of a program: its tensors tell
        return
    component = host().get(kind, mine.use)
    both = (mine.settings.keys() | other.settings.keys()) - set(component.training)
    declared = fields(component.config)
    usual = as_toml(
        {f.name: f.default for f in declared if f.default is not MISSING}
    )  # of settings newer than that run
    for key in sorted(both):
        here, there = (part.settings.get(key, usual.get(key)) for part in (mine, other))
        if here != there:
            yield f"{kind}.{mine.use}.{key} = {here!r} here, {there!r} there"


def _differing_data(ours: DataSpec, saved: Saved) -> Iterator[str]:
    theirs = DataSpec.from_json(saved.data)
    if tuple(ours.event_shape) != tuple(theirs.event_shape):
        yield f"data of shape {list(ours.event_shape)} here, {list(theirs.event_shape)} there"


def _differing_tensors(state: TrainingState, owner: str, saved: Saved, names: Mapping[str, str]) -> Iterator[str]:
    """Yields the tensors that one of the two has alone, and those of another shape."""
    own, other = state.owners[owner].state_dict(), _saved(saved, owner, averaged=True)
    if not other and owner != "energy":  # an objective that the other run does not have
        return
    pairs = dict(_pairs(own, owner, names))
    lacks = [f"{key} {list(own[key].shape)}" for key, name in pairs.items() if name not in other]
    reshaped = [
        f"{key} {list(own[key].shape)} here, {list(other[name].shape)} there"
        for key, name in pairs.items()
        if name in other and own[key].shape != other[name].shape
    ]
    more = [f"{name} {list(other[name].shape)}" for name in other if name not in pairs.values()]
    for found, said in ((lacks, "it lacks"), (reshaped, "of another shape"), (more, "it has besides")):
        if found:
            rest = f" and {len(found) - TOLD} more" if len(found) > TOLD else ""
            yield f"{said} {', '.join(islice(found, TOLD))}{rest}"


def _refusal(config: RunConfig, wrong: Sequence[str], ours: Recipe, theirs: Recipe) -> str:
    here, there = ([part.use for part in recipe.parts.get("wrapper", ())] for recipe in (ours, theirs))
    new = [name for name in here if name not in there and name not in config.init_fresh]
    advice = f" Or, so that {' and '.join(new)} begins afresh: --set 'run.init_fresh={json.dumps(new)}'." if new else ""
    return (
        f"run.init = {config.init} is of another architecture; different: {'; '.join(wrong)}. Take the settings of "
        f"that run, or another init.{advice}"
    )


def _told(made: Init, ours: Recipe, theirs: Recipe) -> str:
    afresh = ", ".join([*made.afresh, "optimisers", "chains"])
    said = f"init {made.run}: weights and averages of step {made.step} are the start; afresh begin {afresh}"
    here, there = ours.table("run").temperature, theirs.table("run").temperature
    if here != there:
        said += f". It was trained at temperature {there:g}, and this run has {here:g}: the same energy is another law"
    return said
