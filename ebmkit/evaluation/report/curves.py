"""Curves of training: what each logged number did, run over run, with the steps at which an alarm spoke."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Any

from ebmkit.evaluation.report.charts.frame import Key, figure
from ebmkit.evaluation.report.charts.lines import Line, Mark, line_chart, window_for
from ebmkit.evaluation.report.content import RunContent
from ebmkit.evaluation.report.markup import Content, Markup, tag
from ebmkit.evaluation.report.numbers import count
from ebmkit.evaluation.report.tables import folded, section

INDEXED = re.compile(r"(?P<family>.+?)\.(?P<index>\d+)\.(?P<name>.+)")
"""A number of one level, or of whatever else is counted: "level.3.share"."""
MARKED = 24
"""Marks of alarms in a chart, at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """One chart.

    Attributes:
        title: of it.
        names: logged numbers that it draws, and what each is called; one of them alone needs no name.
        caption: how to read it.
        holds: values that its axis holds whatever is logged.
    """

    title: str
    names: Mapping[str, str]
    caption: str = ""
    holds: tuple[float, ...] = ()


FIRST = (
    Panel(
        title="Gap E⁺ − E⁻, nats",
        names={"gap": "gap"},
        caption="Mean energy of the data less that of the chains. Near 0 with little scatter: the chains follow the "
        "energy. Far from 0 and growing: they do not.",
    ),
    Panel(
        title="Energies, nats",
        names={"energy_positive": "data, E⁺", "energy_negative": "chains, E⁻"},
        caption="Both may drift together: only their difference is determined.",
    ),
    Panel(
        title="Acceptance",
        names={"chain_accept_rate": "acceptance"},
        caption="Share of the sampler's proposals that are accepted. 1 throughout: the sampler rejects nothing, or its "
        "steps are tiny.",
        holds=(0.0, 1.0),
    ),
    Panel(
        title="Way of a chain in a transition, data units",
        names={"chain_displacement": "moved"},
        caption="Root mean square over the entries of x. Near 0: the chains stand still.",
    ),
    Panel(
        title="Chains: mean and spread of x, data units",
        names={"chain_x_mean": "mean", "chain_x_sd": "standard deviation"},
        caption="A spread that falls to 0: all chains are alike.",
    ),
    Panel(title="Rows of the buffer that chains have filled", names={"buffer_filled": "rows"}),
)
ROUND_TRIP = "Transitions from one end of the levels to the other and back; lower is better mixed."


def curves(runs: Sequence[RunContent]) -> Markup:
    """Returns all curves of the runs, over one another."""
    logged = list(dict.fromkeys(name for run in runs for row in run.metrics for name in row if name != "step"))
    if not logged:
        return section("curves", "Training", tag("p", "No step is logged: there are no curves."))
    panels = list(_panels(logged, runs))
    main = [chart for panel in panels if (chart := panel_chart(panel, runs))]
    profiles = list(_profiles(logged, runs))
    rest = [chart for panel in _others(logged, panels) if (chart := panel_chart(panel, runs))]
    return section(
        "curves",
        "Training",
        tag("p", _guide(runs), class_="soft"),
        tag("div", main, _speed(runs), class_="charts"),
        (tag("h3", "By level"), tag("div", profiles, class_="charts")) if profiles else None,
        folded("All other logged numbers", tag("div", rest, class_="charts")) if rest else None,
    )


def panel_chart(panel: Panel, runs: Sequence[RunContent]) -> Markup | None:
    """Returns the chart of some logged numbers; None where no run has logged one of them."""
    lines = [
        Line(key=_key(i, j, run.name, label, len(runs), len(panel.names)), points=points)
        for i, run in enumerate(runs)
        for j, (name, label) in enumerate(panel.names.items())
        if (points := points_of(run, name))
    ]
    if not lines:
        return None
    keys = [line.key for line in lines] if len(lines) > 1 else ()
    caption = " ".join(filter(None, [panel.caption, _lost(lines)]))
    return figure(panel.title, line_chart(panel.title, lines, _marks(runs), holds=panel.holds), caption, keys)


def points_of(run: RunContent, name: str) -> list[tuple[float, float]]:
    """Returns (step, value) of a logged number; what is no number is left out."""
    return [(float(row["step"]), float(row[name])) for row in run.metrics if _is_number(row.get(name))]


def _key(run: int, name: int, run_name: str, label: str, n_runs: int, n_names: int) -> Key:
    """Returns how a line is drawn: runs differ in colour, and numbers of one run in dashes; of one run, in both."""
    if n_runs == 1:
        return Key(label=label, colour=name, dash=name)
    return Key(label=run_name if n_names == 1 else f"{run_name}: {label}", colour=run, dash=name)


def _panels(logged: Sequence[str], runs: Sequence[RunContent]) -> Iterator[Panel]:
    yield from FIRST[:2]
    for name in logged:
        if name.startswith("loss.") and not _repeats_gap(name, runs):
            yield Panel(title=f"Loss {name.removeprefix('loss.')}", names={name: name.removeprefix("loss.")})
    yield from FIRST[2:]
    norms = {name: name.removeprefix("gradient_norm.") for name in logged if name.startswith("gradient_norm.")}
    if norms:
        yield Panel(
            title="Norm of the gradient", names=norms, caption="Of each owner of parameters, before any clipping."
        )
    for name in logged:
        if name.startswith("level.") and not INDEXED.fullmatch(name):
            caption = ROUND_TRIP if name.endswith("round_trip") else ""
            yield Panel(
                title=name.replace(".", " ").replace("_", " ").capitalize(), names={name: name}, caption=caption
            )


