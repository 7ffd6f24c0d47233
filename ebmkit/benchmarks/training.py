"""Training steps as workloads: what a plugin needs to time a recipe of its own, without a data set at hand."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import count
from typing import Any

import torch
from torch import Generator, Tensor
from torch.utils.flop_counter import FlopCounterMode

from ebmkit.assembly.assemble import Assembly, assemble
from ebmkit.assembly.complete import as_recipe
from ebmkit.benchmarks.workload import Call, Make, Timed, Way
from ebmkit.plugins.host import host
from ebmkit.point import Batch, XValues
from ebmkit.recipes.recipe import Recipe
from ebmkit.recipes.resolver.stages import resolve_run
from ebmkit.recipes.stage import at_step, steps_of
from ebmkit.training.ema import Averages as Averages  # public here: what a plugin times averages its weights too
from ebmkit.training.optim import Optimisers
from ebmkit.training.step import train_step

MATRIX = 8192
PRODUCTS = 20


class NoiseImages:
    """Uniform noise in [0, 1] for a data set: what a step costs does not depend on what the images show."""

    value_range: tuple[float, float] | None = (0.0, 1.0)
    x_values: XValues = "real"
    class_names: tuple[str, ...] = ()

    def __init__(self, event_shape: tuple[int, ...], n_classes: int = 0, n: int = 1024) -> None:
        rng = Generator().manual_seed(0)
        self.event_shape, self.n_classes = event_shape, n_classes
        self.x = torch.rand((n, *event_shape), generator=rng)
        self.y = torch.randint(n_classes, (n,), generator=rng) if n_classes else None

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, rows: Tensor, rng: Generator) -> Batch:
        """Returns the data of these rows."""
        return Batch(x=self.x[rows], y=None if self.y is None else self.y[rows])

    def split(self, name: str) -> NoiseImages:
        """Returns itself: noise has no parts."""
        return self


def assembled(
    recipe: Recipe | str, event_shape: tuple[int, ...], device: torch.device, settings: Mapping[str, object]
) -> Assembly:
    """Returns the built parts of a recipe, on noise.

    Args:
        recipe: a shipped recipe's name, or a `Recipe`.
        event_shape: of the data it is meant for.
        device: where it trains.
        settings: as `--set` takes them: {"run.batch_size": 16}.
    """
    asked = as_recipe(recipe).with_table("run", device=str(device)).with_overrides(settings.items())
    complete = at_step(resolve_run(asked, host(), event_shape).recipe, 0)
    unchecked = complete.with_table("run", checked_steps=0)
    return assemble(unchecked, dataset=NoiseImages(event_shape))


def steps(assembly: Assembly) -> Call:
    """Returns what makes one training step after another: chains, losses, update and averages."""
    parts, config, dataset = assembly.parts, assembly.recipe.table("run"), assembly.dataset
    assert dataset is not None
    owners = parts.owners()
    optimisers = Optimisers(owners, {name: assembly.recipe.owner(name) for name in owners}, steps_of(assembly.recipe))
    averages, rng, numbers = Averages(owners, config), Generator().manual_seed(0), count(1)
    tuning: dict[str, Any] = {}

    def step() -> None:
        number = next(numbers)
        rows = torch.randint(len(dataset), (config.batch_size,), generator=rng)
        batch = dataset.batch(rows, rng)
        batch = Batch(x=batch.x.to(parts.device), y=None if batch.y is None else batch.y.to(parts.device))

        def update(losses: Mapping[str, Tensor]) -> None:
            optimisers.update(losses, number)

        report = train_step(parts, batch, number, tuning, update)
        tuning.update(report.tuning)
        averages.update(number)

    return step


def in_precisions(make: Make, precision: str, train: str, engine: str) -> Way:
    """Returns a way of making training steps: moves in one precision, training passes in another."""
    words = precision if precision == train else f"{precision}, {train} update"
    return Way(make=make, precision=words, engine=engine, style="" if engine == "eager" else "compile")


def flops_of(call: Call) -> float:
    """Returns the floating-point operations of a call, made once; of matrix products and convolutions, as is usual."""
    with FlopCounterMode(display=False) as counter:
        call()
    return float(counter.get_total_flops())


@lru_cache(maxsize=1)
def _matrices(device: torch.device) -> tuple[Tensor, Tensor]:
    a = torch.randn(MATRIX, MATRIX, device=device, dtype=torch.bfloat16)
    return a, torch.empty_like(a)


def matrix_products(device: torch.device) -> Timed:
    """Returns products of large bf16 matrices: what the device can do."""
    a, out = _matrices(device)

    def call() -> None:
        for _ in range(PRODUCTS):
            torch.mm(a, a, out=out)

    return Timed(call=call, flops=PRODUCTS * 2.0 * MATRIX**3)
