"""Laws of torch data sets and loaders as data of a run."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

from ebmkit.data.given import given_data
from ebmkit.rng import stream


class Noisy(Dataset[Any]):
    """Rows whose transform draws from the global streams of numpy and Python."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, row: int) -> torch.Tensor:
        return torch.as_tensor(np.random.randn(2)) + random.random()


@pytest.mark.parametrize("make", [lambda: Noisy(), lambda: DataLoader(Noisy(), batch_size=4)])
def test_transforms_of_numpy_and_python_repeat_and_leave_the_global_streams_alone(make: Any) -> None:
    seen = []
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)
        before = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[union-attr, index]
        data = given_data(make(), device="cpu")
        seen.append(data.batch(torch.arange(4), stream(0, 1, "data", "cpu")).x)
        assert before == (random.getstate(), np.random.get_state()[1].tolist())  # type: ignore[union-attr, index]
    assert torch.equal(seen[0], seen[1])


def test_a_loader_gives_each_datum_once_an_epoch_whatever_the_size_of_a_step() -> None:
    loader = DataLoader(TensorDataset(torch.arange(10.0)[:, None]), batch_size=4, shuffle=True)  # batches of 4, 4, 2
    data = given_data(loader, device="cpu")
    steps = [data.batch(torch.zeros(5, dtype=torch.int64), stream(0, step, "data", "cpu")).x for step in range(8)]
    read = torch.cat(steps).flatten().int().tolist()
    for epoch in range(4):
        assert Counter(read[10 * epoch : 10 * epoch + 10]) == Counter(range(10))
