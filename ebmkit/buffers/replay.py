"""Persistent chains: rows are drawn, moved and returned to their place, with all their coordinates."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from einops import rearrange
from torch import Generator, Tensor

from ebmkit.buffers.declarations import ReplayConfig
from ebmkit.errors import CapabilityError, CheckpointError
from ebmkit.ops.discrete import decoded, encoded
from ebmkit.ops.rows import rows_as
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.prior import Fresh
from ebmkit.rng import stream


class Replay:
    """A ring of rows (x, coordinates); a token is the places [B] of the drawn rows, all different."""

    def __init__(self, config: ReplayConfig, context: BuildContext) -> None:
        self.config = config
        self.fresh = Fresh(context)
        self.value_range, self.x_values = context.value_range, context.x_values
        self.dtype = context.dtype or torch.get_default_dtype()
        self.device = torch.device(context.device)
        start = self.fresh(config.capacity, stream(context.seed, 0, "buffer", self.device))
        self.rows = self._stored(start)
        self.moved = torch.zeros(config.capacity, dtype=torch.bool, device=self.rows.x.device)

    @property
    def filled(self) -> int:
        """Rows into which moved chains were put at least once; the others are as drawn from the prior."""
        return int(self.moved.sum())

    def draw(self, positive: Point, rng: Generator, match: frozenset[str] = frozenset()) -> tuple[Tensor, Point]:
        """Returns (places, chains): distinct rows, some restarted, with the positive's values of what is matched.

        With `start = "data"` a row that was never moved is the positive's of that row, with all its coordinates.
        A row whose matched coordinates hold other values is never continued under them: it restarts.

        Raises:
            CapabilityError: more chains are asked than there are rows.
        """
        n = len(positive)
        if n > len(self):
            raise CapabilityError(f"{n} chains were asked of a buffer of {len(self)} rows: raise buffer.capacity.")
        order = torch.randperm(len(self), generator=rng, device=self.device)
        places, foreign = self._matching(order, positive, match)
        rows = self._loaded(self.rows.map(lambda tensor: tensor[places.to(tensor.device)]))
        restart = (torch.rand(n, generator=rng, device=self.device) < self.config.reinit) | foreign
        chains = _chosen(restart, self.fresh(n, rng), rows)
        if self.config.start == "data":
            chains = _chosen(
                ~self.moved[places.to(self.moved.device)].to(self.device), positive.map(torch.detach), chains
            )
        return places, chains.with_aux(**{name: positive.aux[name] for name in sorted(match)})

    def put(self, token: Tensor, point: Point) -> None:
        """Returns rows, with all their coordinates, to their places.

        Raises:
            CapabilityError: the chains have other coordinates than the buffer's rows.
        """
        stored = self._stored(point)
        if stored.aux.keys() != self.rows.aux.keys():
            raise CapabilityError(
                f"Chains with {_names(stored)} were put into a buffer whose rows have {_names(self.rows)}: a row is "
                "stored with all its coordinates, so the run's coordinates must be those of its samplers."
            )
        self._write(self.rows.x, token, stored.x)
        for name, value in stored.aux.items():
            self._write(self.rows.aux[name], token, value)
        self.moved[token.to(self.moved.device)] = True

    def reference(self, k: int, rng: Generator, exclude: Tensor | None = None) -> Point:
        """Returns k distinct rows, moved ones first, none in `exclude`; raises CapabilityError if there are too few."""
        free = torch.ones(len(self), dtype=torch.bool, device=self.device)
        if exclude is not None:
            free[exclude] = False
        n_excluded = 0 if exclude is None else len(exclude)
        if k > len(self) - n_excluded:
            raise CapabilityError(
                f"{k} reference rows were asked of a buffer of {len(self)} rows, {n_excluded} of them in use: raise "
                "buffer.capacity or ask for fewer."
            )
        chance = torch.rand(len(self), generator=rng, device=self.device) + free * (1 + self.moved.to(self.device))
        places = chance.topk(k).indices
        return self._loaded(self.rows.map(lambda tensor: tensor[places.to(tensor.device)]))

    def __len__(self) -> int:
        return self.config.capacity

    def state_dict(self) -> dict[str, Tensor]:
        """Returns every row: "x", "aux.NAME", and whether it was ever put, "moved"."""
        return {"x": self.rows.x, "moved": self.moved, **{f"aux.{k}": v for k, v in self.rows.aux.items()}}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Takes saved rows; raises CheckpointError where they do not fit this buffer."""
        own = self.state_dict()
        if _shapes(own) != _shapes(state):
            raise CheckpointError(
                f"The saved buffer holds {_shapes(state)}, but this run's holds {_shapes(own)}: it belongs to another "
                "recipe."
            )
        for name, tensor in own.items():
            tensor.copy_(state[name])

    def _matching(self, order: Tensor, positive: Point, match: frozenset[str]) -> tuple[Tensor, Tensor]:
        """Returns places [B] in random order, and which of them hold other matched values than the positive's.

        Real-valued coordinates cannot be matched: any row will do, and takes the positive's value.
        """
        names = [name for name in sorted(match) if not positive.aux[name].is_floating_point()]
        if not names:
            n = len(positive)
            return order[:n], torch.zeros(n, dtype=torch.bool, device=self.device)
        held = torch.cat([_columns(self.rows.aux[name].to(self.device)[order]) for name in names])
        wanted = torch.cat([_columns(positive.aux[name]) for name in names])
        place, found = assign(held, wanted)
        return order[place], ~found

    def _stored(self, point: Point) -> Point:
        x = point.x.detach()
        if self.x_values != "real":
            x = encoded(x, self.x_values, self.value_range)
        elif self.config.storage == "uint8":
            low, high = self._range()
            x = ((x - low) / (high - low) * 255).round().clamp(0, 255).to(torch.uint8)
        held = Point(x=x.contiguous(), aux={name: value.detach() for name, value in point.aux.items()})
        return held.to("cpu") if self.config.place == "host" else held

    def _loaded(self, stored: Point) -> Point:
        point = stored.to(self.device)
        if self.x_values != "real":
            x = decoded(point.x, self.x_values, self.value_range, self.fresh.event_shape[-1], self.dtype)
            return point.replace(x=x)
        if self.config.storage == "uint8":
            low, high = self._range()
            point = point.replace(x=point.x.float() / 255 * (high - low) + low)
        return point

    def _range(self) -> tuple[float, float]:
        if self.value_range is None:
            raise CapabilityError('buffer storage "uint8" needs data with a value range: set storage = "float".')
        return self.value_range

    @staticmethod
    def _write(rows: Tensor, places: Tensor, values: Tensor) -> None:
        rows[places.to(rows.device)] = values.to(rows)


