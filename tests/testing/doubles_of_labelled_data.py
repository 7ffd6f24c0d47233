"""Labelled data sets whose batches look right one by one, and which are wrong together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from ebmkit import Batch, BuildContext, Component, DataError, NoConfig

HERE = "tests.testing.doubles_of_labelled_data"


class Labelled:
    """Points of the unit square with three classes, noised a little in every batch where `noise` says so."""

    event_shape = (2,)
    value_range = (0.0, 1.0)
    n_classes = 3
    class_names = ()
    x_values = "real"

    def __init__(self, config: NoConfig, context: BuildContext, *, noise: float = 0.0, first: int = 0) -> None:
        self.x, self.noise = torch.rand(900, 2, generator=Generator().manual_seed(0))[first : first + 300], noise

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, rows: Tensor, rng: Generator) -> Batch:
        x = self.x[rows]
        x = (x + self.noise * torch.randn(x.shape, generator=rng)).clamp(0, 1) if self.noise else x
        return Batch(x=x, y=rows % 3)

    def split(self, name: str) -> Any:
        if name not in ("train", "test"):
            raise DataError(f"There is no part '{name}': train, test.")
        return Labelled(NoConfig(), BuildContext(), noise=self.noise, first=300 * (name == "test"))


class Noisy(Labelled):
    def __init__(self, config: NoConfig, context: BuildContext) -> None:
        super().__init__(config, context, noise=0.01)


class Mixed(Labelled):
    """Labels are dealt anew among the rows of a batch."""

    def batch(self, rows: Tensor, rng: Generator) -> Batch:
        return Batch(x=self.x[rows], y=(rows % 3)[torch.randperm(len(rows), generator=rng)])


class Bytes(Labelled):
    """It says the range of bytes and gives fractions."""

    value_range = (0.0, 255.0)


class Seen(Labelled):
    """Its test part is the training part."""

    def split(self, name: str) -> Any:
        return super().split("train" if name == "test" else name)


build_right, build_noisy, build_mixed, build_bytes, build_seen = Labelled, Noisy, Mixed, Bytes, Seen


def part(name: str) -> Component:
    return Component(kind="dataset", name=f"{name}-double", build=f"{HERE}:build_{name}", summary="a double")


RIGHT = (part("right"), part("noisy"))
WRONG: tuple[tuple[Component, str, str], ...] = (
    (part("mixed"), "rows", "by another stream were the same data with other labels.*stays with its datum"),
    (part("bytes"), "declared", r"declares values in \[0, 255\], and all of 300 data lie in \[.*as they are given"),
    (part("seen"), "split", "of 300 data of its part 'test', 300 are in its part 'train', too"),
)
"""Double, the promise that it breaks, and what the message must say."""
