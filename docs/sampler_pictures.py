"""Draws the pictures of docs/samplers.md, and measures its table.

python docs/sampler_pictures.py            draw every picture into docs/images/samplers
python docs/sampler_pictures.py --table    measure what the draws of each sampler cost, and print the table
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from io import BytesIO
from math import log
from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch import Generator, Tensor

import ebmkit
from ebmkit import BuildContext, Point
from ebmkit.evaluation.pictures import to_uint8
from ebmkit.samplers.sequence import Sequence

FOLDER = Path(__file__).parent / "images" / "samplers"
INK, PAPER, CHAINS = "#3a3a3a", "#e9eef1", ("#1b4965", "#c8553d", "#d99a2b")
N_COLOURS, DPI = 48, 110
REACH = 3.6  # half-width of the plane that is shown, data units

SHOWN: dict[str, dict[str, Any]] = {
    "sgld": {"moves": 1, "step_size": 0.02},
    "underdamped": {"moves": 1, "step_size": 0.15, "friction": 0.4},
    "mala": {"moves": 1, "step_size": 0.4},
    "hmc": {"moves": 1, "n_leapfrog": 10, "step_size": 0.25},
    "nuts": {"moves": 1, "max_depth": 4, "step_size": 0.25},
    "tempering": {"moves": 4, "n_temperatures": 4, "highest": 10.0, "step_size": 0.4},
}
TUNED = {"adapt": "dual-averaging", "adapt_every": 1}
MEASURED: dict[str, dict[str, Any]] = {
    "crescents": {
        "sgld": {"step_size": 0.016},
        "underdamped": {"step_size": 0.3, "friction": 0.7},
        "mala": {**TUNED, "accept": (0.5, 0.65)},
        "hmc": {**TUNED, "n_leapfrog": 8, "accept": (0.6, 0.8)},
        "nuts": {**TUNED, "max_depth": 4},
        "tempering": {**TUNED, "n_temperatures": 3, "highest": 5.0, "moves": 4, "accept": (0.5, 0.65)},
    },
    "gaussian": {
        "sgld": {"step_size": 0.001},
        "underdamped": {"step_size": 0.1, "friction": 1.0},
        "mala": {**TUNED, "accept": (0.5, 0.65)},
        "mala, scale": {**TUNED, "accept": (0.5, 0.65)},
        "hmc": {**TUNED, "n_leapfrog": 20, "accept": (0.6, 0.8)},
        "hmc, scale": {**TUNED, "n_leapfrog": 4, "accept": (0.6, 0.8)},
        "nuts": {**TUNED, "max_depth": 6},
        "nuts, scale": {**TUNED, "max_depth": 3},
        "tempering": {**TUNED, "n_temperatures": 3, "highest": 5.0, "moves": 4, "accept": (0.5, 0.65)},
    },
}


# --- targets


def crescents(point: Point) -> Tensor:
    """A ring of radius 2 of which two facing halves are likely: two bent modes, about 2.5 nats between them."""
    across, away = point.x[:, 0], point.x.square().sum(dim=1).sqrt()
    sides = torch.logaddexp(-((across - 2) / 0.8).square() / 2, -((across + 2) / 0.8).square() / 2)
    return ((away - 2) / 0.4).square() / 2 - sides


def plane(n: int = 240) -> tuple[Tensor, Tensor]:
    """Returns the axis [n] and the density [n, n] of the crescents, rows along the second entry."""
    axis = torch.linspace(-REACH, REACH, n)
    second, first = torch.meshgrid(axis, axis, indexing="ij")
    energy = crescents(Point(x=torch.stack([first.flatten(), second.flatten()], dim=1)))
    return axis, torch.softmax(-energy, dim=0).view(n, n)


def draw_crescents(n: int, rng: Generator) -> Tensor:
    """Returns n draws [n, 2], exact but for the grid."""
    axis, density = plane(480)
    place = torch.multinomial(density.flatten(), n, replacement=True, generator=rng)
    return torch.stack([axis[place % 480], axis[place // 480]], dim=1)


SD = torch.logspace(-1, 0, 20)


def gaussian(point: Point) -> Tensor:
    """Twenty independent entries with s.d. from .1 to 1."""
    return (point.x / SD).square().sum(dim=1) / 2


class Diffused:
    """¾N(−2, .3²) + ¼N(2, .3²), shrunk and blurred more at each of six levels."""

    abilities = frozenset({"levels"})
    shrink = torch.tensor([1.0, 0.95, 0.85, 0.65, 0.4, 0.1])
    sd = (shrink**2 * 0.09 + 1 - shrink**2).sqrt()

    def __call__(self, point: Point) -> Tensor:
        """Returns the energies [B], nats."""
        return self.levels(point).gather(1, point.aux["level"][:, None])[:, 0]

    def levels(self, point: Point, name: str = "level") -> Tensor:
        """Returns the energies [B, 6] of all levels, nats."""
        modes = [-((point.x - c * self.shrink) / self.sd).square() / 2 for c in (-2, 2)]
        return self.sd.log() - torch.logaddexp(modes[0] + log(0.75), modes[1] + log(0.25))


class Level:
    """The least that a sampler must know of a discrete coordinate."""

    name, n_values = "level", 6


def ising(point: Point) -> Tensor:
    """Spins on a torus, J = .3: disordered, the bound for that being .44."""
    s = 2 * point.x - 1
    return -0.3 * (s * (s.roll(1, dims=-1) + s.roll(1, dims=-2))).flatten(1).sum(dim=1)


# --- chains


def walk(energy: Any, sampler: Any, start: Point, gradients: int, seed: int) -> tuple[list[Point], list[int]]:
    """Returns the chains after each transition until so many gradients are spent, and what was spent until then.

    A picture shows every move. The gradient at the start of a transition, one in K + 1, is left out of the count.
    """
    seen, state = ebmkit.view(energy), sampler.init(start, Generator().manual_seed(seed))
    points, spent = [state.point], [0]
    while spent[-1] < gradients:
        state, info = sampler.step(seen, state)
        points.append(state.point)
        spent.append(spent[-1] + info.n_gradients - (info.n_gradients > info.n_moves))
    return points, spent


class Visited:
    """The crescents, remembering where they were asked."""

    def __init__(self) -> None:
        self.places: list[Tensor] = []

    def __call__(self, point: Point) -> Tensor:
        """Returns the energies [B], nats."""
        self.places.append(point.x.detach())
        return crescents(point)


# --- pictures


def save(figure: Figure, name: str) -> None:
    """Saves a figure as a PNG of few colours."""
    buffer = BytesIO()
    figure.savefig(buffer, dpi=DPI)
    picture = Image.open(buffer).convert("RGB").quantize(N_COLOURS, dither=Image.Dither.NONE)
    FOLDER.mkdir(parents=True, exist_ok=True)
    picture.save(FOLDER / f"{name}.png", optimize=True)


def panels(*widths: float) -> tuple[Figure, list[Axes]]:
    """Returns a figure with panels side by side, in the house's looks."""
    figure = Figure(figsize=(7.2, 2.6), layout="constrained")
    axes = list(figure.subplots(1, len(widths), width_ratios=widths))
    for one in axes:
        one.tick_params(labelsize=7, colors=INK, length=2)
        one.spines[["top", "right"]].set_visible(False)
        one.spines[["left", "bottom"]].set_color(INK)
        for axis in (one.xaxis, one.yaxis):
            axis.label.set(size=8, color=INK)
    return figure, axes


