"""Numbers of the evaluations: tables with errors, what each number is and depends on, and how it went over training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite

from ebmkit.evaluation.record import Judgement
from ebmkit.evaluation.report.charts.frame import Key, figure
from ebmkit.evaluation.report.charts.lines import Line, line_chart
from ebmkit.evaluation.report.charts.ridges import Ridge, axis_of_edges, ridge_chart
from ebmkit.evaluation.report.comparison import comparison
from ebmkit.evaluation.report.content import Evaluated, RunContent
from ebmkit.evaluation.report.differences import shown
from ebmkit.evaluation.report.estimates import estimate_tables
from ebmkit.evaluation.report.images import embedded, from_file
from ebmkit.evaluation.report.markup import Content, Markup, tag
from ebmkit.evaluation.report.numbers import duration
from ebmkit.evaluation.report.tables import folded, listed, section
from ebmkit.plugins.citation import works
from ebmkit.protocols.metric import Estimate

PICTURE_PIXELS = 640
LONG = 400
"""Letters of a definition from which it is folded."""
COURSES = 6
"""Charts of numbers over training, of one run, at most."""


def metrics(runs: Sequence[RunContent]) -> Markup | None:
    """Returns the newest evaluation of each run; None where there is none."""
    found = [run for run in runs if run.evaluations]
    if not found:
        return None
    inside = [(tag("h3", run.name) if len(runs) > 1 else None, _evaluation(run)) for run in found]
    told = (
        "Behind each ± stands one standard error, unless a definition says otherwise. A number is worth what its line "
        "of circumstances says: other samplers, seeds or sample counts give other numbers."
    )
    return section("metrics", "Metrics", tag("p", told, class_="soft"), comparison(found), inside)


def _evaluation(run: RunContent) -> Content:
    evaluated = run.evaluations[-1]
    found = evaluated.found
    packages = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    circumstances = [
        f"Step {found.step:,}, {found.weights} weights, seed {found.seed}; asked for {found.n:,} fresh chains and "
        f"{found.n_data:,} data of each set; took {duration(found.seconds)}.",
        f"Chains: {found.sampling}." if found.sampling else "",
        f"With {packages}." if packages else "",
    ]
    failures = [f"{name} has no numbers: {why}" for name, why in found.failures.items()]
    return (
        tag("p", " ".join(filter(None, circumstances)), class_="soft"),
        listed([*found.notes, *failures]),
        [_metric(judged, evaluated) for judged in found.metrics],
        _courses(run),
    )


def _metric(judged: Judgement, evaluated: Evaluated) -> Content:
    settings = ", ".join(f"{key} = {shown(value)}" for key, value in judged.settings.items())
    sources = "; ".join(one.short for one in works(judged.cite))
    details = [f"Settings: {settings}." if settings else "", f"After {sources}." if sources else "",
               f"Took {duration(judged.seconds)}."]  # fmt: skip
    return (
        tag("h3", judged.name),
        _definition(judged.definition),
        [*estimate_tables(judged.estimates)],
        listed(judged.notes),
        tag("div", [*_histograms(judged), *_pictures(judged, evaluated)], class_="charts"),
        tag("p", " ".join(filter(None, details)), class_="soft"),
    )


def _definition(text: str) -> Markup:
    """Returns what was computed, as a sentence; a long one is shown when it is asked for."""
    sentence = tag("p", text if text.endswith((".", "!", "?")) else f"{text}.")
    return folded("What is computed, of what", sentence) if len(text) > LONG else sentence


def _histograms(judged: Judgement) -> Iterator[Markup]:
    for title, histogram in judged.histograms.items():
        edges, counts = histogram.get("edges", []), histogram.get("counts", {})
        if len(edges) < 2 or not all(map(isfinite, edges)):
            continue
        rows = [
            Ridge(label=name, edges=edges, counts=values, note=f"n = {sum(values):,}", colour=i)
            for i, (name, values) in enumerate(counts.items())
        ]
        chart = ridge_chart(title, rows, axis_of_edges(edges), "")
        yield figure(title, chart, "Each row is drawn to the height of its own peak.")


def _pictures(judged: Judgement, evaluated: Evaluated) -> Iterator[Markup]:
    for name, file in judged.pictures.items():
        picture = from_file(evaluated.folder / file, PICTURE_PIXELS) if "/" not in file else None
        if picture is None:
            yield tag("figure", tag("h4", name), tag("figcaption", f"The picture {file} is missing."))
        else:
            yield tag("figure", tag("h4", name), embedded(picture, name))


def _courses(run: RunContent) -> Markup | None:
    """Returns charts of how the numbers went over training, where a run was evaluated at several steps."""
    by_step = {evaluated.found.step: evaluated.found for evaluated in run.evaluations}
    if len(by_step) < 2:
        return None
    courses: dict[tuple[str, str], list[tuple[int, Estimate]]] = {}
    for step, found in sorted(by_step.items()):
        for judged in found.metrics:
            for key, estimate in judged.estimates.items():
                courses.setdefault((judged.name, key), []).append((step, estimate))
    several = {names: course for names, course in courses.items() if len(course) > 1}
    charts = [_course(f"{name}, {key}", course) for (name, key), course in several.items()]
    return tag(
        "div",
        tag("h3", "Over training"),
        tag("div", charts[:COURSES], class_="charts"),
        folded("All others", tag("div", charts[COURSES:], class_="charts")) if charts[COURSES:] else None,
    )


def _course(title: str, course: Sequence[tuple[int, Estimate]]) -> Markup:
    points = [(float(step), estimate.value) for step, estimate in course]
    line = Line(key=Key(label=title), points=points, errors=[e.error for _, e in course], dots=True)
    better = course[-1][1].better
    caption = f"Bars: one standard error.{f' {better.capitalize()} is better.' if better else ''}"
    return figure(title, line_chart(title, [line]), caption)
