"""Chains that start at the data of the step: contrastive divergence with k moves, CD-k."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from ebmkit.buffers.declarations import DataBufferConfig
from ebmkit.errors import CapabilityError, CheckpointError
from ebmkit.ops.rows import rows_as
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.prior import Fresh


class DataBuffer:
    """Chain b starts at row b of the positive, with all its coordinates, and nothing is kept.

    With a share of fresh chains, each starts from the prior with that probability, and keeps what is matched.

    Source: Hinton (2002), section 2: k moves from the data, p⁰ − p^k; k is `moves` of the sampler.
    """

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

    @property
    def filled(self) -> int:
        """None: it has no rows."""
        return 0

    def put(self, token: None, point: Point) -> None:
        """Keeps nothing."""

    def reference(self, k: int, rng: Generator, exclude: None = None) -> Point:
        """Raises CapabilityError: there are no other rows."""
        raise CapabilityError("Reference rows were asked for, but the buffer 'data' keeps none: use --buffer replay.")

    def __len__(self) -> int:
        return 0

    def state_dict(self) -> dict[str, Tensor]:
        """Returns nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Takes nothing; raises CheckpointError where there is something."""
        if state:
            raise CheckpointError("The saved run had a buffer with rows, but this recipe's buffer is 'data'.")


def _chosen(first: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return torch.where(rows_as(first, no), yes.to(no), no)


def build_data(config: DataBufferConfig, context: BuildContext) -> DataBuffer:
    """Builds the buffer."""
    return DataBuffer(Fresh(context), config.reinit)
