from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ebmkit.errors import CheckpointError, DivergenceError
from ebmkit.recipes.tables import OptimConfig, RunConfig
from ebmkit.training.ema import Averages
from ebmkit.training.optim import Optimisers, load_optimiser_tensors, optimiser_tensors, schedule

SCHEDULES = st.sampled_from(["constant", "cosine", "linear"])


@given(SCHEDULES, st.integers(0, 20), st.floats(0, 0.9), st.integers(21, 200))
def test_a_rate_warms_up_holds_and_falls(kind: str, warmup: int, hold: float, total: int) -> None:
    config = OptimConfig(schedule=kind, warmup=warmup, hold=hold)
    factors = [schedule(config, step, total) for step in range(1, total + 1)]
    assert all(0 < f <= 1 for f in factors), "no step is idle"
    assert factors[:warmup] == [(i + 1) / warmup for i in range(warmup)]
    full = warmup + int(hold * (total - warmup))
    assert factors[warmup:full] == [1.0] * (full - warmup)
    assert factors[full:] == sorted(factors[full:], reverse=True)
    assert factors[full] == 1.0, "the first step after warm-up and hold has the full rate"
    after = schedule(config, total + 1, total)
    assert after == (1.0 if kind == "constant" else pytest.approx(0.0, abs=1e-9))


@pytest.mark.parametrize("kind", ["constant", "cosine", "linear"])
def test_a_single_step_is_made_at_the_full_rate(kind: str) -> None:
    assert schedule(OptimConfig(schedule=kind), 1, 1) == 1.0


def test_drops_are_published_epochs_of_two_hundred() -> None:
    config = OptimConfig(schedule="drops")
    rates = [schedule(config, 500 * epoch, 100_000) for epoch in (1, 140, 141, 160, 161, 180, 181, 200)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


def owners() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {"energy": nn.Linear(2, 1), "guide": nn.Linear(2, 1)}


def weights(modules: dict[str, nn.Module]) -> dict[str, torch.Tensor]:
    return {f"{name}.{k}": v.clone() for name, m in modules.items() for k, v in m.state_dict().items()}


def test_each_owner_has_its_own_optimiser_and_one_backward_serves_both() -> None:
    modules = owners()
    configs = {"energy": OptimConfig(use="sgd", lr=1.0), "guide": OptimConfig(use="sgd", lr=0.5)}
    before = weights(modules)
    x = torch.tensor([[1.0, 2.0]])
    norms = Optimisers(modules, configs, 10).update({name: m(x).sum() for name, m in modules.items()}, 1)
    after = weights(modules)
    assert torch.allclose(before["energy.weight"] - after["energy.weight"], x)
    assert torch.allclose(before["guide.weight"] - after["guide.weight"], 0.5 * x)
    assert float(norms["gradient_norm.energy"]) == pytest.approx(6**0.5)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_moves_nobody(bad: float) -> None:
    modules = owners()
    before = weights(modules)
    optimisers = Optimisers(modules, {name: OptimConfig() for name in modules}, 10)
    losses = {"energy": modules["energy"](torch.ones(1, 2)).sum(), "guide": bad * modules["guide"].weight.sum()}
    with pytest.raises(DivergenceError, match="gradient is not finite"):
        optimisers.update(losses, 3)
    assert all(torch.equal(before[k], v) for k, v in weights(modules).items())


def test_a_clip_bounds_the_step_of_its_owner_alone() -> None:
    modules = owners()
    configs = {"energy": OptimConfig(use="sgd", lr=1.0, clip=0.1), "guide": OptimConfig(use="sgd", lr=1.0)}
    before = weights(modules)
    x = torch.tensor([[30.0, 40.0]])
    Optimisers(modules, configs, 10).update({name: m(x).sum() for name, m in modules.items()}, 1)
    moved = {k: (before[k] - v).norm() for k, v in weights(modules).items()}
    assert (moved["energy.weight"] ** 2 + moved["energy.bias"] ** 2).sqrt() <= 0.1 + 1e-6
    assert moved["guide.weight"] == pytest.approx(50.0)


def test_an_average_copies_first_and_then_has_its_half_life() -> None:
    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    run = RunConfig(batch_size=10, ema_half_life=10.0, ema_copy_steps=2)
    averages = Averages({"energy": module}, run)
    seen = []
    for step in range(1, 5):
        nn.init.constant_(module.weight, float(step))
        averages.update(step)
        seen.append(float(averages.values["energy"]["weight"]))
    assert seen == [1.0, 2.0, 2.5, 3.25]


def test_an_average_copies_what_is_no_parameter() -> None:
    module = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4))
    averages = Averages({"energy": module}, RunConfig(ema_copy_steps=0))
    for step in range(1, 4):
        module.train()(torch.randn(2, 4))
        averages.update(step)
    for name, buffer in module.named_buffers():
        assert torch.equal(averages.values["energy"][name], buffer)


