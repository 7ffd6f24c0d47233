"""The scale of data is measured where nothing else tells it."""

import pytest
import torch

from ebmkit.data.arrays import ArrayData
from ebmkit.data.scale import measured
from ebmkit.data.spec import DataSpec
from ebmkit.plugins.scale import Scale


def data(x, value_range=None):
    return ArrayData(x=x, y=None, value_range=value_range, n_classes=0, class_names=(), split_name="train",
                     open_split=lambda name: None)  # fmt: skip


NORMAL = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))


def test_mean_and_sd_of_each_entry_are_found():
    found = measured(data(NORMAL * torch.tensor([1.0, 200.0, 0.01]) + torch.tensor([0.0, -1000.0, 5.0])))
    assert found.mean == pytest.approx((0.0, -1000.0, 5.0), abs=20) and found.sd == pytest.approx((1, 200, 0.01), 0.1)


@pytest.mark.parametrize(
    "dataset",
    [data(NORMAL), data(NORMAL * 2 + 1), data(NORMAL.sigmoid(), (0.0, 1.0)), data(100 * torch.rand(5, 1, 4, 4))],
    ids=["standard", "about standard", "with a range", "images"],
)
def test_nobody_needs_to_know_it_of(dataset):
    assert measured(dataset) is None


def test_an_entry_that_never_changes_has_sd_1():
    assert measured(data(torch.cat([NORMAL, torch.full((500, 1), 7.0)], dim=1))).sd[3] == 1.0


def test_what_is_not_finite_is_not_measured():
    assert measured(data(torch.full((4, 2), float("nan")))) is None


def test_it_is_kept_with_a_checkpoint():
    spec = DataSpec.of(data(NORMAL * 100))
    assert isinstance(spec.scale, Scale) and DataSpec.from_json(spec.as_json()) == spec


def test_it_tells_itself_in_a_line():
    assert str(Scale(mean=(5.0, -2.0), sd=(3.0, 3.0))) == "mean -2 to 5, s.d. 3"
