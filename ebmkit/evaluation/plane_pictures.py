"""Pictures of two-dimensional models: data, model density and chains side by side, on the same axes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from ebmkit.evaluation.plane import LONGEST, Window, window_around

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#1f3b73"


def save_plane(
    path: Path,
    clouds: Sequence[tuple[str, Tensor]],
    *,
    log_density: Tensor | None = None,
    window: Window | None = None,
    title: str = "",
) -> None:
    """Draws clouds of points, each under its title, and after the first of several the density of the model.

    A lone cloud is drawn after the density. Points outside the window are counted in the title of their panel.

    Args:
        path: of the PNG.
        clouds: title and x [N, 2]: data and chains, or samples alone.
        log_density: of the model on the cells of the window [N, N], nats per unit area; None where there is none.
        window: on which all is drawn; unset, around the clouds.
        title: of the whole figure.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    first, *others = (cloud.detach().float().cpu() for _, cloud in clouds)
    shown = window or window_around(first, others[0] if others else None)
    n_panels = len(clouds) + (log_density is not None)
    figure = Figure(figsize=(4.2 * n_panels, 4.8), layout=ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.06))
    panels = list(figure.subplots(1, n_panels, sharex=True, sharey=True, squeeze=False)[0])
    if log_density is not None:
        _draw_density(panels.pop(1 if len(clouds) > 1 else 0), log_density, shown)
    for axes, (name, cloud) in zip(panels, clouds, strict=True):
        _draw_points(axes, name, cloud.detach().float().cpu(), shown)
    if title:
        figure.suptitle(title, fontsize="x-large", fontweight="bold")
    figure.draw_without_rendering()  # a second layout: the first does not know how wide equal axes are
    figure.savefig(path, dpi=120)


def _draw_density(axes: Axes, log_density: Tensor, window: Window) -> None:
    (left, low), (right, high) = window.low, window.high
    values = log_density.exp().float().cpu().numpy()
    axes.imshow(values, origin="lower", extent=(left, right, low, high), cmap="Blues", vmin=0, interpolation="bilinear")
    _frame(axes, "model density", window)


def _draw_points(axes: Axes, name: str, x: Tensor, window: Window) -> None:
    n_outside = int((~window.holds(x)).sum())
    first, second = x.numpy().T
    axes.scatter(first, second, s=7, alpha=0.55, color=INK, linewidths=0)
    _frame(axes, f"{name} ({n_outside:,} of {len(x):,} outside)" if n_outside else name, window)


def _frame(axes: Axes, title: str, window: Window) -> None:
    (left, low), (right, high) = window.low, window.high
    width, height = right - left, high - low
    axes.set(title=title, xlim=(left, right), ylim=(low, high))
    is_even = max(width, height) <= LONGEST * min(width, height)
    axes.set_aspect("equal" if is_even else width / height)
