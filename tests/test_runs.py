"""Laws of whole runs: they repeat, resume and load, bit for bit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ebmkit
from ebmkit import checkpoint
from ebmkit.errors import CheckpointError, DivergenceError, RecipeError
from ebmkit.trainer import batch_rows

RECIPES: dict[str, dict[str, Any]] = {
    "images": {
        "run": {"steps": 6, "batch_size": 8, "ema_copy_steps": 2, "ema_half_life": 50.0},
        "data": {"use": "fashion-mini", "limit": 50},
        "energy": {"use": "resnet", "widths": [4, 8]},
        "buffer": {"use": "replay", "capacity": 32, "reinit": 0.2},
        "sampler": [{"use": "augment"}, {"use": "sgld", "moves": 2}],
        "objective": [{"use": "cd"}, {"use": "energy-l2"}],
        "optim": {"energy": {"warmup": 2, "schedule": "linear"}},
    },
    "labels, uint8 rows": {
        "run": {"steps": 6, "batch_size": 8},
        "data": {"use": "fashion-mini", "limit": 50},
        "energy": {"use": "resnet", "widths": [4, 8]},
        "buffer": {"use": "replay", "capacity": 64, "storage": "uint8", "place": "host"},
        "coordinate": [{"use": "label"}],
        "sampler": [{"use": "sgld", "moves": 2}],
    },
    "adapted steps": {
        "run": {"steps": 6, "batch_size": 8},
        "data": {"use": "toy", "density": "rings"},
        "buffer": {"use": "replay", "capacity": 32},
        "sampler": [{"use": "mala", "moves": 3, "adapt_every": 2, "adapt": "dual-averaging"}],
    },
    "momenta": {
        "run": {"steps": 6, "batch_size": 8},
        "data": {"use": "toy", "density": "moons"},
        "buffer": {"use": "replay", "capacity": 32},
        "sampler": [{"use": "underdamped", "moves": 3}],
    },
}


def recipe(name: str, **run: Any) -> dict[str, Any]:
    asked = RECIPES[name]
    return {**asked, "run": {**asked["run"], **run}, "log": {"every": 1, "tensorboard": False}}


def tensors(directory: Path) -> Mapping[str, Mapping[str, torch.Tensor]]:
    return checkpoint.load(checkpoint.latest(directory)).tensors


def assert_same(one: Path, two: Path) -> None:
    assert (one / "metrics.jsonl").read_text() == (two / "metrics.jsonl").read_text()
    first, second = tensors(one), tensors(two)
    assert first.keys() == second.keys()
    for part, values in first.items():
        assert values.keys() == second[part].keys()
        assert all(torch.equal(value, second[part][key]) for key, value in values.items()), part


@pytest.mark.parametrize("name", RECIPES)
def test_a_run_repeats_and_resumes_bit_for_bit(name: str, tmp_path: Path) -> None:
    ebmkit.run(recipe(name, steps=6), tmp_path / "whole")
    ebmkit.run((tmp_path / "whole" / "recipe.toml"), tmp_path / "again")
    assert_same(tmp_path / "whole", tmp_path / "again")
    asked = {**recipe(name, steps=6), "checkpoint": {"every": 4}}
    with pytest.raises(KeyboardInterrupt):
        ebmkit.run(asked, tmp_path / "parts", watch=stop_after(5))
    ebmkit.resume(tmp_path / "parts")
    assert_same(tmp_path / "whole", tmp_path / "parts")


def stop_after(step: int) -> Any:
    def watch(progress: Any) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    return watch


def test_a_run_leaves_what_the_design_promises(tmp_path: Path) -> None:
    run = ebmkit.run(recipe("images"), tmp_path / "run")
    found = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"recipe.toml", "environment.json", "metrics.jsonl", "samples", "checkpoints"} <= found
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert all(next(iter(line)) == "step" for line in lines)
    suffixes = {path.suffix for path in (tmp_path / "run" / "checkpoints").rglob("*") if path.is_file()}
    assert suffixes == {".safetensors", ".json"}
    assert run.step == 6
    assert ebmkit.load(tmp_path / "run").recipe.resolved


def test_a_loaded_run_needs_no_data_and_samples_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ebmkit.run(recipe("images"), tmp_path / "run")
    monkeypatch.setattr("ebmkit.assemble.build_dataset", lambda *a: pytest.fail("the data were asked for"))
    loaded = ebmkit.load(tmp_path / "run")
    one, two = ebmkit.generate(run, 3, rounds=2), ebmkit.generate(loaded, 3, rounds=2)
    assert torch.equal(one.x, two.x)
    assert one.n_gradients == 4
    assert not torch.equal(one.x, ebmkit.generate(loaded, 3, rounds=2, seed=1).x)


def test_the_averages_are_what_is_loaded(tmp_path: Path) -> None:
    ebmkit.run(recipe("images"), tmp_path / "run")
    saved = tensors(tmp_path / "run")
    averaged, last = ebmkit.load(tmp_path / "run"), ebmkit.load(tmp_path / "run", averaged=False)
    assert torch.equal(averaged.energy.project.weight, saved["ema.energy"]["project.weight"])
    assert torch.equal(last.energy.project.weight, saved["energy"]["project.weight"])
    assert not torch.equal(last.energy.project.weight, averaged.energy.project.weight)


def test_divergence_stops_before_the_update_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    wild = {**recipe("adapted steps"), "sampler": [{"use": "sgld", "moves": 2}], "checkpoint": {"every": 2}}
    wild["optim"] = {"energy": {"use": "sgd", "lr": 1e30}}
    with pytest.raises(DivergenceError, match="not finite"):
        ebmkit.run(wild, tmp_path / "run")
    for _, values in tensors(tmp_path / "run").items() if (tmp_path / "run" / "checkpoints").exists() else ():
        assert all(torch.isfinite(value).all() for value in values.values())


def test_a_directory_that_holds_a_run_is_left_alone(tmp_path: Path) -> None:
    ebmkit.run(recipe("images", steps=1), tmp_path / "run")
    before = (tmp_path / "run" / "recipe.toml").read_bytes()
    with pytest.raises(RecipeError, match="already holds a run"):
        ebmkit.run(recipe("images", steps=2), tmp_path / "run")
    assert (tmp_path / "run" / "recipe.toml").read_bytes() == before
    with pytest.raises(RecipeError, match="nothing is left"):
        ebmkit.resume(tmp_path / "run")
    with pytest.raises(CheckpointError, match="holds no run"):
        ebmkit.load(tmp_path / "elsewhere")


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 20), st.integers(0, 3))
def test_an_epoch_shows_every_row_at_most_once(n: int, batch_size: int, seed: int) -> None:
    per_epoch = max(1, n // batch_size)
    rows = torch.stack([batch_rows(n, batch_size, step, seed) for step in range(1, per_epoch + 1)])
    assert rows.shape == (per_epoch, batch_size)
    assert int(rows.min()) >= 0
    assert int(rows.max()) < n
    counts = torch.bincount(rows.flatten(), minlength=n)
    assert int(counts.max()) <= (1 if n >= batch_size else -(-batch_size // n))
