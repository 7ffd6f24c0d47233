"""Data of a run that a program handed over: evaluated where they are given again, and asked for where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import ebmkit
from ebmkit.errors import DataError
from tests.evaluation.moments import register

FEW = {"n": 8, "n_data": 16, "transitions": 1}


def net() -> torch.nn.Module:
    with ebmkit.seeded(0):
        return torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.SiLU(), torch.nn.Linear(8, 1))


def test_data_are_handed_over_again_in_whatever_form_fit_takes_them(tmp_path: Path) -> None:
    register()
    x = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    model = ebmkit.fit(net(), x, steps=1, batch_size=8, out=tmp_path / "run", progress=False)
    run = ebmkit.load(tmp_path / "run", given={"energy": net()})
    with pytest.raises(DataError, match=r"handed over by a program.*ebmkit\.evaluate\(run, data=x\)"):
        run.evaluate("moments", **FEW)
    wanted = ebmkit.evaluate(model, "moments", **FEW)["moments"]
    for data in (x, x.numpy(), (x, torch.zeros(40, dtype=torch.int64)), torch.utils.data.TensorDataset(x)):
        assert run.evaluate("moments", data=data, **FEW)["moments"] == wanted
    with pytest.raises(DataError, match=r"knows real x of shape \[2\]; found real x of shape \[3\]"):
        run.evaluate("moments", data=torch.zeros(9, 3), **FEW)
