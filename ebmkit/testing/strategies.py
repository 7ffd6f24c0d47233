"""Strategies of hypothesis for the tests of parts: shapes, points, coordinates, energies, histories of a buffer.

    from hypothesis import given
    from ebmkit.testing import strategies

    @strategies.REPEATABLE
    @given(point=strategies.points())
    def test_the_energy_is_finite(point): ...

Nothing else of ebmkit imports this module: hypothesis comes with `ebmkit-core[testing]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import Tensor, nn

from ebmkit.assembly.build import build_component
from ebmkit.errors import EbmkitError
from ebmkit.plugins.context import BuildContext
from ebmkit.plugins.host import host
from ebmkit.point import Batch, Point
from ebmkit.protocols.coordinate import Coordinate
from ebmkit.protocols.energy import Energy
from ebmkit.rng import stream
from ebmkit.testing.histories import MOST, N_LABELS, Round

Range = tuple[float, float] | None

REPEATABLE = settings(
    derandomize=True, deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow]
)  # fmt: skip
"""What passes once passes always: examples follow from the test itself, and time is nobody's law."""


def seeds() -> SearchStrategy[int]:
    """Returns a strategy of seeds for `ebmkit.stream`."""
    return st.integers(0, 2**31 - 1)


def event_shapes(*, images: bool | None = None, most: int = 256) -> SearchStrategy[tuple[int, ...]]:
    """Returns a strategy of shapes of one datum: vectors, and images (channels, height, width).

    Args:
        images: only images, or none; unset, both.
        most: numbers that a datum may hold.
    """
    vectors = st.tuples(st.integers(1, 6))
    channels, side = st.sampled_from([1, 3]), st.integers(1, 16)
    pictures = st.tuples(channels, side, side).filter(lambda shape: prod(shape) <= most)
    every: list[SearchStrategy[Any]] = ([] if images else [vectors]) + ([] if images is False else [pictures])
    return st.one_of(every)


def value_ranges() -> SearchStrategy[Range]:
    """Returns a strategy of value ranges of x, None among them."""
    return st.sampled_from([None, (0.0, 1.0), (-1.0, 1.0)])


def labels(n: int, n_classes: int = N_LABELS) -> SearchStrategy[Tensor]:
    """Returns a strategy of labels [n], int64."""
    return st.lists(st.integers(0, n_classes - 1), min_size=n, max_size=n).map(lambda y: torch.tensor(y).long())


@st.composite
def batches(
    draw: st.DrawFn,
    *,
    shape: tuple[int, ...] | None = None,
    value_range: Range = None,
    n_classes: int = N_LABELS,
    most_rows: int = 12,
) -> Batch:
    """Returns a strategy of clean data with labels.

    Args:
        draw: of hypothesis.
        shape: of one datum; unset, one of `event_shapes`.
        value_range: of x; a datum may lie at its ends. Unset, x is normal.
        n_classes: of the labels, 0 for none.
        most_rows: from 1 on.
    """
    shape = draw(event_shapes()) if shape is None else shape
    n = draw(st.integers(1, most_rows))
    x = _values((n, *shape), value_range, draw(seeds()))
    return Batch(x=x, y=draw(labels(n, n_classes)) if n_classes else None)


@st.composite
def points(
    draw: st.DrawFn,
    *,
    shape: tuple[int, ...] | None = None,
    value_range: Range = None,
    coordinates: Sequence[Coordinate] = (),
    most_rows: int = 12,
) -> Point:
    """Returns a strategy of points with the coordinates that are given: lifted data, or fresh chains.

    Args:
        draw: of hypothesis.
        shape: of one datum; unset, one of `event_shapes`.
        value_range: of x.
        coordinates: built, in order; labels are below `N_LABELS`.
        most_rows: from 1 on.
    """
    batch = draw(batches(shape=shape, value_range=value_range, most_rows=most_rows))
    seed, lifted, point = draw(seeds()), draw(st.booleans()), Point(x=batch.x)
    for coordinate in coordinates:
        rng = stream(seed, 0, coordinate.name)
        point = coordinate.lift(batch, point, rng) if lifted else coordinate.prior(len(batch), point, rng)
    return point


def coordinates(context: BuildContext | None = None) -> SearchStrategy[Coordinate]:
    """Returns a strategy of the coordinates that are installed, and of a stranger's, built in a context.

    Args:
        context: of the run that is imagined; unset, of points of a square with labels. A coordinate that cannot work
            in it is left out.
    """
    bare = BuildContext(event_shape=(2,), value_range=(0.0, 1.0), n_classes=N_LABELS)
    found = []
    for component, _ in host().all():
        if component.kind == "coordinate":
            try:
                found.append(build_component(component, {}, context or bare))
            except EbmkitError:
                continue
    return st.sampled_from(sorted(found, key=lambda coordinate: str(coordinate.name)))


@st.composite
def energies(draw: st.DrawFn, *, shape: tuple[int, ...] = (2,)) -> Energy:
    """Returns a strategy of energies of x [B, *shape], nats: wells, a shell, waves, and a small random network.

    All have a gradient everywhere, are modules in float32 and can be differentiated as often as one likes.

    Args:
        draw: of hypothesis.
        shape: of one datum.
    """
    kind, seed = draw(st.sampled_from(["well", "shell", "waves", "network"])), draw(seeds())
    return Landscape(kind, prod(shape), draw(st.sampled_from([0.3, 1.0, 3.0])), seed)


def buffer_histories(*, most_rounds: int = 12) -> SearchStrategy[list[Round]]:
    """Returns a strategy of what may happen to a buffer, for `ebmkit.testing.histories.play`; it shrinks to few rounds.

    Args:
        most_rounds: of draw and put.
    """
    one = st.builds(
        Round,
        labels=st.lists(st.integers(0, N_LABELS - 1), min_size=1, max_size=MOST).map(tuple),
        match=st.booleans(),
        puts=st.booleans(),
        share=st.sampled_from([0.0, 0.5, 1.0]),
        saves=st.booleans(),
        seed=st.integers(0, 99),
    )
    return st.lists(one, min_size=1, max_size=most_rounds)


class Landscape(nn.Module):
    """One of a few energies over x, nats: λ times a shape."""

    def __init__(self, kind: str, n: int, scale: float, seed: int) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(seed)
        self.kind, self.scale = kind, scale
        self.centre = nn.Parameter(0.5 * torch.randn(n, generator=draw))
        self.first = nn.Parameter(torch.randn(8, n, generator=draw) / n**0.5)
        self.last = nn.Parameter(torch.randn(8, generator=draw))

    def forward(self, point: Point) -> Tensor:
        """Returns E [B], nats."""
        x = point.x.flatten(1) - self.centre
        if self.kind == "network":
            return self.scale * torch.tanh(x @ self.first.T) @ self.last + x.square().sum(dim=1) / 20
        square = x.square().sum(dim=1) / 2
        if self.kind == "waves":
            return self.scale * (square + torch.cos(2 * x).sum(dim=1) / 2)
        return self.scale * (square if self.kind == "well" else (square - 1).square())

    def extra_repr(self) -> str:
        """Returns what hypothesis shows of a failing example."""
        return f"{self.kind}, λ = {self.scale:g}"


def _values(shape: tuple[int, ...], value_range: Range, seed: int) -> Tensor:
    """Returns values in a range, the ends of it among them, or normal ones."""
    rng = stream(seed, 0, "values")
    if value_range is None:
        return torch.randn(shape, generator=rng)
    low, high = value_range
    u = torch.rand(shape, generator=rng)
    return low + (high - low) * (1.2 * u - 0.1).clamp(0, 1)
