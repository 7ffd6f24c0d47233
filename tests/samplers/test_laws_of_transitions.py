"""What a transition of every sampler in the registry may touch, and what it costs."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses import FakeTensorMode
from torch._subclasses.fake_tensor import DataDependentOutputException
from torch.utils._pytree import tree_leaves

import ebmkit
from ebmkit import Point
from ebmkit.testing.law import seeded
from ebmkit.views.view import view
from tests.samplers.doubles import Counting
from tests.samplers.registry import AnyShape, built, context_of, moved, samplers, start_of

EVERY = samplers("sampler.exact", "sampler.unadjusted")

# --- purity


@settings(max_examples=8)
@given(seed=st.integers(0, 2**32), shape=st.sampled_from([(1,), (3,), (2, 2), (1, 3, 2)]), n=st.integers(1, 4))
@pytest.mark.parametrize("name", EVERY)
def test_a_transition_is_a_function_of_point_tuning_and_stream(
    name: str, seed: int, shape: tuple[int, ...], n: int
) -> None:
    sampler, point = built(name, context=context_of(shape)), start_of(name, n, shape, seed)
    torch.manual_seed(0)
    before, kept = torch.get_rng_state(), [t.clone() for t in (point.x, *point.aux.values())]
    results = []
    for _ in range(2):
        state = sampler.init(point, seeded(seed))
        tuning = copy.deepcopy(state.tuning)
        results.append(sampler.step(view(AnyShape()), state)[0])
        assert all(map(torch.equal, tree_leaves(state.tuning), tree_leaves(tuning)))
    assert torch.equal(results[0].point.x, results[1].point.x)
    assert all(torch.equal(results[0].point.aux[k], results[1].point.aux[k]) for k in results[0].point.aux)
    assert torch.equal(results[0].rng.get_state(), results[1].rng.get_state())
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(t, k) for t, k in zip((point.x, *point.aux.values()), kept, strict=True))
    assert torch.equal(results[0].point.aux["colour"], point.aux["colour"])
    assert results[0].point.x.shape == point.x.shape


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", EVERY)
def test_dtype_and_device_are_kept(name: str, dtype: torch.dtype) -> None:
    start = start_of(name, 5, (2,))
    start = start.replace(x=start.x.to(dtype))
    point = moved(built(name, context=context_of((2,))), AnyShape(), start)[0].point
    assert point.x.dtype == dtype and point.x.device == start.x.device
    assert point.aux["level"].dtype == torch.int64


@pytest.mark.parametrize("name", EVERY)
def test_the_host_reads_no_tensor_inside_a_transition(name: str) -> None:
    """Tensors without values: whoever asks for one fails."""
    with FakeTensorMode():
        with mock.patch("ebmkit.assembly.build.own_stream_only", lambda *_, **__: nullcontext()):  # it reads a stream
            sampler = built(name, context=context_of((2,)))
        point = Point(x=torch.ones(6, 2), aux={"level": torch.zeros(6, dtype=torch.int64)})
        with mock.patch("ebmkit.samplers.gibbs_with_gradients.hold", lambda *_: True):  # it may look before the moves
            state = sampler.init(point, torch.Generator())
        state, _ = sampler.step(view(AnyShape()), state)
    assert state.point.x.shape == (6, 2)


def test_reading_a_tensor_without_values_fails() -> None:
    with FakeTensorMode(), pytest.raises(DataDependentOutputException):
        float(torch.randn(3).sum())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", EVERY)
def test_a_transition_waits_for_no_device(name: str) -> None:
    sampler = built(name, context=context_of((2,), device="cuda"))
    point = start_of(name, 6, (2,)).to("cuda")
    state = sampler.init(point, torch.Generator(device="cuda"))
    torch.cuda.set_sync_debug_mode("error")
    try:
        after, _ = sampler.step(view(AnyShape()), state)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert after.point.x.device == point.x.device


# --- by name


@pytest.mark.parametrize("name", EVERY)
def test_sample_runs_it(name: str) -> None:
    start = start_of(name, 4, (2,))
    draws = ebmkit.sample(AnyShape(), built(name, context=context_of((2,))), start, transitions=3, burn_in=2)
    assert draws.x.shape == (3, 4, 2) and torch.isfinite(draws.energy).all()
    assert torch.equal(draws.final.aux["colour"], start.aux["colour"])


# --- cost


@pytest.mark.parametrize("name", EVERY)
def test_the_gradients_reported_are_those_spent(name: str) -> None:
    seen = Counting(view(AnyShape()))
    _, info = moved(built(name, context=context_of((2,))), seen, start_of(name, 3, (2,)))
    assert 3 * info.n_gradients == seen.n_rows  # replicas of a chain count
