"""Level classification is least at the true energies, and sees the mass of far modes, which a score does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ebmkit_diffusion.level_classification import level_classification
from ebmkit_diffusion.level_conditioned import LEVELS
from torch import Tensor

import ebmkit
from ebmkit import Batch, BuildContext, CapabilityError, Phases, Point
from ebmkit.cli.main import main
from ebmkit.rng import stream

N = 30_000
TRUE = [0.2, 0.2, 0.2]
KEPT, SD = torch.tensor([1.0, 0.9, 0.5]).double(), torch.tensor([0.1, 0.6, 1.0]).double()


def modes(share: Tensor, x: Tensor) -> Tensor:
    """Returns −log of two modes at ±3, the right one with a share [3] of each of three noise levels: [B, 3]."""
    means = torch.tensor([-3.0, 3.0]).double() * KEPT[:, None]
    weight = torch.stack([1 - share, share], dim=1)
    inside = -((x[:, None] - means) ** 2) / (2 * SD[:, None] ** 2) + weight.log()
    return -torch.logsumexp(inside, dim=2) + SD.log()


class Modes(torch.nn.Module):
    """E(x, t) of two modes, whose shares of each level and whose offsets of levels are learned."""

    abilities = frozenset({"energy", LEVELS})

    def __init__(self, share: list[float], offsets: list[float]) -> None:
        super().__init__()
        self.share = torch.nn.Parameter(torch.tensor(share).double())
        self.offsets = torch.nn.Parameter(torch.tensor(offsets).double())

    def evaluate(self, point: Point, *abilities: str) -> dict[str, Tensor]:
        all_levels = modes(self.share, point.x[:, :1]) + self.offsets
        own = all_levels.gather(1, point.aux["level"][:, None])[:, 0]
        return {name: {LEVELS: all_levels, "energy": own}[name] for name in abilities}

    def levels(self, point: Point) -> Tensor:
        return self.evaluate(point, LEVELS)[LEVELS]

    def forward(self, point: Point) -> Tensor:
        return self.evaluate(point, "energy")["energy"]


def phases_of(energy: Modes, share: float = 0.2) -> Phases:
    """Data of two modes, a share of them in the right one, at random levels."""
    draw = stream(0, 0, "modes")
    right = torch.rand(N, generator=draw) < share
    level = torch.arange(N) % 3
    noise = torch.randn(N, 1, generator=draw, dtype=torch.float64)
    x = KEPT[level][:, None] * (6.0 * right.double() - 3)[:, None] + SD[level][:, None] * noise
    point = Point(x=x, aux={"level": level})
    return Phases(
        energy=energy, batch=Batch(x=x), positive=point, abilities=frozenset({"energy", LEVELS}),
        rng=lambda part: stream(0, 1, part),
    )  # fmt: skip


def gradients(share: list[float], offsets: list[float], **settings: Any) -> tuple[Tensor, Tensor]:
    energy = Modes(share, offsets)
    objective = ebmkit.build("objective", "level-classification", **settings)
    objective.losses(energy, phases_of(energy))["classification"].backward()
    assert energy.share.grad is not None and energy.offsets.grad is not None
    return energy.share.grad, energy.offsets.grad


@pytest.mark.parametrize("settings", [{}, {"among": 2}, {"window": 2}], ids=str)
def test_nothing_pulls_at_the_truth(settings: dict[str, Any]) -> None:
    share, offsets = gradients(TRUE, [0.0, 0.0, 0.0], **settings)
    assert float(share.abs().max()) < 0.02 and float(offsets.abs().max()) < 0.01


@pytest.mark.parametrize("settings", [{}, {"among": 2}, {"window": 2}], ids=str)
def test_offsets_of_levels_are_seen(settings: dict[str, Any]) -> None:
    _, offsets = gradients(TRUE, [0.0, 0.5, 0.0], **settings)
    assert float(offsets[1]) > 0.02, "an energy that is too high at a level falls"


def test_the_mass_of_far_modes_is_seen_where_levels_join_them() -> None:
    wrong = [0.6, 0.2, 0.2]
    share, _ = gradients(wrong, [0.0, 0.0, 0.0])
    assert float(share[0]) > 0.1
    energy = Modes(wrong, [0.0, 0.0, 0.0])
    point = phases_of(energy).positive
    clean = point.aux["level"] == 0
    at = Point(x=point.x[clean].requires_grad_(), aux={"level": point.aux["level"][clean]})
    score = torch.autograd.grad(energy(at).sum(), at.x, create_graph=True)[0]
    (blind,) = torch.autograd.grad(score.square().mean(), energy.share)
    assert float(blind.abs().max()) < 1e-6, "the double: the score of clean data does not know the share"


def test_with_the_wrong_sign_the_truth_is_left() -> None:
    energy = Modes(TRUE, [0.0, 0.3, 0.0])
    phases = phases_of(energy)
    levels, level = phases.evaluate("positive", LEVELS), phases.positive.aux["level"]
    right = torch.autograd.grad(level_classification(levels, level, 1.0), energy.offsets, retain_graph=True)[0]
    wrong = torch.autograd.grad(level_classification(-levels, level, 1.0), energy.offsets)[0]
    assert float(right[1]) > 0 > float(wrong[1])


def test_an_energy_without_all_levels_is_refused() -> None:
    with pytest.raises(CapabilityError, match="level-head"):
        ebmkit.build("objective", "level-classification", context=BuildContext(inner=lambda point: point.x.sum(dim=1)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"among": 1}, "among = 1"), ({"window": 1}, "window = 1"), ({"among": 2, "window": 2}, "set one of them")],
)
def test_settings_that_leave_nothing_to_compare_are_refused(settings: dict[str, int], message: str) -> None:
    parts: dict[str, Any] = {"data": {"use": "toy"}, "energy": {"use": "mlp"}}
    with pytest.raises(ebmkit.EbmkitError, match=message):
        ebmkit.run({**parts, "objective": [{"use": "level-classification", **settings}]}, out="unused")


def test_a_window_as_wide_as_all_levels_compares_all_of_them() -> None:
    wide, every = (gradients([0.3, 0.2, 0.1], [0.0, 0.5, 0.0], **s) for s in ({"window": 9}, {}))
    assert all(torch.allclose(one, two) for one, two in zip(wide, every, strict=True))


def test_a_window_that_moves_with_the_true_level_leaves_the_truth() -> None:
    """The double: a level is always compared with the one above it, so the choice says which of the two it is."""
    energy = Modes(TRUE, [0.0, 0.0, 0.0])
    phases = phases_of(energy)
    levels, level = phases.evaluate("positive", LEVELS), phases.positive.aux["level"]
    above = torch.arange(3) - level[:, None]
    near = (above == 0) | (above == 1)
    wrong = level_classification(levels.where(near, levels.new_tensor(torch.inf)), level, 1.0)
    assert float(torch.autograd.grad(wrong, energy.offsets)[0].abs().max()) > 0.03


@pytest.mark.parametrize("settings", [{}, {"among": 2}, {"window": 2}], ids=str)
def test_energies_without_their_graph_teach_nothing(settings: dict[str, Any]) -> None:
    """The double: detached energies give the same loss and no gradient; the objective's own have one."""
    energy = Modes(TRUE, [0.0, 0.5, 0.0])
    phases = phases_of(energy)
    levels = phases.evaluate("positive", LEVELS)
    assert not level_classification(levels.detach(), phases.positive.aux["level"], 1.0).requires_grad
    assert all(bool(gradient.any()) for gradient in gradients([0.6, 0.2, 0.2], [0.0, 0.5, 0.0], **settings))


def test_the_sampler_that_a_run_proposes_moves_the_level(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", "toy:rings", "--objective", "level-classification", "--steps", "2"]
    assert main(["run", *words, "--out", str(tmp_path / "run")]) == 0
    assert "--sampler mala+gibbs\n" in capsys.readouterr().out
