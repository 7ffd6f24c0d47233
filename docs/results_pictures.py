"""The picture of a study: its first number over the time of training, and the gap E⁺ − E⁻ over the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from results_study import HERE, Study
from results_table import read

if TYPE_CHECKING:
    from matplotlib.axes import Axes

IMAGES = HERE.parent / "images" / "results"
Seeds = Sequence[Mapping[str, Any]]


def draw_curves(study: Study, folder: Path = HERE, images: Path = IMAGES) -> Path | None:
    """Draws what was measured of a study, a line a seed, and returns the file; None where there is nothing to draw."""
    from matplotlib import pyplot

    measured = {
        arm: seeds for arm, seeds in read(folder / study.name, [arm.name for arm in study.arms]).items() if seeds
    }
    panels = []
    if study.curve and measured:
        panels.append((_curve, "minutes of CPU time", study.columns[0]))
    if any("gap" in entry.get("trace", {}) for seeds in measured.values() for entry in seeds):
        panels.append((_gap, "step", "E⁺ − E⁻"))
    if not panels:
        return None
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(5 * len(panels) + 1.8, 3.6), squeeze=False, layout="constrained"
    )
    for ax, (draw, across, up) in zip(axes[0], panels, strict=True):
        for index, (arm, seeds) in enumerate(measured.items()):
            draw(ax, study, seeds, f"C{index}", arm)
        if draw is _gap:
            ax.set_yscale("symlog", linthresh=_usual_size(ax))  # one that diverges leaves the others visible
        ax.set(xlabel=across, ylabel=up)
        ax.grid(alpha=0.3)
    named = {name: line for ax in axes[0] for line, name in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(named.values(), named.keys(), fontsize=8, loc="outside right upper")
    images.mkdir(parents=True, exist_ok=True)
    file = images / f"{study.name}.png"
    figure.savefig(file, dpi=90)
    pyplot.close(figure)
    return file


def curve_of(entry: Mapping[str, Any], column: str) -> tuple[list[float], list[float]]:
    """Returns minutes and values of a number over one training.

    >>> curve = {"2": {"fd: a": [3.0, 0.1]}, "4": {"fd: a": [1.0, 0.1]}}
    >>> curve_of({"steps": 4, "seconds": 240.0, "curve": curve}, "fd: a")
    ([2.0, 4.0], [3.0, 1.0])
    """
    told = [(int(step), _number(numbers[column][0])) for step, numbers in entry["curve"].items() if column in numbers]
    minutes = [entry["seconds"] / 60 * step / entry["steps"] for step, _ in sorted(told)]
    return minutes, [value for _, value in sorted(told)]


def _curve(ax: Axes, study: Study, seeds: Seeds, colour: str, label: str) -> None:
    for index, entry in enumerate(entry for entry in seeds if "failed" not in entry):
        minutes, values = curve_of(entry, study.columns[0])
        ax.plot(minutes, values, colour, marker="o", markersize=3, label="" if index else label)
    ax.set_yscale("log")
    for axis_format in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
        axis_format("{x:g}")


def _gap(ax: Axes, study: Study, seeds: Seeds, colour: str, label: str) -> None:
    for entry in seeds:
        trace = entry.get("trace", {})
        if "gap" in trace:
            ax.plot(trace["step"], [_number(v) for v in trace["gap"]], colour, lw=1, label=label)
            label = ""


def _usual_size(ax: Axes) -> float:
    """Returns the median over the lines of what nearly all of their values are within."""
    sizes = [float(np.nanpercentile(np.abs(np.asarray(line.get_ydata())), 95)) for line in ax.get_lines()]
    usual = float(np.nanmedian(sizes))
    return usual if usual > 0 else 1.0


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
