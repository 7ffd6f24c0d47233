"""Writes the tables and the picture of docs/objectives.md from docs/objectives.json; the words there are by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from math import isinf, sqrt
from pathlib import Path
from statistics import mean, stdev
from textwrap import wrap
from typing import Any

from objectives_rows import MIXTURE, NOT_HERE, PLANE, ROWS, TARGETS

HERE = Path(__file__).parent
PAGE, PICTURE = HERE / "objectives.md", HERE / "images" / "objectives.png"
DENSITIES = Path("runs/objectives")
DRAWN = "![Densities that the objectives learn, beside the data](images/objectives.png)\n"
ACROSS = 7
"""Panels side by side in the picture."""

Cells = Mapping[str, Mapping[str, Any]]
ON = {kind: tuple(name for name, target in TARGETS.items() if target.kind == kind) for kind in (PLANE, MIXTURE)}


def of(cells: Cells, row: str, target: str) -> list[Mapping[str, Any]]:
    """Returns the cells of a row on a target, seed after seed."""
    return [found for key, found in sorted(cells.items()) if key.split("|")[:2] == [row, target]]


def spread(values: Iterable[float], digits: int = 3) -> str:
    """Returns the mean and its standard error over seeds, "∞" where one is infinite.

    >>> spread([1.0, 1.2, 1.1])
    '1.1 ± 0.058'
    """
    numbers = list(values)
    if any(isinf(value) for value in numbers):
        return "∞"
    text = f"{mean(numbers):.{digits}g}"
    return text if len(numbers) < 2 else f"{text} ± {stdev(numbers) / sqrt(len(numbers)):.2g}"


def entry(found: list[Mapping[str, Any]], names: tuple[str, ...]) -> str:
    """Returns what a table shows of the seeds of a cell."""
    if not found:
        return "–"
    worked = [one for one in found if "failed" not in one]
    if not worked:
        return "failed"
    text = " / ".join(
        spread(one[name] for one in worked if name in one) if _has(worked, name) else "–" for name in names
    )
    marks = "†" if any(one.get("runs_away") for one in worked) else ""
    return text + marks + (f" ({len(found) - len(worked)} failed)" if len(worked) < len(found) else "")


def _has(worked: list[Mapping[str, Any]], name: str) -> bool:
    return any(name in one for one in worked)


def markdown(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Returns a table."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def measured_rows(cells: Cells, kind: str) -> list[str]:
    """Returns the rows that have a cell on a target of a kind, in order."""
    return [name for name in ROWS if any(of(cells, name, target) for target in ON[kind])]


def plane_table(cells: Cells) -> str:
    """Returns both divergences on each target of the plane."""
    heads = ("objective", *(TARGETS[target].title for target in ON[PLANE]))
    rows = [
        (ROWS[name].title, *(entry(of(cells, name, target), ("kl", "reverse")) for target in ON[PLANE]))
        for name in measured_rows(cells, PLANE)
    ]
    return markdown(heads, rows)


MIXTURE_NUMBERS = (("error", "error at data"), ("modes", "of modes"), ("ess", "ESS share"), ("weights", "weights, TV"))


def mixture_table(cells: Cells) -> str:
    """Returns errors of energies, ESS and mode weights on the mixtures."""
    heads = ["objective"]
    for on in ON[MIXTURE]:
        heads += [f"{TARGETS[on].data['dimensions']} d: {title}" for _, title in MIXTURE_NUMBERS]
    rows = [
        (
            ROWS[name].title,
            *(entry(of(cells, name, on), (short,)) for on in ON[MIXTURE] for short, _ in MIXTURE_NUMBERS),
        )
        for name in measured_rows(cells, MIXTURE)
    ]
    return markdown(tuple(heads), rows)


def cost_table(cells: Cells) -> str:
    """Returns steps, energies, gradients, seconds and memory on the rings and on the mixture in 16 dimensions."""
    heads = ("objective", "on", "steps", "energies, millions", "gradients, millions", "seconds", "MiB")
    rows = []
    for name in ROWS:
        for target in ("rings", "mixture-16"):
            found = [one for one in of(cells, name, target) if "failed" not in one]
            if found:
                costs = (mean(one[key] for one in found) for key in ("steps", "energies", "gradients", "seconds"))
                steps, energies, gradients, seconds = costs
                counts = (f"{energies / 1e6:.2f}", f"{gradients / 1e6:.2f}", f"{seconds:.1f}")
                peak = f"{max(one['mebibytes'] for one in found):.0f}"
                rows.append((ROWS[name].title, TARGETS[target].title, f"{steps:,.0f}", *counts, peak))
    return markdown(heads, rows)


def tried_table(tried: Cells) -> str:
    """Returns what the settings that were tried gave."""
    heads = ("objective", "on", "setting", "KL(data ‖ model), or TV of the weights of modes")
    rows = []
    for key, found in sorted(tried.items()):
        name, target, *_ = key.split("|")
        settings = ", ".join(f"`{setting} = {json.dumps(value)}`" for setting, value in found["settings"].items())
        kind = ("kl",) if TARGETS[target].kind == PLANE else ("weights",)
        rows.append((ROWS[name].title, TARGETS[target].title, settings or "the row's own", entry([found], kind)))
    return markdown(heads, rows)


def missing_text() -> str:
    """Returns why some objectives have no line."""
    return "".join(f"- `{name}`: {why}\n" for name, why in NOT_HERE.items())


def conditions(cells: Cells) -> str:
    """Returns how long each cell was trained, and how often."""
    asked = sorted({float(one["asked"]) for one in cells.values() if "asked" in one})
    seeds = len({key.split("|")[2] for key in cells})
    times = " and ".join(f"{seconds:g}" for seconds in asked)
    failed = sum("failed" in one for one in cells.values())
    often = f"{seeds} seed" + "s" * (seeds != 1)
    return f"{len(cells)} cells, {times or 'no'} CPU seconds of training each, {often}; {failed} failed.\n"


def filled(text: str, tables: Mapping[str, str]) -> str:
    """Returns a page with each block between `<!-- NAME -->` and `<!-- /NAME -->` written anew."""
    for name, table in tables.items():
        block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not block.search(text):
            raise SystemExit(f"docs/objectives.md has no block <!-- {name} -->.")
        text = block.sub(lambda match, table=table: f"{match[1]}\n{table}\n{match[2]}", text)  # type: ignore[misc]
    return text


def tables_of(ledger: Mapping[str, Cells]) -> dict[str, str]:
    """Returns block of the page → what stands in it."""
    cells = {key: found for key, found in ledger["cells"].items() if key.split("|")[0] in ROWS}
    tried = {key: found for key, found in ledger["tried"].items() if key.split("|")[0] in ROWS}
    return {
        "conditions": conditions(cells),
        "plane": plane_table(cells),
        "mixtures": mixture_table(cells),
        "costs": cost_table(cells),
        "tried": tried_table(tried),
        "published": published_table(ledger["published"]),
        "not-here": missing_text(),
        "picture": DRAWN if PICTURE.exists() else "",
    }


def write_page(ledger: Mapping[str, Cells]) -> None:
    """Writes every table into the page, and the picture where densities were kept."""
    draw(PICTURE)
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), tables_of(ledger)), encoding="utf-8")


PRINTED = {
    "InfoNCE alone|eight-gaussians": ".2395",
    "score alone|eight-gaussians": ".2199",
    "InfoNCE + score|eight-gaussians": ".0150",
    "both|eight-gaussians": "–",
    "InfoNCE alone|checkerboard": "3.85",
    "score alone|checkerboard": ".838",
    "InfoNCE + score|checkerboard": ".199",
    "both|checkerboard": "–",
    "InfoNCE alone|mixture-128": "–",
    "score alone|mixture-128": "383.5",
    "InfoNCE + score|mixture-128": "–",
    "both|mixture-128": "4.40",
}
"""What the papers print: KL in the plane, an error in 128 dimensions (see docs/objectives_published.py)."""


def published_table(published: Cells) -> str:
    """Returns what was found of each side of the published figures, beside what is printed."""
    heads = (
        "law",
        "trained by",
        "KL(data ‖ model)",
        "error at data",
        "classification, exact",
        "of modes",
        "weights, TV",
        "printed",
        "s",
    )
    rows = []
    for name, printed in PRINTED.items():
        side, on = name.split("|")
        found = of(published, side, on)
        worked = [one for one in found if "failed" not in one]
        pair = f"{entry(found, ('classification',))}, {entry(found, ('exact',))}" if "mixture" in on else "–"
        numbers = (
            entry(found, ("kl",)),
            entry(found, ("error",)),
            pair,
            entry(found, ("modes",)),
            entry(found, ("weights",)),
        )
        seconds = f"{mean(one['seconds'] for one in worked):.0f}" if worked else "–"
        rows.append((on, side, *numbers, printed, seconds))
    return markdown(heads, rows)


def draw(path: Path) -> None:
    """Writes the picture: for each target the data and the density of each objective whose densities were kept."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    rows = [name for name in ROWS if any((DENSITIES / f"{name}-{on}-0.npz").exists() for on in ON[PLANE])]
    if not rows:
        return
    targets = [on for on in ON[PLANE] if any((DENSITIES / f"{name}-{on}-0.npz").exists() for name in rows)]
    lines = -(-(len(rows) + 1) // ACROSS)
    n_lines = lines * len(targets)
    figure, axes = pyplot.subplots(n_lines, ACROSS, figsize=(1.35 * ACROSS, 1.65 * n_lines), layout="constrained")
    for axis in axes.flat:
        axis.set_axis_off()
    for i, on in enumerate(targets):
        for j, name in enumerate(["", *rows]):
            panel(axes[i * lines + j // ACROSS][j % ACROSS], name, on)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def panel(axis: Any, name: str, on: str) -> None:
    """Draws a density of the plane, that of the data where no objective is named; nothing where none was kept."""
    import numpy as np

    file = DENSITIES / f"{name}-{on}-0.npz"
    if name and not file.exists():
        return
    shown = np.load(file)["log_density"] if name else true_density(on)
    title = ROWS[name].title if name else f"data: {TARGETS[on].title}"
    axis.set_title("\n".join(wrap(title, 22)), fontsize=6.5, pad=2)
    axis.imshow(np.exp(shown - shown[np.isfinite(shown)].max()) ** 0.5, origin="lower", cmap="Blues")


def true_density(on: str) -> Any:
    """Returns log p of the data on the grid of the picture."""
    from objectives_cell import SHOWN_CELLS

    import ebmkit
    from ebmkit.evaluation.plane import Window

    settings = dict(TARGETS[on].data)
    data = ebmkit.build("dataset", str(settings.pop("use")), **settings)
    window = Window.square(1.35 * float(settings.get("radius", 2.0)), SHOWN_CELLS)  # type: ignore[arg-type]
    return data.log_density(window.points()).view(SHOWN_CELLS, SHOWN_CELLS).numpy()
