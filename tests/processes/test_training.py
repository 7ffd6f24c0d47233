"""Steps that two processes make together: one model, one tuning, chains and rows of each its own."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch

from ebmkit.assembly.assemble import assemble
from ebmkit.assembly.complete import complete
from ebmkit.errors import RecipeError
from ebmkit.plugins.host import host
from ebmkit.processes import World
from ebmkit.runs.checkpoints.taking import flatten
from ebmkit.training.batches import Batches
from ebmkit.training.optim import Optimisers
from ebmkit.training.step import train_step
from tests.processes.two_processes import together

STEPS = 4
HAS_LEVELS = "mgms" in host().names("sampler")


def recipe_of(sampler: str, **more: Any) -> dict[str, Any]:
    """A small recipe whose step sizes learn at every step."""
    return {
        "run": {"steps": STEPS, "batch_size": 16, "seed": 1, "engine": "eager", "device": "cpu", "checked_steps": 1},
        "data": {"use": "toy", "density": "rings"},
        "energy": {"use": "mlp", "widths": [16]},
        "sampler": [{"use": sampler, "moves": 2, "adapt_every": 1, **more}],
        "buffer": {"use": "replay", "capacity": 64},
    }


def trained(world: World, sampler: str) -> dict[str, Any]:
    made = complete(recipe_of(sampler))
    assembly = assemble(made.recipe, dataset=made.dataset, world=world)
    parts, run = assembly.parts, assembly.recipe.table("run")
    owners = parts.owners()
    optimisers = Optimisers(owners, {name: assembly.recipe.owner(name) for name in owners}, STEPS, world)
    size = run.batch_size
    batches = Batches(made.dataset, batch_size=size, seed=run.seed, device=parts.device, world=world)
    tuning: Any = None
    for step in range(1, STEPS + 1):
        update = partial(optimisers.update, step=step)
        report = train_step(parts, batches.batch(step), step, tuning, update)
        tuning = report.tuning
    assert parts.buffer is not None and report.phases.negative is not None
    return {
        "weights": {f"{o}.{k}": v for o, m in owners.items() for k, v in m.state_dict().items()},
        "tuning": flatten(tuning),
        "chains": report.phases.negative.x,
        "x": report.phases.batch.x,
        "rows": len(parts.buffer),
        "buffer": parts.buffer.state_dict()["x"],
    }


def both(world: World) -> dict[str, dict[str, Any]]:
    return {name: trained(world, name) for name in ("mala", "mgms") if name in host().names("sampler")}


@pytest.fixture(scope="module")
def found() -> list[dict[str, dict[str, Any]]]:
    return together(both)


@pytest.mark.parametrize("sampler", ["mala", *(["mgms"] if HAS_LEVELS else [])])
def test_all_processes_hold_one_model_and_one_tuning(sampler: str, found: Any) -> None:
    first, second = (one[sampler] for one in found)
    for what in ("weights", "tuning"):
        assert first[what].keys() == second[what].keys()
        for name, tensor in first[what].items():
            assert torch.equal(tensor, second[what][name]), (what, name)


def test_each_process_has_rows_and_chains_of_its_own(found: Any) -> None:
    first, second = (one["mala"] for one in found)
    assert first["rows"] == second["rows"] == 32, "the capacity of the recipe is that of all processes"
    for what in ("chains", "x", "buffer"):
        assert len(first[what]) == len(second[what])
        assert not (first[what][:, None] == second[what][None]).all(dim=-1).any(), what


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    made = complete(recipe_of("mala"))
    with pytest.raises(RecipeError, match="3 processes cannot share evenly: set a multiple of 3, 15 say"):
        assemble(made.recipe, dataset=made.dataset, world=World(rank=0, size=3))


def rows_of_each(world: World) -> int:
    asked = recipe_of("mala")
    run = {**asked["run"], "engine": "auto"}  # which is measured on a batch
    made = complete({**asked, "run": run, "buffer": {"use": "replay", "capacity": 16, "start": "data"}})
    parts = assemble(made.recipe, dataset=made.dataset, world=world).parts
    assert parts.buffer is not None
    return len(parts.buffer)


def test_a_buffer_as_large_as_the_batch_is_enough_for_each_process() -> None:
    assert together(rows_of_each) == [8, 8]
