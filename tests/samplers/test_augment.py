"""Laws of the sampler `augment`: p, the passed stream, the value range, and honest counts."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ebmkit.assembly.build import build
from ebmkit.errors import CapabilityError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.sampler import Sampler
from ebmkit.rng import stream
from ebmkit.views.view import view

SEEN = view(lambda point: point.x.flatten(1).sum(dim=1))


def context(channels: int, value_range: tuple[float, float] | None = (0.0, 1.0)) -> BuildContext:
    return BuildContext(event_shape=(channels, 8, 8), value_range=value_range)


def images(n: int, channels: int, low: float = 0.0, high: float = 1.0) -> Point:
    x = torch.rand(n, channels, 8, 8, generator=torch.Generator().manual_seed(n))
    return Point(x=low + (high - low) * x, aux={"label": torch.arange(n)})


@settings(max_examples=20)
@given(channels=st.sampled_from([1, 3]), p=st.sampled_from([0.0, 0.5, 1.0]), seed=st.integers(0, 99))
def test_each_chain_is_changed_with_probability_p(channels: int, p: float, seed: int) -> None:
    sampler, point, before = (
        build("sampler", "augment", context=context(channels), p=p),
        images(64, channels),
        torch.get_rng_state(),
    )
    state, info = sampler.step(SEEN, sampler.init(point, stream(seed, 0, "a")))
    changed = (state.point.x != point.x).flatten(1).any(dim=1)
    assert bool(changed.all()) if p == 1 else bool((~changed).all()) if p == 0 else 10 < int(changed.sum()) < 54
    assert state.point.aux == point.aux and info.n_moves == info.n_gradients == 0
    assert torch.equal(torch.get_rng_state(), before)
    again, _ = sampler.step(SEEN, sampler.init(point, stream(seed, 0, "a")))
    assert torch.equal(again.point.x, state.point.x)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (0.1, 0.7)])
def test_chains_stay_in_the_value_range(low: float, high: float) -> None:
    sampler, point = build("sampler", "augment", context=context(3, (low, high))), images(32, 3, low, high)
    x = sampler.step(SEEN, sampler.init(point, stream(0, 0, "a")))[0].point.x
    assert x.min() >= low and x.max() <= high and x.std() > 0.05 * (high - low)


def test_it_is_a_sampler_that_starts_no_graph() -> None:
    sampler = build("sampler", "augment", context=context(1), preset="weak", crop=0.5, flip=False)
    assert isinstance(sampler, Sampler) and sampler.traits.tail == "passes"
    assert sampler.law.crop == 0.5 and not sampler.law.flip and sampler.law.jitter[0] == 0.1


@pytest.mark.parametrize("shape", [(2,), (2, 8, 8), (8, 8)])
def test_only_images_can_be_augmented(shape: tuple[int, ...]) -> None:
    with pytest.raises(CapabilityError, match="images"):
        build("sampler", "augment", context=BuildContext(event_shape=shape))


def test_images_without_a_value_range_are_refused() -> None:
    with pytest.raises(CapabilityError, match="unbounded"):
        build("sampler", "augment", context=BuildContext(event_shape=(1, 8, 8)))
