"""Laws of what makes the image smaller and of where attention stands."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from ebmkit.assembly.build import build
from ebmkit.energies.trunk import Smaller, sides
from ebmkit.errors import CapabilityError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point


def resnet(shape: tuple[int, ...] = (1, 12, 12), **config: Any) -> Any:
    return build("energy", "resnet", context=BuildContext(event_shape=shape, seed=1), **{"widths": (4, 6), **config})


@given(side=st.integers(2, 40), kind=st.sampled_from(["average", "conv-average"]))
def test_both_ways_halve_and_round_up(side: int, kind: str) -> None:
    h = torch.randn(1, 3, side, side + 1)
    outer = 3 if kind == "average" else 5
    assert Smaller(3, outer, kind)(h).shape == (1, outer, sides(side, 2)[1], sides(side + 1, 2)[1])


def test_the_convolution_comes_before_the_pooling() -> None:
    smaller, h = Smaller(3, 5, "conv-average"), torch.randn(1, 3, 8, 8)
    assert smaller.convolution is not None
    wanted = functional.avg_pool2d(smaller.convolution(h), kernel_size=3, stride=2, padding=1)
    assert torch.equal(smaller(h), wanted)


def test_sum_pooling_is_the_mean_times_the_places() -> None:
    x = torch.rand(2, 1, 12, 12)
    mean, total = (resnet(pool=pool, hidden=0, features=0).features(Point(x=x)) for pool in ("mean", "sum"))
    torch.testing.assert_close(total, 36 * mean)


@pytest.mark.parametrize("block", ["plain", "standardised"])
def test_attention_stands_where_its_side_is(block: str) -> None:
    energy = resnet((1, 28, 28), widths=(8, 16, 32), attention=(14, 7), block=block)
    assert set(energy.trunks[0].attention) == {"1", "2"}
    with pytest.raises(CapabilityError, match="28, 14, 7"):
        resnet((1, 28, 28), widths=(8, 16, 32), attention=(8,))


def test_a_stage_may_have_no_blocks() -> None:
    energy = resnet(widths=(4, 6, 8), blocks=(2, 1, 0), downsample="conv-average")
    assert [len(stage) for stage in energy.trunks[0].stages] == [2, 1, 0]
    assert energy(Point(x=torch.rand(2, 1, 12, 12))).shape == (2,)
    with pytest.raises(CapabilityError, match="widen 6 channels to 8"):
        resnet(widths=(4, 6, 8), blocks=(2, 1, 0))
    with pytest.raises(CapabilityError, match="2 numbers, but there are 3 widths"):
        resnet(widths=(4, 6, 8), blocks=(2, 1))


def test_a_bias_alone_shifts_a_block() -> None:
    energy = resnet(widths=(4,), conditioning=2, modulation="bias", shortcut="3x3").eval()  # no power iteration between
    block = energy.trunks[0].stages[0][0]
    x, c = torch.rand(2, 4, 6, 6), torch.randn(2, 2)
    h = block.first(block.activation(x)) + block.modulation(c)[:, :, None, None]
    torch.testing.assert_close(block(x, c), x + block.second(block.activation(h)))
    with pytest.raises(CapabilityError, match="modulation"):
        resnet(modulation="bias")
