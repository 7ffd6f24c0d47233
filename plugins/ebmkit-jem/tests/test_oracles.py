"""Joint likelihood, conditional energies and calibration beside enumeration and closed forms, with doubles."""

from __future__ import annotations

from collections.abc import Callable
from math import log

import pytest
import torch
from ebmkit_jem.calibration import calibration_error, expected_floor
from ebmkit_jem.logit_head import LABELS, LOGITS, LogitHead, energy_of_x
from torch import Tensor, nn
from torch.nn import functional

import ebmkit
from ebmkit import Batch, BuildContext, Phases, Point
from ebmkit.rng import stream

N_STATES, N_CLASSES = 5, 3
JOINT = torch.softmax(torch.linspace(-1, 1.5, N_STATES * N_CLASSES).double().sin() * 2, dim=0).view(N_STATES, N_CLASSES)
Terms = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


class Table(nn.Module):
    """Features of five states of x: which one it is."""

    abilities = frozenset({"energy", "features"})

    def features(self, point: Point) -> Tensor:
        return functional.one_hot(point.x[:, 0].long(), N_STATES).double()

    def evaluate(self, point: Point, *abilities: str) -> dict[str, Tensor]:
        found = {"energy": point.x[:, 0], "features": self.features(point)}
        return {name: found[name] for name in abilities}

    def forward(self, point: Point) -> Tensor:
        return point.x[:, 0]


def head(seed: int = 3) -> LogitHead:
    """Returns a head whose logits of five states are drawn at random."""
    made = LogitHead(Table(), n_features=N_STATES, n_classes=N_CLASSES).double()
    with torch.no_grad():
        made.linear.weight.copy_(torch.randn(N_CLASSES, N_STATES, generator=stream(seed, 0, "f"), dtype=torch.float64))
        made.linear.bias.zero_()
    return made


def drawn(law: Tensor, n: int, name: str) -> Tensor:
    """Returns rows of a table of probabilities, each as often as its probability says: a sample without chance."""
    return torch.repeat_interleave(torch.arange(len(law)), (n * law).round().long())


STATES = torch.arange(N_STATES)[:, None].double()


def joint_likelihood(energy: LogitHead) -> Tensor:
    """−Σ p_D(x, y) log p(x, y), p(x, y) ∝ exp f(x)[y], by enumeration."""
    logits = energy.logits(Point(x=STATES))
    return -(JOINT * (logits - torch.logsumexp(logits.flatten(), dim=0))).sum()


