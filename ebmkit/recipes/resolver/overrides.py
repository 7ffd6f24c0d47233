"""`--set table.setting=value`: which part each override reaches."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ebmkit.errors import RecipeError, did_you_mean
from ebmkit.recipes.recipe import LISTS, SINGLES
from ebmkit.recipes.tables import TABLES


class Target(Protocol):
    """A part that an override may reach.

    Attributes:
        table: where it stands in a recipe.
        name: of its component.
        index: its place among the parts that were named in the table; None where it was added.
        fields: names of its settings.
    """

    @property
    def table(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def index(self) -> int | None: ...  # noqa: D102
    @property
    def fields(self) -> Collection[str]: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True, slots=True)
class Override:
    """One `--set`.

    Attributes:
        path: as it was written.
        table: first segment of the path.
        part: name or index of the part, "" in the bare form.
        field: the setting; last segment.
        value: to set.
    """

    path: str
    table: str
    part: str
    field: str
    value: object

    def reaches(self, target: Target) -> bool:
        """Whether it means this part: by name, by index, or as one that has the field."""
        if self.table != target.table:
            return False
        if self.part:
            return self.part in (target.name, str(target.index))
        return self.table in SINGLES or self.field in target.fields


def read_overrides(pairs: Iterable[tuple[str, object]]) -> tuple[Override, ...]:
    """Returns the overrides of (path, value) pairs; raises RecipeError where a path cannot mean anything."""
    return tuple(_read(path, value) for path, value in pairs)


def settings_for(overrides: Iterable[Override], target: Target) -> dict[str, object]:
    """Returns what the overrides set on a part; the last one of a field counts."""
    return {o.field: o.value for o in overrides if o.reaches(target)}


def settings_of_table(overrides: Iterable[Override], table: str, part: str = "") -> dict[str, object]:
    """Returns what the overrides set in `[run]` and its like, or in `[optim.PART]`."""
    return {o.field: o.value for o in overrides if (o.table, o.part) == (table, part)}


def check_reached(
    overrides: Iterable[Override], chosen: Sequence[Target], left_out: Collection[tuple[Target, str]]
) -> None:
    """Raises RecipeError for an override that reaches no part, or several.

    Args:
        overrides: to check.
        chosen: every part of the run.
        left_out: parts that were not added, with the reason.
    """
    for override in overrides:
        if _is_of_table(override):
            continue
        hits = [target for target in chosen if override.reaches(target)]
        if len(hits) > 1:
            forms = _forms(override, hits) or "them yourself, to tell them apart by index"
            raise RecipeError(f"--set {override.path}: several parts have it. Write {forms}.")
        if not hits:
            raise RecipeError(f"--set {override.path}: {_nobody(override, chosen, left_out)}")


def is_missed(override: Override, chosen: Iterable[Target]) -> bool:
    """Whether an override means a part, and reaches none."""
    return not _is_of_table(override) and not any(override.reaches(target) for target in chosen)


def _is_of_table(override: Override) -> bool:
    return override.table in TABLES or override.table == "optim"


def _read(path: str, value: object) -> Override:
    known = [*SINGLES, *LISTS, *TABLES, "optim"]
    table, *rest = path.split(".")
    if table == "stage":
        raise RecipeError(f"--set {path}: this run has no stages. They stand in a recipe, as [[stage]].")
    if table not in known:
        hint = did_you_mean(table, known)
        raise RecipeError(f"--set {path}: there is no table '{table}'.{hint} Tables: {', '.join(known)}.")
    lengths = {1} if table in TABLES else {2} if table == "optim" else {1, 2}
    if len(rest) not in lengths or not all(rest):
        forms = {1: f"{table}.SETTING", 2: f"{table}.{'OWNER' if table == 'optim' else 'PART'}.SETTING"}
        raise RecipeError(f"--set {path}: write {' or '.join(forms[n] for n in sorted(lengths))}=VALUE.")
    return Override(path=path, table=table, part=rest[0] if len(rest) == 2 else "", field=rest[-1], value=value)


def _forms(override: Override, hits: Sequence[Target]) -> str:
    """Returns the forms that reach one of them each: by name, and by index where they were named."""
    names = [hit.name for hit in hits]
    by_name = [f"{override.table}.{name}.{override.field}" for name in names if names.count(name) == 1]
    by_index = [f"{override.table}.{hit.index}.{override.field}" for hit in hits if hit.index is not None]
    return " or ".join([*by_name, *by_index])


def _nobody(override: Override, chosen: Sequence[Target], left_out: Collection[tuple[Target, str]]) -> str:
    for target, reason in left_out:
        if override.reaches(target):
            return f"{target.table} {target.name} is not part of this run: {reason}"
    there = [target for target in chosen if target.table == override.table]
    names = [target.name for target in there]
    if override.part:
        return (
            f"this run has no {override.table} '{override.part}'.{did_you_mean(override.part, names)} "
            f"It has: {', '.join(names) or 'none'}."
        )
    settings = sorted({f"{target.name}.{field}" for target in there for field in target.fields})
    fields = [setting.split(".")[-1] for setting in settings]
    return (
        f"no {override.table} of this run has it.{did_you_mean(override.field, fields)} "
        f"Settings: {', '.join(settings) or 'none'}."
    )
