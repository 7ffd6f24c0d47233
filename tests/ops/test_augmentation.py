"""Laws of the augmentation: each image by its own draw, from the passed stream alone, inside the range."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ebmkit.ops.augmentation import PRESETS, Augmentation, augment, crop_and_flip

NOTHING = Augmentation(crop=1.0, flip=False, jitter=(0.0, 0.0, 0.0, 0.0), p_grey=0.0)


def images(channels: int = 3, n: int = 6, height: int = 9, width: int = 7) -> Tensor:
    return torch.rand(n, channels, height, width, generator=torch.Generator().manual_seed(1))


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


changes = st.builds(
    Augmentation,
    crop=st.floats(0.05, 1.0),
    flip=st.booleans(),
    jitter=st.sampled_from([(0.0, 0.0, 0.0, 0.0), (0.4, 0.4, 0.4, 0.1), (0.9, 0.0, 0.5, 0.5)]),
    p_jitter=st.sampled_from([0.0, 0.5, 1.0]),
    p_grey=st.sampled_from([0.0, 0.5, 1.0]),
)


@settings(max_examples=30)
@given(change=changes, channels=st.sampled_from([1, 3]), row=st.integers(0, 5), seed=st.integers(0, 99))
def test_an_image_changes_only_itself(change: Augmentation, channels: int, row: int, seed: int) -> None:
    x = images(channels)
    other = x.clone()
    other[row] = 1 - other[row]
    a, b = augment(x, rng(seed), change), augment(other, rng(seed), change)
    rest = torch.arange(6) != row
    assert torch.equal(a[rest], b[rest])


@settings(max_examples=30)
@given(
    change=changes,
    channels=st.sampled_from([1, 3]),
    bounds=st.sampled_from([None, (0.0, 1.0), (-1.0, 1.0), (0.1, 0.7)]),
)
def test_shape_range_and_global_stream_are_kept(
    change: Augmentation, channels: int, bounds: tuple[float, float] | None
) -> None:
    low, high = bounds or (0.0, 1.0)
    x, before = low + (high - low) * images(channels), torch.get_rng_state()
    kept, generator = x.clone(), rng()
    y = augment(x, generator, change, bounds)
    assert y.shape == x.shape and y.dtype == x.dtype and y.min() >= low and y.max() <= high
    assert torch.equal(x, kept) and torch.equal(torch.get_rng_state(), before)
    assert torch.equal(y, augment(x, rng(), change, bounds)) and not torch.equal(
        generator.get_state(), rng().get_state()
    )


@settings(max_examples=10)
@given(change=changes)
def test_every_change_draws_as_often(change: Augmentation) -> None:
    streams = rng(), rng()
    augment(images(), streams[0], change), augment(images(), streams[1], NOTHING)
    assert torch.equal(streams[0].get_state(), streams[1].get_state())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("seed", range(5))
def test_without_crop_flip_and_jitter_nothing_happens(channels: int, seed: int) -> None:
    x = images(channels)
    torch.testing.assert_close(augment(x, rng(seed), NOTHING), x, atol=1e-5, rtol=0)


def test_a_mirror_is_a_mirror() -> None:
    x = images()
    y = augment(x, rng(), Augmentation(crop=1.0, jitter=(0.0, 0.0, 0.0, 0.0), p_grey=0.0))
    near = [(y - z).flatten(1).abs().amax(dim=1) < 1e-5 for z in (x, x.flip(-1))]
    assert (near[0] ^ near[1]).all() and near[0].any() and near[1].any()


@pytest.mark.parametrize("crop", [0.08, 0.5, 0.9])
def test_crops_lie_inside_and_have_the_drawn_area(crop: float) -> None:
    """On an image whose values are its coordinates, a crop shows its own borders."""
    n, size = 500, 64
    line = (torch.arange(size) + 0.5) / size
    ramp = torch.stack([line.expand(size, size), line[:, None].expand(size, size)]).expand(n, 2, size, size)
    y = crop_and_flip(ramp, rng(), Augmentation(crop=crop, flip=False))
    edge = size / (size - 1)  # from the outermost pixel centres to the border
    width, height = (
        (y[:, 0].amax((1, 2)) - y[:, 0].amin((1, 2))) * edge,
        (y[:, 1].amax((1, 2)) - y[:, 1].amin((1, 2))) * edge,
    )
    area, aspect = width * height, width / height
    assert crop - 0.05 < area.min() and area.max() < 1.05 and abs(area.mean() - (1 + crop) / 2) < 0.03
    assert aspect.min() > 0.7 and aspect.max() < 1.43


def test_grey_keeps_no_colour_and_grey_images_have_none_to_lose() -> None:
    y = augment(images(), rng(), Augmentation(p_grey=1.0))
    torch.testing.assert_close(y, y[:, :1].expand_as(y))
    assert augment(images(1), rng(), PRESETS["strong"]).shape[1] == 1


def test_the_weak_change_is_less_than_the_strong_one() -> None:
    x = images(n=64)
    weak, strong = ((augment(x, rng(), PRESETS[name]) - x).square().mean() for name in ("weak", "strong"))
    assert weak < strong


@pytest.mark.parametrize("strength", [0.0, 0.5, 2.0])
def test_jitter_has_a_strength_and_nothing_else_changes(strength: float) -> None:
    strong = PRESETS["strong"]
    found = strong.jittered(strength)
    assert found.jitter == pytest.approx([strength * width for width in strong.jitter])
    assert replace(found, jitter=strong.jitter) == strong
