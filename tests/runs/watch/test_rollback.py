"""A run may go back where an alarm would stop it: to a healthy checkpoint, a bounded number of times, bit for bit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ebmkit
from ebmkit.assembly.assemble import assemble
from ebmkit.assembly.complete import complete
from ebmkit.errors import DivergenceError, RecipeError
from ebmkit.processes import World
from ebmkit.recipes.tables import RunConfig
from ebmkit.runs.checkpoints import checkpoint
from ebmkit.runs.loop import Trainer
from ebmkit.runs.watch.rollback import WINDOW, Rollbacks


def asked(lr: float, rollbacks: int, rate: float, steps: int = 40, **more: Any) -> dict[str, Any]:
    return {
        "run": {
            "steps": steps, "batch_size": 32, "engine": "eager", "checked_steps": 0, "rollbacks": rollbacks,
            "rollback_rate": rate, **more,
        },
        "data": {"use": "toy", "density": "rings"}, "energy": {"use": "mlp", "widths": [32]},
        "sampler": [{"use": "sgld", "moves": 5}], "optim": {"energy": {"lr": lr}},
        "log": {"every": 10, "tensorboard": False}, "checkpoint": {"every": 15}, "pictures": {"every": 1000},
    }  # fmt: skip


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def held(directory: Path) -> dict[str, bytes]:
    patterns = ("*.jsonl", "samples/*.png", "checkpoints/*/*.safetensors")
    return {str(p.relative_to(directory)): p.read_bytes() for pattern in patterns for p in directory.glob(pattern)}


def test_a_run_goes_back_with_another_seed_and_a_smaller_rate_and_ends_well(tmp_path: Path) -> None:
    told: list[str] = []
    run = ebmkit.run(asked(lr=30.0, rollbacks=2, rate=1e-5), tmp_path / "run", note=told.append)
    assert run.step == 40
    entry = next(line for line in lines(tmp_path / "run" / "alarms.jsonl") if line["kind"] == "rollback")
    assert entry["alarm"] == "energy-scale" and entry["to"] == 0 and entry["rate"] == 1e-5 and entry["seed"] != 0
    assert any("Rollback 1 of 2" in text and "goes back to step 0" in text for text in told)
    metrics = lines(tmp_path / "run" / "metrics.jsonl")
    assert [line["step"] for line in metrics] == [1, 10, 20, 30, 40] and all(line["rollbacks"] == 1 for line in metrics)
    assert checkpoint.load(checkpoint.latest(tmp_path / "run")).alarms["rollbacks"]["made"] == [entry]
    page = ebmkit.report(tmp_path / "run", sampling=False).read_text()
    assert "The run went back to step 0" in page and "1 rollback" in page and "Finished: 40 steps" in page


def test_rollbacks_come_to_an_end(tmp_path: Path) -> None:
    with pytest.raises(DivergenceError, match="energies have left their scale"):
        ebmkit.run(asked(lr=30.0, rollbacks=2, rate=1.0), tmp_path / "run")
    kinds = [line["kind"] for line in lines(tmp_path / "run" / "alarms.jsonl")]
    assert kinds.count("rollback") == 2 and kinds[-1] == "stop"


@pytest.mark.parametrize("stopped", [5, 25, 50])
def test_a_run_that_is_stopped_anywhere_goes_back_as_one_that_is_not(stopped: int, tmp_path: Path) -> None:
    recipe = asked(lr=30.0, rollbacks=2, rate=1e-5)
    ebmkit.run(recipe, tmp_path / "whole" / "run")
    calls: list[int] = []

    def stop(progress: Any) -> None:
        calls.append(progress.step)
        if len(calls) == stopped:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ebmkit.run(recipe, tmp_path / "parts" / "run", watch=stop)
    ebmkit.resume(tmp_path / "parts" / "run")
    assert held(tmp_path / "whole" / "run") == held(tmp_path / "parts" / "run")


def test_without_trouble_a_run_with_rollbacks_is_that_without(tmp_path: Path) -> None:
    for name, rollbacks in (("with", 3), ("without", 0)):
        ebmkit.run(asked(lr=1e-3, rollbacks=rollbacks, rate=0.5, steps=20), tmp_path / name / "run")
    one, two = held(tmp_path / "with" / "run"), held(tmp_path / "without" / "run")
    assert all(one[name] == value for name, value in two.items())


def test_what_rollbacks_need_is_said_before_a_run(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"run.rollbacks = 1 needs run.alarms = true"):
        ebmkit.run(asked(lr=1e-3, rollbacks=1, rate=0.5, alarms=False), tmp_path / "run")
    with pytest.raises(RecipeError, match="needs a run directory"):
        ebmkit.fit("mlp", "toy", steps=1, settings={"run.rollbacks": 1}, progress=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("rank", [0, 1])
def test_every_one_of_several_processes_refuses_rollbacks(rank: int, tmp_path: Path) -> None:
    made = complete(asked(lr=1e-3, rollbacks=1, rate=0.5))
    alone = assemble(made.recipe, dataset=made.dataset)
    assembly = replace(alone, parts=replace(alone.parts, world=World(rank=rank, size=2)))
    with pytest.raises(RecipeError, match=r"2 processes train this run.*train in one process"):
        Trainer(tmp_path / "run", assembly)


def test_a_checkpoint_is_healthy_once_a_window_without_a_sign_has_followed() -> None:
    rollbacks = Rollbacks(RunConfig(rollbacks=1), on_disk=True)
    for step in range(10, 200, 10):
        if step % 20 == 0:
            rollbacks.saves(step)
        rollbacks.look(step, is_well=step != 150)
        assert rollbacks.needs >= {rollbacks.healthy}
        if step == 140:
            assert rollbacks.healthy == 80 and rollbacks.waiting == [100, 120, 140]
    assert WINDOW == 50 and rollbacks.healthy == 80 and rollbacks.waiting == [160, 180]
    rollbacks.look(210, is_well=True)
    assert rollbacks.healthy == 160
