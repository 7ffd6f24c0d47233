"""What a metric promises: one way to judge a model, each of its numbers with an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from PIL.Image import Image
from torch import Generator, Tensor

from ebmkit.point import Batch

Better = Literal["lower", "higher", ""]


@dataclass(frozen=True, slots=True)
class Estimate:
    """One number of a metric.

    Attributes:
        value: in `unit`.
        error: one standard error of it; None where it has none, and the metric's definition says why.
        n: how many samples or data it rests on.
        better: "lower" or "higher" where one is better.
        unit: "nats", "bits/dim"; empty for a pure number.
    """

    value: float
    error: float | None
    n: int
    better: Better = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a metric found.

    Attributes:
        estimates: name → number. Names like "mnist, energy: AUROC" are laid out as a table, the row before the colon
            and the column after it.
        definition: one sentence that says what was computed, of what.
        notes: what a reader must know of these numbers; a sentence or two each.
        histograms: title → series → values [N].
        pictures: name → picture.
    """

    estimates: Mapping[str, Estimate]
    definition: str
    notes: tuple[str, ...] = ()
    histograms: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    pictures: Mapping[str, Image] = field(default_factory=dict)


class Subject(Protocol):
    """A model that is judged, and what a metric may ask for. All metrics of one evaluation share it.

    Attributes:
        n: chains that were asked for.
        n_data: data that were asked for, of each set.
        seed: of everything that is drawn.
    """

    n: int
    n_data: int
    seed: int

    @property
    def model(self) -> Any:
        """The `ebmkit.Model`: its energy, view, temperature, coordinates, objectives, tuning and data."""
        ...

    def sampled_model(self) -> Any:
        """Returns the model with the sampler that the evaluation names, for chains of a metric's own."""
        ...

    def rng(self, name: str) -> Generator:
        """Returns a random stream on the CPU, a function of the seed and a name."""
        ...

    def data(self, split: Literal["train", "test"], n: int | None = None) -> Batch:
        """Returns data of the run, x [n, *event] in its value range, on the CPU.

        Args:
            split: which part.
            n: how many, if there are as many; unset, `n_data`. Fewer are the first of more.

        Raises:
            DataError: there is no such part.
        """
        ...

    def held_out(self, n: int | None = None) -> Batch:
        """Returns data that the model was not trained on: the test part; where there is none, training data, noted."""
        ...

    def samples(self) -> Any:
        """Returns `n` fresh samples as `ebmkit.Generated`, the same ones for every metric.

        Raises:
            DivergenceError: a sample is not finite.
        """
        ...

    def generate(self, n: int, **how: Any) -> Any:
        """Returns samples for one metric alone, `how` as in `ebmkit.generate`, else as the evaluation has it.

        With `model`, they are of that one, which a metric has made of the model that is judged.
        """
        ...

    def energy(self, x: Tensor) -> Tensor:
        """Returns E(x) [N], nats, of data x [N, *event], coordinates at data, without a graph, on the CPU."""
        ...

    def data_log_density(self) -> Callable[[Tensor], Tensor] | None:
        """Returns the log density of the data, x [B, *event] → [B] nats, where it is known, as of a toy set."""
        ...

    def other(self, text: str, n: int | None = None) -> Batch:
        """Returns data of another set, named as in `--data NAME:ARGUMENT`, fitted to the shape of the model's."""
        ...

    def note(self, text: str) -> None:
        """Keeps something that the reader of the numbers must know."""
        ...


@runtime_checkable
class Metric(Protocol):
    """One way to judge a model. Its declaration says what it needs of a run."""

    def measure(self, subject: Subject) -> Measured:
        """Returns what was found.

        Raises:
            DataError: there are too few data or samples, or they are of another shape.
            DivergenceError: a number is not finite.
        """
        ...
