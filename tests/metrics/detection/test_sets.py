"""The built-in out-of-distribution sets: what they keep of the data, and what they do not."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor
from torch.nn import functional

from ebmkit.data.arrays import quantise
from ebmkit.data.spec import DataSpec
from ebmkit.errors import DataError
from ebmkit.metrics.detection.sets import BUILT_IN, built_in, usual_sets


def rng(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def spec(
    shape: tuple[int, ...], value_range: tuple[float, float] | None = (0.0, 1.0), values: str = "real"
) -> DataSpec:
    return DataSpec(event_shape=shape, value_range=value_range, n_classes=0, class_names=(), n_data=9, x_values=values)  # type: ignore[arg-type]


def images(n: int = 12, shape: tuple[int, ...] = (1, 9, 8)) -> Tensor:
    return torch.rand((n, *shape), generator=rng(1))


@pytest.mark.parametrize("name", sorted(BUILT_IN))
@pytest.mark.parametrize("shape", [(1, 9, 8), (3, 32, 32), (1, 4, 4)])
@pytest.mark.parametrize("value_range", [(0.0, 1.0), (-1.0, 1.0), None])
def test_every_set_has_the_shape_and_range_of_images(name, shape, value_range) -> None:
    held = images(shape=shape)
    made = built_in(name, held, spec(shape, value_range), rng())
    low, high = value_range or (float(held.min()), float(held.max()))
    assert made.shape == held.shape and made.dtype == held.dtype
    assert float(made.min()) >= low and float(made.max()) <= high
    assert torch.equal(made, built_in(name, held, spec(shape, value_range), rng()))
    assert not torch.equal(made, held)


@pytest.mark.parametrize("name", ["uniform-noise", "permuted-coordinates", "constants"])
@pytest.mark.parametrize("shape", [(5,), (2,), (7, 3)])
def test_vectors_and_sequences_have_sets_too(name, shape) -> None:
    held = 3 * torch.randn((20, *shape), generator=rng(1))
    made = built_in(name, held, spec(shape, None), rng())
    assert made.shape == held.shape and bool(torch.isfinite(made).all())


@pytest.mark.parametrize("values", ["binary", "one-hot"])
def test_sets_of_discrete_x_are_discrete(values) -> None:
    index = torch.randint(2 if values == "binary" else 3, (20, 4), generator=rng(1))
    held = index.float() if values == "binary" else functional.one_hot(index, 3).float()
    for name in ("uniform-noise", "constants", "permuted-coordinates"):
        made = built_in(name, held, spec(tuple(held.shape[1:]), (0.0, 1.0), values), rng())
        assert made.shape == held.shape
        assert bool(((made == 0) | (made == 1)).all())
        if values == "one-hot":
            assert bool((made.sum(dim=-1) == 1).all())


def test_noise_fills_the_range_of_each_entry() -> None:
    held = torch.randn(5000, 2, generator=rng(1)) * torch.tensor([1.0, 100.0])
    made = built_in("uniform-noise", held, spec((2,), None), rng())
    assert torch.allclose(made.amin(dim=0), held.amin(dim=0), rtol=0.01)
    assert torch.allclose(made.amax(dim=0), held.amax(dim=0), rtol=0.01)


def test_a_constant_image_has_one_8_bit_value_a_channel_and_noise_as_data_have() -> None:
    made = built_in("constants", images(50, (3, 8, 8)), spec((3, 8, 8)), rng())
    levels = quantise(made).flatten(2)
    assert bool((levels == levels[..., :1]).all())
    assert len(levels[..., 0].unique()) > 50 and float(made[0, 0].std()) > 0


def test_shuffled_images_keep_their_patches_and_their_rim() -> None:
    held = images(6, (2, 9, 8))
    made = built_in("patch-shuffled", held, spec((2, 9, 8)), rng())

    def patches(x: Tensor) -> Tensor:
        cut = x[:, :, :8].unfold(2, 2, 2).unfold(3, 2, 2).permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)
        return cut.sum(dim=-1).sort(dim=1).values

    assert torch.allclose(patches(made), patches(held))
    assert torch.equal(made[:, :, 8], held[:, :, 8])
    moved = (made != held).flatten(1).any(dim=1)
    assert bool(moved.all())
    orders = {tuple((made[i] - held[i]).abs().flatten().gt(0).tolist()) for i in range(6)}
    assert len(orders) > 1


def test_permuted_coordinates_keep_every_margin_and_lose_the_dependence() -> None:
    first = torch.randn(2000, 1, generator=rng(1))
    held = torch.cat([first, first], dim=1)
    made = built_in("permuted-coordinates", held, spec((2,), None), rng())
    assert torch.equal(made.sort(dim=0).values, held.sort(dim=0).values)
    assert abs(float(torch.corrcoef(made.T)[0, 1])) < 0.1


def test_usual_sets() -> None:
    assert usual_sets(spec((1, 28, 28))) == ("uniform-noise", "constants", "patch-shuffled")
    assert usual_sets(spec((2,), None)) == ("uniform-noise", "permuted-coordinates")
    assert usual_sets(spec((1,), None)) == ("uniform-noise",)
    assert usual_sets(spec((1, 3, 3))) == ("uniform-noise", "permuted-coordinates")


def test_sets_that_make_no_sense_are_refused() -> None:
    with pytest.raises(DataError, match=r"found x of shape \[2\]"):
        built_in("patch-shuffled", torch.zeros(3, 2), spec((2,), None), rng())
    with pytest.raises(DataError, match="single entry"):
        built_in("permuted-coordinates", torch.zeros(3, 1), spec((1,), None), rng())
