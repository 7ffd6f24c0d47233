"""A run on data beyond memory, or on a loader, goes on bit for bit from where it stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

from ebmkit.data.loaded import LoaderData
from ebmkit.errors import CheckpointError
from ebmkit.rng import stream
from ebmkit.runs.run import resume, run
from ebmkit.training.batches import Batches


class Shaken(Dataset):
    """Rows that a random transform changes."""

    def __len__(self) -> int:
        return 22

    def __getitem__(self, row: int) -> torch.Tensor:
        return torch.full((2,), float(row)) + torch.rand(())


def loader(n: int = 22) -> LoaderData:
    rows = Shaken() if n == 22 else TensorDataset(torch.zeros(n, 2))
    return LoaderData(DataLoader(rows, batch_size=4, shuffle=True), device="cpu")


def batches_of(data: LoaderData) -> Batches:
    return Batches(data, batch_size=3, seed=5, device=torch.device("cpu"))


@pytest.mark.parametrize("stop", [0, 1, 3, 4, 7, 8, 11, 30])
def test_a_loader_goes_on_where_it_was(stop: int) -> None:
    whole, cut, later = (batches_of(loader()) for _ in range(3))
    wanted = [whole.batch(step).x for step in range(1, 40)]
    for step in range(1, stop + 1):
        cut.batch(step)
    later.load_state_dict({name: value.clone() for name, value in cut.state_dict().items()})
    for step in range(stop + 1, 40):
        assert later.batch(step).x.equal(wanted[step - 1])


def test_a_loader_of_fewer_data_cannot_go_on() -> None:
    batches = batches_of(loader())
    for step in range(1, 7):
        batches.batch(step)
    with pytest.raises(CheckpointError, match="others, or fewer"):
        batches_of(loader(8)).load_state_dict(batches.state_dict())
    with pytest.raises(CheckpointError, match="no place of a DataLoader"):
        batches_of(loader()).load_state_dict({})


def test_a_run_on_shards_goes_on_bit_for_bit(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for i in range(5):
        x = torch.randn(7, 2, generator=stream(i, 0, "shards")).numpy()
        np.savez(tmp_path / "set" / f"{i}.npz", x=x)
    recipe = {
        "run": {"steps": 11, "batch_size": 4, "seed": 2},
        "data": {"use": "shards", "path": str(tmp_path / "set"), "mixed": 2},
        "energy": {"use": "mlp", "widths": [8]},
        "sampler": [{"use": "sgld", "moves": 2}],
        "buffer": {"use": "replay", "capacity": 16},
        "checkpoint": {"every": 5},
        "log": {"tensorboard": False},
        "optim": {"energy": {"schedule": "constant"}},
    }
    whole = run(recipe, tmp_path / "whole")
    run({**recipe, "run": {**recipe["run"], "steps": 6}}, tmp_path / "cut")
    gone_on = resume(tmp_path / "cut", steps=11)
    for one, other in zip(whole.energy.state_dict().values(), gone_on.energy.state_dict().values(), strict=True):
        assert one.equal(other)
