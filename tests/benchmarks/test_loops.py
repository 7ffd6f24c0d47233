"""The bare loops do what our samplers do: a comparison of speed compares equal work."""

from __future__ import annotations

import pytest
import torch

import ebmkit
from ebmkit.assembly.build import build
from ebmkit.benchmarks import loops
from ebmkit.plugins.context import BuildContext

CONTEXT = BuildContext(event_shape=(3,))
JOBS = {
    "sgld": ({"moves": 6, "step_size": 0.1, "noise": 0.3}, loops.langevin),
    "mala": ({"moves": 6, "step_size": 0.9}, loops.mala),
    "hmc": ({"moves": 6, "step_size": 0.7, "n_leapfrog": 3}, loops.hmc),
}


def energy(x):
    return (x.square().sum(dim=1) + (3 * x).cos().sum(dim=1)) / 2


@pytest.mark.parametrize("bounds", [None, (-1.0, 1.0)])
@pytest.mark.parametrize("name", JOBS)
def test_a_loop_makes_the_moves_of_the_sampler(name, bounds):
    settings, loop = JOBS[name]
    if bounds and name != "sgld":
        pytest.skip("walls of adjusted samplers are the samplers' own business")
    x = torch.rand(50, 3, generator=torch.Generator().manual_seed(1))
    walls = {"bounds": "clamp"} if bounds else {}
    sampler = build("sampler", name, context=CONTEXT.replace(value_range=bounds), **settings, **walls)
    state = sampler.init(ebmkit.Point(x=x), torch.Generator().manual_seed(2))
    expected, info = sampler.step(ebmkit.view(lambda p: energy(p.x)), state)
    found = loop(energy, x, torch.Generator().manual_seed(2), bounds=bounds, **settings)
    torch.testing.assert_close(found, expected.point.x, rtol=1e-4, atol=1e-5)
    assert name == "sgld" or 0.1 < float(info.accept_rate.mean()) < 1.0


@pytest.mark.parametrize("name", JOBS)
def test_a_loop_spends_the_gradients_of_the_sampler(name):
    settings, loop = JOBS[name]
    asked = []
    loop(lambda x: asked.append(1) or energy(x), torch.zeros(2, 3), torch.Generator(), **settings)
    sampler = build("sampler", name, context=CONTEXT, **settings)
    state = sampler.init(ebmkit.Point(x=torch.zeros(2, 3)), torch.Generator())
    assert len(asked) == sampler.step(ebmkit.view(lambda p: energy(p.x)), state)[1].n_gradients
