"""A subject whose samples are given, and features with known answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import torch
from torch import Tensor, nn

import ebmkit
from ebmkit.errors import DataError
from ebmkit.point import Batch


class Flat(nn.Module):
    """The pixels are the features."""

    input_range = (0.0, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)


class Allocated(nn.Module):
    """A classifier of four classes: the first pixel says which one, and the second how surely."""

    classes = ("a", "b", "c", "d")

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        at = (x[:, 0, 0, 0] * 4).long().clamp(0, 3)
        sure = x[:, 0, 0, 1:2]
        probability = torch.where(nn.functional.one_hot(at, 4).bool(), sure, (1 - sure) / 3)
        return x.flatten(1), probability.log()


FLAT, ALLOCATED = f"{__name__}:Flat", f"{__name__}:Allocated"


@dataclass
class Given:
    """A `Subject` of given samples, training data and test data; y labels the test data."""

    x: Tensor
    train: Tensor
    test: Tensor | None = None
    y: Tensor | None = None
    class_names: tuple[str, ...] = ()
    n_data: int = 500
    seed: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def n(self) -> int:
        return len(self.x)

    @property
    def model(self) -> SimpleNamespace:
        data = SimpleNamespace(
            event_shape=tuple(self.x.shape[1:]), value_range=(0.0, 1.0), n_data=len(self.train),
            class_names=self.class_names, n_classes=len(self.class_names),
        )  # fmt: skip
        return SimpleNamespace(data=data, device="cpu")

    def rng(self, name: str) -> torch.Generator:
        return ebmkit.stream(self.seed, 0, name)

    def data(self, split: str, n: int | None = None) -> Batch:
        x = self.train if split == "train" else self.test
        if x is None:
            raise DataError("There is no test part.")
        count = self.n_data if n is None else n
        return Batch(x=x[:count], y=self.y[:count] if self.y is not None and x is self.test else None)

    def held_out(self, n: int | None = None) -> Batch:
        return self.data("train" if self.test is None else "test", n)

    def samples(self) -> SimpleNamespace:
        return SimpleNamespace(x=self.x)

    def note(self, text: str) -> None:
        self.notes.append(text)
