"""What differs between the recipes of several runs, setting by setting, and between where they ran."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ebmkit.evaluation.report.content import RunContent
from ebmkit.evaluation.report.markup import Content, Markup, tag
from ebmkit.evaluation.report.numbers import count
from ebmkit.evaluation.report.tables import section, table
from ebmkit.recipes.recipe import LISTS, Recipe

SHORT_COMMIT = 12
"""Characters of a commit: as many as tell it from any other; all of them would be wider than the settings."""

ABSENT = "–"


def differences(runs: Sequence[RunContent]) -> Markup | None:
    """Returns a table of what differs; None where there is one run."""
    if len(runs) < 2:
        return None
    settings = {run.name: dict(_settings(run)) for run in runs}
    paths = list(dict.fromkeys(path for found in settings.values() for path in found))
    rows = [
        (tag("code", path), *(settings[run.name].get(path, ABSENT) for run in runs))
        for path in paths
        if len({settings[run.name].get(path) for run in runs}) > 1
    ]
    same = len(paths) - len(rows)
    if not rows:
        told: Content = tag(
            "p", f"Nothing: all {count(same, 'setting')} of their recipes are equal, and so is where they ran."
        )
    else:
        told = [
            tag("p", f"One row for each setting that is not the same in all runs; {count(same, 'other')} are equal. "
                f"{ABSENT} where a run has no such setting."),
            table(["setting", *(run.name for run in runs)], rows),
        ]  # fmt: skip
    return section("differences", "What differs", told)


def flat(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Yields the path of each setting, as `--set` takes it, and its value."""
    for name, parts in recipe.parts.items():
        yield name, " + ".join(part.use for part in parts)
        for part in parts:
            prefix = f"{name}.{part.use}" if name in LISTS else name
            yield from _flat(part.settings, prefix)
    for name, settings in (*recipe.tables.items(), *((f"optim.{o}", s) for o, s in recipe.optim.items())):
        yield from _flat(settings, name)
    for stage in recipe.stages:
        inside = Recipe(parts=stage.parts, optim=stage.optim)
        for path, value in (*_flat(stage.settings, ""), *flat(inside)):
            yield f"stage.{stage.name}.{path.removeprefix('.')}", value


def shown(value: object) -> str:
    """Returns a setting as a recipe writes it.

    >>> shown(True), shown([1, 2]), shown("a"), shown({"b": 0.5})
    ('true', '[1, 2]', 'a', '{b = 0.5}')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {shown(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(shown(entry) for entry in value) + "]"
    return str(value) or '""'


def _settings(run: RunContent) -> Iterator[tuple[str, str]]:
    if run.recipe is not None:
        yield from flat(run.recipe)
    versions = run.environment.get("versions")
    for name, version in versions.items() if isinstance(versions, Mapping) else ():
        yield f"version of {name}", str(version)
    for key in ("commit", "device_name", "platform", "python", "threads"):
        if run.environment.get(key):
            value = str(run.environment[key])
            yield f"environment: {key}", value[:SHORT_COMMIT] if key == "commit" else value


def _flat(settings: Mapping[str, object], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in settings.items():
        yield f"{prefix}.{key}", shown(value)
