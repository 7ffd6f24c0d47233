"""AUROC, AUPR and FPR95: closed forms, separable and identical sets, ties; and doubles that fail them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sqrt

import pytest
import torch
from torch import Generator, Tensor

from ebmkit.errors import DataError, DivergenceError
from ebmkit.metrics.detection.separation import Figure, separation

N = 4_000
Separates = Callable[[Tensor, Tensor, Generator], Mapping[str, Figure]]


def rng(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def phi(z: float) -> float:
    return float(torch.special.ndtr(torch.tensor(z, dtype=torch.float64)))


def expected(shift: float, sd: float, share_outside: float = 0.5) -> dict[str, float]:
    """Returns the figures of N(0, 1) against N(shift, sd²): two closed forms, AUPR by quadrature."""
    t = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    recall = 1 - torch.special.ndtr((t - shift) / sd)
    wrong = 1 - torch.special.ndtr(t)
    found = share_outside * recall
    precision = found / (found + (1 - share_outside) * wrong).clamp(min=1e-300)
    return {
        "AUROC": phi(shift / sqrt(1 + sd**2)),
        "AUPR": float(-torch.trapezoid(precision, recall)),
        "FPR95": phi((1.6448536 - shift) / sd),
    }


def holds_for_gaussians(separates: Separates) -> bool:
    """Whether the figures of two Gaussians of unequal width and unequal number are the closed forms.

    Of equal ones, AUPR with the other positive class and FPR95 with 95 % kept of the other set are the same numbers.
    """
    shift, sd, n_outside = 1.0, 2.0, N // 2
    inside = torch.randn(N, generator=rng(1))
    outside = shift + sd * torch.randn(n_outside, generator=rng(2))
    found = separates(inside, outside, rng())
    law = expected(shift, sd, n_outside / (N + n_outside))
    return all(abs(found[name].value - law[name]) < 4 * found[name].error + 1e-3 for name in law)


def swapped_orientation(inside: Tensor, outside: Tensor, rng: Generator) -> Mapping[str, Figure]:
    return separation(-inside, -outside, rng)


def other_set_kept(inside: Tensor, outside: Tensor, rng: Generator) -> Mapping[str, Figure]:
    """FPR95 at the wrong side: 95 % of the outside data are flagged."""
    wrong = separation(-outside, -inside, rng)["FPR95"]
    return {**separation(inside, outside, rng), "FPR95": wrong}


def wrong_positive_class(inside: Tensor, outside: Tensor, rng: Generator) -> Mapping[str, Figure]:
    wrong = separation(-outside, -inside, rng)["AUPR"]
    return {**separation(inside, outside, rng), "AUPR": wrong}


def test_two_gaussians_have_the_closed_forms() -> None:
    assert holds_for_gaussians(separation)


@pytest.mark.parametrize("double", [swapped_orientation, other_set_kept, wrong_positive_class])
def test_a_wrong_double_fails_the_closed_forms(double: Separates) -> None:
    assert not holds_for_gaussians(double)


def test_equal_widths_have_the_known_area() -> None:
    found = separation(torch.randn(N, generator=rng(1)), 1.5 + torch.randn(N, generator=rng(2)), rng())
    assert abs(found["AUROC"].value - phi(1.5 / sqrt(2))) < 4 * found["AUROC"].error
    assert abs(found["FPR95"].value - phi(1.6448536 - 1.5)) < 4 * found["FPR95"].error


def test_separable_sets() -> None:
    inside = torch.linspace(0, 1, 50)
    for apart in (2.0, 1e9):
        found = separation(inside, inside + apart, rng())
        assert {name: (figure.value, figure.error) for name, figure in found.items()} == {
            "AUROC": (1, 0), "AUPR": (1, 0), "FPR95": (0, 0),
        }  # fmt: skip
    assert separation(inside + 2, inside, rng())["AUROC"].value == 0


def test_values_of_any_scale_keep_their_order() -> None:
    """A sigmoid, as metrics of classifiers put large values through, would make all of them equal."""
    values = 1e6 + torch.arange(40.0)
    assert separation(values[:20], values[20:], rng())["AUROC"].value == 1


def test_the_same_set_twice_is_not_told_apart() -> None:
    values = torch.randn(500, generator=rng(1))
    found = separation(values, values.clone(), rng())
    assert found["AUROC"].value == pytest.approx(0.5, abs=1e-9)
    assert found["FPR95"].value == pytest.approx(0.95)
    assert found["AUPR"].value == pytest.approx(0.5, abs=0.01)


def test_equal_values_count_half() -> None:
    same = torch.zeros(30)
    found = separation(same, same, rng())
    assert (found["AUROC"].value, found["AUPR"].value, found["FPR95"].value) == (0.5, 0.5, 1.0)
    half = torch.cat([torch.zeros(15), torch.ones(15)])
    assert separation(same, half, rng())["AUROC"].value == 0.75


def test_the_threshold_keeps_95_of_100() -> None:
    inside = torch.arange(100.0)
    outside = torch.tensor([94.0] * 10 + [94.5] * 30)
    assert separation(inside, outside, rng())["FPR95"].value == 0.25


def test_errors_are_those_of_repetitions() -> None:
    """The bootstrap's errors agree with the spread over fresh draws of both sets."""
    draws = [separation(torch.randn(300, generator=rng(i)), 1 + 2 * torch.randn(200, generator=rng(1000 + i)), rng())
             for i in range(60)]  # fmt: skip
    for name in ("AUROC", "AUPR", "FPR95"):
        spread = torch.tensor([draw[name].value for draw in draws]).std()
        told = torch.tensor([draw[name].error for draw in draws]).mean()
        assert 0.7 < told / spread < 1.4, name


def test_the_bootstrap_repeats_with_its_stream() -> None:
    inside, outside = torch.randn(300, generator=rng(1)), torch.randn(300, generator=rng(2))
    assert separation(inside, outside, rng(5)) == separation(inside, outside, rng(5))


def test_what_cannot_be_ranked_is_refused() -> None:
    good, few = torch.arange(30.0), torch.arange(5.0)
    with pytest.raises(DataError, match="20 out-of-distribution data or more, found 5"):
        separation(good, few, rng())
    bad = torch.cat([good[:-1], torch.tensor([float("nan")])])
    with pytest.raises(DivergenceError, match="1 of 30 values of in-distribution"):
        separation(bad, good, rng())
