"""Nothing that is not finite is ever saved, or sampled from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import ebmkit
from ebmkit.errors import CheckpointError, DivergenceError
from ebmkit.runs.checkpoints import checkpoint
from ebmkit.runs.checkpoints.finite import is_finite
from ebmkit.runs.files.seal import seal, self_sealed


class Mine(nn.Module):
    """A network with a mask of −∞, which may stay, and a running number that becomes what a test wants."""

    def __init__(self, then: float) -> None:
        super().__init__()
        self.then, self.calls = then, 0
        self.layer = nn.Linear(2, 1)
        self.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
        self.register_buffer("running", torch.zeros(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.running.fill_(self.then)
        return self.layer(x)


def fit(net: nn.Module, out: Path, **settings: Any) -> Any:
    given = {"checkpoint.every": 2, "log.tensorboard": False, "run.checked_steps": 0, "run.alarms": False, **settings}
    x = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    return ebmkit.fit(net, x, sampler="sgld", steps=4, batch_size=8, out=out, settings=given, progress=False)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_buffer_of_a_network_that_is_not_finite_is_not_saved(value: float, tmp_path: Path) -> None:
    with pytest.raises(DivergenceError, match=r"Step 2: energy holds values that are not finite \(.*running\)"):
        fit(Mine(value), tmp_path / "run")
    assert not list((tmp_path / "run" / "checkpoints").glob("step-*"))


def test_what_was_not_finite_from_the_start_is_no_fault(tmp_path: Path) -> None:
    assert fit(Mine(1.0), tmp_path / "run").step == 4
    assert ebmkit.load(tmp_path / "run", given={"energy": Mine(0.0)}).step == 4


def test_a_state_of_an_optimiser_that_is_not_finite_is_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = torch.optim.Adam.step

    def overflows(self: torch.optim.Adam, *given: Any) -> Any:
        done = step(self, *given)
        for state in self.state.values():
            state["exp_avg_sq"].fill_(torch.inf)  # as the square of a gradient of 1e20 does
        return done

    monkeypatch.setattr(torch.optim.Adam, "step", overflows)
    with pytest.raises(DivergenceError, match="the optimiser of energy holds values that are not finite"):
        fit(Mine(1.0), tmp_path / "run")


def test_weights_that_are_not_finite_are_not_sampled_from(tmp_path: Path) -> None:
    asked = {
        "run": {"steps": 1, "batch_size": 4}, "data": {"use": "toy"}, "energy": {"use": "mlp", "widths": [4]},
        "log": {"tensorboard": False},
    }  # fmt: skip
    ebmkit.run(asked, tmp_path / "run")
    path = checkpoint.latest(tmp_path / "run")
    tensors = load_file(path / "ema.energy.safetensors")
    next(iter(tensors.values())).fill_(torch.nan)
    save_file(tensors, path / "ema.energy.safetensors")
    state = json.loads((path / "state.json").read_text())
    state["files"]["ema.energy"] = seal(path / "ema.energy.safetensors")
    (path / "state.json").write_text(json.dumps(self_sealed(state)))
    with pytest.raises(CheckpointError, match=r"weights of 'energy' are not finite \(.*no model to sample from"):
        ebmkit.load(tmp_path / "run")
    assert ebmkit.load(tmp_path / "run", averaged=False).step == 1


@pytest.mark.parametrize("values", [[3e38, 3e38], [1.0, -1.0], []])
def test_finite_values_are_finite_also_where_their_sum_is_not(values: list[float]) -> None:
    assert is_finite(torch.tensor(values))


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf, -torch.inf])
def test_one_value_that_is_not_finite_is_found(wrong: float) -> None:
    for others in ([1.0], [torch.inf], [-torch.inf], [3e38, 3e38]):
        assert not is_finite(torch.tensor([*others, wrong]))
    assert is_finite(torch.tensor([1, 2])) and is_finite(torch.tensor([True]))