def trace(axes: Axes, spent: list[int], values: list[Tensor], what: str) -> None:
    """Draws one number [B] of each chain against the gradients spent."""
    for colour, line in zip(CHAINS, torch.stack(values, dim=1), strict=False):
        axes.plot(spent, line, color=colour, lw=0.7)
    axes.set(xlabel="gradients a chain", ylabel=what, xlim=(0, spent[-1]))


def in_the_plane(name: str, settings: dict[str, Any]) -> None:
    """Draws paths of three chains over the crescents, and how they change sides."""
    sampler = ebmkit.build("sampler", name, **settings)
    start = Point(x=torch.tensor([[-2.2, 0.3], [-1.6, -1.1], [1.7, 0.9]]))
    energy = Visited()
    points, spent = walk(energy, sampler, start, 2000, seed=1)
    figure, (left, right) = panels(1, 2.1)
    axis, density = plane()
    levels = density.max() * torch.tensor([0.02, 0.1, 0.3, 0.6, 1.01])
    shades = ("#eef2f4", "#dbe4e9", "#c3d2da", "#a9bfca")
    left.contourf(axis, axis, density, levels=levels, colors=shades)
    shown = next(i for i, s in enumerate(spent) if s >= 150)
    along = name in ("hmc", "nuts")  # their trajectories are shown, not just where they end
    places = torch.stack(energy.places[: 150 + shown], dim=1) if along else torch.empty(3, 0, 2)
    for colour, path, way in zip(CHAINS, torch.stack([p.x for p in points[: shown + 1]], dim=1), places, strict=True):
        left.plot(*path.T, color=colour, lw=0 if along else 0.6, alpha=0.8, marker="o", ms=2.5 if along else 1.6, mew=0)
        left.plot(*way.T, color=colour, lw=0.5 if name == "hmc" else 0, alpha=0.5, marker="o", ms=1, mew=0)
        left.plot(*path[0], color=colour, marker="o", ms=4.5, mec="white", mew=0.8)
    left.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal", xlabel="x₁", ylabel="x₂")
    trace(right, spent, [p.x[:, 0] for p in points], "x₁")
    right.set(ylim=(-REACH, REACH), yticks=(-2, 0, 2))
    save(figure, name)


