"""Four rings in the plane: a diffusion-assisted energy beside plain persistent CD, judged by quadrature.

Trains both with the same network, budget and tuning, and says of every checkpoint how far its density is from the data:
KL(data ‖ model at level 0), integrated, not sampled. Then the level histogram, 10⁵ moves at level 0, and a picture.

Run: python examples/rings.py --out runs/rings
     python examples/rings.py --recipe da-rings-paper --cells 3600 --out runs/rings-paper

Runs that lie in the folder already, da and plain, are loaded instead of trained.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from annotated_types import Gt
from matplotlib.figure import Figure
from torch import Tensor, nn

import ebmkit
from ebmkit import DataError, Part, Recipe, as_recipe
from ebmkit.evaluation.plane import Window
from ebmkit.evaluation.quadrature import Divergence, density, density_of_data, divergence
from ebmkit.metrics.long_run import LongRun, long_run
from ebmkit.plugins.host import host
from ebmkit.recipes.recipe import parse_override
from ebmkit.runs.checkpoints import checkpoint, taking

N_CHAINS = 200
HALF_WIDTH = 8.0


@dataclass(frozen=True, kw_only=True, slots=True)
class OnGaussianConfig:
    """The control's counterpart of `base = "gaussian"`.

    Attributes:
        sd: of the Gaussian, data units.
    """

    sd: Annotated[float, Gt(0)] = 2.0


class OnGaussian(nn.Module):
    """E(x) = inner(x) + |x|²/2s²: the same start, and the same hold on far chains, as the energies with levels have."""

    def __init__(self, inner: Any, sd: float) -> None:
        super().__init__()
        self.inner, self.sd = inner, sd

    def forward(self, point: ebmkit.Point) -> Tensor:
        """Returns the energies [B], nats."""
        return self.inner(point) + point.x.square().flatten(1).sum(dim=1) / (2 * self.sd**2)


def build_on_gaussian(config: OnGaussianConfig, context: ebmkit.BuildContext) -> OnGaussian:
    """Wraps the network."""
    return OnGaussian(context.inner, config.sd)


ON_GAUSSIAN = ebmkit.Component(
    kind="wrapper",
    name="on-gaussian",
    config=OnGaussianConfig,
    build=f"{__name__}:build_on_gaussian",
    summary="an energy plus that of a Gaussian",
)


def plain(recipe: Recipe) -> Recipe:
    """Returns a resolved recipe without levels: the same network, base, moves, batch, buffer and optimiser."""
    (wrapper,), (mgms,) = recipe.parts["wrapper"], recipe.parts["sampler"]
    shared = ("moves", "step_size", "adapt", "adapt_every", "accept", "warmup")
    mala = Part("mala", {name: mgms.settings[name] for name in shared if name in mgms.settings})
    energy = recipe.part("energy")
    bare = Part(energy.use, {**energy.settings, "conditioning": 0})
    kept = {table: recipe.parts[table] for table in ("data", "buffer")}
    parts = {**kept, "energy": (bare,), "sampler": (mala,), "objective": (Part("cd"),)}
    if wrapper.settings.get("base") == "gaussian":
        parts["wrapper"] = (Part("on-gaussian", {"sd": wrapper.settings["base_sd"]}),)
    return Recipe(parts=parts, tables=recipe.tables, optim=recipe.optim)


def trained(recipe: Recipe, out: Path) -> ebmkit.Run:
    """Returns the run in a directory, trained first where there is none."""

    def watch(progress: Any) -> None:
        if progress.values:
            print(f"{out.name}: step {progress.step} of {progress.steps}, {progress.seconds:.0f} s", flush=True)

    return ebmkit.load(out) if (out / "recipe.toml").is_file() else ebmkit.run(recipe, out=out, watch=watch)


def data_of(run: ebmkit.Run) -> Any:
    """Returns the data set that a run was trained on."""
    part = run.recipe.part("data")
    return ebmkit.build("dataset", part.use, **part.settings)


def at_level_0(run: ebmkit.Run) -> Any:
    """Returns the energy of clean x: Point → [B], nats."""

    def energy(point: ebmkit.Point) -> Tensor:
        for coordinate in run.coordinates:
            point = coordinate.clean(point)
        return run.energy(point)

    return energy


def divergences(run: ebmkit.Run, plane: Window) -> dict[int, Divergence | None]:
    """Returns KL(data ‖ model) by step, of the averaged weights of every checkpoint; None where there is no density."""
    found: dict[int, Divergence | None] = {}
    for path in checkpoint.checkpoints(run.directory / "checkpoints"):
        saved = checkpoint.load(path)
        taking.take(run.energy, saved.tensors["ema.energy"], "energy")
        try:
            found[saved.step] = divergence(density(at_level_0(run), plane), data_of(run).log_density, plane)
        except DataError as error:
            print(f"{run.directory.name}, step {saved.step}: {error}")
            found[saved.step] = None
    return found


def histogram(run: ebmkit.Run) -> Tensor:
    """Returns the share [T + 1] of each level among the chains of the newest checkpoint, times T + 1: 1 is flat."""
    newest = checkpoint.load(checkpoint.latest(run.directory))
    level = newest.tensors["buffer"]["aux.level"]
    n = next(c.n_values for c in run.coordinates if c.name == "level")
    return torch.bincount(level.long(), minlength=n) / len(level) * n


def ring_shares(x: Tensor, run: ebmkit.Run) -> Tensor:
    """Returns the share of points nearest to each ring."""
    rings = run.recipe.part("data").settings
    place = (x.norm(dim=1) * rings["n_rings"] / rings["radius"]).round().long().clamp(1, rings["n_rings"])
    return torch.bincount(place - 1, minlength=rings["n_rings"]) / len(x)


def followed(run: ebmkit.Run, moves: int) -> LongRun:
    """Makes Langevin moves at level 0 from data, and follows energy and radius."""
    start = data_of(run).batch(torch.arange(N_CHAINS), torch.Generator().manual_seed(1)).x
    statistics = {"radius": lambda x: x.norm(dim=1), "square": lambda x: x.square().sum(dim=1)}
    transitions = math.ceil(moves / run.recipe.part("sampler").settings["moves"])
    return long_run(run.model, start, transitions=transitions, records=40, statistics=statistics)


def draw(runs: Sequence[tuple[str, ebmkit.Run]], plane: Window, path: Path) -> None:
    """Draws the density of the data and of each run on one scale of colours."""
    data = data_of(runs[0][1])
    panels = [("data", density_of_data(data.log_density, plane))]
    for name, run in runs:
        try:
            panels.append((name, density(at_level_0(run), plane).log_density))
        except DataError:
            panels.append((f"{name}: no density here", torch.full_like(panels[0][1], -math.inf)))
    figure = Figure(figsize=(4.2 * len(panels) + 0.8, 4.4), layout="constrained", dpi=120)
    axes = figure.subplots(1, len(panels), sharex=True, sharey=True)
    a, top = HALF_WIDTH, float(panels[0][1].exp().max())
    for axis, (title, log_p) in zip(axes, panels, strict=True):
        image = axis.imshow(log_p.exp().numpy(), origin="lower", extent=(-a, a, -a, a), cmap="magma", vmin=0, vmax=top)
        axis.set(title=title, aspect="equal", xlim=(-5, 5), ylim=(-5, 5), xticks=(-4, 0, 4), yticks=(-4, 0, 4))
    figure.colorbar(image, ax=axes, label="density", shrink=0.8)
    figure.savefig(path)


def report(name: str, found: dict[int, Divergence | None]) -> None:
    """Prints both KLs by step."""
    for step, kl in found.items():
        told = "no density in the plane"
        if kl is not None:
            told = f"KL(data ‖ model) {kl.value:.3f} nats (error {kl.error:.0e}), KL(model ‖ data) {kl.reverse:.3f}"
        print(f"{name}  step {step:>7,}  {told}")


def settings(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Returns the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="da-rings")
    parser.add_argument("--out", type=Path, default=Path("runs/rings"))
    parser.add_argument("--set", action="append", default=[], metavar="K=V", help="override of the recipe")
    parser.add_argument("--plain-set", action="append", default=[], metavar="K=V", help="override of the control")
    parser.add_argument("--cells", type=int, default=480, help="along a side of the grid; a multiple of 6")
    parser.add_argument("--long-run", type=int, default=100_000, metavar="MOVES", help="0 for none")
    parser.add_argument("--no-plain", action="store_true", help="without the control")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Trains or loads, prints, draws; returns KL by step of both, the level histogram and the drift."""
    options = settings(arguments)
    if ON_GAUSSIAN.name not in host().names(ON_GAUSSIAN.kind):
        ebmkit.register(ON_GAUSSIAN)
    plane = Window.square(HALF_WIDTH, n_cells=options.cells)
    asked = as_recipe(options.recipe).with_overrides(parse_override(text) for text in options.set)
    assisted = trained(asked, options.out / "da")
    runs = [("DA-EBM, level 0", assisted)]
    if not options.no_plain:
        control = plain(assisted.recipe).with_overrides(parse_override(text) for text in options.plain_set)
        runs.append(("plain persistent CD", trained(control, options.out / "plain")))
    found = {name: divergences(run, plane) for name, run in runs}
    for name, kl in found.items():
        report(name, kl)
    draw(runs, plane, options.out / "density.png")
    shares = histogram(assisted)
    print("levels, share × (T + 1):", " ".join(f"{share:.2f}" for share in shares.tolist()))
    results: dict[str, Any] = {"divergence": found, "levels": shares}
    if options.long_run:
        results["long run"] = followed(assisted, options.long_run)
        tell(results["long run"], assisted)
    print(f"picture: {options.out / 'density.png'}")
    return results


def tell(long: LongRun, run: ebmkit.Run) -> None:
    """Prints whether the long run drifted."""
    for against, found in (("the first", long.drift), ("the data it started from", long.from_data)):
        told = ", ".join(f"{name} {z:+.1f}" for name, z in found.items())
        print(f"long run, {int(long.moves[-1]):,} moves: last quarter against {against}, standard errors: {told}")
    print("no drift" if long.stays else "the chains drift: some figure is beyond 4 standard errors")
    shares = " ".join(f"{share:.3f}" for share in ring_shares(long.final, run).tolist())
    print(f"ring by ring at its end: {shares}; accepted {long.accept_rate or 1:.2f}")


if __name__ == "__main__":
    main()
