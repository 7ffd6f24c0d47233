"""The whole page: HTML that holds all that it shows, and fetches nothing."""

from __future__ import annotations

from collections.abc import Sequence

from ebmkit.evaluation.report.alarms import alarms
from ebmkit.evaluation.report.content import RunContent
from ebmkit.evaluation.report.curves import curves
from ebmkit.evaluation.report.differences import differences
from ebmkit.evaluation.report.energies import energies
from ebmkit.evaluation.report.markup import Content, Markup, tag
from ebmkit.evaluation.report.metrics import metrics
from ebmkit.evaluation.report.overview import overview
from ebmkit.evaluation.report.parts import citing, what_ran
from ebmkit.evaluation.report.pictures import pictures
from ebmkit.evaluation.report.style import style_sheet
from ebmkit.evaluation.report.tables import listed, section

SECTIONS = {
    "differences": "What differs",
    "pictures": "Chains",
    "metrics": "Metrics",
    "energies": "Energies",
    "curves": "Training",
    "alarms": "Alarms",
    "parts": "What ran",
    "cite": "Cite",
    "left-out": "Left out",
}


def page(runs: Sequence[RunContent], version: str) -> str:
    """Returns the report on some runs, a function of its arguments alone.

    Args:
        runs: that it is on.
        version: of ebmkit, to be cited.
    """
    parts = {
        "differences": differences(runs),
        "pictures": pictures(runs),
        "metrics": metrics(runs),
        "energies": energies(runs),
        "curves": curves(runs),
        "alarms": alarms(runs),
        "parts": what_ran(runs),
        "cite": citing(runs, version),
        "left-out": left_out(runs),
    }
    there = {anchor: part for anchor, part in parts.items() if part is not None}
    title = ", ".join(run.name for run in runs)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} – ebmkit report"),
        tag("style", Markup(style_sheet())),
    )
    body = tag("body", _top(runs, list(there)), tag("main", overview(runs), there.values()), _foot(version))
    return "<!DOCTYPE html>\n" + tag("html", head, "\n", body, lang="en") + "\n"


def left_out(runs: Sequence[RunContent]) -> Markup | None:
    """Returns what is missing from the page, and why; None where nothing is."""
    remarks = [
        f"{run.name}: {remark}" if len(runs) > 1 else remark
        for run in runs
        for remark in (*run.left_out, *(run.drawn.left_out if run.drawn else ()))
    ]
    return section("left-out", "What is left out, and why", listed(remarks)) if remarks else None


def _top(runs: Sequence[RunContent], anchors: Sequence[str]) -> Markup:
    links = [tag("a", SECTIONS[anchor], href=f"#{anchor}") for anchor in anchors]
    what: Content = "An energy-based model" if len(runs) == 1 else f"{len(runs)} energy-based models"
    lead = (what, ", p(x) ∝ exp(−E(x)/T): how training went, what it draws, and the numbers with their errors.")
    heading = runs[0].name if len(runs) == 1 else " · ".join(run.name for run in runs)
    return tag("header", tag("h1", heading), tag("p", lead, class_="lead"), tag("nav", links, aria_label="Sections"))


def _foot(version: str) -> Markup:
    told = f"Made by ebmkit {version} from the files of the run. This page fetches nothing: it can be sent as it is."
    return tag("footer", told)
