"""Laws of the buffer `data`: chains start at the data, and nothing is remembered; with `cd` this is CD-k."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import ebmkit
from ebmkit.assembly.build import build
from ebmkit.coordinates.label import Label
from ebmkit.errors import CapabilityError, CheckpointError, RecipeError
from ebmkit.objectives.cd import ContrastiveDivergence
from ebmkit.plugins.context import BuildContext
from ebmkit.plugins.host import host
from ebmkit.point import Point
from ebmkit.protocols.buffer import Buffer
from ebmkit.recipes.recipe import from_toml
from ebmkit.recipes.resolver.resolve import resolve
from ebmkit.rng import stream
from ebmkit.sampling.generate import generate

CONTEXT = BuildContext(event_shape=(3,), value_range=(2.0, 4.0), coordinates=(Label(5),), dtype=torch.float64)
LABELLED = Point(x=torch.rand(4000, 3, dtype=torch.float64) * 0.1, aux={"label": torch.arange(4000) % 5})


def test_every_chain_starts_at_its_datum_and_nothing_is_kept() -> None:
    buffer = build("buffer", "data", context=CONTEXT)
    for match in (frozenset[str](), frozenset({"label"})):
        token, chains = buffer.draw(LABELLED, stream(0, 1, "draw"), match)
        assert torch.equal(chains.x, LABELLED.x) and torch.equal(chains.aux["label"], LABELLED.aux["label"])
        assert chains.x.data_ptr() != LABELLED.x.data_ptr(), "chains of their own, not the data themselves"
        buffer.put(token, chains.map(torch.zeros_like))
    assert isinstance(buffer, Buffer) and len(buffer) == buffer.filled == 0 and not buffer.state_dict()
    buffer.load_state_dict({})
    with pytest.raises(CheckpointError, match="buffer is 'data'"):
        buffer.load_state_dict({"x": torch.zeros(2, 3)})
    with pytest.raises(CapabilityError, match="replay"):
        buffer.reference(3, stream(0, 0, "reference"))


@pytest.mark.parametrize("match", [frozenset[str](), frozenset({"label"})], ids=str)
def test_a_share_starts_from_the_prior_and_keeps_what_is_matched(match: frozenset[str]) -> None:
    buffer = build("buffer", "data", context=CONTEXT, reinit=0.25)
    _, chains = buffer.draw(LABELLED, stream(0, 1, "draw"), match)
    fresh = (chains.x >= 2).all(dim=1)
    assert 0.22 < float(fresh.double().mean()) < 0.28 and torch.equal(chains.x[~fresh], LABELLED.x[~fresh])
    same = chains.aux["label"] == LABELLED.aux["label"]
    assert bool(same[~fresh].all()) and bool(same[fresh].all()) == bool(match)
    with pytest.raises(RecipeError, match="reinit"):
        build("buffer", "data", reinit=1.5)


# --- CD-k


def trained(moves: int) -> Any:
    net = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    x = torch.randn(64, 2, generator=stream(0, 0, "x"))
    sampler = ebmkit.samplers.Sgld(moves=moves)
    return ebmkit.parts(net, x, sampler=sampler, buffer="data", batch_size=64, temperature=1.0, progress=False)


@pytest.mark.parametrize("moves", [1, 3])
def test_the_gradient_is_that_of_cd_k_by_hand(moves: int) -> None:
    parts = trained(moves)
    x = torch.randn(64, 2, generator=stream(0, 1, "x"))
    report = ebmkit.train_step(parts, x, 1)
    net, step_size = parts.energy, parts.sampler.step_size
    chains, noise = x.clone(), stream(parts.seed, 1, "chains", parts.device)
    for _ in range(moves):
        chains.requires_grad_()
        (gradient,) = torch.autograd.grad(net(Point(x=chains)).sum(), chains)
        chains = (chains - step_size * gradient).detach()
        chains = chains + parts.sampler.noise * torch.randn(chains.shape, generator=noise)
    torch.testing.assert_close(report.phases.negative.x, chains)
    found = torch.autograd.grad(report.loss, list(net.parameters()))
    wanted = torch.autograd.grad(net(Point(x=x)).mean() - net(Point(x=chains)).mean(), list(net.parameters()))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)
    again = ebmkit.train_step(parts, x, 2)
    assert float((again.phases.negative.x - x).norm(dim=1).mean()) < 1, "the chains started anew, at the data"


@pytest.mark.parametrize("sampler", ["sgld", "mala", "hmc"])
def test_it_trains_with_every_sampler_and_says_what_samples_are(sampler: str) -> None:
    x = torch.randn(200, 2, generator=stream(0, 0, "x"))
    options: Any = {"sampler": sampler, "steps": 5, "batch_size": 32, "temperature": 1.0}
    model = ebmkit.fit("mlp", x, buffer="data", **options)
    assert "never saw the noise" in str(samples_of(model))
    assert "never saw" not in str(samples_of(model, start=x[:4]))
    fresh = ebmkit.fit("mlp", x, buffer=ebmkit.buffers.DataBuffer(reinit=0.1), **options)
    assert "never saw" not in str(samples_of(fresh))


def samples_of(model: Any, **more: Any) -> Any:
    return generate(model, 4, transitions=1, **more)


def test_what_keeps_no_rows_is_refused_where_rows_are_wanted() -> None:
    asked = '[run]\ntemperature = 1.0\n[buffer]\nuse = "data"\n[[objective]]\nuse = '
    with pytest.raises(CapabilityError, match="buffer data keeps chains, but no objective"):
        resolve(from_toml(asked + '"denoising-score-matching"\n'), host())
    if "improved-cd" in host().names("objective"):
        with pytest.raises(CapabilityError, match=r"buffer\.rows"):
            resolve(from_toml(asked + '"improved-cd"\n'), host())
    assert isinstance(build("objective", "cd"), ContrastiveDivergence)
