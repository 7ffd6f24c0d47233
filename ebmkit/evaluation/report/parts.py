"""What ran: the parts of each run and from whom they are, its whole recipe, where it ran; and what to cite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields

from ebmkit.errors import EbmkitError
from ebmkit.evaluation.report.content import RunContent
from ebmkit.evaluation.report.differences import shown
from ebmkit.evaluation.report.markup import Content, Markup, tag
from ebmkit.evaluation.report.tables import folded, listed, section, table
from ebmkit.plugins.bibtex import bibtex
from ebmkit.plugins.citation import Work, itself, work, works
from ebmkit.plugins.component import Component
from ebmkit.plugins.host import host
from ebmkit.recipes.recipe import Part, Recipe, kind_of

ORDER = ("data", "energy", "wrapper", "coordinate", "sampler", "buffer", "objective", "metric", "observer")


def what_ran(runs: Sequence[RunContent]) -> Markup:
    """Returns the parts of each run."""
    inside = [_run(run, alone=len(runs) == 1) for run in runs]
    return section("parts", "What ran", inside)


def citing(runs: Sequence[RunContent], version: str) -> Markup:
    """Returns what to cite, in words and for BibTeX."""
    cited = dict.fromkeys([work(itself(version)), *(one for run in runs for one in _works(run))])
    return section(
        "cite",
        "From whom it is",
        tag("p", "Who publishes what these runs show should cite the methods that they are made of, and judged by."),
        listed(one.text for one in cited),
        folded("The same for BibTeX", tag("pre", bibtex(cited))),
    )


def declared(table_name: str, part: Part) -> Component | None:
    """Returns the declaration of a part; None where no installed plugin gives it."""
    try:
        return host().get(kind_of(table_name), part.use)
    except EbmkitError:
        return None


def tables_of(recipe: Recipe) -> Iterator[tuple[str, Mapping[str, tuple[Part, ...]]]]:
    """Yields the parts of a run, by table, and those of each stage, with what is said of whose they are."""
    yield "", recipe.parts
    yield from ((f", stage {stage.name}", stage.parts) for stage in recipe.stages)


def _run(run: RunContent, *, alone: bool) -> Content:
    heading = None if alone else tag("h3", run.name)
    if run.recipe is None:
        return heading, tag("p", "Its recipe cannot be read.", class_="soft")
    rows = [
        (f"{table_name}{where}", tag("strong", part.use), _summary(table_name, part), _changed(table_name, part))
        for where, parts in tables_of(run.recipe)
        for table_name in ORDER
        for part in parts.get(table_name, ())
    ]
    parts = table(["part", "name", "what it is", "set to other than its default"], rows, prose=[2, 3])
    recipe = folded("The whole recipe", tag("pre", run.recipe_text))
    return heading, parts, _conditions(run), recipe


def _summary(table_name: str, part: Part) -> Content:
    component = declared(table_name, part)
    if component is None:
        handed = "given" in part.settings
        return "handed over by a program" if handed else "no installed plugin gives it: nothing is known of it here"
    sources = "; ".join(one.short for one in works(component.cite))
    return component.summary, (tag("br"), tag("span", sources, class_="soft")) if sources else None


def _changed(table_name: str, part: Part) -> Content:
    """Returns the settings that differ from their defaults, all of them where the defaults are not known."""
    component = declared(table_name, part)
    usual = {} if component is None else {f.name: f.default for f in fields(component.config)}
    changed = [
        f"{key} = {shown(value)}" for key, value in part.settings.items() if shown(usual.get(key)) != shown(value)
    ]
    return tag("code", ", ".join(changed)) if changed else tag("span", "nothing", class_="soft")


def _conditions(run: RunContent) -> Markup:
    """Returns where and under what a run ran, in a sentence or two."""
    tables: Mapping[str, Mapping[str, object]] = {} if run.recipe is None else run.recipe.tables
    settings = tables.get("run", {})
    said = [f"{key.replace('_', ' ')} {shown(settings[key])}" for key in ("seed", "batch_size", "temperature")
            if key in settings]  # fmt: skip
    env = run.environment
    versions = env.get("versions")
    packages = [f"{k} {v}" for k, v in versions.items()] if isinstance(versions, Mapping) else []
    where = [f"Python {env['python']}"] if env.get("python") else []
    where += [*packages, *(str(env[key]) for key in ("platform", "device") if env.get(key))]
    where += [f"commit {str(env['commit'])[:12]}"] if env.get("commit") else []
    engine = env.get("engine")
    if isinstance(engine, Mapping):
        where.append(f"engine {engine.get('engine')}")
    return tag("p", ", ".join(said), ". " if said else "", "Ran with " if where else "", ", ".join(where),
               "." if where else "", class_="soft")  # fmt: skip


def _works(run: RunContent) -> Iterator[Work]:
    found = [] if run.recipe is None else [parts for _, parts in tables_of(run.recipe)]
    for table_name in ORDER:
        for part in (part for parts in found for part in parts.get(table_name, ())):
            component = declared(table_name, part)
            yield from works(component.cite) if component is not None else ()
    for evaluated in run.evaluations:
        for judged in evaluated.found.metrics:
            yield from works(judged.cite)
