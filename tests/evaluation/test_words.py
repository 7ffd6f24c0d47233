"""Numbers as a person reads them."""

from __future__ import annotations

import pytest

from ebmkit.evaluation.record import Judgement
from ebmkit.evaluation.words import laid_out, number
from ebmkit.protocols.metric import Estimate


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (128.347, 2.13, "128.3 ± 2.1"),
        (0.45678, 0.0123, "0.457 ± 0.012"),
        (1234.5, 120.0, "1234 ± 120"),
        (3.0, 0.0, "3 ± 0"),
        (0.123456, None, "0.1235"),
        (float("inf"), 1.0, "inf"),
    ],
)
def test_digits_follow_the_error(value: float, error: float | None, words: str) -> None:
    assert number(value, error) == words


def test_rows_and_columns() -> None:
    keys = ["fd", "noise, energy: AUROC", "noise, energy: FPR95", "noise, typicality: AUROC"]
    found = Judgement(
        name="m", settings={}, cite="", definition="d", estimates={key: Estimate(0.5, 0.1, 10, "lower") for key in keys}
    )
    plain, crossed = laid_out(found)
    assert plain.rows == (("fd", "0.50 ± 0.10", "10", "lower is better"),)
    assert crossed.header == ("", "AUROC", "FPR95")
    assert crossed.rows[1] == ("noise, typicality", "0.50 ± 0.10", "")