def test_tied_weights_are_averaged_under_each_of_their_names() -> None:
    first, second = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    second.weight = first.weight
    module = nn.Sequential(first, second)
    nn.init.zeros_(first.weight)
    averages = Averages({"energy": module}, RunConfig(batch_size=10, ema_half_life=10.0, ema_copy_steps=0))
    nn.init.ones_(first.weight)
    averages.update(1)
    assert {k: float(v) for k, v in averages.values["energy"].items()} == {"0.weight": 0.5, "1.weight": 0.5}


FOREIGN = {
    "no index": {"exp_avg": torch.zeros(1, 2)},
    "another parameter": {"7.step": torch.zeros(()), "7.exp_avg": torch.zeros(2), "7.exp_avg_sq": torch.zeros(2)},
    "another shape": {"0.step": torch.zeros(()), "0.exp_avg": torch.zeros(3), "0.exp_avg_sq": torch.zeros(1, 2)},
    "half of it": {"0.step": torch.zeros(()), "0.exp_avg": torch.zeros(1, 2)},
    "another optimiser": {"0.momentum_buffer": torch.zeros(1, 2)},
}


@pytest.mark.parametrize("name", FOREIGN)
def test_the_state_of_another_optimiser_is_refused(name: str) -> None:
    optimiser = Optimisers({"energy": nn.Linear(2, 1)}, {"energy": OptimConfig()}, 10).optimisers["energy"]
    with pytest.raises(CheckpointError, match="The saved optimiser holds"):
        load_optimiser_tensors(optimiser, FOREIGN[name])


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_every_optimiser_takes_its_own_state(kind: str, momentum: float) -> None:
    module, config = nn.Linear(2, 1), OptimConfig(use=kind, momentum=momentum)
    made = Optimisers({"energy": module}, {"energy": config}, 10)
    made.update({"loss": module(torch.ones(1, 2)).sum()}, 1)
    state = optimiser_tensors(made.optimisers["energy"])
    fresh = Optimisers({"energy": module}, {"energy": config}, 10).optimisers["energy"]
    load_optimiser_tensors(fresh, state)
    assert optimiser_tensors(fresh).keys() == state.keys()


def test_an_optimiser_goes_on_where_it_was_saved() -> None:
    def train(module: nn.Module, optimisers: Optimisers, steps: range) -> None:
        for step in steps:
            optimisers.update({"loss": module(torch.full((1, 2), float(step))).square().sum()}, step)

    def fresh() -> tuple[nn.Module, Optimisers]:
        module = owners()["energy"]
        return module, Optimisers({"energy": module}, {"energy": OptimConfig(lr=0.1)}, 10)

    whole, one = fresh()
    train(whole, one, range(1, 7))
    half, two = fresh()
    train(half, two, range(1, 4))
    saved, state = half.state_dict(), optimiser_tensors(two.optimisers["energy"])
    resumed, three = fresh()
    resumed.load_state_dict(saved)
    load_optimiser_tensors(three.optimisers["energy"], state)
    train(resumed, three, range(4, 7))
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))
