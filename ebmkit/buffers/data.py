"""Chains that start at the data of the step: contrastive divergence with k moves, CD-k."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ebmkit.buffers.declarations import DataBufferConfig
from ebmkit.buffers.without_rows import WithoutRows
from ebmkit.ops.rows import rows_as
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.prior import Fresh


class DataBuffer(WithoutRows):
    """Chain b starts at row b of the positive, with all its coordinates, and nothing is kept.

    With a share of fresh chains, each starts from the prior with that probability, and keeps what is matched.

    Source: Hinton (2002), section 2: k moves from the data, p⁰ − p^k; k is `moves` of the sampler.
    """

    name = "data"

    def __init__(self, fresh: Fresh, reinit: float) -> None:
        self.fresh, self.reinit = fresh, reinit

    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[None, Point]:
        """Returns no token, and chains at the data."""
        chains = positive.map(lambda rows: rows.detach().clone())
        if not self.reinit:
            return None, chains
        prior = self.fresh(len(positive), rng)
        restart = torch.rand(len(positive), generator=rng, device=positive.x.device) < self.reinit
        moved = {
            name: _chosen(restart, prior.aux[name], rows) for name, rows in chains.aux.items() if name not in match
        }
        return None, chains.replace(x=_chosen(restart, prior.x, chains.x)).with_aux(**moved)


def _chosen(first: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return torch.where(rows_as(first, no), yes.to(no), no)


def build_data(config: DataBufferConfig, context: BuildContext) -> DataBuffer:
    """Builds the buffer."""
    return DataBuffer(Fresh(context), config.reinit)
