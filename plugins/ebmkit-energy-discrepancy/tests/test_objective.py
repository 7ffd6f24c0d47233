"""What the objective asks of an energy, what it leaves alone, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ebmkit_energy_discrepancy.perturb import flipped, gaussian
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import ebmkit
from ebmkit import Batch, BuildContext, CapabilityError, Phases, Point, RecipeError
from ebmkit.rng import stream
from ebmkit.testing import strategies
from ebmkit.testing.strategies import REPEATABLE


class Watched(torch.nn.Module):
    """An energy that remembers the points it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.seen: list[Point] = []

    def forward(self, point: Point) -> Tensor:
        self.seen.append(point)
        return self.weight * point.x.flatten(1).square().sum(dim=1)


def losses(x: Tensor, *, context: BuildContext | None = None, **settings: Any) -> tuple[Tensor, Watched]:
    energy = Watched()
    context = context or BuildContext(event_shape=tuple(x.shape[1:]))
    objective = ebmkit.build("objective", "energy-discrepancy", context=context, **settings)
    point = Point(x=x, aux={"label": torch.arange(len(x)) % 3})
    phases = Phases(energy=energy, batch=Batch(x=x), positive=point, rng=lambda part: stream(0, 1, part))
    return objective.losses(energy, phases)["discrepancy"], energy


@REPEATABLE
@given(
    shape=strategies.event_shapes(), rows=st.integers(1, 4), n=st.integers(1, 5), w=st.sampled_from([0.0, 0.5, 1.0]),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
)  # fmt: skip
def test_any_shape_gives_a_finite_loss_of_energies_alone(
    shape: tuple[int, ...], rows: int, n: int, w: float, scale: float
) -> None:
    x = scale * torch.randn(rows, *shape, generator=stream(0, 0, "x"))
    loss, energy = losses(x, n_perturbed=n, stabiliser=w, sigma=scale)
    loss.backward()
    assert torch.isfinite(loss) and energy.weight.grad is not None and bool(torch.isfinite(energy.weight.grad))
    assert sorted(len(point) for point in energy.seen) == sorted([rows, rows * n])
    assert all(not point.x.requires_grad for point in energy.seen), "no gradient in x"


def test_perturbed_points_keep_the_coordinates_of_their_datum() -> None:
    _, energy = losses(torch.arange(6.0)[:, None] * 100, n_perturbed=4, sigma=0.1)
    far = max(energy.seen, key=len)
    assert far.aux["label"].tolist() == (torch.arange(6) % 3).repeat_interleave(4).tolist()
    assert ((far.x[:, 0] / 100).round() == torch.arange(6).repeat_interleave(4)).all()


@REPEATABLE
@given(
    shape=strategies.event_shapes(), n=st.integers(1, 6), flip=st.floats(0.01, 0.5), high=st.sampled_from([1.0, 3.0])
)
def test_bits_stay_bits(shape: tuple[int, ...], n: int, flip: float, high: float) -> None:
    x = high * (torch.rand(3, *shape, generator=stream(0, 0, "x")) < 0.5).float()
    found = flipped(x, n, flip, (0.0, high), stream(0, 1, "noise"))
    assert found.shape == (3, n, *shape) and found.dtype == x.dtype
    assert ((found == 0) | (found == high)).all()


def test_gaussian_points_share_one_step_and_each_has_one_of_its_own() -> None:
    x = torch.zeros(50_000, 1)
    found = gaussian(x, 2, 0.5, stream(0, 0, "noise"))[..., 0]
    assert float(found.var()) == pytest.approx(2 * 0.25, rel=0.03), "two steps of σ²"
    assert float((found[:, 0] * found[:, 1]).mean()) == pytest.approx(0.25, rel=0.05), "one of them is shared"


# --- bad input


@pytest.mark.parametrize(
    ("setting", "value"),
    [("sigma", 0.0), ("sigma", -0.5), ("n_perturbed", 0), ("n_perturbed", -3), ("stabiliser", -1.0), ("flip", 0.0),
     ("flip", 0.6), ("sigma", float("nan")), ("sigma", float("inf"))],
)  # fmt: skip
def test_a_setting_out_of_bounds_is_named(setting: str, value: float, tmp_path: Path) -> None:
    asked = {"data": {"use": "toy"}, "objective": [{"use": "energy-discrepancy", setting: value}]}
    with pytest.raises(RecipeError, match=setting):
        ebmkit.run(asked, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("data", "settings", "found"),
    [
        ("toy", {"flip": 0.1}, r"flip = 0\.1 has no meaning where x is real.*sigma"),
        ("toy-discrete", {"sigma": 0.1}, r"sigma = 0\.1 has no meaning where x is binary.*flip"),
    ],
)
def test_the_noise_of_the_other_kind_of_x_is_refused(
    data: str, settings: dict[str, float], found: str, tmp_path: Path
) -> None:
    asked = {"data": {"use": data}, "objective": [{"use": "energy-discrepancy", **settings}]}
    with pytest.raises(RecipeError, match=found):
        ebmkit.run({**asked, "energy": {"use": "mlp"}}, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_sites_of_several_values_are_refused_at_the_start(tmp_path: Path) -> None:
    asked = {
        "data": {"use": "toy-discrete", "law": "potts"},
        "energy": {"use": "mlp"},
        "objective": [{"use": "energy-discrepancy"}],
    }
    with pytest.raises(CapabilityError, match=r"one-hot.*choose a set of bits"):
        ebmkit.run(asked, tmp_path / "run")


# --- whole runs


@pytest.mark.parametrize(
    "data", [{"use": "toy"}, {"use": "toy-discrete", "side": 2}, {"use": "fashion-mini", "limit": 32}]
)
def test_it_trains_without_a_sampler_and_without_a_buffer(data: dict[str, Any], tmp_path: Path) -> None:
    made = ebmkit.run(
        {
            "run": {"steps": 3, "batch_size": 8, "device": "cpu"},
            "data": data,
            "energy": {"use": "mlp", "widths": [8]},
            "objective": [{"use": "energy-discrepancy", "n_perturbed": 3}],
        },
        tmp_path / "run",
        note=lambda line: None,
    )
    assert "buffer" not in made.recipe.parts and "sampler" not in made.recipe.parts
    assert made.recipe.table("run").temperature == 1


def test_a_resumed_run_is_the_uninterrupted_one(tmp_path: Path) -> None:
    asked = {
        "run": {"steps": 4, "batch_size": 8, "device": "cpu"},
        "data": {"use": "toy-discrete", "side": 2},
        "energy": {"use": "mlp", "widths": [8]},
        "objective": [{"use": "energy-discrepancy", "n_perturbed": 3}],
    }
    whole = ebmkit.run(asked, tmp_path / "whole", note=lambda line: None)
    half = {**asked, "run": {"steps": 2, "batch_size": 8, "device": "cpu"}}
    ebmkit.run(half, tmp_path / "half", note=lambda line: None)
    gone_on = ebmkit.resume(tmp_path / "half", steps=4, note=lambda line: None)
    one, two = (dict(each.model.energy.state_dict()) for each in (whole, gone_on))
    assert all(torch.equal(value, two[name]) for name, value in one.items())
