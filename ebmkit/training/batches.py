"""Which data a step sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from ebmkit.data.loaded import as_batch
from ebmkit.errors import DataError, DivergenceError
from ebmkit.point import Batch
from ebmkit.processes import ALONE, World
from ebmkit.protocols.dataset import Dataset, InShards, WithPosition
from ebmkit.rng import stream
from ebmkit.training.alarms.table import advice
from ebmkit.training.shard_order import next_shards, shard_rows


class Batches:
    """The batches of a data set: of rows, a pure function of (seed, step); else wherever the set has come to.

    Args:
        dataset: in memory, in shards, or a loader that was handed over.
        batch_size: data of a step, of all processes.
        seed: of the run.
        device: of the batches.
        world: the processes, each of which takes its share of the rows.
    """

    def __init__(
        self, dataset: Dataset, *, batch_size: int, seed: int, device: torch.device, world: World = ALONE
    ) -> None:
        self.dataset, self.batch_size, self.seed, self.device = dataset, batch_size, seed, device
        self.world = world

    def batch(self, step: int) -> Batch:
        """Returns the data of a training step, from 1; raises DataError where the data set gives more or fewer rows."""
        rows = self.world.share(self._rows(step))
        rng = stream(self.seed, step, "data", self.device, self.world.rank)
        batch = self.dataset.batch(rows, rng)
        if len(batch) != len(rows):
            raise DataError(
                f"{len(rows)} rows were asked of the data set and it gave {len(batch)}. `batch` returns one datum for "
                "each row number that it is handed."
            )
        return batch

    def state_dict(self) -> dict[str, Tensor]:
        """Returns what of the position the step does not say: nothing, but for a loader that was handed over."""
        return self.dataset.state_dict() if isinstance(self.dataset, WithPosition) else {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Goes to where a checkpoint was; raises CheckpointError where the data are others."""
        if isinstance(self.dataset, WithPosition):
            self.dataset.load_state_dict(state)

    def _rows(self, step: int) -> Tensor:
        """Returns the rows of a step, of all processes; of a set in shards, those that come next are read meanwhile."""
        if not isinstance(self.dataset, InShards):
            return batch_rows(len(self.dataset), self.batch_size, step, self.seed)
        sizes, mixed = self.dataset.shard_sizes, self.dataset.mixed
        self.dataset.expect(next_shards(sizes, mixed, self.batch_size, step, self.seed))
        return shard_rows(sizes, mixed, self.batch_size, step, self.seed)


def batch_rows(n: int, batch_size: int, step: int, seed: int) -> Tensor:
    """Returns the rows [batch_size] of a step (from 1): epochs of shuffled data, a function of its arguments alone.

    A step takes whole batches of an epoch; a set smaller than a batch is gone through several times.
    """
    per_epoch = max(1, n // batch_size)
    epoch, place = divmod(step - 1, per_epoch)
    order = _shuffled(n, seed, epoch)
    while len(order) < batch_size:
        order = torch.cat([order, torch.randperm(n, generator=stream(seed, len(order), f"epoch {epoch}"))])
    return order[place * batch_size : (place + 1) * batch_size].clone()  # the epoch's order is kept


@lru_cache(maxsize=2)
def _shuffled(n: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(n, generator=stream(seed, epoch, "epoch"))


def batch_of(data: Batch | Tensor | Sequence[Tensor], device: torch.device) -> Batch:
    """Returns data of one training step as a batch on a device: x [B, *event], (x, y) or a `Batch`.

    Raises:
        DataError: it is something else, or has no rows.
    """
    batch = as_batch(data)
    if not len(batch):
        raise DataError("The batch has no rows.")
    if isinstance(data, Batch):
        return data
    return Batch(x=batch.x.to(device).float(), y=None if batch.y is None else batch.y.to(device))


def check_finite(batch: Batch, step: int) -> None:
    """Raises DivergenceError where the data of a step are not finite."""
    wrong = int((~torch.isfinite(batch.x).flatten(1).all(dim=1)).sum())
    if wrong:
        raise DivergenceError(
            f"Step {step}: {wrong} of {len(batch)} rows of the data are NaN or infinite. Nothing was updated. "
            f"{advice('data-not-finite')}"
        )
