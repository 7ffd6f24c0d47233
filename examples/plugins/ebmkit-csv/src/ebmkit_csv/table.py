"""A table of numbers as a data set."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Generator, Tensor

from ebmkit import Batch, BuildContext, DataError
from ebmkit_csv.cells import read_cells
from ebmkit_csv.declarations import CsvConfig

PARTS = ("train", "test")


class Table:
    """Rows of one part of a table, standardised.

    Attributes:
        columns: names of the entries of x.
        mean: [F] of the training part, in the units of the file.
        sd: [F], likewise: x · sd + mean is what the file holds.
    """

    x_values = "real"
    value_range = None

    def __init__(self, config: CsvConfig, context: BuildContext) -> None:
        cells = read_cells(config)
        values = torch.tensor(cells.numbers, dtype=torch.float64).reshape(len(cells.numbers), len(cells.columns))
        parts = dict(zip(PARTS, _parts(len(values), config), strict=True))
        self.config, self.context, self.columns = config, context, cells.columns
        mean, sd = _scale(values[parts["train"]], cells.columns, config)
        self.mean, self.sd = mean.float(), sd.float()
        rows = parts[config.split][: config.limit or None]
        if not len(rows):
            raise DataError(f"{config.path} has {len(values)} rows, of which none are in the {config.split} part.")
        self.x = ((values[rows] - mean) / sd).float().to(context.device)
        self.event_shape = (len(cells.columns),)
        self.class_names = tuple(sorted(set(cells.labels)))
        self.n_classes = len(self.class_names)
        y = torch.tensor([self.class_names.index(label) for label in cells.labels], dtype=torch.int64)
        self.y = y[rows].to(context.device) if self.n_classes else None

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, rows: Tensor, rng: Generator) -> Batch:
        """Returns some rows; nothing is drawn."""
        return Batch(x=self.x[rows], y=None if self.y is None else self.y[rows])

    def split(self, name: str) -> Table:
        """Returns the "train" or the "test" part."""
        if name not in PARTS or (name == "test" and not self.config.test_fraction):
            raise DataError(f"{self.config.path} has no {name} part: data.test_fraction = {self.config.test_fraction}.")
        return Table(replace(self.config, split=name), self.context)


def _parts(n: int, config: CsvConfig) -> tuple[Tensor, Tensor]:
    """Returns the rows of the training and of the test part, each in the order of the file."""
    order = torch.randperm(n, generator=torch.Generator().manual_seed(config.seed))
    n_test = round(config.test_fraction * n)
    return order[n_test:].sort().values, order[:n_test].sort().values


def _scale(values: Tensor, columns: tuple[str, ...], config: CsvConfig) -> tuple[Tensor, Tensor]:
    """Returns mean and s.d. of each column; raises DataError for one that always holds the same."""
    if len(values) < 2:
        raise DataError(f"{config.path}: {len(values)} rows in the training part, and at least 2 are needed.")
    sd, mean = torch.std_mean(values, 0)
    constant = [name for name, wide in zip(columns, sd.tolist(), strict=True) if wide == 0]
    if constant:
        wanted = f"{', '.join(constant)} always holds the same number, which has no density"
        raise DataError(f"{config.path}: column {wanted}. Leave it out: data.columns lists those that count.")
    return mean, sd


def build_csv(config: CsvConfig, context: BuildContext) -> Table:
    """Builds the data set."""
    return Table(config, context)
