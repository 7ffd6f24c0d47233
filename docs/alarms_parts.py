"""Parts made wrong, for the runs of `alarms_runs.py`: data of another scale or with NaN, buffers that keep nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge
from torch import Generator, Tensor
from torch.nn import functional

import ebmkit
from ebmkit import Batch, BuildContext, Component, Dataset
from ebmkit.buffers.declarations import ReplayConfig
from ebmkit.buffers.replay import build_replay


@dataclass(frozen=True, kw_only=True, slots=True)
class AlteredConfig:
    """A data set made wrong.

    Attributes:
        of: "fashion-mini" or a 2-D density.
        scale: factor on its values; the range that it declares stays.
        nan_from: batches after which a value of each is not finite; 0 for never.
        colour: three channels of 32×32 pixels.
        unbounded: declares no range.
    """

    of: str = "fashion-mini"
    scale: float = 1.0
    nan_from: Annotated[int, Ge(0)] = 0
    colour: bool = False
    unbounded: bool = False


class Altered:
    """See `AlteredConfig`."""

    def __init__(self, config: AlteredConfig, inner: Dataset) -> None:
        self.config, self.inner, self.n_batches = config, inner, 0
        self.event_shape = (3, 32, 32) if config.colour else inner.event_shape
        self.value_range = None if config.unbounded else inner.value_range
        self.n_classes, self.class_names, self.x_values = inner.n_classes, inner.class_names, inner.x_values

    def __len__(self) -> int:
        return len(self.inner)

    def batch(self, rows: Tensor, rng: Generator) -> Batch:
        """Returns the data of these rows, made wrong."""
        batch = self.inner.batch(rows, rng)
        x = batch.x * self.config.scale
        if self.config.colour:
            x = functional.pad(x, (2, 2, 2, 2)).expand(-1, 3, -1, -1).contiguous()
        self.n_batches += 1
        if 0 < self.config.nan_from < self.n_batches:
            x[0] = torch.nan
        return Batch(x=x, y=batch.y)

    def split(self, name: str) -> Any:
        """Returns this set under either name."""
        return self


def build_altered(config: AlteredConfig, context: BuildContext) -> Altered:
    """Builds the set."""
    asked = {"use": config.of} if config.of == "fashion-mini" else {"use": "toy", "density": config.of}
    name = asked.pop("use")
    return Altered(config, ebmkit.build("dataset", name, context=context, **asked))


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokenConfig(ReplayConfig):
    """A replay buffer made wrong; "loses" keeps no chain, "pretends" says that it did, "copies" one row to all."""

    how: Literal["loses", "pretends", "copies"] = "loses"


class Broken:
    """See `BrokenConfig`."""

    def __init__(self, config: BrokenConfig, rows: Any) -> None:
        self.how, self.rows = config.how, rows

    @property
    def filled(self) -> int:
        """Rows that hold moved chains, as this buffer has it."""
        return len(self.rows) if self.how == "pretends" else self.rows.filled

    def __len__(self) -> int:
        return len(self.rows)

    def draw(self, positive: Any, rng: Generator, match: frozenset[str] = frozenset()) -> Any:
        """Returns rows, or one row many times."""
        token, point = self.rows.draw(positive, rng, match)
        return token, point.map(lambda t: t[:1].expand_as(t).clone()) if self.how == "copies" else point

    def put(self, token: Any, point: Any) -> None:
        """Takes nothing back, or one row for all."""
        if self.how == "copies":
            self.rows.put(token, point.map(lambda t: t[:1].expand_as(t)))

    def reference(self, k: int, rng: Generator, exclude: Any = None) -> Any:
        """Returns other rows."""
        return self.rows.reference(k, rng, exclude)

    def state_dict(self) -> dict[str, Tensor]:
        """Returns the rows."""
        return dict(self.rows.state_dict())

    def load_state_dict(self, state: Any) -> None:
        """Takes saved rows."""
        self.rows.load_state_dict(state)


def build_broken(config: BrokenConfig, context: BuildContext) -> Broken:
    """Builds the buffer."""
    return Broken(config, build_replay(config, context))


COMPONENTS = (
    Component(
        kind="dataset", name="altered", config=AlteredConfig, build=f"{__name__}:build_altered", summary="wrong data"
    ),
    Component(
        kind="buffer", name="broken", config=BrokenConfig, build=f"{__name__}:build_broken", summary="wrong buffer"
    ),
)
