"""`[[stage]]`: runs that follow one another and share one model; and the recipe of each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import tomli_w

from ebmkit.errors import RecipeError, did_you_mean
from ebmkit.recipes.part import LISTS, SINGLES, Part, as_table, entry_of, optim_in, parts_in
from ebmkit.recipes.settings import as_toml, validated
from ebmkit.recipes.tables import TABLES, RunConfig, StageConfig

if TYPE_CHECKING:
    from ebmkit.recipes.recipe import Recipe

OF_STAGE = ("buffer", "sampler", "objective")
"""Tables of parts that a stage may have of its own."""

SETTINGS = tuple(f.name for f in fields(StageConfig) if f.name != "name")
"""Settings of `[run]` that a stage may have of its own."""

BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One stage, as TOML holds it.

    Attributes:
        name: of the stage.
        settings: of `StageConfig`, its name aside.
        parts: of the tables of `OF_STAGE`; where one is absent, that of the run holds.
        optim: owner → settings, over those of the run.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)
    optim: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = as_toml(self.settings)
        ordered = {name: given.pop(name) for name in SETTINGS if name in given}  # equal recipes have equal files
        object.__setattr__(self, "settings", {**ordered, **given})
        object.__setattr__(self, "parts", {table: tuple(p) for table in OF_STAGE if (p := self.parts.get(table))})
        object.__setattr__(self, "optim", {key: as_toml(table) for key, table in self.optim.items()})

    @property
    def config(self) -> StageConfig:
        """Its settings, validated."""
        return validated(StageConfig, {"name": self.name, **self.settings}, f"[[stage]] {self.name}")

    @property
    def steps(self) -> int:
        """Training steps of the stage."""
        return self.config.steps


# --- from TOML and back


def stages_in(raw: Mapping[str, object], origin: str) -> tuple[Stage, ...]:
    """Returns the stages of a mapping; raises RecipeError where one has no name or steps, or something unknown."""
    entries = raw.get("stage", ())
    if not isinstance(entries, (list, tuple)):
        raise RecipeError(f"{origin}: [stage] is one table, but stages are a list: write [[stage]] before each.")
    found = tuple(_stage(entry, place, origin) for place, entry in enumerate(entries, 1))
    names = [stage.name for stage in found]
    for name in names:
        if names.count(name) > 1:
            raise RecipeError(f"{origin}: {names.count(name)} stages are called '{name}': give each a name of its own.")
    return found


def _stage(entry: object, place: int, origin: str) -> Stage:
    raw = as_table(entry, "[[stage]]", origin)
    name = raw.get("name")
    if not isinstance(name, str) or not BARE.fullmatch(name):
        found = "" if name is None else f"; found name = {name!r}"
        wanted = 'name = "NAME", of letters, digits, - and _'
        raise RecipeError(f"{origin}: [[stage]] number {place} needs {wanted}{found}.")
    where = f"{origin}: [[stage]] {name}"
    for key in raw:
        _check_key(key, where)
    if "steps" not in raw:
        raise RecipeError(f"{where} has no steps: say how many it makes, as in steps = 400.")
    settings = {key: raw[key] for key in SETTINGS if key in raw}
    stage = Stage(name=name, settings=settings, parts=parts_in(raw, OF_STAGE, where), optim=optim_in(raw, where))
    validated(StageConfig, {"name": name, **settings}, where)
    return stage


def _check_key(key: str, where: str) -> None:
    known = ["name", *SETTINGS, *OF_STAGE, "optim"]
    if key in known:
        return
    if key == "temperature":
        why = (
            "a run has one temperature, since the energy that passes on means p ∝ exp(−E/T), and at another T the same "
            "energy is another law. Set run.temperature"
        )
    elif key in (*SINGLES, *LISTS):
        shared = "what watches and judges it is" if key in ("metric", "observer") else "its data, energy, wrappers and "
        shared += "" if key in ("metric", "observer") else "coordinates are"
        why = f"{shared} the same in all stages of a run. Write it above the first [[stage]]"
    elif key in TABLES or key in {f.name for f in fields(RunConfig)}:
        why = "it is the same in all stages of a run. Write it above the first [[stage]]"
    else:
        raise RecipeError(f"{where} has no '{key}'.{did_you_mean(key, known)} A stage has: {', '.join(known)}.")
    raise RecipeError(f"{where} has {key}, but {why}. A stage has: {', '.join(known)}.")


def stages_to_toml(stages: tuple[Stage, ...]) -> str:
    """Returns stages as TOML, "" where there are none."""
    if all(is_flat(entry) for stage in stages for _, entry in _tables(stage)):
        return "\n".join(f"{head}\n{tomli_w.dumps(entry)}" for stage in stages for head, entry in _tables(stage))
    return tomli_w.dumps({"stage": [_raw(stage) for stage in stages]})


def is_flat(entry: Mapping[str, Any]) -> bool:
    """Whether it can be written below a `[[table]]` line of its own: tomli_w would put short tables into one line."""
    written = [tomli_w.dumps({"": value}) for value in entry.values() if not isinstance(value, Mapping)]
    return len(written) == len(entry) and not any("{" in text or text.startswith("[[") for text in written)


def _tables(stage: Stage) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields the head and the entries of each table of a stage."""
    yield "[[stage]]", {"name": stage.name, **stage.settings}
    for owner, settings in stage.optim.items():
        yield f"[stage.optim.{_key(owner)}]", settings
    for table in OF_STAGE:
        for part in stage.parts.get(table, ()):
            yield f"[stage.{table}]" if table in SINGLES else f"[[stage.{table}]]", entry_of(part)


