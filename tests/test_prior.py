"""Laws of fresh chains: where they start."""

import pytest
import torch

from ebmkit.plugins.context import BuildContext
from ebmkit.plugins.scale import Scale
from ebmkit.prior import Fresh

FAR = Scale(mean=(0.0, 500.0), sd=(0.1, 80.0))


def fresh(n=4_000, **known):
    return Fresh(BuildContext(event_shape=(2,), **known))(n, torch.Generator().manual_seed(0)).x


def test_without_a_range_chains_start_as_a_standard_normal():
    assert torch.equal(fresh(5), torch.randn(5, 2, generator=torch.Generator().manual_seed(0)))


def test_data_of_another_scale_have_their_chains_at_that_scale():
    x = fresh(scale=FAR)
    assert x.mean(dim=0).tolist() == pytest.approx([0.0, 500.0], abs=5)
    assert x.std(dim=0).tolist() == pytest.approx([0.1, 80.0], rel=0.05)


def test_a_range_of_values_goes_before_the_scale():
    x = fresh(scale=FAR, value_range=(-1.0, 3.0))
    assert x.min() >= -1 and x.max() <= 3 and x.mean() == pytest.approx(1.0, abs=0.1)
