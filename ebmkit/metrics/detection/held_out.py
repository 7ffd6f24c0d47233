"""Data that a model was not trained on, to calibrate with; where there are none, some that it was, and that is told."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ebmkit.errors import DataError
from ebmkit.evaluation.other_data import chosen_rows
from ebmkit.evaluation.run_data import data_of
from ebmkit.protocols.dataset import Dataset
from ebmkit.rng import stream
from ebmkit.sampling.model import Model


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class HeldOut:
    """Data to calibrate with.

    Attributes:
        x: [N, *event] in the value range of the data, in random order, on the CPU.
        origin: what they are, in words.
        notes: what is to be known of them.
    """

    x: Tensor
    origin: str
    notes: tuple[str, ...]


def held_out(model: Model, n: int, seed: int) -> HeldOut:
    """Returns at most n data of the test part of a run, chosen at random; where it has none, the last of its data.

    Raises:
        DataError: the data of the run cannot be had.
    """
    dataset = data_of(model, "cpu")
    rng = stream(seed, 0, "held-out")
    try:
        test = dataset.split("test")
    except DataError:
        rows = torch.arange(max(0, len(dataset) - n), len(dataset))
        note = (
            f"the data of the run have no test part: its last {len(rows):,} training data stand for one. The model was "
            "trained on them, so new data of the same law may be flagged more often"
        )
        return HeldOut(x=_rows(dataset, rows, rng), origin="of the last training data", notes=(note,))
    rows = chosen_rows(len(test), n, rng)
    return HeldOut(x=_rows(test, rows, rng), origin="test data", notes=())


def training_rows(model: Model, n: int, seed: int) -> Tensor:
    """Returns at most n training data [N, *event] of a run, chosen at random, on the CPU.

    Raises:
        DataError: the data of the run cannot be had.
    """
    dataset = data_of(model, "cpu")
    rng = stream(seed, 0, "training rows")
    return _rows(dataset, chosen_rows(len(dataset), n, rng), rng)


def _rows(dataset: Dataset, rows: Tensor, rng: torch.Generator) -> Tensor:
    """Returns rows in random order: any part of them is as good as another."""
    shuffled = rows[torch.randperm(len(rows), generator=rng)]
    return torch.cat([dataset.batch(chunk, rng).x.float().cpu() for chunk in torch.split(shuffled, 2_000)])
