"""What arrays must be before they are data."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.data.declarations import NpzConfig
from ebmkit.data.raw import Raw, array_data, channels_first
from ebmkit.errors import DataError
from ebmkit.plugins.context import BuildContext

IMAGES = np.zeros((6, 1, 2, 2), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def data_of(x, y=None, n_classes=0, config=None):
    def build(config, context):
        return array_data(Raw(origin="here", x=x, y=y, n_classes=n_classes), config, context, build)

    return build(config or NpzConfig(), BuildContext())


@pytest.mark.parametrize(
    ("x", "y", "n_classes", "message"),
    [
        (IMAGES[:0], None, 0, "here holds no data"),
        (np.zeros(5), None, 0, "at least one more"),
        (IMAGES.astype(np.int32), None, 0, "must be uint8 or float, found int32"),
        (IMAGES.astype(object), None, 0, "must be uint8 or float, found object"),
        (np.array([[0.0], [np.nan], [np.inf]]), None, 0, "2 of 3 rows.*first of them row 1"),
        (np.array([[1e300]]), None, 0, "finite in float32"),
        (IMAGES, LABELS[:5], 0, r"6 rows, but y has shape \(5,\)"),
        (IMAGES, LABELS.astype(float), 0, "whole numbers"),
        (IMAGES, LABELS - 1, 0, "0 to 1, found -1 to 1"),
        (IMAGES, LABELS, 2, "0 to 1, found 0 to 2"),
    ],
)
def test_what_cannot_be_data_is_refused(x, y, n_classes, message):
    with pytest.raises(DataError, match=message):
        data_of(x, y, n_classes)


def test_labels_may_be_a_column():
    assert data_of(IMAGES, LABELS[:, None]).y.tolist() == LABELS.tolist()


def test_classes_are_counted_over_all_rows_whatever_the_limit():
    data = data_of(IMAGES, LABELS, config=NpzConfig(limit=2))
    assert len(data) == 2 and data.n_classes == 3 and len(data.split("test")) == 2


@given(st.integers(0, 9))
def test_limit_keeps_the_first_rows(limit):
    data = data_of(IMAGES, LABELS, config=NpzConfig(limit=limit))
    assert data.y.tolist() == LABELS[: limit or None].tolist()


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20))
def test_value_range_is_the_unit_interval_exactly_where_floats_lie_in_it(values):
    is_inside = all(0 <= value <= 1 for value in values)
    data = data_of(np.array(values, dtype=np.float64)[:, None])
    assert data.value_range == ((0.0, 1.0) if is_inside else None)
    assert data.x.dtype == torch.float32 and data.n_classes == 0 and data.y is None


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((5, 8, 9), (5, 1, 8, 9)),
        ((5, 8, 9, 3), (5, 3, 8, 9)),
        ((5, 8, 9, 1), (5, 1, 8, 9)),
        ((5, 3, 8, 9), (5, 3, 8, 9)),
        ((5, 1, 8, 3), (5, 1, 8, 3)),
        ((5, 7), (5, 7)),
    ],
)
def test_channels_come_first(shape, wanted):
    assert channels_first(np.zeros(shape)).shape == wanted


def test_the_read_arrays_are_not_shared():
    x = IMAGES.copy()
    data = data_of(x)
    x += 1
    assert data.x.max() == 0
