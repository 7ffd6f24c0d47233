"""Laws of what a step tells of itself: it asks the energy nothing."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmkit.point import Batch, Point
from ebmkit.protocols.objective import Phases
from ebmkit.protocols.sampler import SamplerInfo
from ebmkit.training.monitor import chain_metrics


class Counting:
    """E(x) = Σx, which counts its passes."""

    def __init__(self) -> None:
        self.n_passes = 0

    def __call__(self, point: Point) -> Tensor:
        self.n_passes += 1
        return point.x.sum(dim=1)


def phases(energy: Counting, *, chains: bool) -> Phases:
    up, down = Point(x=torch.ones(3, 2)), Point(x=torch.zeros(2, 2))
    return Phases(energy=energy, batch=Batch(x=up.x), positive=up, negative=down if chains else None)


INFO = SamplerInfo(start=Point(x=torch.ones(2, 2)), accept_rate=torch.tensor([0.5, 1.0]), n_moves=1, n_gradients=1)
OF_CHAINS = {"chain_displacement", "chain_accept_rate", "chain_x_mean", "chain_x_sd"}


def test_what_no_objective_asked_is_not_logged_and_costs_nothing() -> None:
    energy = Counting()
    assert chain_metrics(phases(energy, chains=False), None) == {}
    assert chain_metrics(phases(energy, chains=True), INFO).keys() == OF_CHAINS
    assert energy.n_passes == 0


def test_what_was_asked_is_logged_without_another_pass() -> None:
    energy = Counting()
    alone = phases(energy, chains=False)
    alone.evaluate("positive")
    assert {name: float(value) for name, value in chain_metrics(alone, None).items()} == {"energy_positive": 2.0}
    both = phases(energy, chains=True)
    both.evaluate("negative")
    found = chain_metrics(both, INFO)
    assert found.keys() == OF_CHAINS | {"energy_positive", "energy_negative", "gap"}
    assert (float(found["gap"]), float(found["chain_displacement"])) == (2.0, 1.0)
    assert not any(value.requires_grad for value in found.values()) and energy.n_passes == 2
