"""Sampling with its progress shown: in a terminal, in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

from torch import Tensor

from ebmkit.display.doing import doing
from ebmkit.display.watching import Teller, counting
from ebmkit.sampling.generate import Generated, generate
from ebmkit.sampling.model import Model
from ebmkit.sampling.transitions import Moment, Watch

Frames = Callable[[Tensor], None]
"""Is shown x [n, *event] of the first batch of chains after each transition."""


def shown(model: Model, n: int, *, progress: bool = True, frames: Frames | None = None, **how: Any) -> Generated:
    """Generates n samples and shows how far the chains are.

    Args:
        model: to sample.
        n: number of chains.
        progress: show it.
        frames: is shown the chains of the first batch.
        **how: as in `generate`.
    """
    with counting(shown=progress) as tell:
        doing("sampling")
        return generate(model, n, watch=_watching(n, model.recipe.table("sample").batch_size, tell, frames), **how)


def _watching(n: int, batch_size: int, tell: Teller, frames: Frames | None) -> Watch:
    """Returns what tells how far n chains are, which are moved in batches, and keeps frames of the first batch."""
    batches_before, last = 0, 0

    def watch(moment: Moment) -> None:
        nonlocal batches_before, last
        if moment.transition <= last:  # a new batch
            batches_before += 1
        last = moment.transition
        if frames is not None and batches_before == 0:
            frames(moment.x)
        if moment.n_taken is None:
            done, total = batches_before * moment.transitions + last, ceil(n / batch_size) * moment.transitions
            tell(done, total, "transitions")
        else:
            where = f"transition {last:,} of at most {moment.transitions:,}"
            tell(batches_before * min(n, batch_size) + moment.n_taken, n, "chains", where)

    return watch
