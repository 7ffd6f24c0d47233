"""Laws of dequantisation and of sets held in memory."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.data.arrays import ArrayData, dequantise, quantise
from ebmkit.errors import DataError
from ebmkit.protocols.dataset import Dataset

ALL_LEVELS = torch.arange(256, dtype=torch.uint8)
LARGEST_UNIFORM = 1.0 - 2.0**-24


def no_other(name):
    raise DataError(f"no {name}")


def array_data(x, y=None):
    return ArrayData(
        x=x, y=y, value_range=(0.0, 1.0), n_classes=2, class_names=(), split_name="train", open_split=no_other
    )


@given(st.integers(0, 255), st.integers(0, 2**24 - 1))
def test_round_trip_is_exact_for_every_level_and_every_float32_uniform(level, k):
    levels, noise = torch.tensor([level], dtype=torch.uint8), torch.tensor([k * 2.0**-24])
    assert quantise(dequantise(levels, noise)) == levels


@pytest.mark.parametrize("u", [0.0, 2.0**-24, 0.5, 1.0 - 2.0**-16, LARGEST_UNIFORM])
def test_round_trip_is_exact_at_the_ends_of_the_noise(u):
    x = dequantise(ALL_LEVELS, torch.full((256,), u))
    assert torch.equal(quantise(x), ALL_LEVELS)
    assert x.dtype == torch.float32 and x.min() >= 0.0 and x.max() < 1.0


def test_noise_is_uniform_within_a_level():
    noise = torch.rand(200_000, generator=torch.Generator().manual_seed(0))
    within = 256.0 * dequantise(torch.full((200_000,), 255, dtype=torch.uint8), noise) - 255.0
    assert abs(within.mean() - 0.5) < 4 / (12 * 200_000) ** 0.5
    assert torch.histc(within, bins=10, min=0.0, max=1.0).sub(20_000).abs().max() < 700


@given(st.floats(-3.0, 3.0, width=32))
def test_quantise_stays_within_the_levels(value):
    level = int(quantise(torch.tensor([value])))
    assert level == min(max(torch.floor(torch.tensor(256.0 * value)).item(), 0), 255)


@given(st.lists(st.integers(0, 19), max_size=30), st.integers(0, 2**31))
def test_rows_stay_paired_with_labels(rows, seed):
    x = torch.arange(20, dtype=torch.uint8).reshape(20, 1, 1, 1).expand(20, 1, 2, 3).contiguous()
    data = array_data(x, torch.arange(20))
    batch = data.batch(torch.tensor(rows, dtype=torch.int64), torch.Generator().manual_seed(seed))
    assert batch.y is not None and batch.y.tolist() == rows
    assert torch.equal(quantise(batch.x), x[rows])


def test_batch_depends_on_the_generator_alone():
    data = array_data(torch.zeros(4, 1, 2, 2, dtype=torch.uint8))
    rows = torch.tensor([0, 1])
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, again, other = (data.batch(rows, torch.Generator().manual_seed(seed)).x for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_floats_are_not_dequantised():
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    data = array_data(x)
    rng = torch.Generator().manual_seed(0)
    state = rng.get_state()
    assert torch.equal(data.batch(torch.arange(5), rng).x, x)
    assert torch.equal(rng.get_state(), state)


def test_it_is_a_dataset_with_its_event_shape():
    data = array_data(torch.zeros(4, 1, 2, 3))
    assert isinstance(data, Dataset) and data.event_shape == (1, 2, 3) and len(data) == 4


def test_split_gives_itself_the_other_or_an_error():
    data = array_data(torch.zeros(4, 2))
    assert data.split("train") is data
    with pytest.raises(DataError, match="no test"):
        data.split("test")
    with pytest.raises(DataError, match=r"'validation' was asked for.*train, test"):
        data.split("validation")
