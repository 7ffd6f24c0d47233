"""Histograms of energies: of data that were trained on and held out, of fresh chains, of what is no data."""

from __future__ import annotations

from collections.abc import Sequence

from ebmkit.evaluation.report.charts.frame import figure
from ebmkit.evaluation.report.charts.ridges import ridge_chart, ridges_of
from ebmkit.evaluation.report.content import Drawn, RunContent
from ebmkit.evaluation.report.markup import Content, Markup, tag
from ebmkit.evaluation.report.tables import section

CAPTION = (
    "Each row is drawn to the height of its own peak; the vertical line is its median. Low energy is what the model "
    "finds likely. Training, test and chains should lie over one another: test data to the right of training data "
    "are a sign that the model has learnt its data by heart, chains to the left that they have found holes. What is no "
    "data should lie to the right, but need not: an energy by itself is no detector. The metric ood measures that."
)


def energies(runs: Sequence[RunContent]) -> Markup | None:
    """Returns the histograms of all runs; None where no model could be asked."""
    charts = [_chart(run, run.drawn, len(runs)) for run in runs if run.drawn is not None and run.drawn.energies]
    if not charts:
        return None
    return section("energies", "Energies", tag("p", CAPTION, class_="soft"), tag("div", charts, class_="charts"))


def _chart(run: RunContent, drawn: Drawn, n_runs: int) -> Content:
    series = {name: values.double().tolist() for name, values in drawn.energies.items()}
    rows, x = ridges_of(series)
    title = f"Energies of {run.name}" if n_runs > 1 else "Energies"
    axis = {"linear": "E, nats", "log": "E, nats (logarithmic)", "symlog": "E, nats (logarithmic both ways from 0)"}
    return figure(title, ridge_chart(title, rows, x, axis[x.kind]))