def across_levels() -> None:
    """Draws a chain that moves x by mala and its level by gibbs."""
    context = BuildContext(event_shape=(1,), coordinates=(Level(),))
    mala = ebmkit.build("sampler", "mala", context=context, moves=1, step_size=0.5)
    sampler = Sequence([mala, ebmkit.build("sampler", "gibbs", context=context)])
    start = Point(x=torch.tensor([[-2.0], [-2.2], [2.0]]), aux={"level": torch.zeros(3, dtype=torch.int64)})
    points, spent = walk(Diffused(), sampler, start, 1200, seed=3)
    figure, (left, right) = panels(1.5, 2.1)
    x = torch.linspace(-4, 4, 300)
    law = torch.exp(-Diffused().levels(Point(x=x[:, None]))).T
    for level, row in enumerate(law):
        left.fill_between(x, level, level + 0.75 * row / law.max(), color=PAPER, ec="#a9bfca", lw=0.6)
    for colour, chain in zip(CHAINS, range(3), strict=True):
        place = torch.tensor([[float(p.x[chain, 0]), float(p.aux["level"][chain])] for p in points[:14]])
        left.step(*place.T, where="post", color=colour, lw=0.8, alpha=0.85)
        left.plot(*place[0], color=colour, marker="o", ms=4.5, mec="white", mew=0.8)
    left.set(xlabel="x", ylabel="level", xlim=(-4, 4), ylim=(-0.3, 6.1), yticks=range(6))
    trace(right, spent, [p.x[:, 0] for p in points], "x")
    save(figure, "gibbs")


def on_a_lattice() -> None:
    """Draws states of a chain of spins, and how many spins are up in three chains."""
    sampler = ebmkit.build("sampler", "gibbs-with-gradients", moves=8)
    x = (torch.rand(3, 12, 12, generator=Generator().manual_seed(0)) < 0.5).float()
    points, spent = walk(ising, sampler, Point(x=x), 3600, seed=1)
    figure, (left, right) = panels(1.5, 2.1)
    states = torch.stack([points[round(k)].x[0] for k in torch.linspace(0, 90, 8).tolist()])
    sheet = torch.full((2 * 14, 4 * 14), torch.nan)
    for i, state in enumerate(states):
        top, side = i // 4 * 14 + 1, i % 4 * 14 + 1
        sheet[top : top + 12, side : side + 12] = state
    from matplotlib.colors import ListedColormap

    left.imshow(sheet, cmap=ListedColormap([PAPER, CHAINS[0]]), interpolation="nearest")
    left.set_axis_off()
    trace(right, spent, [p.x.mean(dim=(1, 2)) for p in points], "share of spins up")
    right.set(ylim=(0, 1))
    save(figure, "gibbs-with-gradients")