def phases_of(energy: LogitHead, n: int = 20_000) -> Phases:
    """Data of the joint law, and chains that are exact draws of the model."""
    place = drawn(JOINT.flatten(), n, "data")
    x, y = (place // N_CLASSES)[:, None].double(), place % N_CLASSES
    with torch.no_grad():
        law = torch.softmax(-energy(Point(x=STATES)), dim=0)
    end = drawn(law, n, "chains")[:, None].double()
    return Phases(
        energy=energy, batch=Batch(x=x, y=y), positive=Point(x=x), negative=Point(x=end),
        abilities=frozenset({"energy", LOGITS}),
    )  # fmt: skip


def both_losses(energy: LogitHead, phases: Phases) -> Tensor:
    context = BuildContext(n_classes=N_CLASSES)
    made = [ebmkit.build("objective", name, context=context) for name in ("jem", "cd")]
    return torch.stack([loss for each in made for loss in each.losses(energy, phases).values()]).sum()


def from_terms(terms: Terms) -> Callable[[LogitHead, Phases], Tensor]:
    """Returns a loss that is written with logits and energies of data and chains."""

    def loss(energy: LogitHead, phases: Phases) -> Tensor:
        assert phases.batch.y is not None
        logits = phases.evaluate("positive", LOGITS)
        return terms(logits, phases.batch.y, phases.evaluate("positive"), phases.evaluate("negative"))

    return loss


def no_cross_entropy(logits: Tensor, y: Tensor, high: Tensor, low: Tensor) -> Tensor:
    return high.mean() - low.mean()


def wrong_sign(logits: Tensor, y: Tensor, high: Tensor, low: Tensor) -> Tensor:
    return functional.cross_entropy(logits, y) - high.mean() + low.mean()


def classes_of_energies(logits: Tensor, y: Tensor, high: Tensor, low: Tensor) -> Tensor:
    """The sign of the logits: softmax of −f."""
    return functional.cross_entropy(-logits, y) + high.mean() - low.mean()


def detached(logits: Tensor, y: Tensor, high: Tensor, low: Tensor) -> Tensor:
    return functional.cross_entropy(logits, y) + high.detach().mean() - low.mean()


def summed(logits: Tensor, y: Tensor, high: Tensor, low: Tensor) -> Tensor:
    """The cross-entropy summed where it is a mean."""
    return functional.cross_entropy(logits, y, reduction="sum") + high.mean() - low.mean()


def of_the_classes(logits: Tensor, y: Tensor, high: Tensor, low: Tensor) -> Tensor:
    """−f(x)[y] in the place of E(x) = −logsumexp: the cross-entropy counts twice."""
    return functional.cross_entropy(logits, y) - logits.gather(1, y[:, None]).mean() - low.mean()


def off(loss: Callable[[LogitHead, Phases], Tensor]) -> float:
    """Returns how far the gradient of a loss is from that of the joint likelihood."""
    energy = head()
    parameters = [energy.linear.weight]
    (exact,) = torch.autograd.grad(joint_likelihood(energy), parameters)
    (found,) = torch.autograd.grad(loss(energy, phases_of(energy)), parameters)
    return float((found - exact).abs().max())


def test_cross_entropy_and_cd_are_the_gradient_of_the_joint_likelihood() -> None:
    assert off(both_losses) < 1e-3


@pytest.mark.parametrize(
    "double", [no_cross_entropy, wrong_sign, classes_of_energies, detached, summed, of_the_classes]
)
def test_the_joint_likelihood_rejects(double: Terms) -> None:
    assert off(from_terms(double)) > 0.02


def test_the_weight_multiplies_the_cross_entropy_alone() -> None:
    energy = head()
    phases = phases_of(energy)
    one, three = (
        ebmkit.build("objective", "jem", context=BuildContext(n_classes=N_CLASSES), weight=w).losses(energy, phases)
        for w in (1.0, 3.0)
    )
    assert float(three["classification"].detach()) == pytest.approx(3 * float(one["classification"].detach()))


# --- energies of x with a class


def conditional(energy: LogitHead, y: int) -> Tensor:
    """Returns p(x | y) of the five states by their energies with a class."""
    return torch.softmax(-energy(Point(x=STATES, aux={"label": torch.full((N_STATES,), y)})), dim=0)


def bayes(energy: LogitHead, y: int) -> Tensor:
    """Returns p(x) p(y | x)/Σ of the five states."""
    alone = torch.softmax(-energy(Point(x=STATES)), dim=0)
    joint = alone * torch.softmax(energy.logits(Point(x=STATES)), dim=1)[:, y]
    return joint / joint.sum()


@pytest.mark.parametrize("y", range(N_CLASSES))
def test_a_point_with_a_class_has_the_conditional_law(y: int) -> None:
    energy = head()
    assert torch.allclose(conditional(energy, y), bayes(energy, y))
    point = Point(x=STATES, aux={"label": torch.full((N_STATES,), y)})
    assert torch.allclose(energy(point), energy.evaluate(point, LABELS)[LABELS][:, y])


def test_bayes_rejects_energies_that_are_those_of_x_or_of_another_class() -> None:
    energy = head()
    alone = torch.softmax(-energy(Point(x=STATES)), dim=0)
    assert (alone - bayes(energy, 0)).abs().max() > 0.02
    assert (conditional(energy, 1) - bayes(energy, 0)).abs().max() > 0.02


# --- calibration

Error = Callable[[Tensor, Tensor, int], float]


def signed(confidence: Tensor, right: Tensor, bins: int) -> float:
    """Excesses of the bins cancel."""
    return abs(float((right.double() - confidence).mean()))


def unweighted(confidence: Tensor, right: Tensor, bins: int) -> float:
    """Every bin counts alike, however few data it has."""
    place = (confidence * bins).ceil().long().clamp(1, bins) - 1
    gaps = [abs(float((right.double() - confidence)[place == b].mean())) for b in place.unique()]
    return sum(gaps) / len(gaps)


def row_by_row(confidence: Tensor, right: Tensor, bins: int) -> float:
    """No bins: every datum is right or wrong, never calibrated."""
    return float((right.double() - confidence).abs().mean())


LEVELS = torch.tensor([0.35, 0.55, 0.75, 0.95]).double()
SHARE = torch.tensor([0.4, 0.3, 0.2, 0.1]).double()


def answers(accuracy: Tensor, n: int = 20_000) -> tuple[Tensor, Tensor]:
    """Returns answers of four confidences, each right exactly as often as said."""
    confidence, right = [], []
    for level, share, rate in zip(LEVELS, SHARE, accuracy, strict=True):
        rows = round(n * float(share))
        confidence.append(level.expand(rows))
        right.append(torch.arange(rows) < round(rows * float(rate)))
    return torch.cat(confidence), torch.cat(right)


def off_calibration(error: Error) -> float:
    """Returns how far a calibration error is from the closed form Σ share·|accuracy − confidence|, two cases."""
    tilted = LEVELS + torch.tensor([0.2, -0.1, -0.3, 0.03])
    cases = [(LEVELS, 0.0), (tilted, float((SHARE * (tilted - LEVELS).abs()).sum()))]
    return max(abs(error(*answers(accuracy), 10) - exact) for accuracy, exact in cases)


def test_the_calibration_error_is_the_closed_form() -> None:
    assert off_calibration(calibration_error) < 1e-4


@pytest.mark.parametrize("double", [signed, unweighted, row_by_row])
def test_the_closed_form_rejects(double: Error) -> None:
    assert off_calibration(double) > 0.01


def test_confidences_at_the_edge_of_a_bin_belong_to_the_one_below() -> None:
    edge = torch.tensor([0.5, 0.5]).double()
    assert calibration_error(edge, torch.tensor([True, False]), 2) == 0
    both = torch.tensor([0.5, 0.6]).double()
    assert calibration_error(both, torch.tensor([True, False]), 2) == pytest.approx((0.5 + 0.6) / 2)
    assert calibration_error(torch.tensor([1.0]), torch.tensor([True]), 20) == 0


def test_the_floor_is_what_honest_answers_have() -> None:
    rng = stream(0, 0, "calibration")
    confidence = 0.3 + 0.7 * torch.rand(2_000, generator=rng, dtype=torch.float64)
    found = [calibration_error(confidence, torch.rand(2_000, generator=rng) < confidence, 20) for _ in range(40)]
    assert sum(found) / 40 == pytest.approx(expected_floor(confidence, 20), rel=0.1)


def test_two_equal_logits_are_log_two() -> None:
    assert float(energy_of_x(torch.zeros(1, 2))) == pytest.approx(-log(2))