def assign(held: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Gives each wanted value a row of its own, one that holds it while there are any.

    Args:
        held: [K, N] values of K coordinates in N rows.
        wanted: [K, B] values to be found, B ≤ N.

    Returns:
        Rows [B], all different, and whether each holds what was wanted.
    """
    held_key, wanted_key = _keys(held, wanted)
    in_order, rows = held_key.sort(stable=True)
    alike = wanted_key[:, None] == wanted_key[None, :]
    rank = torch.tril(alike, diagonal=-1).sum(dim=1)  # the r-th that wants a value takes the r-th row that holds it
    nth = torch.searchsorted(in_order, wanted_key) + rank
    place = nth.clamp(max=len(in_order) - 1)
    found = (in_order[place] == wanted_key) & (nth == place)
    taken = torch.zeros_like(held_key).index_add(0, rows[place], found.long())
    spare = torch.argsort(taken, stable=True)
    left = (~found).long().cumsum(dim=0) - 1
    return torch.where(found, rows[place], spare[left.clamp(min=0)]), found


def _keys(held: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Returns one number [N] and [B] for each column of K values: equal where all K are, without overflow."""
    both = torch.cat([held, wanted], dim=1)
    key = torch.zeros_like(both[0])
    for value in both:
        key = _ranks(key * both.shape[1] + _ranks(value))
    return key[: held.shape[1]], key[held.shape[1] :]


def _ranks(values: Tensor) -> Tensor:
    """Returns how many values are less than each: equal values have equal ranks, all below their number."""
    return torch.searchsorted(values.sort().values, values)


def _columns(values: Tensor) -> Tensor:
    """Returns a discrete coordinate [N, ...] as one row of N numbers for each of its entries."""
    return rearrange(values.long(), "n ... -> (...) n")


def _chosen(first: Tensor, yes: Point, no: Point) -> Point:
    def pick(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(rows_as(first, a), a, b)

    return Point(x=pick(yes.x, no.x), aux={name: pick(yes.aux[name], no.aux[name]) for name in no.aux})


def _names(point: Point) -> str:
    return ", ".join(sorted(point.aux)) or "no coordinates"


def _shapes(state: Mapping[str, Tensor]) -> str:
    return (
        ", ".join(f"{name} {tuple(tensor.shape)} {tensor.dtype}" for name, tensor in sorted(state.items())) or "nothing"
    )


def build_replay(config: ReplayConfig, context: BuildContext) -> Replay:
    """Builds the buffer, its rows drawn from the prior."""
    if config.capacity < context.batch_size:
        raise CapabilityError(
            f"buffer.capacity is {config.capacity}, less than a batch of {context.batch_size} chains: raise it."
        )
    return Replay(config, context)
