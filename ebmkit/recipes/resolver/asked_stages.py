"""The recipe that each stage of a run asks for, before anything is resolved: tables and `--set` in their places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ebmkit.errors import RecipeError, did_you_mean
from ebmkit.recipes.recipe import Recipe
from ebmkit.recipes.settings import validated
from ebmkit.recipes.stage import OF_STAGE, SETTINGS, Stage, at_stage, with_total
from ebmkit.recipes.tables import RunConfig

Override = tuple[str, object]


def stages_asked(recipe: Recipe) -> tuple[Recipe, ...]:
    """Returns the recipe that each stage asks for, with the overrides that can reach it.

    Raises:
        RecipeError: an override names a stage that is not there, or what no stage has of its own; or the steps of the
            run are not those of its stages.
    """
    shared = [(path, value) for path, value in recipe.overrides if not _is_own(path)]
    own = [(*_split(path, recipe), value) for path, value in recipe.overrides if _is_own(path)]
    stages = [_changed(stage, [(key, value) for name, key, value in own if name == stage.name])
              for stage in recipe.stages]  # fmt: skip
    asked = _with_steps(replace(recipe, stages=tuple(stages)), [value for path, value in shared if path == "run.steps"])
    rest = [(path, value) for path, value in shared if path != "run.steps"]
    plain = replace(asked, overrides=())
    return tuple(
        at_stage(plain, place).with_overrides([*rest, *_of_parts(stage, own)])
        for place, stage in enumerate(asked.stages)
    )


def own_paths(recipe: Recipe, stage: Stage) -> frozenset[str]:
    """Returns the overrides of one stage alone, as that stage's recipe has them."""
    own = [(*_split(path, recipe), value) for path, value in recipe.overrides if _is_own(path)]
    return frozenset(path for path, _ in _of_parts(stage, own))


def _is_own(path: str) -> bool:
    return path.partition(".")[0] == "stage"


def _split(path: str, recipe: Recipe) -> tuple[str, str]:
    """Returns name of the stage and what is set there, of "stage.NAME.KEY"."""
    name, _, key = path.removeprefix("stage.").partition(".")
    names = [stage.name for stage in recipe.stages]
    if name not in names:
        raise RecipeError(f"--set {path}: there is no stage '{name}'.{did_you_mean(name, names)} "
                          f"Stages: {', '.join(names) or 'none'}.")  # fmt: skip
    known = [*SETTINGS, *OF_STAGE, "optim"]
    head = key.partition(".")[0]
    if head not in known or (key not in SETTINGS and "." not in key):
        raise RecipeError(
            f"--set {path}: a stage has {', '.join(known)} of its own; write stage.{name}.steps=400 or "
            f"stage.{name}.objective.SETTING=VALUE.{did_you_mean(head, known)} What holds for all stages is set "
            "without the name of one."
        )
    return name, key


def _changed(stage: Stage, own: list[Override]) -> Stage:
    settings = {**stage.settings, **{key: value for key, value in own if key in SETTINGS}}
    changed = replace(stage, settings=settings)
    _ = changed.config
    return changed


def _of_parts(stage: Stage, own: list[tuple[str, str, object]]) -> Iterator[Override]:
    return ((key, value) for name, key, value in own if name == stage.name and key not in SETTINGS)


def _with_steps(recipe: Recipe, totals: list[object]) -> Recipe:
    """Returns the recipe with its steps those of its stages, or as an override asks."""
    made, said = sum(stage.steps for stage in recipe.stages), recipe.tables.get("run", {}).get("steps")
    if totals:
        return with_total(recipe, validated(RunConfig, {"steps": totals[-1]}, "--set run").steps)
    is_changed = any(path.startswith("stage.") for path, _ in recipe.overrides)
    if said is not None and said != made and not is_changed:
        raise RecipeError(
            f"[run] steps is {said}, but its stages make {made}: leave run.steps out, or change those of a stage."
        )
    return recipe.with_table("run", steps=made)
