"""Mistakes that people make in buffers and coordinates: each is named, with the part, in the first step of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from ebmkit import BuildContext, EbmkitError, Point
from tests.training.checker.doubles import Rows, Sides, Table
from tests.training.checker.planted import MADE, Make, shelf, trained

__all__ = ["shelf"]


class InTurn(Rows):
    """A buffer that gives its chains in turn, and does not save whose turn it is."""

    turn = 0

    def draw(self, positive: Point, rng: torch.Generator, match: frozenset[str] = frozenset()) -> tuple[Any, Point]:
        token, point = super().draw(positive, rng, match)
        self.turn += 1
        return token, point.map(lambda t: t.roll(self.turn, dims=0))


BUFFERS: dict[str, tuple[Make, str]] = {
    "fewer rows": (lambda c: Rows(c, lambda p, rng: p.map(lambda t: t[1:])), r"'x' of shape \(7, 2\)"),
    "NaN": (lambda c: Rows(c, lambda p, rng: p.map(lambda t: t * torch.nan)), "'x' that is not finite"),
    "float64": (lambda c: Rows(c, lambda p, rng: p.map(torch.Tensor.double)), "'x' in torch.float64"),
    "the global stream": (
        lambda c: Rows(c, lambda p, rng: p.map(lambda t: t + torch.randn(t.shape))),
        "(torch's global random stream)",
    ),
    "a graph": (lambda c: Rows(c, lambda p, rng: p.map(lambda t: t.requires_grad_())), "with a graph"),
    "nothing kept": (lambda c: Rows(c, keeps=False), "same rows after 8 moved chains"),
    "nothing restored": (lambda c: Rows(c, saves=False), "did not take its saved 'x'"),
    "a place that is not saved": (InTurn, "drew other chains from the rows that it had before"),
    "no count": (lambda c: _never_filled(c), "says filled = 0 of 16 rows"),
}


def _never_filled(context: BuildContext) -> Rows:
    class Uncounted(Rows):
        filled = property(lambda self: 0, lambda self, value: None)  # type: ignore[assignment]

    return Uncounted(context)


@pytest.mark.parametrize("mistake", BUFFERS)
def test_a_buffer(mistake: str, tmp_path: Path) -> None:
    make, said = BUFFERS[mistake]
    with pytest.raises(EbmkitError, match=f"(?s)^Buffer 'planted'.*{said}"):
        trained(tmp_path, "buffer", make)


def test_a_buffer_with_labels_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(EbmkitError, match="Buffer 'planted' drew chains whose 'label' is not that of the data"):
        trained(
            tmp_path, "buffer", lambda c: Rows(c, matches=False), coordinate={"use": "label"},
            energy={"use": "mlp", "widths": [4], "labels": True},
        )  # fmt: skip


def test_a_buffer_that_leaves_the_range_of_the_data(tmp_path: Path) -> None:
    MADE["buffer"] = lambda c: Rows(c, lambda p, rng: p.map(lambda t: t + 9))
    with pytest.raises(EbmkitError, match=r"Buffer 'planted' drew x in .* outside of \[0, 1\]"):
        trained(tmp_path, "dataset", lambda c: Table(), buffer={"use": "planted"})


COORDINATES: dict[str, tuple[Make, str]] = {
    "no entry": (lambda c: Sides(lambda p: p.without("side")), "lifted no 'side'"),
    "floats": (lambda c: Sides(lambda p: p.with_aux(side=p.aux["side"].float())), "values of torch.float32.*int64"),
    "a value too many": (lambda c: Sides(lambda p: p.with_aux(side=p.aux["side"] + 1)), "says n_values = 2: 0 to 1"),
    "another x": (lambda c: Sides(lambda p: p.replace(x=p.x + 1)), "changed x and says noises_x = False"),
    "the global stream": (
        lambda c: Sides(lambda p: p.with_aux(side=torch.randint(2, (len(p),)))),
        "torch's global random stream",
    ),
    "another shape of x": (lambda c: Sides(lambda p: p.replace(x=p.x[:, :1])), r"'x' of shape \(8, 1\)"),
    "a row that is no data": (
        lambda c: Sides(is_data=lambda p: p.aux["side"] > 5),
        "leaves_data = False, and that lifted rows are not data",
    ),
    "a signal above 1": (lambda c: Sides(signal=lambda p: torch.full((len(p),), 2.0)), r"outside of \[0, 1\]"),
}


@pytest.mark.parametrize("mistake", COORDINATES)
def test_a_coordinate(mistake: str, tmp_path: Path) -> None:
    make, said = COORDINATES[mistake]
    with pytest.raises(EbmkitError, match=f"(?s)^Coordinate 'side'.*{said}"):
        trained(tmp_path, "coordinate", make)
