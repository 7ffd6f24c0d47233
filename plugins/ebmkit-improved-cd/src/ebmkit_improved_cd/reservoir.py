"""A buffer that keeps a uniform sample of all chains that were ever put into it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from ebmkit import BuildContext, CheckpointError, Point
from ebmkit.buffers.declarations import ReplayConfig
from ebmkit.buffers.replay import Replay, build_replay


class Ticket(NamedTuple):
    """What `put` needs of a draw.

    Attributes:
        places: [B] of the drawn rows, in use until then.
        chance: [B] uniform in [0, 1), float64; decides what becomes of each chain.
    """

    places: Tensor
    chance: Tensor


class Reservoir:
    """Rows (x, coordinates) that are replaced by Vitter's algorithm R, so that `put` decides itself what is kept.

    The n-th chain ever put goes to a place of its own while there are free ones, and later replaces a random row with
    probability size/n. Every chain ever put is then among the rows with the same probability, so the rows grow stale.
    A free place holds a fresh chain: early draws restart, as those of a ring do.

    Source: Vitter, 1985, algorithm R; the default of the reference code of Du et al., 2021, which stores no labels.
    """

    def __init__(self, rows: Replay) -> None:
        self.rows = rows
        self.n_put = 0

    @property
    def filled(self) -> int:
        """Rows that hold a chain that was put."""
        return min(self.n_put, len(self))

    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[Ticket, Point]:
        """Returns (ticket, chains): distinct rows, some restarted, with the positive's values of what is matched.

        A row whose matched coordinates hold other values is never continued under them: it restarts.

        Raises:
            CapabilityError: more chains are asked than there are rows.
        """
        places, point = self.rows.draw(positive, rng, match)
        chance = torch.rand(len(point), generator=rng, device=places.device, dtype=torch.float64)
        return Ticket(places, chance), point

    def put(self, token: Ticket, point: Point) -> None:
        """Takes the moved chains, each with all its coordinates, or lets them go.

        Raises:
            CapabilityError: the chains have other coordinates than the rows.
        """
        places, kept = places_of(token.chance, self.n_put, len(self))
        self.rows.put(places[kept], point.map(lambda tensor: tensor[kept.to(tensor.device)]))
        self.n_put += len(point)

    def reference(self, k: int, rng: Generator, exclude: Ticket | None = None) -> Point:
        """Returns k distinct rows, moved ones first, none in use; raises CapabilityError if there are too few."""
        return self.rows.reference(k, rng, None if exclude is None else exclude.places)

    def __len__(self) -> int:
        return len(self.rows)

    def state_dict(self) -> dict[str, Tensor]:
        """Returns every row, as `replay` does, and the number of chains ever put, "n_put"."""
        return {**self.rows.state_dict(), "n_put": torch.tensor(self.n_put)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Takes saved rows; raises CheckpointError where they do not fit this buffer."""
        if "n_put" not in state:
            raise CheckpointError("The saved buffer is no reservoir: it belongs to another recipe.")
        self.rows.load_state_dict({name: tensor for name, tensor in state.items() if name != "n_put"})
        self.n_put = int(state["n_put"])


def places_of(chance: Tensor, n_before: int, size: int) -> tuple[Tensor, Tensor]:
    """Returns where each of B chains goes, [B], and which of them stay [B] bool; algorithm R, one after the other.

    Args:
        chance: [B] uniform in [0, 1), float64.
        n_before: chains that came earlier.
        size: rows of the reservoir.

    Of two chains with one place the later stays.

    >>> places_of(torch.tensor([0.9, 0.1, 0.5, 0.1], dtype=torch.float64), n_before=1, size=3)
    (tensor([1, 2, 2, 0]), tensor([ True, False,  True,  True]))
    """
    order = torch.arange(n_before, n_before + len(chance), device=chance.device)
    drawn = (chance * (order + 1)).long()
    places = torch.where(order < size, order, drawn)
    fits = places < size
    later = torch.triu(places[:, None] == places[None, :], diagonal=1).any(dim=1)
    return places, fits & ~later


def build_reservoir(config: ReplayConfig, context: BuildContext) -> Reservoir:
    """Builds the buffer; raises CapabilityError where it cannot hold a batch."""
    return Reservoir(build_replay(config, context))
