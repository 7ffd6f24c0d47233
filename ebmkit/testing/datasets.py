"""What every data set promises: batches are what it declares, and a function of rows and stream."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ebmkit.assembly.members import check_members
from ebmkit.data.spec import DataSpec
from ebmkit.errors import DataError, RecipeError
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.dataset import Dataset
from ebmkit.testing.check import CheckFailed, NotApplicable
from ebmkit.testing.examined import Examined, Promise
from ebmkit.testing.law import seeded
from ebmkit.training.checker.batch import check_batch
from ebmkit.training.checker.snapshots import changed, kept, of_batch
from ebmkit.training.checker.streams import own_stream_only

N = 4_000
"""Rows at most that are looked at."""
N_FEW = 64
LEAST_SHARE = 0.05
"""Of the declared range, that data must reach over."""


def _made(part: Examined) -> Dataset:
    try:
        dataset: Dataset = part.built(BuildContext())
    except (DataError, RecipeError) as error:
        raise NotApplicable(f"its data are not here: {str(error).split('. ')[0]}") from error
    check_members("dataset", part.component.name, dataset)
    return dataset


def _rows(dataset: Dataset) -> Tensor:
    return torch.randperm(len(dataset), generator=seeded(40))[:N]


def is_as_declared(part: Examined) -> None:
    """Raises DataError where a batch has another shape, range, dtype or label than is declared."""
    dataset = _made(part)
    spec = DataSpec.of(dataset)
    rows = _rows(dataset)
    for some in torch.split(rows, 500):
        batch = dataset.batch(some, seeded(41))
        if len(batch) != len(some):
            raise CheckFailed(f"{len(some)} rows were asked for, and {len(batch)} came. Return one datum a row.")
        check_batch(part.label, batch, spec, torch.device("cpu"))
    _fills_its_range(dataset, rows)
    if spec.class_names and len(spec.class_names) != spec.n_classes:
        raise CheckFailed(f"it names {len(spec.class_names)} classes and says n_classes = {spec.n_classes}. Name each.")


def _fills_its_range(dataset: Dataset, rows: Tensor) -> None:
    """Raises CheckFailed where data lie in a small part of the declared range: fresh chains start anywhere in it."""
    if dataset.value_range is None:
        return
    low, high = dataset.value_range
    found = [dataset.batch(some, seeded(41)).x for some in torch.split(rows, 500)]
    least, most = (float(edge) for edge in (min(x.min() for x in found), max(x.max() for x in found)))
    if most - least < LEAST_SHARE * (high - low):
        raise CheckFailed(
            f"it declares values in [{low:g}, {high:g}], and all of {len(rows):,} data lie in [{least:g}, {most:g}]. "
            "Fresh chains start anywhere in the range, and walls keep them in it: declare the range of the data as "
            "they are given."
        )


def is_repeatable(part: Examined) -> None:
    """Raises where the same rows and stream give another batch, or a global stream or a written batch matters."""
    dataset = _made(part)
    rows = _rows(dataset)[:N_FEW]
    with own_stream_only(part.label, "Draw from the generator that `batch` is handed: generator=rng."):
        first, again = (dataset.batch(rows, seeded(42)) for _ in range(2))
    if changed(of_batch(first), of_batch(again)):
        raise CheckFailed("the same rows by the same stream were another batch. Draw from the generator alone.")
    in_order = torch.arange(min(N_FEW, len(dataset)))
    held = dataset.batch(in_order, seeded(42))
    before = kept(of_batch(held))
    for tensor in of_batch(held).values():
        tensor.zero_()
    if changed(before, of_batch(dataset.batch(in_order, seeded(42)))):
        raise CheckFailed("who wrote into a batch changed the data themselves. Give a copy of the rows.")


def keeps_rows_apart(part: Examined) -> None:
    """Raises CheckFailed where row b of a batch is not the datum that was asked for in row b."""
    dataset = _made(part)
    rows = _rows(dataset)[:N_FEW]
    rng = seeded(43)
    start = rng.get_state()
    batch = dataset.batch(rows, rng)
    if not torch.equal(start, rng.get_state()):
        _labels_belong_to_rows(dataset, rows)
        raise NotApplicable("it draws random numbers for each row, which belong to places")
    order = torch.randperm(len(rows), generator=seeded(44))
    wanted = {name: value[order] for name, value in of_batch(batch).items()}
    if changed(wanted, of_batch(dataset.batch(rows[order], seeded(43)))):
        raise CheckFailed(
            "the same rows in another order were other data, or had other labels. Row b of a batch is the datum "
            "rows[b], and its label beside it."
        )


def _labels_belong_to_rows(dataset: Dataset, rows: Tensor) -> None:
    """Raises CheckFailed where a datum has another label by another stream. Sets drawn on the fly give other data."""
    first, again = (dataset.batch(rows, seeded(seed)) for seed in (43, 45))
    if first.y is None or again.y is None or len(rows) < 2:
        return
    x, other = first.x.double().flatten(1), again.x.double().flatten(1)
    near = (x - other).norm(dim=1) < (x - x.roll(1, dims=0)).norm(dim=1).median() / 4
    if int(near.sum()) * 2 > len(rows) and bool((first.y != again.y)[near].any()):
        raise CheckFailed(
            "the same rows by another stream were the same data with other labels. What is drawn may change x; a label "
            "stays with its datum: y[rows]."
        )


def splits_are_data_sets(part: Examined) -> None:
    """Raises CheckFailed where a part of the set has another shape or range, or an absent one is not refused."""
    dataset = _made(part)
    for name in ("train", "test"):
        try:
            some: Any = dataset.split(name)
        except DataError:
            if name == "test":
                continue
            raise
        if tuple(some.event_shape) != tuple(dataset.event_shape) or some.value_range != dataset.value_range:
            raise CheckFailed(f"its part '{name}' has another shape or range than the whole. Make them one set.")
    try:
        dataset.split("no such part")
    except DataError:
        _shares_no_rows(dataset)
        return
    raise CheckFailed("a part 'no such part' was asked for, and given. Raise DataError, and name the parts.")


def _shares_no_rows(dataset: Dataset) -> None:
    """Raises CheckFailed where most data of the test part are data of the training part, too."""
    try:
        parts = [dataset.split(name) for name in ("test", "train")]
    except DataError:
        return
    rng = seeded(46)
    start = rng.get_state()
    found = [some.batch(torch.arange(min(N, len(some))), rng).x.flatten(1).tolist() for some in parts]
    if not torch.equal(start, rng.get_state()):  # drawn on the fly, or with noise: nothing to compare
        return
    known = set(map(tuple, found[1]))
    n_shared = sum(tuple(row) in known for row in found[0])
    if 2 * n_shared > len(found[0]):
        raise CheckFailed(
            f"of {len(found[0]):,} data of its part 'test', {n_shared:,} are in its part 'train', too: a model would "
            "be judged by what it was trained on. Give each datum to one part; raise DataError where there is no test."
        )


PROMISES = (
    Promise(name="declared", text="x and labels are what it declares: shape, range, dtype", look=is_as_declared),
    Promise(name="repeatable", text="a batch is a function of rows and stream", look=is_repeatable),
    Promise(name="rows", text="row b is the datum that was asked for in row b", look=keeps_rows_apart),
    Promise(name="split", text="its parts are like it, and an absent one is refused", look=splits_are_data_sets),
)
"""Of every data set."""
