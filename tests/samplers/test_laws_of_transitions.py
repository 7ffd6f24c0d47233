"""What a transition of every sampler in the registry may touch, and what it costs."""

from __future__ import annotations

import pytest
import torch

import ebmkit
from ebmkit.views.view import view
from tests.samplers.registry import AnyShape, built, context_of, samplers, start_of

EVERY = samplers("sampler.exact", "sampler.unadjusted")

# --- purity


@pytest.mark.cuda
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