def _others(logged: Sequence[str], panels: Sequence[Panel]) -> Iterator[Panel]:
    """Yields what no other chart shows."""
    shown = {name for panel in panels for name in panel.names}
    for name in logged:
        if name not in shown and not INDEXED.fullmatch(name):
            yield Panel(title=name, names={name: name})


def _repeats_gap(name: str, runs: Sequence[RunContent]) -> bool:
    """Whether a loss is the gap, which has its own chart."""
    return name.endswith(".gap") and all(row.get(name) == row.get("gap") for run in runs for row in run.metrics[:50])


def _profiles(logged: Sequence[str], runs: Sequence[RunContent]) -> Iterator[Markup]:
    """Yields a chart over the levels for everything that is logged of each of them."""
    found = [match for name in logged if (match := INDEXED.fullmatch(name))]
    for family, name in dict.fromkeys((match["family"], match["name"]) for match in found):
        title = f"{name.replace('_', ' ').capitalize()} of each {family.replace('.', ' ')}"
        lines = [
            Line(key=Key(label=run.name, colour=i, dash=i), points=points, dots=True)
            for i, run in enumerate(runs)
            if (points := _profile(run, family, name))
        ]
        if lines:
            keys = [line.key for line in lines] if len(runs) > 1 else ()
            holds = (0.0,) if name in ("share", "accept_rate") else ()
            chart = line_chart(title, lines, x_label=family.replace(".", " "), holds=holds)
            yield figure(title, chart, _at_last(name), keys)


def _profile(run: RunContent, family: str, name: str) -> list[tuple[float, float]]:
    """Returns (index, value) at the last logged step that has them; an acceptance of −1 says that none was tried."""
    rate = "accept" in name
    for row in reversed(run.metrics):
        entries = ((INDEXED.fullmatch(key), value) for key, value in row.items())
        points = [
            (float(match["index"]), float(value))
            for match, value in entries
            if match and (match["family"], match["name"]) == (family, name) and _is_number(value)
        ]
        if points:
            return sorted(point for point in points if not (rate and point[1] < 0))
    return []


def _at_last(name: str) -> str:
    what = {
        "share": "Share of the chains' time there; even is ideal.",
        "accept_rate": "Share of proposals accepted there; a level without a point was not tried.",
        "step_size": "Of the sampler, data units.",
    }
    return f"{what.get(name, '')} At the last logged step.".strip()


def _speed(runs: Sequence[RunContent]) -> Markup | None:
    """Returns training steps a second."""
    lines = list[Line]()
    for i, run in enumerate(runs):
        times = sorted(run.seconds.items())
        pairs = pairwise(times)
        points = [(float(b), (b - a) / (t - s)) for (a, s), (b, t) in pairs if t > s]
        if points:
            lines.append(Line(key=_key(i, 0, run.name, "speed", len(runs), 1), points=points))
    title = "Training steps a second"
    keys = [line.key for line in lines] if len(lines) > 1 else ()
    return figure(title, line_chart(title, lines), "Between logged steps.", keys) if lines else None


def _marks(runs: Sequence[RunContent]) -> list[Mark]:
    """Returns the steps at which alarms spoke, one mark a step."""
    marks = dict[int, Mark]()
    for run in runs:
        who = f"{run.name}: " if len(runs) > 1 else ""
        for step, name in _borders(run):
            marks[step] = Mark(x=float(step), kind="stage", label=f"{who}stage {name} begins")
        for finding in run.alarms:
            kind = "stop" if finding.get("kind") == "stop" else "warning"
            before = f"{marks[finding['step']].label}, " if finding["step"] in marks else ""
            label = f"{before}{who}{finding.get('alarm')}"
            marks[finding["step"]] = Mark(x=float(finding["step"]), kind=kind, label=label)
    return [marks[step] for step in sorted(marks)][-MARKED:]


def _borders(run: RunContent) -> Iterator[tuple[int, str]]:
    """Yields the first step, and the name, of each stage that the run has come to, the first aside."""
    made = 0
    for stage in () if run.recipe is None else run.recipe.stages:
        if made and made < run.steps:
            yield made + 1, stage.name
        made += stage.steps


def _lost(lines: Sequence[Line]) -> str:
    n = sum(not isfinite(y) for line in lines for _, y in line.points)
    return f"✕ below: {count(n, 'logged value')} that {'is' if n == 1 else 'are'} not finite." if n else ""


def _guide(runs: Sequence[RunContent]) -> Content:
    guide = ["Each chart over training steps; an axis is logarithmic where the numbers span orders of magnitude."]
    window = max(window_for(len(run.metrics)) for run in runs)
    if window:
        guide.append(f"Thin: each logged step. Bold: the mean of up to {window} logged steps around it.")
    if any(list(_borders(run)) for run in runs):
        guide.append("A dashed line marks the first step of a stage.")
    if any(run.alarms for run in runs):
        guide.append(
            "▲ marks a step at which an alarm warned, ■ one at which it stopped the run; pointing at one shows which."
        )
    return " ".join(guide)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
