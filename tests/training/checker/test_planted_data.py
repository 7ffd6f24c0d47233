"""Mistakes in data: each is named, with the data set, in the first step of a run; parts without one raise no alarm."""

from __future__ import annotations

from pathlib import Path

import pytest

import ebmkit
from ebmkit import Batch
from tests.training.checker.doubles import Judge, Mover, Net, Rows, Sides, Table
from tests.training.checker.planted import MADE, Make, shelf, trained

__all__ = ["shelf"]

DATA: dict[str, tuple[Make, str]] = {
    "NaN": (lambda c: Table(lambda b: Batch(x=b.x / 0 * 0, y=b.y)), "gave NaN in 8 of 8 rows. The data are at fault"),
    "infinity": (lambda c: Table(lambda b: Batch(x=1 / (0 * b.x), y=b.y)), "gave infinite values in 8 of 8"),
    "another shape": (lambda c: Table(lambda b: Batch(x=b.x[:, :1], y=b.y)), r"declares data of shape \(2\).*\(8, 1\)"),
    "another range": (lambda c: Table(lambda b: Batch(x=2 * b.x - 1, y=b.y)), r"declares values in \[0, 1\]"),
    "float64": (lambda c: Table(lambda b: Batch(x=b.x.double(), y=b.y)), "torch.float64, but a run is in float32"),
    "bytes": (lambda c: Table(lambda b: Batch(x=b.x.byte(), y=b.y)), "x of torch.uint8"),
    "a graph": (lambda c: Table(lambda b: Batch(x=b.x.requires_grad_(), y=b.y)), "x that requires a gradient"),
    "another device": (lambda c: Table(lambda b: Batch(x=b.x.to("meta"), y=b.y)), "x on meta, but the run is on cpu"),
    "labels from 1": (lambda c: Table(lambda b: Batch(x=b.x, y=b.y + 1)), "labels are 0 to 1.*from 1 to 2.*from 0"),
    "labels as floats": (lambda c: Table(lambda b: Batch(x=b.x, y=b.y.float())), "labels of torch.float32.*int64"),
    "no labels": (lambda c: Table(lambda b: Batch(x=b.x)), "declares 2 classes, but gave no labels"),
}


@pytest.mark.parametrize("mistake", DATA)
def test_data(mistake: str, tmp_path: Path) -> None:
    make, said = DATA[mistake]
    with pytest.raises(ebmkit.DataError, match=f"(?s)^Data set 'planted'.*{said}"):
        trained(tmp_path, "dataset", make)


def test_data_of_grey_bits(tmp_path: Path) -> None:
    MADE["dataset"] = lambda c: Table(x_values="binary")
    discrete = {"data": {"use": "bits"}, "sampler": {"use": "gibbs-with-gradients"}}
    with pytest.raises(ebmkit.DataError, match="Data set 'bits' declares binary x, but gave other values"):
        trained(tmp_path, "dataset", MADE["dataset"], **discrete)


def test_data_of_fewer_rows(tmp_path: Path) -> None:
    with pytest.raises(ebmkit.DataError, match="8 rows were asked of the data set and it gave 7"):
        trained(tmp_path, "dataset", lambda c: Table(lambda b: Batch(x=b.x[1:], y=b.y[1:])))


PLAIN: dict[str, Make] = {
    "energy": lambda c: Net(c),
    "sampler": lambda c: Mover(),
    "buffer": lambda c: Rows(c),
    "objective": lambda c: Judge(c),
    "dataset": lambda c: Table(),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_without_a_mistake_there_is_no_alarm(kind: str, tmp_path: Path) -> None:
    assert trained(tmp_path, kind, PLAIN[kind]).step == 3


def test_a_coordinate_without_a_mistake_is_no_alarm(tmp_path: Path) -> None:
    assert trained(tmp_path, "coordinate", lambda c: Sides()).step == 3
