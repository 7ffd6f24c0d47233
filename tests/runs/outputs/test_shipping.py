"""A run made small is the same model within rounding; 8 bits lose at most half a unit of a row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ebmkit
from ebmkit.errors import CheckpointError, RecipeError, RunError
from ebmkit.runs.checkpoints import checkpoint
from ebmkit.runs.checkpoints.packed import MOST, packed, unpacked
from ebmkit.runs.files.located import FOLDER, pretrained_names, run_directory, writable_directory
from ebmkit.runs.outputs.shipping import MOST_BYTES, ship

RECIPE = """
[run]
steps = 2
batch_size = 8
[data]
use = "fashion-mini"
limit = 32
[energy]
use = "resnet"
widths = [4, 8]
[buffer]
use = "replay"
capacity = 16
[[sampler]]
use = "sgld"
moves = 2
[log]
tensorboard = false
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ebmkit.run(RECIPE, out=tmp_path_factory.mktemp("ship") / "run").directory


@pytest.fixture
def shipped(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a run that comes with ebmkit, in a folder of its own."""
    monkeypatch.setattr("ebmkit.runs.files.located.FOLDER", tmp_path / "pretrained")
    ship(made, tmp_path / "pretrained" / "small")
    return "pretrained:small"


def test_a_shipped_run_is_the_same_model_within_rounding(made: Path, shipped: str, tmp_path: Path) -> None:
    whole, small = ebmkit.load(made).model, ebmkit.load(shipped).model
    x = torch.rand(20, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    assert small.name == shipped and small.step == whole.step
    torch.testing.assert_close(small.energy(x), whole.energy(x), rtol=2e-3, atol=2e-3)
    assert small.sample(3, seed=1, progress=False).x.shape == (3, 1, 28, 28)
    held = set(checkpoint.load(checkpoint.latest(tmp_path / "pretrained" / "small")).tensors)
    assert "ema.energy" in held and not held & {"energy", "buffer", "optim.energy"}


def test_a_shipped_run_may_be_judged_on_a_part_of_its_data(made: Path, tmp_path: Path) -> None:
    ship(made, tmp_path / "to", data="fashion-mini")
    small = ebmkit.load(tmp_path / "to")
    assert "limit = 32" in (made / "recipe.toml").read_text() and small.model.recipe.part("data").use == "fashion-mini"
    assert "limit = 32" not in (tmp_path / "to" / "recipe.toml").read_text()
    assert small.evaluate("classes", n=4, n_data=40, seed=0)["classes"]
    assert json.loads((tmp_path / "to" / "environment.json").read_text())["trained_on"] == "fashion-mini"


def test_a_shipped_run_is_not_trained_on(shipped: str) -> None:
    with pytest.raises(RecipeError, match=r"pretrained:small is finished.*ebmkit run --recipe"):
        ebmkit.resume(shipped)
    with pytest.raises(CheckpointError, match="averaged"):
        ebmkit.load(shipped, averaged=False)


def test_what_is_too_large_is_no_run(made: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"bytes, and 1,000 are allowed: .*ema.energy.safetensors"):
        ship(made, tmp_path / "to", most_bytes=1_000)
    with pytest.raises(CheckpointError, match="holds no run"):
        ebmkit.load(tmp_path / "to")


def test_names_of_runs(shipped: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pretrained_names() == ["small"]
    assert writable_directory(shipped) == Path("pretrained-small")
    assert writable_directory("runs/a") == run_directory(Path("runs/a")) == Path("runs/a")
    with pytest.raises(RecipeError, match=r"No run 'smal' comes with ebmkit. Did you mean 'small'\? There is: pretr"):
        ebmkit.load("pretrained:smal")


def test_the_runs_that_come_with_ebmkit_are_small() -> None:
    for run in FOLDER.glob("*"):
        assert sum(path.stat().st_size for path in run.rglob("*") if path.is_file()) <= MOST_BYTES


@given(st.integers(1, 6), st.integers(1, 40), st.integers(0, 1000), st.floats(1e-6, 1e6))
def test_eight_bits_lose_at_most_half_a_unit_of_their_row(rows: int, columns: int, seed: int, size: float) -> None:
    weight = size * torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    weight[0] = 0
    again = unpacked(packed({"w": weight, "bias": weight[:, 0]}, "int8"))
    unit = weight.abs().amax(dim=1, keepdim=True) / MOST
    assert bool(((again["w"] - weight).abs() <= 0.501 * unit).all())
    assert torch.equal(again["bias"], weight[:, 0])


def test_what_half_precision_cannot_hold_is_told() -> None:
    with pytest.raises(CheckpointError, match="'w' holds weights that fp16 cannot hold"):
        packed({"w": torch.full((2, 2), 1e6)}, "half")


def test_whoever_lacks_a_package_is_told_which(made: Path, tmp_path: Path) -> None:
    there = tmp_path / "run"
    there.mkdir()
    recipe = (made / "recipe.toml").read_text(encoding="utf-8")
    (there / "recipe.toml").write_text(recipe.replace('use = "replay"', 'use = "cistern"'), encoding="utf-8")
    (there / "environment.json").write_text(json.dumps({"parts": {"buffer cistern": "ebmkit-cistern 1.2"}}))
    with pytest.raises(RecipeError, match=r"cistern, which no installed plugin gives\. Install ebmkit-cistern 1"):
        ebmkit.load(there)
