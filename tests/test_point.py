"""Laws of Point: rows are validated, coordinates are read-only, and every tensor follows its row."""

import pickle
from copy import deepcopy
from dataclasses import FrozenInstanceError

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.errors import DataError
from ebmkit.point import Batch, Point, concatenate

rows = st.integers(1, 6)
events = st.lists(st.integers(1, 4), max_size=3).map(tuple)


def marked(n: int, event: tuple[int, ...] = (2,), start: int = 0) -> Point:
    """A point whose tensors all carry the number of their row."""
    number = torch.arange(start, start + n)
    x = number.float().view(n, *[1] * len(event)).expand(n, *event).clone()
    return Point(x=x, aux={"label": number.clone(), "latent": number.float()[:, None].expand(n, 3).clone()})


@given(n=rows, other=rows, event=events)
def test_rows_are_validated(n: int, other: int, event: tuple[int, ...]) -> None:
    aux = {"label": torch.zeros(other, dtype=torch.long)}
    if n == other:
        assert len(Point(x=torch.zeros(n, *event), aux=aux)) == n
    else:
        with pytest.raises(DataError, match="'label'"):
            Point(x=torch.zeros(n, *event), aux=aux)


def test_scalars_are_not_batches() -> None:
    with pytest.raises(DataError, match="scalar"):
        Point(x=torch.tensor(1.0))
    with pytest.raises(DataError, match="level"):
        Point(x=torch.zeros(2), aux={"level": torch.tensor(1)})


def test_a_point_cannot_be_changed() -> None:
    source = {"label": torch.zeros(2)}
    point = Point(x=torch.zeros(2, 1), aux=source)
    source["level"] = torch.zeros(2)
    assert list(point.aux) == ["label"]
    with pytest.raises(TypeError):
        point.aux["label"] = torch.ones(2)  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        point.x = torch.ones(2, 1)  # type: ignore[misc]


def test_points_are_equal_only_when_identical() -> None:
    point = marked(2)
    assert point == point and point != marked(2) and len({point, point}) == 1


@given(n=rows, event=events, seed=st.integers(0, 100))
def test_map_keeps_rows_together(n: int, event: tuple[int, ...], seed: int) -> None:
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    point = marked(n, event).map(lambda tensor: tensor[order])
    assert torch.equal(point.aux["label"], order) and torch.equal(point.aux["latent"][:, 0], order.float())
    assert torch.equal(point.x.flatten(1)[:, 0] if event else point.x, order.float())


@given(n=rows)
def test_replacements_change_only_what_they_name(n: int) -> None:
    point = marked(n)
    assert point.replace(x=point.x + 1).aux == point.aux
    assert point.replace(aux={}).x is point.x and not point.replace(aux={}).aux
    assert point.replace().x is point.x
    wider = point.with_aux(level=torch.zeros(n), label=torch.ones(n))
    assert set(wider.aux) == {"label", "latent", "level"} and wider.aux["label"].sum() == n
    assert set(wider.without("label", "absent").aux) == {"latent", "level"}
    assert point.to("cpu").x is point.x


@given(n=rows, m=rows)
def test_joined_points_keep_their_order(n: int, m: int) -> None:
    joined = concatenate(marked(n), marked(m, start=n).with_aux(momentum=torch.zeros(m)))
    assert joined.aux.keys() == {"label", "latent"}
    assert torch.equal(joined.aux["label"], torch.arange(n + m)) and torch.equal(
        joined.x[:, 0], torch.arange(n + m).float()
    )


def test_joining_names_what_is_missing() -> None:
    with pytest.raises(DataError, match="'label'"):
        concatenate(marked(2), marked(3).without("label"))


def test_a_batch_pairs_data_and_labels() -> None:
    assert len(Batch(x=torch.zeros(3, 2), y=torch.zeros(3, dtype=torch.long))) == len(Batch(x=torch.zeros(3, 2))) == 3
    for labels in (torch.zeros(2), torch.zeros(3, 1)):
        with pytest.raises(DataError, match="labels"):
            Batch(x=torch.zeros(3, 2), y=labels)


def test_a_deep_copy_shares_nothing() -> None:
    point = marked(3)
    copied = deepcopy(point)
    copied.x.zero_()
    assert set(copied.aux) == set(point.aux) and not torch.equal(copied.x, point.x)
    for name, value in copied.aux.items():
        assert torch.equal(value, point.aux[name]) and value is not point.aux[name]


def test_a_point_can_be_saved() -> None:
    point = Point(x=torch.randn(3, 2), aux={"label": torch.arange(3)})
    again = pickle.loads(pickle.dumps(point))
    assert torch.equal(again.x, point.x) and torch.equal(again.aux["label"], point.aux["label"])
    with pytest.raises(TypeError):
        again.aux["label"] = torch.zeros(3)