def _key(name: str) -> str:
    """Returns a name as TOML writes keys."""
    return name if BARE.fullmatch(name) else tomli_w.dumps({name: 0}).rpartition(" = ")[0]


def _raw(stage: Stage) -> dict[str, Any]:
    entries: dict[str, Any] = {table: [entry_of(part) for part in parts] for table, parts in stage.parts.items()}
    entries |= {table: entries[table][0] for table in SINGLES if table in entries}
    optim = {"optim": stage.optim} if stage.optim else {}
    return {"name": stage.name, **stage.settings, **optim, **entries}


# --- the recipe of a stage


def at_stage(recipe: Recipe, place: int) -> Recipe:
    """Returns the recipe of one stage of a run: one that can be resolved, assembled and trained like any other.

    Its `run.steps` is the step at which the stage ends, counted from the start of the run.

    Args:
        recipe: of the whole run.
        place: of the stage, from 0.
    """
    stage = recipe.stages[place]
    run = {**stage.settings, "steps": sum(s.steps for s in recipe.stages[: place + 1])}
    optim = {**recipe.optim, **{o: {**recipe.optim.get(o, {}), **own} for o, own in stage.optim.items()}}
    parts = {**recipe.parts, **stage.parts}
    return replace(recipe.with_table("run", **run), parts=parts, optim=optim, stage=place)


def folded(recipe: Recipe) -> Recipe:
    """Returns the resolved recipe of the whole run: what the recipe of a stage decided is written into the stage.

    A recipe that is no stage's is returned as it is.
    """
    if recipe.stage is None:
        return recipe
    run = dict(recipe.tables["run"])
    own = {name: run.pop(name) for name in SETTINGS if name in run}
    before = sum(stage.steps for stage in recipe.stages[: recipe.stage])
    stage = Stage(
        name=recipe.stages[recipe.stage].name,
        settings={**own, "steps": own["steps"] - before},
        parts={table: recipe.parts.get(table, ()) for table in OF_STAGE},
        optim=recipe.optim,
    )
    stages = (*recipe.stages[: recipe.stage], stage, *recipe.stages[recipe.stage + 1 :])
    shared = {table: parts for table, parts in recipe.parts.items() if table not in OF_STAGE}
    tables = {**recipe.tables, "run": {**run, "steps": sum(s.steps for s in stages)}}
    return replace(recipe, parts=shared, tables=tables, optim={}, stages=stages, stage=None)


def at_step(recipe: Recipe, step: int) -> Recipe:
    """Returns the recipe of the stage that makes the step after `step`, or made the last one.

    That of a run without stages is returned as it is.
    """
    if not recipe.stages:
        return recipe
    ends = accumulate(stage.steps for stage in recipe.stages)
    return at_stage(recipe, next((i for i, end in enumerate(ends) if step < end), len(recipe.stages) - 1))


def of_stage(recipe: Recipe, name: str) -> Recipe:
    """Returns the recipe of a stage by name; of a run without stages, "" is the name of the only one.

    Raises:
        RecipeError: the run has no such stage.
    """
    names = [stage.name for stage in recipe.stages] or [""]
    if name not in names:
        raise RecipeError(f"The checkpoint is of stage '{name}', but recipe.toml has {', '.join(names) or 'none'}: it "
                          "was changed. Put it back.")  # fmt: skip
    return at_stage(recipe, names.index(name)) if recipe.stages else recipe


def next_stage(recipe: Recipe) -> Recipe | None:
    """Returns the recipe of the stage after that of a recipe, None after the last."""
    place = len(recipe.stages) if recipe.stage is None else recipe.stage + 1
    return at_stage(folded(recipe), place) if place < len(recipe.stages) else None


def begins_after(recipe: Recipe) -> int:
    """Returns the steps that the run has made before the stage of a recipe; 0 for a recipe without stages."""
    return sum(stage.steps for stage in recipe.stages[: recipe.stage or 0])


def steps_of(recipe: Recipe) -> int:
    """Returns the steps of the stage of a recipe; those of the run for a recipe without stages."""
    return recipe.table("run").steps - begins_after(recipe)


def stage_name(recipe: Recipe) -> str:
    """Returns the name of the stage whose recipe this is, "" where it is no stage's."""
    return "" if recipe.stage is None else recipe.stages[recipe.stage].name


def total_steps(recipe: Recipe) -> int:
    """Returns the steps of the whole run."""
    return folded(recipe).table("run").steps


def with_total(recipe: Recipe, steps: int) -> Recipe:
    """Returns the recipe of a whole run with another number of steps; the last stage takes the difference.

    Raises:
        RecipeError: the stages before the last make as many already.
    """
    if not recipe.stages:
        return recipe.with_table("run", steps=steps)
    *before, last = recipe.stages
    made = sum(stage.steps for stage in before)
    if steps <= made:
        raise RecipeError(
            f"{steps} steps are asked for in all, but the stages before '{last.name}' make {made}: ask for more than "
            f"that, or for fewer in a stage, as in --set stage.{before[-1].name if before else last.name}.steps=10."
        )
    changed = replace(last, settings={**last.settings, "steps": steps - made})
    return replace(recipe.with_table("run", steps=steps), stages=(*before, changed))
