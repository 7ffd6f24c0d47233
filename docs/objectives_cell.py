"""One cell of the table of objectives: an objective trained on a target for some CPU seconds, and judged."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import torch
from objectives_rows import PLANE, ROWS, TARGETS, Row, Settings, Target, settings_of

import ebmkit
from ebmkit.assembly.complete import complete
from ebmkit.energies.mlp import Mlp
from ebmkit.errors import DataError, EbmkitError, RunError
from ebmkit.evaluation.plane import Window, log_density
from ebmkit.metrics import Plane
from ebmkit.recipes.recipe import Part, Recipe
from ebmkit.runs.run import begun
from ebmkit.sampling.model import Model, model_of

PILOT = 2.0
"""CPU seconds of the pilot that tells what a step costs."""
CELLS, SHOWN_CELLS = 300, 96
TOLERANCES = (0.01, 0.05, 1e9)
"""Of the quadrature, nats: the edges of the checkerboard cost more than .01. The last is of a model that runs away."""
NUMBERS = {
    "KL(data ‖ model)": "kl",
    "KL(model ‖ data)": "reverse",
    "energy error at data": "error",
    "energy error within modes": "within",
    "energy error of modes": "modes",
    "energy error between modes": "between",
    "ESS share": "ess",
    "mode weights: total variation": "weights",
}


class Count:
    """Points at which the network was asked, and those of them whose gradient in x was kept for.

    A gradient of a gradient, as score matching takes, counts once.
    """

    def __init__(self) -> None:
        self.energies = self.gradients = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Counts while it is open; the views of chains ask the same network."""
        features = Mlp.features

        def counted(module: Mlp, point: Any) -> torch.Tensor:
            self.energies += len(point.x)
            self.gradients += len(point.x) if point.x.requires_grad else 0
            return features(module, point)

        Mlp.features = counted  # type: ignore[method-assign]
        try:
            yield
        finally:
            Mlp.features = features  # type: ignore[method-assign]


def recipe_of(row: Row, target: Target, seed: int, steps: int, more: Settings) -> Recipe:
    """Returns the recipe of a cell."""
    parts = {"energy": ("mlp",), "objective": tuple(row.objective.split("+"))}
    parts |= {kind: (name,) for kind, name in row.parts.items()} | {"wrapper": (row.wrapper,)}
    parts |= {"data": (str(target.data["use"]),)}
    recipe = Recipe(parts={kind: tuple(Part(name) for name in names) for kind, names in parts.items()})
    run = {"run.seed": seed, "run.steps": steps, "run.device": "cpu"}
    settings = {**settings_of(row, target), **run, **more}
    del settings["data.use"]
    return recipe.with_overrides(settings.items())


def trained(row: Row, target: Target, seed: int, steps: int, more: Settings) -> tuple[Model, float]:
    """Returns the model after so many steps, and the CPU seconds of its training alone."""
    trainer = begun(complete(recipe_of(row, target, seed, steps, more)), None)
    begin = time.process_time()
    trainer.train()
    seconds = time.process_time() - begin
    state = trainer.finished()
    return model_of(trainer.assembly, step=state.step, tuning=state.tuning, name="the model"), seconds


def steps_for(seconds: float, row: Row, target: Target, seed: int, more: Settings) -> int:
    """Returns how many steps fill so many CPU seconds, from a pilot."""
    n, spent = 5, 0.0
    while spent < min(PILOT, seconds / 4):
        n *= 3 if spent < PILOT / 10 else 2
        spent = trained(row, target, seed + 1_000, n, more)[1]
    return max(1, round(seconds * n / spent))


def cell(
    name: str, on: str, seed: int, seconds: float, kept: str, more: Settings | None = None, known: int = 0
) -> dict[str, Any]:
    """Returns the numbers of one cell; `failed` says why it has none.

    Args:
        name: of the row.
        on: target.
        seed: of the run.
        seconds: CPU seconds of training.
        kept: folder for the density, "" for none.
        more: settings that are tried instead.
        known: steps that fill the seconds; 0 where a pilot has to tell.
    """
    torch.set_num_threads(1)
    row, target, more = ROWS[name], TARGETS[on], more or {}
    count, before = Count(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        steps = known or steps_for(seconds, row, target, seed, more)
        with count.counting():
            model, spent = trained(row, target, seed, steps, more)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        numbers = judged(model, target)
    except RunError:  # it was interrupted, and is no result
        raise
    except EbmkitError as error:
        return {"failed": str(error).splitlines()[0][:300]}
    if kept and target.kind == PLANE:
        keep_density(model, Path(kept) / f"{name}-{on}-{seed}.npz")
    cost = {"steps": steps, "seconds": spent, "mebibytes": (peak - before) / 1024}
    return {**numbers, **cost, "energies": count.energies, "gradients": count.gradients}


def judged(model: Model, target: Target) -> dict[str, Any]:
    """Returns the numbers of a model; those of a density that runs away are of it within the window of the data."""
    if target.kind != PLANE:
        return numbers_of(ebmkit.evaluate(model, "known-density"))
    for tolerance in TOLERANCES:
        try:
            found = numbers_of(ebmkit.evaluate(model, Plane(n_cells=CELLS, tolerance=tolerance)))
        except DataError:
            continue
        if "kl" in found:
            return found | {"runs_away": tolerance == TOLERANCES[-1]}
    return {}


def numbers_of(found: Any) -> dict[str, Any]:
    """Returns short name → value of the estimates that the table shows, and their errors."""
    estimates: Mapping[str, Any] = found.metrics[0].estimates
    short = {NUMBERS[name]: estimate for name, estimate in estimates.items() if name in NUMBERS}
    values = {name: float(estimate.value) for name, estimate in short.items()}
    return values | {"errors": {name: estimate.error for name, estimate in short.items()}}


def keep_density(model: Model, path: Path) -> None:
    """Writes log p on a grid, nats, for the picture."""
    half = 1.35 * float(getattr(model, "half_width", 0.0) or half_width_of(model))
    window = Window.square(half, SHOWN_CELLS)
    found = log_density(
        model.view().energy, window, temperature=model.temperature, coordinates=model.coordinates, device=model.device
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, log_density=found.float().numpy(), half_width=half)


def half_width_of(model: Model) -> float:
    """Returns the radius of a figure of the plane, data units."""
    return float(model.recipe.part("data").settings.get("radius", 2.0))  # type: ignore[arg-type]
