"""Laws of the noise: any normalised law that a program hands over, in its own stream; others are refused."""

from __future__ import annotations

from copy import deepcopy
from math import log, pi
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributions, nn

import ebmkit
from ebmkit.assembly.build import build
from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.objectives.noise import GivenNoise
from ebmkit.objectives.noise_contrastive import NoiseContrastive, with_noise
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Batch, Point
from ebmkit.protocols.objective import Phases
from ebmkit.rng import stream

SD = 1.5


class OfOneKind:
    """A law of one's own: log_prob and sample, nothing else; its draws come from torch's global stream."""

    def __init__(self, off: float = 0.0) -> None:
        self.off = off

    def sample(self, shape: Any) -> Tensor:
        return 2 * torch.randn(*shape, 2)

    def log_prob(self, x: Tensor) -> Tensor:
        return -x.square().sum(dim=1) / 8 - log(8 * pi) + self.off


class Flow(nn.Module):
    """A law with weights."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(2))

    def sample(self, shape: Any) -> Tensor:
        return self.mean + 2 * torch.randn(*shape, 2)

    def log_prob(self, x: Tensor) -> Tensor:
        return -(x - self.mean).square().sum(dim=1) / 8 - log(8 * pi)


LAWS = {
    "torch": lambda: distributions.MultivariateNormal(torch.zeros(2), 4 * torch.eye(2)),
    "independent": lambda: distributions.Independent(distributions.Laplace(torch.zeros(2), torch.ones(2)), 1),
    "own": OfOneKind,
    "weights": Flow,
}


def pulls(objective: NoiseContrastive, k: float, log_z: float, n: int = 20_000) -> tuple[float, float]:
    """Returns the gradients in k of E = k‖x‖²/2 and in log Z, of data of s.d. 1.5."""
    stiff = torch.tensor(k, requires_grad=True)
    x = SD * torch.randn(n, 2, generator=stream(0, 0, "data"))
    with torch.no_grad():
        objective.log_z.fill_(log_z)
    point = Point(x=x)
    phases = Phases(
        energy=lambda p: stiff * p.x.square().sum(dim=1) / 2, batch=Batch(x=x), positive=point,
        rng=lambda part: stream(1, 0, part),
    )  # fmt: skip
    loss = objective.losses(lambda p: stiff * p.x.square().sum(dim=1) / 2, phases)["classification"]
    found = torch.autograd.grad(loss, [stiff, objective.log_z])
    return float(found[0]), float(found[1])


@pytest.mark.parametrize("law", list(LAWS))
def test_nothing_pulls_at_the_law_of_the_data(law: str) -> None:
    truth = 1 / SD**2, log(2 * pi * SD**2)
    objective = with_noise(LAWS[law](), ratio=2)
    assert max(map(abs, pulls(objective, *truth))) < 0.03
    assert pulls(objective, 1.4 * truth[0], truth[1])[0] > 0.05 and pulls(objective, truth[0], truth[1] - 1)[1] < -0.05


def test_a_law_that_is_not_normalised_pulls_away() -> None:
    assert abs(pulls(with_noise(OfOneKind(off=0.5)), 1 / SD**2, log(2 * pi * SD**2))[1]) > 0.05


@pytest.mark.parametrize("law", list(LAWS))
def test_it_draws_from_the_stream_that_it_is_handed(law: str) -> None:
    noise, before = GivenNoise(LAWS[law]()), torch.get_rng_state()
    first, again, other = (noise.draw(5, stream(0, step, "noise")) for step in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state()), "the global stream is as it was"


def test_a_law_with_weights_is_not_trained_and_not_copied() -> None:
    law = Flow()
    objective = with_noise(law)
    assert [name for name, _ in objective.named_parameters()] == ["log_z"]
    pulls(objective, 1.0, 0.0)
    assert law.mean.grad is None and deepcopy(objective).noise is objective.noise


def test_a_fit_takes_it_and_learns_the_normaliser(tmp_path: Path) -> None:
    x = SD * torch.randn(4000, 2, generator=stream(0, 0, "data"))
    objective, out = with_noise(LAWS["torch"]()), tmp_path / "run"
    options: Any = {"steps": 400, "batch_size": 400, "lr": 0.02, "progress": False}
    model = ebmkit.fit("mlp", x, objective=objective, out=out, **options)
    assert model.recipe.parts["objective"][0].use == "own-noise-contrastive"
    with torch.no_grad():
        log_p = -model.energy(torch.zeros(1, 2)) - model.objectives["own-noise-contrastive"].log_z
    assert float(log_p) == pytest.approx(-log(2 * pi * SD**2), abs=0.4)
    loaded = ebmkit.load(out, given={"objective": with_noise(LAWS["torch"]())})
    found: Any = loaded.objectives["own-noise-contrastive"]
    torch.testing.assert_close(found.log_z, objective.log_z)


def test_it_takes_the_temperature_of_its_run() -> None:
    net, x, objective = nn.Linear(2, 1), torch.randn(50, 2), with_noise(LAWS["own"]())
    ebmkit.parts(net, x, objective=objective, temperature=2.5, batch_size=10, progress=False)
    assert objective.temperature == 2.5
    with pytest.raises(CapabilityError, match=r"draws x of shape \[2\], and a datum here has \[3\]"):
        ebmkit.parts(nn.Linear(3, 1), torch.randn(50, 3), objective=objective, batch_size=10, progress=False)


# --- refused


class NoDensity:
    def sample(self, shape: Any) -> Tensor:
        return torch.randn(*shape, 2)


class Unknown(NoDensity):
    def log_prob(self, x: Tensor) -> Tensor:
        raise NotImplementedError


def normal(sd: float) -> Any:
    spread = torch.full((2,), sd)
    return distributions.Independent(distributions.Normal(torch.zeros(2), spread, validate_args=False), 1)


@pytest.mark.parametrize(
    ("law", "why"),
    [
        (NoDensity(), "NoDensity has no density.*conditional-noise-contrastive, which needs no density"),
        (Unknown(), "log_prob of Unknown is not implemented.*conditional-noise-contrastive"),
        (lambda x: x, "no density"),
        (distributions.Normal(torch.zeros(2), torch.ones(2)), r"\[4, 2\] for 4 draws.*Independent\(law, 1\)"),
        (distributions.Poisson(torch.ones(1)), "discrete x"),
        (normal(0.0), "density that is not finite.*zero or negative"),
        (normal(-1.0), "cannot be drawn from.*std.*Scales must be above 0"),
    ],
    ids=["none", "unknown", "function", "independent", "discrete", "zero", "negative"],
)
def test_a_law_without_a_density_is_refused_with_the_reason(law: Any, why: str) -> None:
    with pytest.raises(CapabilityError, match=why):
        with_noise(law)


@pytest.mark.parametrize("ratio", [0, 1.5])
def test_a_share_of_a_draw_is_refused(ratio: Any) -> None:
    with pytest.raises(RecipeError, match=f"whole number.*found {ratio}"):
        with_noise(normal(1.0), ratio=ratio)


@pytest.mark.parametrize("checks", [True, False])
def test_noise_that_is_not_where_data_are_is_refused(checks: bool) -> None:
    box = distributions.Uniform(torch.zeros(2), torch.ones(2), validate_args=checks)
    with pytest.raises(CapabilityError, match=r"no density at some x.*positive everywhere"):
        pulls(with_noise(distributions.Independent(box, 1, validate_args=checks)), 1.0, 0.0)


def test_named_noise_and_its_refusals() -> None:
    ranged = BuildContext(event_shape=(2, 3), value_range=(-1.0, 3.0))
    noise = build("objective", "noise-contrastive", noise="uniform", context=ranged).noise
    drawn = noise.draw(5000, stream(0, 0, "noise"))
    assert float(drawn.min()) >= -1 and float(drawn.max()) <= 3 and drawn.std() > 1.1
    torch.testing.assert_close(noise.log_prob(drawn[:2]), torch.full((2,), -6 * log(4.0)))
    with pytest.raises(CapabilityError, match="a value range"):
        build("objective", "noise-contrastive", noise="uniform")
    for name, value in (("bandwidth", 0.0), ("bandwidth", -1.0), ("widen", 0.5), ("noise", "poisson")):
        with pytest.raises(RecipeError, match=name):
            build("objective", "noise-contrastive", **{name: value})
    with pytest.raises(RecipeError, match="ratio"):
        with_noise(OfOneKind(), ratio=0)
