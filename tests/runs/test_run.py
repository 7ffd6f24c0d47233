"""Laws of whole runs: they repeat, resume and load, bit for bit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

import ebmkit
from ebmkit.cli.main import main
from ebmkit.errors import (
    CapabilityError,
    CheckpointError,
    DivergenceError,
    EbmkitError,
    PluginError,
    RecipeError,
    RunError,
)
from ebmkit.plugins.host import host
from ebmkit.recipes.recipe import from_mapping, to_toml
from ebmkit.runs.checkpoints import checkpoint
from ebmkit.runs.files.seal import seal, self_sealed
from ebmkit.training.batches import batch_rows

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
        "optim": {"energy": {"schedule": "constant"}},
    },
    "momenta": {
        "run": {"steps": 6, "batch_size": 8},
        "data": {"use": "toy", "density": "moons"},
        "buffer": {"use": "replay", "capacity": 32},
        "sampler": [{"use": "underdamped", "moves": 3}],
        "optim": {"energy": {"schedule": "constant"}},  # of a run that may go on for more steps
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
    monkeypatch.setattr("ebmkit.assembly.assemble.build_dataset", lambda *a: pytest.fail("the data were asked for"))
    loaded = ebmkit.load(tmp_path / "run")
    one, two = ebmkit.generate(run.model, 3, transitions=2), ebmkit.generate(loaded.model, 3, transitions=2)
    assert torch.equal(one.x, two.x)
    assert one.n_gradients == 4
    assert not torch.equal(one.x, ebmkit.generate(loaded.model, 3, transitions=2, seed=1).x)


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


@pytest.mark.parametrize("stopped", [1, 3])
def test_a_run_that_stopped_before_its_first_checkpoint_starts_over(stopped: int, tmp_path: Path) -> None:
    asked = {**recipe("images"), "pictures": {"every": 2}}
    ebmkit.run(asked, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        ebmkit.run(asked, tmp_path / "parts", watch=stop_after(stopped))
    for leftover in ("samples/step-00000099.png", "tensorboard/events.1", "checkpoints/.writing-00000002/half"):
        (tmp_path / "parts" / leftover).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "parts" / leftover).touch()
    with pytest.raises(RecipeError, match="ebmkit resume"):
        ebmkit.run(asked, tmp_path / "parts")
    with pytest.raises(CheckpointError, match="ebmkit resume"):
        ebmkit.load(tmp_path / "parts")
    assert ebmkit.resume(tmp_path / "parts").step == 6
    assert_same(tmp_path / "whole", tmp_path / "parts")
    assert files(tmp_path / "whole") == files(tmp_path / "parts")


def files(directory: Path) -> set[Path]:
    return {path.relative_to(directory) for path in directory.rglob("*") if path.is_file()}


def test_a_half_line_of_metrics_does_not_block_resuming(tmp_path: Path) -> None:
    ebmkit.run(recipe("momenta"), tmp_path / "whole")
    ebmkit.run(recipe("momenta", steps=4), tmp_path / "parts")
    with (tmp_path / "parts" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "lo')
    ebmkit.resume(tmp_path / "parts", steps=6)
    assert_same(tmp_path / "whole", tmp_path / "parts")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("runs") / "made"
    ebmkit.run(recipe("momenta", steps=2), directory)
    return directory


def spoil_state(run: Path, **state: Any) -> None:
    path = checkpoint.latest(run) / "state.json"
    path.write_text(json.dumps(self_sealed({**json.loads(path.read_text()), **state})))


def spoil_tensors(run: Path, name: str) -> None:
    path = checkpoint.latest(run) / f"{name}.safetensors"
    save_file({"foreign": torch.zeros(2)}, path)
    files = json.loads((path.parent / "state.json").read_text())["files"]
    spoil_state(run, files={**files, name: seal(path)})  # made by somebody, and not by a fault of the disk


def spoil_recipe(run: Path, start: str) -> None:
    lines = (run / "recipe.toml").read_text().splitlines()
    (run / "recipe.toml").write_text("\n".join(line for line in lines if not line.startswith(start)))


SPOILED: dict[str, tuple[Any, str]] = {
    "no data spec": (lambda run: spoil_state(run, data={}), "of the data is damaged"),
    "files are no table": (lambda run: spoil_state(run, files=3), "is damaged: files: expected names"),
    "no weights": (lambda run: spoil_state(run, files={}), "energy"),
    "foreign averages": (lambda run: spoil_tensors(run, "ema.energy"), "energy"),
    "no temperature": (lambda run: spoil_recipe(run, "temperature"), r"lacks run\.temperature"),
    "not resolved": (lambda run: spoil_recipe(run, "resolved"), "lacks the mark"),
    "no data": (lambda run: (run / "recipe.toml").write_text("resolved = true\n[run]\ntemperature = 1.0"), r"\[data\]"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_damaged_run_is_told_by_resume_and_load(name: str, made: Path, tmp_path: Path) -> None:
    spoil, said = SPOILED[name]
    run = tmp_path / "run"
    shutil.copytree(made, run)
    spoil(run)
    with pytest.raises(EbmkitError, match=said):
        ebmkit.load(run)
    with pytest.raises(EbmkitError, match=said):
        ebmkit.resume(run, steps=4)


@pytest.mark.parametrize("name", ["optim.energy", "buffer"])
def test_a_foreign_state_of_training_is_told(name: str, made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "run")
    spoil_tensors(tmp_path / "run", name)
    with pytest.raises(CheckpointError, match="The saved"):
        ebmkit.resume(tmp_path / "run", steps=4)


def test_a_checkpoint_that_lost_its_buffer_is_told(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "run")
    kept = json.loads((checkpoint.latest(tmp_path / "run") / "state.json").read_text())["files"]
    spoil_state(tmp_path / "run", files={name: sealed for name, sealed in kept.items() if name != "buffer"})
    with pytest.raises(CheckpointError, match="holds no buffer"):
        ebmkit.resume(tmp_path / "run", steps=4)


def test_nothing_is_written_for_a_model_without_parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ebmkit.assembly.assemble.build_energy", lambda *a: lambda point: point.x.square().sum(1))
    with pytest.raises(CapabilityError, match="Nothing here can be trained"):
        ebmkit.run(recipe("momenta"), tmp_path / "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["images", "momenta"])
def test_a_run_is_resolved_once_and_its_data_set_built_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[str] = []

    def counted(module: str, function: str) -> None:
        original = getattr(import_module(module), function)

        def call(*arguments: Any, **settings: Any) -> Any:
            counts.append(function)
            return original(*arguments, **settings)

        monkeypatch.setattr(f"{module}.{function}", call)

    counted("ebmkit.assembly.complete", "build_dataset")
    counted("ebmkit.assembly.assemble", "build_dataset")
    counted("ebmkit.assembly.complete", "resolve_run")
    (tmp_path / "asked.toml").write_text(to_toml(from_mapping(recipe(name, steps=1))))
    monkeypatch.setattr("ebmkit.runs.run.load", lambda *a, **k: None)  # it resolves what was written, to check it
    monkeypatch.setattr("ebmkit.cli.training._end", lambda *a: None)
    assert main(["run", "--recipe", str(tmp_path / "asked.toml"), "--out", str(tmp_path / "run")]) == 0
    assert sorted(counts) == ["build_dataset", "resolve_run"]


@pytest.mark.parametrize("error", [ValueError("no such board"), SystemExit(0)])
def test_a_failing_hook_names_its_plugin_and_the_run_can_go_on(error: BaseException, tmp_path: Path) -> None:
    class Watching:
        @ebmkit.hookimpl
        def ebmkit_on_step(self, report: Any) -> None:
            if report.step == 3:
                raise error

    plugin = Watching()
    host()._manager.register(plugin, name="dist-watching 1:watching")
    try:
        with pytest.raises(PluginError, match=r"watching.*ebmkit_on_step failed at step 3.*ebmkit resume"):
            ebmkit.run(recipe("momenta"), tmp_path / "run")
    finally:
        host()._manager.unregister(plugin)
    assert ebmkit.resume(tmp_path / "run").step == 6


def test_an_out_below_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"could not be written.*Choose another --out"):
        ebmkit.run(recipe("momenta"), tmp_path / "file" / "run")


def test_rows_can_be_changed_without_changing_the_epoch() -> None:
    first = batch_rows(10, 4, 1, 0)
    kept = first.clone()
    first.zero_()
    assert torch.equal(batch_rows(10, 4, 1, 0), kept)


def test_an_epoch_is_shuffled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shuffled, randperm = [], torch.randperm
    monkeypatch.setattr(torch, "randperm", lambda *a, **k: shuffled.append(1) or randperm(*a, **k))
    for step in range(1, 11):
        batch_rows(1013, 100, step, 77)
    assert len(shuffled) == 1


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


def test_a_run_of_a_part_that_is_not_installed_is_told_so(tmp_path: Path) -> None:
    recipe = {"run": {"steps": 1, "batch_size": 4}, "data": {"use": "toy"}, "energy": {"use": "mlp", "widths": [4]}}
    ebmkit.run(recipe, out=tmp_path / "r")
    path = tmp_path / "r" / "recipe.toml"
    path.write_text(path.read_text().replace('use = "replay"', 'use = "cistern"'))
    for again in (ebmkit.load, ebmkit.resume):
        with pytest.raises(RecipeError, match="was made with buffer cistern, which no installed plugin gives"):
            again(tmp_path / "r")
