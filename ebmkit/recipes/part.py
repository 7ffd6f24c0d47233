"""One chosen part of a recipe, and the tables that hold parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import TYPE_CHECKING, Any

from ebmkit.errors import RecipeError
from ebmkit.plugins.host import host
from ebmkit.recipes.settings import as_toml, given, validated

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

LISTS = ("coordinate", "wrapper", "sampler", "objective", "metric", "observer")
SINGLES = ("data", "energy", "buffer")


def kind_of(table: str) -> str:
    """Returns the kind of the parts in a table of a recipe."""
    return "dataset" if table == "data" else table


def table_of(kind: str) -> str:
    """Returns the table of a recipe that holds parts of a kind."""
    return "data" if kind == "dataset" else kind


@dataclass(frozen=True, slots=True)
class Part:
    """One chosen part: its name and the settings of its config dataclass, kept as TOML holds them.

    Attributes:
        use: its name.
        settings: of its config dataclass.
        built: the part itself, where a Python program handed it over. A file cannot hold it.
    """

    use: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    built: Any = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", as_toml(self.settings))


def part_of(kind: str, config: DataclassInstance) -> Part:
    """Returns the part whose settings a config object holds; those at their defaults are left for the resolver.

    Raises:
        RecipeError: it is no config of a part of this kind, or a value cannot be.
    """
    component = host().component_of(kind, config)
    where = f"{kind} {component.name}"
    settings = given(config, where)
    validated(component.config, settings, where)
    return Part(component.name, settings)


def parts_in(raw: Mapping[str, object], tables: Iterable[str], origin: str) -> dict[str, tuple[Part, ...]]:
    """Returns the parts that some tables of a mapping hold, by table; raises RecipeError where one holds none."""
    return {t: tuple(_part(e, t, origin) for e in _entries(raw[t], t, origin)) for t in tables if t in raw}


def entry_of(part: Part) -> dict[str, Any]:
    """Returns a part as a table of TOML holds it."""
    return {"use": part.use, **part.settings}


def as_table(value: object, where: str, origin: str) -> Mapping[str, Any]:
    """Returns a value that is a table; raises RecipeError where it is something else."""
    if not isinstance(value, Mapping):
        raise RecipeError(f"{origin}: {where} must be a table, found {value!r}.")
    return value


def optim_in(raw: Mapping[str, object], origin: str) -> dict[str, Mapping[str, Any]]:
    """Returns the settings of optimisers in a mapping, by owner."""
    found = as_table(raw.get("optim", {}), "[optim]", origin)
    return {owner: as_table(settings, f"[optim.{owner}]", origin) for owner, settings in found.items()}


def _entries(value: object, table: str, origin: str) -> list[object]:
    if isinstance(value, (list, tuple)) and table in SINGLES:
        raise RecipeError(f"{origin}: [[{table}]] is a list, but a run has one {table}: write [{table}].")
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _part(entry: object, table: str, origin: str) -> Part:
    if is_dataclass(entry) and not isinstance(entry, type):
        return part_of(kind_of(table), entry)
    settings = dict(as_table(entry, f"[{table}]", origin))
    use = settings.pop("use", None)
    if not isinstance(use, str):
        raise RecipeError(f'{origin}: [{table}] needs use = "NAME".')
    return Part(use, settings)
