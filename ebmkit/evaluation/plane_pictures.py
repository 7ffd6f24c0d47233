"""Pictures of two-dimensional models: data, model density and chains side by side, on the same axes."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
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


def densities_picture(
    densities: Sequence[tuple[str, Tensor]], window: Window, clouds: Sequence[tuple[str, Tensor]] = ()
) -> Image.Image:
    """Returns clouds of points and log densities on a window side by side, these on one scale of colours.

    Args:
        densities: [N, N] each, under its title; the first one's highest value is the darkest colour.
        window: on whose cells they are.
        clouds: points x [N, 2] each, under its title, in panels before them.
    """
    from matplotlib.figure import Figure

    n_panels = len(densities) + len(clouds)
    figure = Figure(figsize=(4.2 * n_panels, 4.8), layout="constrained")
    panels = iter(figure.subplots(1, n_panels, sharex=True, sharey=True, squeeze=False)[0])
    for name, cloud in clouds:
        _draw_points(next(panels), name, cloud.detach().float().cpu(), window)
    for name, log_density in densities:
        _draw_density(next(panels), log_density, window, name, float(densities[0][1].max().exp()))
    file = BytesIO()
    figure.savefig(file, dpi=100)
    return Image.open(file).convert("RGB")


def _draw_density(
    axes: Axes, log_density: Tensor, window: Window, title: str = "model density", top: float | None = None
) -> None:
    (left, low), (right, high) = window.low, window.high
    values, extent = log_density.exp().float().cpu().numpy(), (left, right, low, high)
    axes.imshow(values, origin="lower", extent=extent, cmap="Blues", vmin=0, vmax=top, interpolation="bilinear")
    _frame(axes, title, window)


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
