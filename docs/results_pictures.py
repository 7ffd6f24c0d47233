"""The picture of a study: its first number, over the time of training or of all seeds, and the gap E⁺ − E⁻."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from results_study import HERE, Study
from results_table import mean_of, read, values_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

IMAGES = HERE.parent / "images" / "results"
Seeds = Sequence[Mapping[str, Any]]
APART = 4
"""So many arms can be told apart as lines that cross all the time."""


def draw_curves(study: Study, folder: Path = HERE, images: Path = IMAGES) -> Path | None:
    """Draws what was measured of a study, a line or dot a seed, and returns the file; None where there is nothing."""
    from matplotlib import pyplot

    measured = {
        arm: seeds for arm, seeds in read(folder / study.name, [arm.name for arm in study.arms]).items() if seeds
    }
    panels = [(_curve, "minutes of CPU time") if study.curve else (_seeds, study.columns[0])] if measured else []
    if len(measured) <= APART and any("gap" in entry.get("trace", {}) for told in measured.values() for entry in told):
        panels.append((_gap, "step"))
    if not panels:
        return None
    size = (5 * len(panels) + 1.8, max(3.6, 0.32 * len(measured) + 1.0))
    figure, axes = pyplot.subplots(1, len(panels), figsize=size, squeeze=False, layout="constrained")
    for ax, (draw, across) in zip(axes[0], panels, strict=True):
        for index, (arm, seeds) in enumerate(measured.items()):
            draw(ax, study, seeds, index, arm)
        if draw is _gap:
            ax.set_yscale("symlog", linthresh=_usual_size(ax))  # one that diverges leaves the others visible
        elif draw is _seeds:
            _arms(ax, list(measured))
        ax.set_xlabel(across.partition(": ")[2] or across)
        ax.grid(alpha=0.3)
    named = {name: line for ax in axes[0] for line, name in zip(*ax.get_legend_handles_labels(), strict=True)}
    if named:
        figure.legend(named.values(), named.keys(), fontsize=8, loc="outside right upper")
    images.mkdir(parents=True, exist_ok=True)
    file = images / f"{study.name}.png"
    figure.savefig(file, dpi=90)
    pyplot.close(figure)
    return file


def curve_of(entry: Mapping[str, Any], column: str) -> tuple[list[float], list[float]]:
    """Returns minutes and values of a number over one training.

    >>> curve = {"2": {"fd: a": [3.0, 0.1]}, "4": {"fd: a": [1.0, 0.1]}}
    >>> curve_of({"seconds": 240.0, "curve": curve, "shares": {"2": 0.25, "4": 1.0}}, "fd: a")
    ([1.0, 4.0], [3.0, 1.0])
    """
    told = [(step, _number(numbers[column][0])) for step, numbers in entry["curve"].items() if column in numbers]
    told.sort(key=lambda found: int(found[0]))
    minutes = [entry["seconds"] / 60 * entry["shares"][step] for step, _ in told]
    return minutes, [value for _, value in told]


def _seeds(ax: Axes, study: Study, seeds: Seeds, row: int, label: str) -> None:
    """Draws a number of each training as a dot, and their mean with its error, in the row of the arm."""
    found = values_of([entry for entry in seeds if "failed" not in entry], study.columns[0])
    if found:
        mean, error = mean_of(found, study.columns[0])
        ax.errorbar(mean, row, xerr=error, fmt="|", color=f"C{row}", markersize=14, capsize=3)
        ax.plot([value for value, _ in found], len(found) * [row], "o", color=f"C{row}", alpha=0.6, markersize=4)


def _arms(ax: Axes, names: Sequence[str]) -> None:
    """Names the rows of dots from above, and takes logarithms where the numbers are of unlike sizes."""
    from matplotlib.ticker import LogLocator

    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    drawn = np.concatenate([np.asarray(line.get_xdata(), dtype=float) for line in ax.get_lines()] or [np.ones(1)])
    if drawn.min() > 0 and drawn.max() > 5 * drawn.min():
        ax.set_xscale("log")
        for axis_format in (ax.xaxis.set_major_formatter, ax.xaxis.set_minor_formatter):
            axis_format("{x:g}")
        ax.xaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))


def _curve(ax: Axes, study: Study, seeds: Seeds, row: int, label: str) -> None:
    for index, entry in enumerate(entry for entry in seeds if "failed" not in entry):
        minutes, values = curve_of(entry, study.columns[0])
        ax.plot(minutes, values, f"C{row}", marker="o", markersize=3, label="" if index else label)
    ax.set_yscale("log")
    ax.set_ylabel(study.columns[0].partition(": ")[2])
    for axis_format in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
        axis_format("{x:g}")


def _gap(ax: Axes, study: Study, seeds: Seeds, row: int, label: str) -> None:
    for entry in seeds:
        trace = entry.get("trace", {})
        if "gap" in trace:
            ax.plot(trace["step"], [_number(v) for v in trace["gap"]], f"C{row}", lw=1, label=label)
            label = ""
    ax.set_ylabel("E⁺ − E⁻")


def _usual_size(ax: Axes) -> float:
    """Returns the median over the lines of what nearly all of their values are within."""
    sizes = [float(np.nanpercentile(np.abs(np.asarray(line.get_ydata())), 95)) for line in ax.get_lines()]
    usual = float(np.nanmedian(sizes))
    return usual if usual > 0 else 1.0


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
