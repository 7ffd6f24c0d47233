"""A model that is judged: its data, its fresh samples and its energies, the same for every metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any, Literal

import torch
from torch import Generator, Tensor

from ebmkit.display.doing import doing
from ebmkit.errors import DataError, DivergenceError, EbmkitError
from ebmkit.evaluation.clean_energy import CleanEnergy, in_passes
from ebmkit.evaluation.run_data import data_of
from ebmkit.point import Batch
from ebmkit.protocols.dataset import Dataset
from ebmkit.recipes.tables import EvalConfig
from ebmkit.rng import stream
from ebmkit.sampling.generate import Generated
from ebmkit.sampling.model import Model
from ebmkit.sampling.shown import shown

ROWS = 500
"""Data in one pass of an energy, and in one request to a data set."""

Split = Literal["train", "test"]


@dataclass(kw_only=True, eq=False)
class ModelSubject:
    """What `ebmkit.protocols.metric.Subject` promises, of a model in memory.

    Attributes:
        model: that is judged, with the weights that are judged.
        config: `[eval]`.
        dataset: of the run; unset, it is built from its recipe when it is first asked for.
        notes: what was noted on the way.
        task: what is being done with data and samples, said again once these are there.
    """

    model: Model
    config: EvalConfig
    dataset: Dataset | None = None
    notes: list[str] = field(default_factory=list)
    task: str = "measuring"

    def __post_init__(self) -> None:
        self.n, self.n_data = self.config.n, self.config.n_data
        self.seed = self.model.recipe.table("run").seed if self.config.seed is None else self.config.seed
        self._samples: Generated | None = None
        self._failure: EbmkitError | None = None
        self._writes = 0
        self._parts: dict[str, Dataset] = {}

    def rng(self, name: str) -> Generator:
        """Returns a random stream on the CPU."""
        return stream(self.seed, 0, f"metric {name}", "cpu")

    def data(self, split: Split, n: int | None = None) -> Batch:
        """Returns the first n of a seeded choice of rows, read in whole chunks, so that fewer are the first of more."""
        doing(f"reading {split} data")
        part, device = self._part(split), self.model.device
        rows = torch.randperm(len(part), generator=self.rng(f"rows {split}"))
        n = min(n or self.n_data, len(part))
        batches = []
        for i, chunk in enumerate(torch.split(rows, ROWS)[: ceil(n / ROWS)]):
            noise = stream(self.seed, 0, f"metric data {split} {i}", device)
            batches.append(part.batch(chunk.to(device), noise))
        x = torch.cat([batch.x.cpu() for batch in batches])[:n]
        labels = [batch.y.cpu() for batch in batches if batch.y is not None]
        doing(self.task)
        return Batch(x=x, y=torch.cat(labels)[:n] if labels else None)

    def held_out(self, n: int | None = None) -> Batch:
        """Returns test data, or training data with a note."""
        try:
            return self.data("test", n)
        except DataError:
            self.note("The data of this run have no test part: training data stand for held-out data.")
            return self.data("train", n)

    def samples(self) -> Generated:
        """Returns the fresh samples that all metrics share; where there are none, the same reason to each."""
        if self._failure is not None:
            raise self._failure
        if self._samples is None:
            try:
                self._samples = self.generate(self.n)
            except EbmkitError as error:
                self._failure = error
                raise
            self._writes = self._samples.x._version
        return self._samples

    def forget_changed_samples(self) -> bool:
        """Returns whether the shared samples were written to; if so, they are drawn anew when they are asked for."""
        is_changed = self._samples is not None and self._samples.x._version != self._writes
        if is_changed:
            self._samples = None
        return is_changed

    def generate(self, n: int, **how: Any) -> Generated:
        """Returns fresh samples with the sampler settings of the evaluation, of another `model` where one is named."""
        config, model = self.config, how.pop("model", None)
        settings: dict[str, Any] = {
            "method": config.method,
            "moves": config.moves,
            "denoise": config.denoise,
            "transitions": config.transitions,
            "visits": config.visits,
            "plain_transitions": config.plain_transitions,
            "seed": self.seed,
        }
        made = shown(self.sampled_model(model), n, **{**settings, **how})
        doing(self.task)
        bad = int((~made.x.isfinite().flatten(1).all(dim=1)).sum())
        if bad:
            raise DivergenceError(f"{bad} of {len(made.x)} samples are not finite: nothing can be measured of them.")
        for text in made.notes:
            self.note(text)
        return made

    def energy(self, x: Tensor) -> Tensor:
        """Returns E(x) [N] of clean data, some rows at a time; a label, which any value fits, is averaged out."""
        return in_passes(CleanEnergy(self.model), x, self.model.device).float()

    def data_log_density(self) -> Callable[[Tensor], Tensor] | None:
        """Returns that of a data set which has a method `log_density`."""
        return getattr(self._part("train"), "log_density", None)

    def other(self, text: str, n: int | None = None) -> Batch:
        """Returns data of another set in the shape of this one's."""
        from ebmkit.evaluation.other_data import fitted

        doing(f"reading {text}")
        batch, notes = fitted(text, self.model.data, n or self.n_data, self.rng(f"other {text}"))
        doing(self.task)
        for remark in notes:
            self.note(remark)
        return batch

    def note(self, text: str) -> None:
        """Keeps a note once."""
        if text not in self.notes:
            self.notes.append(text)

    @property
    def drawn(self) -> Generated | None:
        """The shared samples, where a metric asked for them."""
        return self._samples

    def sampled_model(self, other: Model | None = None) -> Model:
        """Returns the model, or another one, with the sampler that `[eval]` names."""
        model = self.model if other is None else other
        if self.config.sampler is None or model.untuned:
            return model
        return replace(model, recipe=model.recipe.with_table("sample", sampler=self.config.sampler))

    def _part(self, split: Split) -> Dataset:
        if self.dataset is None:
            self.dataset = data_of(self.model, self.model.device)
        if split not in self._parts:
            self._parts[split] = self.dataset.split(split)
        return self._parts[split]
