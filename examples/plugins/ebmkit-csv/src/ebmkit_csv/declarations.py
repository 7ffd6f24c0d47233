"""What this package offers to ebmkit, and what it can be set to. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Len, Lt

from ebmkit import Component, short_repr


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class CsvConfig:
    """The rows of a CSV file whose first line names its columns, each with mean 0 and s.d. 1 in the training part.

    Attributes:
        path: of the file.
        columns: those that make up x, in this order; none for all but the label.
        label: the column of the classes, any text; empty where there is none.
        delimiter: between two cells.
        test_fraction: of the rows, drawn at random, that are the test part.
        seed: of that draw.
        split: the part that is trained on.
        limit: only the first so many rows of either part; 0 for all.
    """

    path: str = ""
    columns: tuple[str, ...] = ()
    label: str = ""
    delimiter: Annotated[str, Len(1, 1)] = ","
    test_fraction: Annotated[float, Ge(0), Lt(1)] = 0.2
    seed: Annotated[int, Ge(0)] = 0
    split: Literal["train", "test"] = "train"
    limit: Annotated[int, Ge(0)] = 0


COMPONENTS = (
    Component(
        kind="dataset",
        name="csv",
        config=CsvConfig,
        build="ebmkit_csv.table:build_csv",
        summary="a table of numbers, standardised, with a test part",
    ),
)

RECIPES = Path(__file__).parent / "recipes"