def of_images() -> None:
    """Draws garments before and after two augmentations."""
    data = ebmkit.build("dataset", "fashion-mini", limit=12)
    context = BuildContext(event_shape=data.event_shape, value_range=data.value_range)
    start = Point(x=data.batch(torch.arange(10), Generator().manual_seed(0)).x)
    rows = [start.x]
    for preset in ("gentle", "strong"):
        sampler = ebmkit.build("sampler", "augment", context=context, preset=preset)
        state = sampler.init(start, Generator().manual_seed(2))
        rows.append(sampler.step(ebmkit.view(lambda p: p.x.sum()), state)[0].point.x)
    tiles = torch.cat([to_uint8(row, data.value_range)[:, 0] for row in rows]).view(3, 10, 28, 28)
    sheet = torch.nn.functional.pad(tiles, (1, 1, 1, 1), value=255).permute(0, 2, 1, 3).reshape(3 * 30, 10 * 30)
    FOLDER.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet.numpy()).resize((720, 216), Image.Resampling.NEAREST).quantize(16).save(
        FOLDER / "augment.png", optimize=True
    )


# --- the table


def measured(target: str, label: str, settings: dict[str, Any], budget: int = 20_000) -> str:
    """Returns a row of the table: 16 chains that start in the law, 20,000 gradients each after 2,000 of tuning."""
    flat, name = target == "gaussian", label.partition(",")[0]
    rng, shape = Generator().manual_seed(0), (20,) if target == "gaussian" else (2,)
    start = torch.randn(16, 20, generator=rng) * SD if flat else draw_crescents(16, rng)
    scale = {"scale": tuple(SD.tolist())} if label.endswith("scale") else {}
    one_gradient = name in ("sgld", "underdamped", "mala")
    moves = {"moves": 20} if one_gradient else {}
    sampler = ebmkit.build("sampler", name, context=BuildContext(event_shape=shape), **{**moves, **settings, **scale})
    energy = gaussian if flat else crescents
    a_transition = ebmkit.sample(energy, sampler, start, transitions=1).n_gradients
    n = budget // a_transition
    draws = ebmkit.sample(energy, sampler, start, transitions=n, burn_in=max(1, n // 10), adapt=True, seed=1)
    found, exact = draws.summary(), SD[0] ** 2 if flat else _second_moment()
    off = float(draws.x[..., 0].square().mean() / exact - 1)
    step = draws.tuning.get("step_size", draws.tuning.get("0", {}).get("step_size", settings.get("step_size")))
    size = float(torch.as_tensor(step).flatten()[0])
    return (
        f"| {label} | {size:.2g} | {float(draws.accept_rate.mean()):.2f} | {a_transition} | "
        f"{found.ess_per_1000_gradients:.2g} | {off:+.1%} |"
    )


def _second_moment() -> Tensor:
    axis, density = plane(960)
    return (density.sum(dim=0) * axis.square()).sum()


def table() -> str:
    """Returns the measured table of both targets."""
    heads = "| sampler | step | accepted | gradients per transition | ESS / 1,000 gradients | error of E x₁² |"
    lines = []
    for target, rows in MEASURED.items():
        lines += [f"{target}:", heads, "|---" * 6 + "|"]
        lines += [measured(target, label, settings) for label, settings in rows.items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Draws the pictures, or prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="store_true")
    if parser.parse_args().table:
        sys.stdout.write(table())
        return
    drawn: list[Callable[[], None]] = [across_levels, on_a_lattice, of_images]
    for name, settings in SHOWN.items():
        in_the_plane(name, settings)
    for draw in drawn:
        draw()


if __name__ == "__main__":
    main()
