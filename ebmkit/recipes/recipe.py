"""A recipe: the complete configuration of a run, as TOML and as validated dataclasses."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal, overload

import tomli_w

from ebmkit.errors import RecipeError, did_you_mean
from ebmkit.plugins.host import Host
from ebmkit.recipes import tables as configs
from ebmkit.recipes.about import AboutConfig
from ebmkit.recipes.part import (
    LISTS,
    SINGLES,
    Part,
    as_table,
    entry_of,
    kind_of,
    optim_in,
    part_of,
    parts_in,
    table_of,
)
from ebmkit.recipes.settings import as_toml, validated
from ebmkit.recipes.stage import Stage, folded, is_flat, stages_in, stages_to_toml
from ebmkit.recipes.tables import TABLES, OptimConfig, TableConfig
from ebmkit.recipes.values import MOST_TEXT, check_values, toml_value

__all__ = [
    "LISTS",
    "SINGLES",
    "Part",
    "Recipe",
    "from_mapping",
    "from_toml",
    "kind_of",
    "named_recipe",
    "parse_override",
    "part_of",
    "read_recipe",
    "table_of",
    "to_toml",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """What a run is made of. Before resolution it holds what was asked; afterwards, everything.

    Settings are kept as TOML holds them (None left out, lists for tuples), so that equal recipes have equal files.

    Attributes:
        parts: table name → chosen parts, in order; the tables of `SINGLES` and `LISTS`, where they are not empty.
        tables: settings of the tables of `TABLES`.
        optim: owner → settings.
        overrides: (dotted path, value) of every `--set`.
        resolved: the recipe is complete; it is checked, never added to.
        stages: in order; () where the run has none.
        stage: place of the stage whose recipe this is, from 0; None for that of the whole run. See `stage.at_stage`.
    """

    parts: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    optim: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    overrides: tuple[tuple[str, object], ...] = ()
    resolved: bool = False
    stages: tuple[Stage, ...] = ()
    stage: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", {table: tuple(parts) for table, parts in self.parts.items() if parts})
        for name in ("tables", "optim"):
            object.__setattr__(self, name, {key: as_toml(table) for key, table in getattr(self, name).items()})

    def named(self) -> Iterator[tuple[str, str]]:
        """Yields kind and name of every part, those of stages included."""
        tables = chain(self.parts.items(), *(stage.parts.items() for stage in self.stages))
        return ((kind_of(table), part.use) for table, parts in tables for part in parts)

    def part(self, table: str) -> Part:
        """Returns the one part of a table that holds one."""
        return self.parts[table][0]

    @overload
    def table(self, name: Literal["run"]) -> configs.RunConfig: ...
    @overload
    def table(self, name: Literal["checkpoint"]) -> configs.CheckpointConfig: ...
    @overload
    def table(self, name: Literal["log"]) -> configs.LogConfig: ...
    @overload
    def table(self, name: Literal["pictures"]) -> configs.PicturesConfig: ...
    @overload
    def table(self, name: Literal["sample"]) -> configs.SampleConfig: ...
    @overload
    def table(self, name: Literal["eval"]) -> configs.EvalConfig: ...
    @overload
    def table(self, name: str) -> TableConfig: ...

    def table(self, name: str) -> TableConfig:
        """Returns a table as its validated dataclass."""
        return validated(TABLES[name], self.tables.get(name, {}), f"[{name}]")

    def owner(self, name: str) -> OptimConfig:
        """Returns the validated optimiser settings of an owner of parameters."""
        return validated(OptimConfig, self.optim.get(name, {}), f"[optim.{name}]")

    def with_part(self, table: str, *parts: Part) -> Recipe:
        """Returns the recipe with the parts of one table replaced."""
        return replace(self, parts={**self.parts, table: parts})

    def with_table(self, name: str, **settings: object) -> Recipe:
        """Returns the recipe with some settings of one table changed."""
        return replace(self, tables={**self.tables, name: {**self.tables.get(name, {}), **settings}})

    def with_overrides(self, overrides: Iterable[tuple[str, object]]) -> Recipe:
        """Returns the recipe with more `--set`s."""
        return replace(self, overrides=(*self.overrides, *overrides))


def from_toml(text: str, origin: str = "recipe") -> Recipe:
    """Returns the recipe that a TOML text holds; names of parts and settings are checked when it is resolved.

    Raises:
        RecipeError: it is not TOML, or has a table that no recipe has.

    >>> recipe = from_toml('[energy]\\nuse = "mlp"\\n[[objective]]\\nuse = "cd"\\n')
    >>> recipe.part("energy").use, [p.use for p in recipe.parts["objective"]]
    ('mlp', ['cd'])
    """
    return from_mapping(toml_value(text, origin), origin)


def from_mapping(raw: Mapping[str, object], origin: str = "recipe") -> Recipe:
    """Returns the recipe that a mapping holds, in the shape of its TOML; a part may be an object with its settings.

    Raises:
        RecipeError: it has a table that no recipe has, or a table is something else.

    >>> from_mapping({"energy": {"use": "mlp", "widths": (8, 8)}}).part("energy")
    Part(use='mlp', settings={'widths': [8, 8]})
    """
    check_values(raw, origin)
    known = [*SINGLES, *LISTS, *TABLES, "optim", "stage", "resolved", "about"]
    for key in raw:
        if key not in known:
            raise RecipeError(
                f"{origin}: there is no table '{key}'.{did_you_mean(key, known)} Known: {', '.join(known)}."
            )
    resolved = raw.get("resolved", False)
    if not isinstance(resolved, bool):
        raise RecipeError(f"{origin}: resolved is true or false, found {resolved!r}.")
    parts = parts_in(raw, (*SINGLES, *LISTS), origin)
    tables = {name: as_table(raw[name], f"[{name}]", origin) for name in TABLES if name in raw}
    validated(AboutConfig, as_table(raw.get("about", {}), "[about]", origin), f"{origin}: [about]")  # of the file
    stages = stages_in(raw, origin)
    return Recipe(parts=parts, tables=tables, optim=optim_in(raw, origin), resolved=resolved, stages=stages)


def to_toml(recipe: Recipe) -> str:
    """Returns the recipe as TOML; `from_toml` gives an equal recipe back.

    Raises:
        RecipeError: it has overrides, which only the resolver can put where they belong.
    """
    if recipe.overrides:
        raise RecipeError(f"--set {recipe.overrides[0][0]}: a recipe with overrides is written once it is resolved.")
    recipe = folded(recipe)
    raw: dict[str, Any] = {"resolved": True} if recipe.resolved else {}
    raw |= {name: recipe.tables[name] for name in TABLES if name in recipe.tables}
    entries = {table: [entry_of(part) for part in parts] for table, parts in recipe.parts.items()}
    raw |= {table: entries[table][0] for table in SINGLES if table in entries}
    flat = {table: entries[table] for table in LISTS if table in entries and all(map(is_flat, entries[table]))}
    raw |= {table: entries[table] for table in LISTS if table in entries and table not in flat}
    if recipe.optim:
        raw["optim"] = recipe.optim
    lists = [f"[[{table}]]\n{tomli_w.dumps(entry)}" for table in flat for entry in flat[table]]
    return "\n".join(filter(None, [tomli_w.dumps(raw), *lists, stages_to_toml(recipe.stages)]))


BARE = re.compile(r"(?<![\w.])[+-]?(\.[0-9]+|[0-9]+\.)([eE][+-]?[0-9]+)?(?![\w.])")
"""A number that lacks the digit before or after its point."""


def parse_override(text: str) -> tuple[str, object]:
    """Returns (path, value) of `--set path=value`; the value is read as TOML, else taken as text.

    >>> parse_override("sampler.moves=60"), parse_override("data.root=/tmp")
    (('sampler.moves', 60), ('data.root', '/tmp'))

    TOML wants a digit before and after the point; numbers without one are read, too.

    >>> parse_override("optim.energy.lr=.1")
    ('optim.energy.lr', 0.1)
    >>> parse_override("optim.energy.betas=[.5, 1.]")
    ('optim.energy.betas', [0.5, 1.0])
    """
    path, equals, value = text.partition("=")
    segments = [segment.strip() for segment in path.split(".")]
    if not equals or len(segments) < 2 or not all(segments):
        raise RecipeError(f"--set {text}: write table.setting=value, as in sampler.moves=60.")
    read = _as_toml(value) or _as_toml(_with_digits(value))
    check_values(read, f"--set {'.'.join(segments)}")
    return ".".join(segments), read["v"] if read else value.strip()


def _as_toml(value: str) -> dict[str, Any]:
    """Returns {"v": value} as TOML reads it; nothing where it cannot."""
    try:
        read = tomllib.loads(f"v = {value}") if len(value) < MOST_TEXT else {}
    except (ValueError, RecursionError):
        return {}
    return read if read.keys() == {"v"} else {}


def _with_digits(value: str) -> str:
    """Returns a number, or a list without text, with digits before and after each point; other text as it is."""
    if BARE.fullmatch(value.strip()) or (value.strip().startswith("[") and not set(value) & set("\"'")):
        return BARE.sub(lambda number: repr(float(number[0])), value)
    return value


def read_recipe(path: Path) -> Recipe:
    """Returns the recipe of a file; raises RecipeError where it cannot be read."""
    try:
        with path.open("rb") as file:  # never more than may be, whatever the file says of its size
            return from_toml(file.read(MOST_TEXT + 1).decode("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} cannot be read: {error}") from error


def named_recipe(name: str, host: Host) -> Recipe:
    """Returns the recipe of a TOML file, else the shipped one of that name."""
    path = Path(name)
    return read_recipe(path) if path.is_file() else from_toml(host.recipe(name), f"recipe {name}")
