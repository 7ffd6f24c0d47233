"""A threshold that flags the share that was asked for; values from tensors and arrays; what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from ebmkit.errors import DataError, RecipeError
from ebmkit.metrics.detection.detector import detector, ood_scores, threshold_of
from tests.metrics.ood_models import guided, model


def normal(n: int, seed: int) -> Tensor:
    return torch.randn(n, 2, generator=Generator().manual_seed(seed))


def calibrated(**how: Any) -> Any:
    how = {"x": normal(400, 1), "seed": 0, **how}
    return detector(model(), **how)


def holds_its_promise(threshold_of_values: Any) -> bool:
    """Whether new data of the law of calibration are flagged with a probability of fpr at most, and hardly less.

    The calibration is small, so that a plain quantile of it flags more than was asked.
    """
    n, fpr = 19, 0.05
    values = torch.rand(4000, n + 1, generator=Generator().manual_seed(0))
    flagged = [float(row[-1]) > threshold_of_values(row[:-1], fpr) for row in values]
    return 0.035 < float(np.mean(flagged)) < 0.06


def plain_quantile(values: Tensor, fpr: float) -> float:
    return float(values.quantile(1 - fpr))


def wrong_side(values: Tensor, fpr: float) -> float:
    return float(values.sort().values[0])


def test_the_share_of_new_data_that_is_flagged_is_the_one_asked_for() -> None:
    assert holds_its_promise(threshold_of)


@pytest.mark.parametrize("double", [plain_quantile, wrong_side])
def test_a_wrong_double_breaks_the_promise(double: Any) -> None:
    assert not holds_its_promise(double)


def test_equal_values_are_not_flagged() -> None:
    assert threshold_of(torch.zeros(100), 0.05) == 0


def test_a_known_law_has_the_known_threshold() -> None:
    """½‖x‖² of a standard normal in the plane is exponential: P(E > t) = exp(−t)."""
    found = detector(model(), x=normal(20_000, 1), seed=0, fpr=0.05)
    assert abs(found.threshold + np.log(0.05)) < 0.1
    assert abs(float(found.flagged(normal(20_000, 2)).double().mean()) - 0.05) < 0.006
    assert found.n == 20_000 and found.origin == "given data" and "energy is above" in found.convention


def test_values_of_tensors_and_arrays() -> None:
    x = normal(10, 3)
    wanted = x.double().square().sum(dim=1) / 2
    assert torch.allclose(calibrated().scores(x), wanted) and torch.equal(ood_scores(model(), x.numpy()),
                                                                         calibrated().scores(x))  # fmt: skip
    assert torch.allclose(ood_scores(guided(), x, "latent-joint", beta=0.0), wanted)


def test_a_typicality_counts_from_the_median_of_data_that_set_no_threshold() -> None:
    x = normal(600, 1)
    found = calibrated(x=x, score="typicality")
    median = (x[500:].double().square().sum(dim=1) / 2 / 0.5).median()
    assert repr(found).startswith("Detector(typicality > ") and repr(found).endswith("n = 500 given data)")
    assert found.n == 500 and found.score.name == "typicality"
    near = torch.tensor([[float((0.5 * median * 2) ** 0.5), 0.0]])
    assert float(found.scores(near)) < 1e-5 and float(found.scores(torch.zeros(1, 2))) == pytest.approx(float(median))


def test_what_is_wrong_is_refused() -> None:
    for fpr in (0.0, 1.0, -0.1, float("nan")):
        with pytest.raises(RecipeError, match="between 0 and 1"):
            calibrated(fpr=fpr)
    with pytest.raises(DataError, match="takes 99 held-out data or more, found 50"):
        calibrated(x=normal(50, 1), fpr=0.01)
    with pytest.raises(DataError, match="NaN or infinite, the first of them row 2"):
        calibrated().scores(torch.tensor([[0, 0], [0, 0], [torch.inf, 0]]))
    with pytest.raises(DataError, match=r"takes x \[N, 2\]"):
        calibrated().scores(torch.zeros(3, 5))
    with pytest.raises(RecipeError, match="model or run, found function"):
        detector(lambda x: x)
