"""Laws of the batches of a training step."""

from __future__ import annotations

import pytest
import torch

from ebmkit.errors import DivergenceError
from ebmkit.point import Batch
from ebmkit.training.batches import check_finite


def test_rows_that_are_not_finite_are_counted() -> None:
    x = torch.zeros(3, 2)
    check_finite(Batch(x=x), 4)
    x[0, 1], x[2] = torch.inf, torch.nan
    with pytest.raises(DivergenceError, match="Step 4: 2 of 3 rows of the data are NaN"):
        check_finite(Batch(x=x), 4)
