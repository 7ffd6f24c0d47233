"""What must be true of built parts: a sampler does what its declaration says, and moves what chains need."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import ebmkit
from ebmkit.errors import PluginError
from ebmkit.plugins.component import Component
from ebmkit.plugins.host import host
from ebmkit.protocols.sampler import SamplerInfo, SamplerState
from ebmkit.protocols.traits import SamplerTraits


class Drift:
    """A stranger's sampler: it says in a plain set that it moves x, and no more than the protocol asks."""

    traits = SamplerTraits(moves={"x"})  # type: ignore[arg-type]

    def init(self, point: Any, rng: Any, tuning: Any = None) -> SamplerState:
        return SamplerState(point=point, rng=rng)

    def step(self, view: Any, state: SamplerState, *, tail: Any = None) -> tuple[SamplerState, SamplerInfo]:
        noise = torch.randn(state.point.x.shape, generator=state.rng)
        moved = state.point.replace(x=state.point.x - 0.05 * view.gradient(state.point) + 0.1**0.5 * noise)
        info = SamplerInfo(start=state.point, accept_rate=torch.ones(len(moved)), n_moves=1, n_gradients=1)
        return SamplerState(point=moved, rng=state.rng), info


class Claimed(Drift):
    traits = SamplerTraits(moves=frozenset({"x", "level"}))


class Bare:
    pass


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Declares a sampler that builds a class of this file, for one test."""

    def declare(name: str) -> None:
        component = Component(
            kind="sampler", name="drift", build="a:b", summary="", traits=Drift.traits, gives=("draws.nothing",)
        )
        real = host().get
        monkeypatch.setattr(
            type(host()), "get", lambda self, kind, n: component if n == "drift" else real(kind, n), raising=True
        )
        monkeypatch.setattr("ebmkit.assembly.build.load_build", lambda part: MADE[part.name])
        MADE["drift"] = lambda config, context: globals()[name]()

    return declare


MADE: dict[str, Any] = {}


def test_a_stranger_who_says_that_he_moves_x_just_works(declared: Any) -> None:
    declared("Drift")
    sampler = ebmkit.build("sampler", "drift")
    draws = ebmkit.sample(lambda p: p.x.square().sum(1) / 2, sampler, torch.zeros(500, 2), transitions=200, burn_in=50)
    assert abs(float(draws.x.std()) - 1) < 0.1 and "sampler.unadjusted" in Drift.traits.words


@pytest.mark.parametrize(
    ("name", "said"),
    [("Claimed", r"moves: \{x\} declared, \{level, x\} built"), ("Bare", "built Bare, which lacks traits")],
)
def test_a_sampler_that_does_something_else_than_it_declares_is_refused(declared: Any, name: str, said: str) -> None:
    declared(name)
    with pytest.raises(PluginError, match=said):
        ebmkit.build("sampler", "drift")
