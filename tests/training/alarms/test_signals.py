"""Laws of the signals: reading them asks the energy nothing, draws nothing, and leaves everything as it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from ebmkit.point import Batch, Point
from ebmkit.protocols.objective import Phases
from ebmkit.protocols.traits import SamplerTraits
from ebmkit.samplers.sequence import Sequence
from ebmkit.training.alarms.signals import fingerprint, proposes, step_signals
from ebmkit.training.step import StepReport


class Counting:
    """E(x) = Σx, which counts its passes."""

    def __init__(self) -> None:
        self.n_passes = 0

    def __call__(self, point: Point) -> Tensor:
        self.n_passes += 1
        return point.x.sum(dim=1)


def report(data: Tensor, chains: Tensor | None, energy: Any = None, **metrics: float) -> StepReport:
    negative = None if chains is None else Point(x=chains)
    phases = Phases(energy=energy or Counting(), batch=Batch(x=data), positive=Point(x=data), negative=negative)
    values = {name: torch.tensor(value) for name, value in metrics.items()}
    return StepReport(step=1, losses={"a.b": torch.tensor(-3.0)}, metrics=values, phases=phases, tuning={})


def test_reading_asks_nothing_and_changes_nothing() -> None:
    energy, data, chains = Counting(), torch.rand(8, 2), torch.rand(8, 2)
    made = report(data, chains, energy, gap=1.0)
    versions, random = (data._version, chains._version), torch.get_rng_state()
    found = step_signals(made, proposes=False, value_range=(0.0, 1.0))
    assert energy.n_passes == 0 and "spread_positive" not in found
    assert (data._version, chains._version) == versions
    assert torch.equal(torch.get_rng_state(), random)
    made.phases.evaluate("positive")
    assert "spread_positive" in step_signals(made, proposes=False, value_range=None)
    assert energy.n_passes == 1


def test_signals_are_what_they_are_called() -> None:
    data = torch.tensor([[0.0, 0.5], [1.0, 0.5]])
    made = report(data, torch.tensor([[0.0, 0.0], [0.0, 2.0]]), gap=2.0, chain_accept_rate=0.25)
    found = step_signals(made, proposes=True, value_range=(0.0, 1.0))
    assert found["loss"] == 3.0 and found["gap"] == 2.0 and found["chain_accept_rate"] == 0.25
    assert found["data_sd"] == pytest.approx((0.125) ** 0.5)
    assert found["chain_sd"] == pytest.approx((0.5) ** 0.5)
    assert found["saturated_data"] == 0.5 and found["saturated"] == 1.0 and found["outside"] == 0.0


def test_a_rate_counts_only_where_something_is_proposed() -> None:
    made = report(torch.rand(4, 2), torch.rand(4, 2), chain_accept_rate=1.0)
    assert "chain_accept_rate" not in step_signals(made, proposes=False, value_range=None)


def test_a_step_without_chains_has_no_signals_of_them() -> None:
    assert step_signals(report(torch.rand(4, 2), None), proposes=False, value_range=(0.0, 1.0)) == {
        "loss": 3.0,
        "outside": 0.0,
    }


class Part:
    def __init__(self, traits: SamplerTraits) -> None:
        self.traits = traits


def test_a_sampler_proposes_where_a_part_of_it_moves_x_exactly() -> None:
    plain, exact, level = SamplerTraits(), SamplerTraits(adjusted=True), SamplerTraits(moves={"level"}, adjusted=True)
    assert not proposes(Part(plain)) and proposes(Part(exact)) and not proposes(Part(level))
    assert proposes(Sequence([Part(plain), Part(exact)]))
    assert not proposes(Sequence([Part(plain), Part(level)]))


def test_another_row_is_another_fingerprint() -> None:
    class Rows:
        x = torch.zeros(5, 2, dtype=torch.uint8)

        def state_dict(self) -> dict[str, Tensor]:
            return {"x": self.x, "moved": torch.zeros(5, dtype=torch.bool)}

    rows = Rows()
    first = fingerprint(rows)
    assert first == fingerprint(rows)
    rows.x[3, 1] = 1
    assert fingerprint(rows) != first
