"""What counts as acceptance: proposals for x that may be rejected, and nothing else."""

from __future__ import annotations

import pytest
import torch

from ebmkit.assembly.build import build
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.sampler import Sampler, SamplerInfo
from ebmkit.samplers.acceptance import acceptance
from ebmkit.samplers.sequence import Sequence


def sampler(name: str, **settings: object) -> Sampler:
    return build("sampler", name, context=BuildContext(event_shape=(2,)), **settings)


def told(rate: float, moves: int = 1, *children: SamplerInfo) -> SamplerInfo:
    rates = torch.tensor([rate, rate / 2])
    start = Point(x=torch.zeros(2, 2))
    return SamplerInfo(start=start, accept_rate=rates, n_moves=moves, n_gradients=moves, children=children)


@pytest.mark.parametrize("name", ["sgld", "underdamped"])
def test_unadjusted_samplers_have_none(name: str) -> None:
    assert acceptance(sampler(name), told(1.0)) is None


def test_what_never_rejects_is_not_averaged_in() -> None:
    first, second = sampler("mala", step_size=0.1), sampler("hmc", step_size=0.1)
    gibbs = sampler("gibbs", coordinate="label")
    whole = Sequence([Sequence([first, gibbs]), sampler("sgld"), second])
    info = told(0.9, 5, told(0.6, 4, told(0.2, 3), told(1.0, 1)), told(1.0, 40), told(0.6, 1))
    found = acceptance(whole, info)
    assert found is not None
    torch.testing.assert_close(found, torch.tensor([0.3, 0.15]))
    assert acceptance(Sequence([gibbs]), told(1.0, 1, told(1.0))) is None
