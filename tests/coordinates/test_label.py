"""Laws of the coordinate `label`."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.assembly.build import build
from ebmkit.errors import DataError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Batch, Point
from ebmkit.protocols.coordinate import Coordinate
from ebmkit.rng import stream

LABEL = build("coordinate", "label", context=BuildContext(n_classes=4))


@given(labels=st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_labels_are_lifted_row_by_row(labels: list[int]) -> None:
    batch = Batch(x=torch.arange(len(labels)).float()[:, None], y=torch.tensor(labels))
    point = LABEL.lift(batch, Point(x=batch.x), stream(0, 0, "lift"))
    assert point.aux["label"].tolist() == labels and point.x is batch.x
    assert LABEL.is_data(point).all() and torch.equal(LABEL.signal(point), torch.ones(len(labels)))
    assert LABEL.clean(point) is point and LABEL.to_data(point) is point.x and not LABEL.leaves_data


def test_fresh_labels_are_uniform() -> None:
    n, before = 4000, torch.get_rng_state()
    point = LABEL.prior(n, Point(x=torch.zeros(n, 1)), stream(0, 0, "prior"))
    counts = torch.bincount(point.aux["label"], minlength=4)
    assert len(counts) == 4 and ((counts - n / 4).abs() < 4 * (n * 3 / 16) ** 0.5).all()
    assert torch.equal(torch.get_rng_state(), before)


def test_labels_must_be_there() -> None:
    assert isinstance(LABEL, Coordinate)
    with pytest.raises(DataError, match="labels"):
        LABEL.lift(Batch(x=torch.zeros(2, 1)), Point(x=torch.zeros(2, 1)), stream(0, 0, "lift"))
    with pytest.raises(DataError, match="labels"):
        build("coordinate", "label", context=BuildContext(n_classes=0))
