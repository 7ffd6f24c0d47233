"""Numbers that settings may be. Imports no torch."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt, Interval

Positive = Annotated[float, Gt(0)]
Count = Annotated[int, Gt(0)]
Moves = Annotated[int, Interval(gt=0, le=1_000_000)]
"""That one training step makes, one after the other: a million take minutes at least."""
Rate = Annotated[float, Interval(gt=0, lt=1)]
