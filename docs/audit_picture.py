"""The picture of docs/audit.md: how the bias of published samplers depends on their settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from audit import Run, measured
from audit_samplers import PUBLISHED, RIGHT

PARTS = {part.name: part for part in (*PUBLISHED, *RIGHT)}
STEPS = (0.2, 0.35, 0.5, 0.75, 1.0, 1.25, 1.5)
HALF_SQUARES = (0.02, 0.08, 0.2, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
KEPT = (0.0, 0.25, 0.5, 0.75, 0.9, 0.97)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
QUICK, IN_LAW = Run(n=200, n_seeds=2, moves=800), Run(n_seeds=3, moves=300)


def draw(path: Path) -> None:
    """Writes the picture."""
    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 4, figsize=(15, 3.6), layout="constrained")
    _langevin(axes[0], "half-square", [(s, s) for s in STEPS], "s²/2 in the ratio for s/2", "step s")
    steps = [(h, (2 * h) ** 0.5) for h in HALF_SQUARES]
    _langevin(axes[1], "two-h-square", steps, "log density divided by 2h² for 4h", "h = s²/2")
    axes[1].set_yscale("log")
    for name, label in (
        ("old-momentum", "the old one"),
        ("forgotten-flip", "not negated"),
        ("right-hmc", "negated: right"),
    ):
        settings = [{"step_size": 2.5, "kept": c} for c in KEPT]
        _plot(axes[2], list(KEPT), [measured(PARTS[name], s, IN_LAW) for s in settings], label)
    _titled(axes[2], "momentum that stays after a rejection", "share c of the momentum that is kept")
    for name, label in (("one-decision", "one for all"), ("right-mala", "one for each row: right")):
        found = [measured(PARTS[name], {"step_size": 1.0}, Run(n=n, n_seeds=2, moves=300)) for n in BATCHES]
        axes[3].plot(BATCHES, [one.acceptance for one in found], "o-", markersize=3, label=label)
    _titled(axes[3], "accept decisions, chains in the law", "chains in the batch", "accepted")
    axes[3].set_xscale("log")
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def _langevin(axis: Any, name: str, places: list[tuple[float, float]], title: str, x: str) -> None:
    for which, label in ((name, "as published"), ("right-mala", "right")):
        _plot(
            axis, [at for at, _ in places], [measured(PARTS[which], {"step_size": s}, QUICK) for _, s in places], label
        )
    _titled(axis, title, x)


def _plot(axis: Any, at: list[float], found: list[Any], label: str) -> None:
    values, errors = [one.value for one in found], [one.error for one in found]
    axis.errorbar(at, values, yerr=errors, fmt="o-", markersize=3, label=label)


def _titled(axis: Any, title: str, x: str, y: str = "E x²/σ², must be 1") -> None:
    axis.set_title(title, fontsize=10)
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    axis.legend(fontsize=8)
