"""Laws of the metric chains: series whose effective sizes are known, and doubles that get them wrong."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from ebmkit.assembly.build import build
from ebmkit.data.given import given_data
from ebmkit.errors import CapabilityError, DivergenceError
from ebmkit.evaluation.subject import ModelSubject
from ebmkit.metrics.chains import Chains, diagnosed, round_trips
from ebmkit.metrics.declarations.chains import ChainsConfig
from ebmkit.protocols.metric import Measured
from ebmkit.protocols.sampler import SamplerInfo, SamplerState
from ebmkit.protocols.traits import SamplerTraits
from ebmkit.recipes.tables import EvalConfig
from ebmkit.samplers.sequence import Sequence
from tests.metrics.diffused import Noise, model_of

D, B = 1_000, 16


def rng_of(seed: int) -> Generator:
    return torch.Generator().manual_seed(seed)


def ar1(phi: float, seed: int = 0) -> Tensor:
    """A stationary AR(1) series of s.d. 1: D·B(1 − φ)/(1 + φ) of its draws are independent."""
    noise = torch.randn(D, B, generator=rng_of(seed)).double()
    values = [noise[0]]
    for t in range(1, D):
        values.append(phi * values[-1] + (1 - phi**2) ** 0.5 * noise[t])
    return torch.stack(values)


@pytest.mark.parametrize("phi", [0.0, 0.9, -0.3])
def test_autoregressive_chains_have_the_effective_size_that_they_have(phi: float) -> None:
    found = diagnosed({"x": ar1(phi)}, rng_of(1))
    exact, bulk = D * B * (1 - phi) / (1 + phi), found["x: ESS bulk"]
    assert abs(bulk.value - exact) < 4 * (bulk.error or 0) < 0.6 * exact
    assert found["x: R-hat"].value < 1.06 and found["x: R-hat"].error is not None


def no_autocorrelation(series: Tensor) -> float:
    """A wrong double: as many effective draws as there are draws."""
    return float(series.numel())


def test_a_double_that_ignores_autocorrelation_fails_the_same_oracle() -> None:
    bulk = diagnosed({"x": ar1(0.9)}, rng_of(1))["x: ESS bulk"]
    assert abs(no_autocorrelation(ar1(0.9)) - D * B * 0.1 / 1.9) > 100 * (bulk.error or 0)


def test_chains_that_are_stuck_in_two_modes_have_an_r_hat_far_over_one() -> None:
    stuck = ar1(0.3) + 10 * (torch.arange(B) % 2)
    found = diagnosed({"x": stuck}, rng_of(0))["x: R-hat"]
    assert found.value > 1.5 and found.value - 4 * (found.error or 0) > 1.01


def test_round_trips_are_from_clean_to_the_last_value_and_back() -> None:
    levels = torch.tensor([[0, 3, 2], [1, 2, 3], [3, 1, 0], [2, 0, 3], [0, 3, 0], [3, 0, 3], [0, 3, 0]])
    assert round_trips(levels, 3).tolist() == [2, 1, 2]
    assert round_trips(torch.zeros(9, 2), 3).tolist() == [0, 0]


def measured(model: Any, **config: Any) -> Measured:
    data = given_data(torch.randn(50, *model.data.event_shape), device="cpu")
    subject = ModelSubject(model=model, config=EvalConfig(n=10, n_data=20), dataset=data)
    return Chains(ChainsConfig(**config)).measure(subject)


def gaussian(point: Any) -> Tensor:
    return point.x.flatten(1).square().sum(dim=1) / 2


def test_chains_of_a_gaussian_mix_and_their_acceptance_is_told() -> None:
    model = model_of(gaussian, sampler=build("sampler", "mala", moves=5, step_size=1.0))
    found = measured(model, n_chains=16, burn_in=10, transitions=100)
    assert found.estimates.keys() == {
        *(f"{row}: {column}" for row in ("energy", "x[0]", "x[1]") for column in ("ESS bulk", "ESS tail", "R-hat")),
        "acceptance",
    }
    assert found.estimates["x[0]: ESS bulk"].value > 400 and not found.notes
    assert 0.5 < found.estimates["acceptance"].value < 1 and "6 gradients each" in found.definition


class Cycles:
    """Moves the level by one, round and round; x is drawn anew."""

    traits = SamplerTraits(moves=frozenset({"x", "noise"}), adjusted=True, asks_gradient=False)

    def init(self, point: Any, rng: Generator, tuning: Any = None) -> SamplerState:
        return SamplerState(point=point, rng=rng, tuning={})

    def step(self, view: Any, state: SamplerState, *, tail: Any = None) -> tuple[SamplerState, SamplerInfo]:
        x = torch.randn(state.point.x.shape, generator=state.rng)
        point = state.point.replace(x=x).with_aux(noise=(state.point.aux["noise"] + 1) % 4)
        info = SamplerInfo(start=state.point, accept_rate=torch.ones(len(x)), n_moves=1, n_gradients=0)
        return SamplerState(point=point, rng=state.rng, tuning={}), info


def test_round_trips_of_a_level_are_counted_in_a_thousand_transitions() -> None:
    """The level goes round in 4 transitions."""
    found = measured(model_of(gaussian, Noise(), sampler=Cycles()), n_chains=4, burn_in=0, transitions=100)
    trips = found.estimates["round trips of noise in 1,000 transitions"]
    assert 230 <= trips.value <= 250 and trips.error == 0 and "acceptance" not in found.estimates


def test_of_images_the_mean_and_random_directions_are_followed() -> None:
    model = model_of(gaussian, event_shape=(1, 4, 4), sampler=build("sampler", "mala", step_size=0.7))
    names = {key.rsplit(": ", 1)[0] for key in measured(model, n_chains=4, burn_in=0, transitions=8).estimates}
    assert names == {"energy", "mean of x", "direction 1", "direction 2", "direction 3", "acceptance"}


def test_chains_that_do_not_agree_are_told() -> None:
    slow = model_of(gaussian, sampler=build("sampler", "mala", moves=1, step_size=0.01))
    assert "do not agree" in measured(slow, n_chains=8, burn_in=0, transitions=20).notes[0]


def test_what_only_augments_is_left_out_and_what_diverges_is_refused() -> None:
    class Shift(Cycles):
        traits = SamplerTraits(asks_gradient=False)

    mala = build("sampler", "mala", moves=2, step_size=0.7)
    both = measured(model_of(gaussian, sampler=Sequence([Shift(), mala])), n_chains=4, burn_in=0, transitions=8)
    assert "3 gradients each" in both.definition
    with pytest.raises(CapabilityError):
        measured(model_of(gaussian, sampler=Shift()))
    with pytest.raises(DivergenceError, match="not finite"):
        wild = build("sampler", "sgld", moves=50, step_size=9.0, noise=0.1)
        measured(model_of(lambda p: -p.x.pow(4).sum(dim=1), sampler=wild), n_chains=4)
