"""Pictures of two-dimensional models: data, model density and chains side by side, on the same axes."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw
from torch import Tensor

from ebmkit.evaluation.plane import LONGEST, Window, window_around

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, DOT = "#1f3b73", "#d1495b"


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


def plane_frames(
    frames: Sequence[Tensor], *, log_density: Tensor | None = None, window: Window | None = None, title: str = ""
) -> list[Image.Image]:
    """Returns a picture of each frame of moving chains [N, 2], on the density of the model where there is one.

    The axes are drawn once, and the chains onto copies of that picture; those outside the window are not shown.

    Args:
        frames: x after each transition.
        log_density: of the model on the cells of the window; None where there is none.
        window: on which all is drawn; unset, around the last frame.
        title: of each picture.
    """
    from matplotlib.figure import Figure

    shown = window or window_around(frames[-1].float())
    figure = Figure(figsize=(5, 5.3), dpi=100, layout="constrained")
    axes = figure.subplots()
    if log_density is not None:
        _draw_density(axes, log_density, shown)
    _frame(axes, title, shown)
    figure.draw_without_rendering()  # a second layout, as in `save_plane`
    file = BytesIO()
    figure.savefig(file, dpi=figure.dpi)
    empty = Image.open(file).convert("RGB")
    places = (axes.transData.transform(x[shown.holds(x)].numpy()) for x in (frame.float() for frame in frames))
    return [_with_dots(empty, [(across, empty.height - up) for across, up in at]) for at in places]


def _with_dots(picture: Image.Image, places: Sequence[tuple[float, float]], radius: float = 1.8) -> Image.Image:
    dotted = picture.copy()
    pen = ImageDraw.Draw(dotted)
    for across, down in places:
        pen.ellipse((across - radius, down - radius, across + radius, down + radius), fill=DOT)
    return dotted


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
