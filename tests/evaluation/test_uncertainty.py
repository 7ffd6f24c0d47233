"""Standard errors are right where they are known."""

from __future__ import annotations

import math
import warnings

import pytest
import torch

from ebmkit.evaluation.uncertainty import bootstrap, share_error, standard_error
from ebmkit.rng import stream


def test_of_a_mean() -> None:
    x = torch.randn(4000, generator=stream(0, 0, "x")) * 3
    assert standard_error(x) == pytest.approx(3 / 4000**0.5, rel=0.05)
    assert bootstrap(lambda v: float(v.mean()), x, rng=stream(0, 0, "b")) == pytest.approx(standard_error(x), rel=0.2)


def test_samples_are_resampled_independently() -> None:
    x = torch.randn(500, generator=stream(0, 0, "x"))
    error = bootstrap(lambda a, b: float(a.mean() - b.mean()), x, x, rng=stream(0, 0, "b"))
    assert error == pytest.approx(2**0.5 * standard_error(x), rel=0.2)  # 0 if rows were resampled together


def test_of_a_share_that_is_none_or_all() -> None:
    assert share_error(0.5, 100) == pytest.approx(0.05, rel=0.01)
    assert share_error(0.0, 100) == pytest.approx(share_error(1.0, 100))
    assert share_error(0.0, 100) > 0.009


def test_a_single_value_has_no_error_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(standard_error(torch.ones(1)))
