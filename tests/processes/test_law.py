"""The mean of the gradients of several processes, each with its share of the rows, is that of one with all rows."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from ebmkit.assembly.assemble import assemble
from ebmkit.assembly.complete import complete
from ebmkit.ops.batch_norm import pool_batch_norms
from ebmkit.ops.gradients import energy_and_gradient
from ebmkit.plugins.host import host
from ebmkit.point import Batch, Point
from ebmkit.processes import ALONE, World
from ebmkit.protocols.objective import Phases
from ebmkit.rng import stream
from ebmkit.training.parts import Parts
from ebmkit.training.step import lift, score
from tests.processes.two_processes import together

N_ROWS = 8
OBJECTIVES = host().names("objective")
SETTINGS = {
    "cd": {"trim_highest": 0.3, "trim_lowest": 0.13},
    "improved-cd": {"augment_reference": "none", "rows": N_ROWS, "reference": 12},
    "level-classification": {"window": 3},
}
Found = dict[str, dict[str, Tensor]]


def recipe_of(objective: str, *, levels: bool) -> dict[str, Any]:
    recipe: dict[str, Any] = {
        "run": {"steps": 2, "batch_size": N_ROWS, "seed": 3, "engine": "eager", "device": "cpu"},
        "data": {"use": "fashion-mini"},
        "energy": {"use": "resnet", "widths": [4, 8]},
        "objective": [{"use": objective, **SETTINGS.get(objective, {})}],
    }
    if objective == "energy-l2":
        recipe["objective"][0]["alpha"] = 1e-3
        recipe["objective"].append({"use": "cd"})
    if levels or objective == "cd-levels":
        recipe["sampler"] = [{"use": "mgms", "moves": 1}]
    return recipe


CASES = [(name, False) for name in OBJECTIVES]
CASES += [(name, True) for name in ("cd", "clel", "energy-l2") if {name, "cd-levels"} <= {*OBJECTIVES}]


def case(objective: str, levels: bool) -> str:
    return f"{objective}{' with levels' if levels else ''}"


@cache
def built(objective: str, levels: bool) -> Any:
    made = complete(recipe_of(objective, levels=levels))
    return assemble(made.recipe, dataset=made.dataset)


def phases_of(parts: Parts, rows: slice, world: World) -> Phases:
    """Returns the phases of some rows of one set of eight, the same in every process."""
    x = torch.rand(N_ROWS, 1, 28, 28, generator=stream(0, 0, "x"), dtype=torch.float64)
    far = torch.rand(N_ROWS, 1, 28, 28, generator=stream(0, 1, "x"), dtype=torch.float64)
    y = torch.arange(N_ROWS) % 3
    positive = lift(parts.coordinates, Batch(x=x, y=y), stream(0, 2, "lift"))
    start = lift(parts.coordinates, Batch(x=far, y=y), stream(0, 3, "lift"))
    if "level" in positive.aux:  # rows that share a level
        positive, start = (p.with_aux(level=torch.arange(N_ROWS) % 3) for p in (positive, start))
    positive, start = (point.map(lambda t: t[rows]) for point in (positive, start))
    moved = start.replace(x=start.x.clone().requires_grad_())
    _, gradient = energy_and_gradient(parts.energy, moved, graph=True)
    tail = moved.replace(x=moved.x - 0.1 * gradient)
    reference = torch.rand(12, 1, 28, 28, generator=stream(0, 4, "x"), dtype=torch.float64)
    n = 12 // world.size
    own = Point(x=reference[world.rank * n :][:n])
    return Phases(
        energy=parts.energy,
        batch=Batch(x=x[rows], y=y[rows]),
        positive=positive,
        negative=tail.map(torch.detach),
        tail=tail,
        reference=own,
        abilities=parts.requires.abilities,
        rng=lambda part: stream(0, 5, part),
        world=world,
    )


def gradients(world: World, objective: str, levels: bool, *, pooled: bool, joined: bool) -> dict[str, Tensor]:
    """Returns the gradients of an objective, the mean of all processes, as named tensors."""
    parts = copy.deepcopy(built(objective, levels).parts)
    for module in parts.owners().values():
        module.double()
        pool_batch_norms(module, world if pooled else ALONE)
    rows = slice(world.rank * N_ROWS // world.size, (world.rank + 1) * N_ROWS // world.size)
    phases = phases_of(parts, rows, world if joined else ALONE)
    with drawn_by_row(world):
        losses = score(parts, phases)
    torch.stack(list(losses.values())).sum().backward()
    named = {f"{o}.{k}": p for o, module in parts.owners().items() for k, p in module.named_parameters()}
    world.average_gradients(named.values())
    kept = {f"{o}.{k}": b for o, module in parts.owners().items() for k, b in module.named_buffers() if "running" in k}
    return {**{name: p.grad for name, p in named.items() if p.grad is not None}, **kept}


@contextmanager
def drawn_by_row(world: World) -> Iterator[None]:
    """Within it, every row has the random numbers that it has where one process holds all rows."""

    def by_row(original: Any) -> Any:
        def draw(*given: Any, **more: Any) -> Tensor:
            *first, shape = given
            at = next(i for i, size in enumerate(shape) if size % (N_ROWS // world.size) == 0)
            full = [size * world.size if i == at else size for i, size in enumerate(shape)]
            values: Tensor = original(*first, full, **{**more, "generator": stream(0, 6, "row")})
            return values.chunk(world.size, dim=at)[world.rank]

        return draw

    with patch.object(torch, "randn", by_row(torch.randn)), patch.object(torch, "randint", by_row(torch.randint)):
        yield


def views(copies: Tensor, *_: Any) -> Tensor:
    """Three views of each image that depend on nothing but the image."""
    n = len(copies) // 3
    return torch.cat(
        [copies[:n], copies[n : 2 * n].flip(-1), *([copies[2 * n :] * 0.8] if len(copies) == 3 * n else [])]
    )


def all_gradients(world: World = ALONE, *, pooled: bool = True, joined: bool = True) -> Found:
    if "clel" not in OBJECTIVES:
        return {case(*each): gradients(world, *each, pooled=pooled, joined=joined) for each in CASES}
    import ebmkit_clel.objective as clel

    with patch.object(clel, "augment", views):
        return {case(*each): gradients(world, *each, pooled=pooled, joined=joined) for each in CASES}


def everything(world: World) -> dict[str, Found]:
    return {
        "right": all_gradients(world),
        "each with its own rows": all_gradients(world, joined=False),
        "each with its own statistics": all_gradients(world, pooled=False),
    }


@pytest.fixture(scope="module")
def alone() -> Found:
    return all_gradients()


@pytest.fixture(scope="module")
def both() -> list[dict[str, Found]]:
    return together(everything)


def worst(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    assert one.keys() == other.keys() and one, "other parameters have a gradient"
    return max(float((one[k] - other[k]).abs().max() / one[k].abs().max().clamp(min=1e-6)) for k in one)


@pytest.mark.parametrize("name", [case(*each) for each in CASES])
def test_the_mean_gradient_is_that_of_the_joined_batch(name: str, alone: Found, both: Any) -> None:
    for found in both:
        assert worst(alone[name], found["right"][name]) < 1e-6


@pytest.mark.skipif("clel" not in OBJECTIVES, reason="needs ebmkit-clel")
@pytest.mark.parametrize(
    ("way", "name"),
    [
        ("each with its own rows", "cd"),
        ("each with its own rows", "clel"),
        ("each with its own rows", "energy-l2 with levels"),
        ("each with its own statistics", "clel"),
    ],
)
def test_what_compares_rows_must_see_all_of_them(way: str, name: str, alone: Found, both: Any) -> None:
    if name in alone:
        assert worst(alone[name], both[0][way][name]) > 1e-6
