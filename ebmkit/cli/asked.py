"""From the flags of `ebmkit run` to a recipe. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ebmkit.display.output import remark
from ebmkit.errors import RecipeError
from ebmkit.plugins.host import Host
from ebmkit.recipes.data_part import data_part
from ebmkit.recipes.recipe import LISTS, Part, Recipe, kind_of, named_recipe, parse_override


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """The flags that say what to train, as they were typed; None where one was not given."""

    energy: str | None = None
    sampler: str | None = None
    objective: str | None = None
    buffer: str | None = None
    coordinate: str | None = None
    wrapper: str | None = None
    observer: str | None = None
    data: str | None = None
    recipe: str | None = None
    settings: tuple[str, ...] = ()
    steps: int | None = None
    device: str | None = None
    seed: int | None = None
    init: str | None = None

    @property
    def names_nothing(self) -> bool:
        """Whether neither a part nor a recipe was named."""
        return all(getattr(self, name) is None for name in (*PART_FLAGS, "data", "recipe"))


PART_FLAGS = ("energy", "sampler", "objective", "buffer", "coordinate", "wrapper", "observer")


def asked_recipe(asked: Asked, host: Host) -> Recipe:
    """Returns what was asked: the recipe, then parts that replace its tables, then `--set`, then the short flags.

    Of a resolved recipe, settings that were decided for the replaced parts are left out, with a remark for each.

    Raises:
        RecipeError: a flag makes no sense.
    """
    recipe = named_recipe(asked.recipe, host) if asked.recipe is not None else Recipe()
    named = dict(_named_parts(asked, host))
    overrides = [parse_override(text) for text in asked.settings]
    _check_no_stage_has(recipe, named)
    if named and recipe.resolved:
        recipe = _without_temperature(recipe, named, is_set="run.temperature" in dict(overrides))
        recipe = _without_optimisers(recipe, named)
    if named:
        only_watches = named.keys() <= {"observer"}  # the run itself stays as it was resolved
        recipe = replace(recipe, parts={**recipe.parts, **named}, resolved=recipe.resolved and only_watches)
    short = {"run.steps": asked.steps, "run.device": asked.device, "run.seed": asked.seed, "run.init": asked.init}
    return recipe.with_overrides([*overrides, *((k, v) for k, v in short.items() if v is not None)])


def check_names(asked: Asked, host: Host) -> None:
    """Raises RecipeError for a part that nobody offers: this is told before torch is imported."""
    for flag, parts in _named_parts(asked, host):
        for part in parts:
            host.get(kind_of(flag), part.use)


def run_name(asked: Asked, resolved: Recipe) -> str:
    """Returns what a run is called by default: its recipe's name, or its energy and the objectives that were named."""
    if asked.recipe is None:
        objective = asked.objective or "+".join(part.use for part in resolved.parts["objective"])
        return f"{resolved.part('energy').use}-{objective}"
    path = Path(asked.recipe)
    if not path.is_file():
        return asked.recipe
    stem = path.resolve().parent.name if path.name == "recipe.toml" else path.stem
    return re.sub(r"-\d{3,}$", "", stem)


def _check_no_stage_has(recipe: Recipe, named: Mapping[str, tuple[Part, ...]]) -> None:
    """Raises RecipeError where a flag names what the stages of the recipe name for themselves."""
    for flag in named:
        for stage in recipe.stages:
            if flag in stage.parts:
                has = "+".join(part.use for part in stage.parts[flag])
                raise RecipeError(
                    f"--{flag} would hold for the whole run, but stage '{stage.name}' of the recipe names its "
                    f"own: {has}. Change it in a file of your own, as `ebmkit show RECIPE` prints it."
                )


def _without_temperature(recipe: Recipe, named: Mapping[str, tuple[Part, ...]], is_set: bool) -> Recipe:
    """Returns a resolved recipe without the temperature that its former samplers or coordinates decided."""
    replaced = [flag for flag in ("sampler", "coordinate") if flag in named]
    run = dict(recipe.tables.get("run", {}))
    temperature = run.pop("temperature", None)
    if not replaced or temperature is None:
        return recipe
    if not is_set:
        flags = " and ".join(f"--{flag}" for flag in replaced)
        remark(
            f"run.temperature = {temperature} is left out: {flags} replaced what it was resolved for. "
            f"--set run.temperature={temperature} keeps it."
        )
    return replace(recipe, tables={**recipe.tables, "run": run})


def _without_optimisers(recipe: Recipe, named: Mapping[str, tuple[Part, ...]]) -> Recipe:
    """Returns a resolved recipe without the optimisers of its former objectives."""
    former = {part.use for part in recipe.parts.get("objective", ())}
    gone = former - {part.use for part in named.get("objective", recipe.parts.get("objective", ()))}
    for owner in sorted(gone & recipe.optim.keys()):
        remark(f"[optim.{owner}] is left out: --objective replaced objective {owner}, whose parameters it was for.")
    return replace(recipe, optim={owner: table for owner, table in recipe.optim.items() if owner not in gone})


def _named_parts(asked: Asked, host: Host) -> Iterator[tuple[str, tuple[Part, ...]]]:
    for flag in PART_FLAGS:
        text = getattr(asked, flag)
        if text is not None:
            names = [name.strip() for name in text.split("+")]
            if not all(names):
                raise RecipeError(f"--{flag} {text}: a name is missing. Write names joined by +, as in a+b.")
            if len(names) > 1 and flag not in LISTS:
                raise RecipeError(f"--{flag} {text}: a run has one {flag}, found {len(names)}.")
            yield flag, tuple(Part(name) for name in names)
    if asked.data is not None:
        yield "data", (data_part(asked.data, host),)
