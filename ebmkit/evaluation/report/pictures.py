"""Pictures: fresh chains, a few of them on their way from noise, and the chains of training, early to late."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import torch
from PIL import Image

from ebmkit.evaluation.report.charts.frame import Key, figure
from ebmkit.evaluation.report.charts.lines import Line, line_chart
from ebmkit.evaluation.report.content import Drawn, RunContent
from ebmkit.evaluation.report.images import chosen, embedded, from_file, image_grid
from ebmkit.evaluation.report.markup import Content, Markup, tag
from ebmkit.evaluation.report.numbers import said
from ebmkit.evaluation.report.tables import listed, section

SHOWN, SHOWN_OF_MANY = 8, 5
"""Pictures of a run's training, of one run and of several."""
GRID_PIXELS, PLANE_PIXELS, FRAME_PIXELS = 320, 1000, 96
FRAMES = 12
HELD = ("step",)


def pictures(runs: Sequence[RunContent]) -> Markup | None:
    """Returns the pictures of all runs; None where there are none."""
    found = [part for run in runs if (part := _run(run, len(runs))) is not None]
    inside = tag("div", [tag("div", part) for part in found], class_="runs") if len(runs) > 1 else found
    return section("pictures", "What the chains look like", inside) if found else None


def _run(run: RunContent, n_runs: int) -> Content:
    parts = [part for part in (_drawn(run), _training(run, n_runs), *_figures(run)) if part is not None]
    return (tag("h3", run.name) if n_runs > 1 else None, *parts) if parts else None


def _drawn(run: RunContent) -> Content:
    """Returns fresh chains, beside the way of a few of them."""
    if run.drawn is None:
        return None
    fresh, film = _fresh(run.drawn), _film(run.drawn)
    return tag("div", tag("div", fresh), tag("div", film), class_="duo") if fresh and film else (fresh or film)


def _fresh(drawn: Drawn) -> Content:
    if drawn.x is None:
        return None
    picture = _plane(drawn) or image_grid(drawn.x, drawn.value_range)
    if picture is None:
        return None
    caption = f"{drawn.how}."
    pixels = drawn.plane is None
    return (
        tag("h4", "From noise"),
        tag("figure", embedded(picture, caption, pixelated=pixels), tag("figcaption", caption)),
        listed(drawn.notes),
    )  # fmt: skip


def _plane(drawn: Drawn) -> Image.Image | None:
    if drawn.plane is None:
        return None
    with Image.open(BytesIO(drawn.plane)) as opened:
        return opened.convert("RGB")


def _film(drawn: Drawn) -> Content:
    """Returns a few chains on their way, with the energy that they have there."""
    if not drawn.film:
        return None
    frames = [drawn.film[i] for i in _even(len(drawn.film), FRAMES)]
    seen = [(transition, image_grid(x, drawn.value_range, columns=1, widest=FRAME_PIXELS)) for transition, x in frames]
    tiles = [
        tag("figure", embedded(picture, f"transition {transition}", pixelated=True),
            tag("figcaption", "start" if transition == 0 else said(transition)))
        for transition, picture in seen if picture is not None
    ]  # fmt: skip
    n = len(drawn.film[0][1])
    told = f"{n} chains, one below the other; below each picture, the transitions made. They are the first ones drawn."
    if "visit" in drawn.how:
        told += " On the way x is noised; a chain that was taken stands still."
    return (
        (tag("h4", "From noise to image"), tag("div", tiles, class_="film"), tag("p", told, class_="soft"))
        if tiles
        else None,
        _way(drawn),
    )


def _way(drawn: Drawn) -> Content:
    if not drawn.film_energies:
        return None
    energies = torch.stack(list(drawn.film_energies))
    steps = [float(transition) for transition, _ in drawn.film]
    lines = [
        Line(key=Key(label=f"chain {i + 1}", colour=i, dash=i), points=list(zip(steps, column.tolist(), strict=True)))
        for i, column in enumerate(energies.T)
    ]
    data = next((values for name, values in drawn.energies.items() if name.startswith("training")), None)
    if data is not None and len(data):
        level = float(data.median())
        ends = [(steps[0], level), (steps[-1], level)]
        lines.append(Line(key=Key(label="median of training data", colour=7, dash=2), points=ends))
    title = "Energy on the way, nats"
    chart = line_chart(title, lines, x_label="transition")
    caption = "Where chains end at the level of the data, they have come down as far as data lie."
    return tag("div", figure(title, chart, caption, [line.key for line in lines]), class_="charts")


def _training(run: RunContent, n_runs: int) -> Content:
    found = run.pictures.get("step", ())
    steps = [found[i] for i in chosen(len(found), SHOWN if n_runs == 1 else SHOWN_OF_MANY)]
    tiles = _tiles(steps)
    if not tiles:
        return None
    what = f"{len(tiles)} of {len(found)} pictures" if len(found) > len(tiles) else "All pictures"
    told = f"{what} that were drawn in training, early to late: {_what_is_drawn(run)}."
    is_plane = _is_wide(steps[-1][1])
    return (
        tag("h4", "Through training"),
        tag("div", tiles, class_="tiles wide" if is_plane else "tiles"),
        tag("p", told, class_="soft"),
    )


def _what_is_drawn(run: RunContent) -> str:
    parts = {} if run.recipe is None else run.recipe.parts
    buffers, samplers = ([part.use for part in parts.get(table, ())] for table in ("buffer", "sampler"))
    if not samplers and parts:
        return "samples of the weights of that step, for this run trains without chains"
    if buffers and buffers != ["none"]:
        return "chains of the buffer, which go on from step to step, some of them begun anew"
    return "ends of the chains of that step"


def _figures(run: RunContent) -> list[Content]:
    """Returns the newest of what samplers show of themselves."""
    found = list[Content]()
    for name, drawn in run.pictures.items():
        tiles = _tiles(drawn[-1:]) if name not in HELD else []
        if tiles:
            told = "Drawn by the sampler in training, the newest."
            found.append((tag("h4", name), tag("div", tiles, class_="tiles wide"), tag("p", told, class_="soft")))
    return found


def _tiles(steps: Sequence[tuple[int, Path]]) -> list[Markup]:
    tiles = list[Markup]()
    for step, path in steps:
        picture = from_file(path, PLANE_PIXELS if _is_wide(path) else GRID_PIXELS)
        if picture is not None:
            said_step = f"step {step:,}"
            tiles.append(tag("figure", embedded(picture, said_step), tag("figcaption", said_step)))
    return tiles


def _is_wide(path: Path) -> bool:
    """Whether a picture is a row of plots and not a grid of images."""
    picture = from_file(path, 10_000)
    return picture is not None and picture.width > 1.3 * picture.height


def _even(n: int, most: int) -> list[int]:
    """Returns up to `most` of n indices, evenly, the first and the last among them."""
    return list(range(n)) if n <= most else sorted({round(k * (n - 1) / (most - 1)) for k in range(most)})
