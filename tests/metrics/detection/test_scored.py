"""What a share of flagged data means in words."""

from __future__ import annotations

import torch

from ebmkit.metrics.detection.scored import Scored


def verdict(n: int, flagged: int) -> str:
    flags = torch.arange(n) < flagged
    return Scored(
        rows=torch.arange(n), scores=torch.zeros(n), flagged=flags, labels=None, notes=(), by="energy", fpr=0.05
    ).verdict


def test_few_data_say_nothing() -> None:
    assert "too few to tell" in verdict(1, 0) and "too few to tell" in verdict(4, 1)
    assert "No more of these data" in verdict(300, 12)
    assert verdict(300, 60) == verdict(5, 5) == ""
