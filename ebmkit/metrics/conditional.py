"""`conditional`: samples that are given a class, and the class that a classifier sees in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ebmkit.errors import DataError
from ebmkit.evaluation.evaluate import sampling_words
from ebmkit.evaluation.labelled import classes_grid
from ebmkit.evaluation.uncertainty import share_error, standard_error
from ebmkit.metrics.classes import class_names
from ebmkit.metrics.declarations.conditions import LABEL, ConditionalConfig
from ebmkit.metrics.features.sets import features_of
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.metric import Better, Estimate, Measured, Subject
from ebmkit.sampling.given import takes_label
from ebmkit.sampling.held import class_name

DEFINITION = (
    "Accuracy: the share of the samples given a class, by {how}, to which the classifier '{name}' gives that class as "
    "the most likely one; the mean over the {k} classes, and each of them; beside it the same of held-out data. By "
    "chance: {chance:.2g}. Error: of the share. Spread: root mean square distance of the features of right samples "
    "from their mean, class by class, and the mean over the classes that have {fewest} of them; error: over the classes"
)
FEWEST = 5
"""Right samples of a class from which its spread is told."""

SHOWN = 10
"""Samples of each class in the picture."""


def accuracies(predicted: Tensor, asked: Tensor, n_classes: int) -> tuple[list[float], list[int]]:
    """Returns of each class k the share of rows asked for k that were predicted as k, and how many rows those are.

    Args:
        predicted: classes [N].
        asked: classes [N].
        n_classes: K.

    Returns:
        Shares, NaN for a class that no row was asked for, and counts.
    """
    right = (predicted == asked).double()
    rows = [asked == k for k in range(n_classes)]
    return [float(right[row].mean()) for row in rows], [int(row.sum()) for row in rows]


@dataclass(frozen=True, kw_only=True, slots=True)
class Conditional:
    """Measures samples of every class."""

    config: ConditionalConfig

    def measure(self, subject: Subject) -> Measured:
        """Returns the accuracy of all classes and of each; raises DataError for fewer samples than classes."""
        features, data = features_of(subject, self.config.features), subject.model.data
        names = class_names(features, data.class_names, data.n_classes)
        how, given, strength = way_of(subject.model, self.config.strength)
        n = self.config.n or subject.n
        if n < len(names):
            raise DataError(f"{n} samples are too few for {len(names)} classes: ask for at least {len(names)}.")
        made = subject.generate(n, given=given, strength=strength)
        spelt = {class_name(subject.model, k): k for k in range(len(names))}
        asked = torch.tensor([spelt[name] for name in made.names])
        held_out = subject.held_out()
        sets = {"samples": (made.x, asked)} | (
            {} if held_out.y is None else {"held-out data": (held_out.x, held_out.y.cpu())}
        )
        estimates, spread = dict[str, Estimate](), dict[str, Tensor]()
        for column, (x, classes) in sets.items():
            predicted = features.logits(x).argmax(dim=1)
            estimates |= _estimates(column, predicted, classes, names)
            spread[column] = spread_of(features.features(x), torch.where(predicted == classes, classes, -1), len(names))
        estimates |= spreads(spread)
        rows = torch.cat([(asked == k).nonzero()[:SHOWN, 0] for k in range(len(names))])
        shown = classes_grid(made.x[rows], [names[asked[i]] for i in rows], data.value_range, names)
        return Measured(
            estimates=estimates,
            definition=DEFINITION.format(
                how=how, name=features.name, k=len(names), chance=1 / len(names), fewest=FEWEST
            ),
            notes=(f"Samples: {sampling_words(subject.sampled_model(), made)}.", *_notes(estimates, len(names))),
            pictures={"samples by class": shown},
        )


def spread_of(features: Tensor, classes: Tensor, n_classes: int) -> Tensor:
    """Returns the root mean square distance of features [N, D] from the mean of their class, class by class [K].

    Rows of class −1 are left out; a class of fewer than five rows has NaN.
    """
    found = torch.full((n_classes,), torch.nan, dtype=torch.float64)
    for k in range(n_classes):
        rows = features[classes == k].double()
        if len(rows) >= FEWEST:
            found[k] = rows.var(dim=0).sum().sqrt()
    return found


def spreads(found: dict[str, Tensor]) -> dict[str, Estimate]:
    """Returns the mean spread of each set and, where there are data, that of samples over theirs, class by class."""
    columns = {f"spread within a class: {name}": values for name, values in found.items()}
    if "held-out data" in found:
        columns["spread within a class: samples over data"] = found["samples"] / found["held-out data"]
    known = {name: values[values.isfinite()] for name, values in columns.items()}
    return {
        name: Estimate(value=float(values.mean()), error=standard_error(values), n=len(values))
        for name, values in known.items()
        if len(values) > 1
    }


ALL = "all classes"


def way_of(model: Any, strength: float) -> tuple[str, dict[str, str], float | None]:
    """Returns how a model is given every class, in words and as `ebmkit.generate` takes it, and at what strength."""
    if takes_label(model):
        return "its label", {LABEL: "all"}, None
    return "its latent", {"latent": "class:all"}, strength or None


def _estimates(column: str, predicted: Tensor, asked: Tensor, names: tuple[str, ...]) -> dict[str, Estimate]:
    better: Better = "higher" if column == "samples" else ""
    shares, counts = accuracies(predicted, asked, len(names))
    known = [(name, share, n) for name, share, n in zip(names, shares, counts, strict=True) if n]
    errors = [share_error(share, n) for _, share, n in known]
    whole = Estimate(
        value=sum(share for _, share, _ in known) / len(known),
        error=sum(error**2 for error in errors) ** 0.5 / len(known),
        n=len(asked),
        better=better,
    )
    each = {
        f"{name}: {column}": Estimate(value=share, error=error, n=n, better=better)
        for (name, share, n), error in zip(known, errors, strict=True)
    }
    return {f"{ALL}: {column}": whole, **each}


def _notes(estimates: dict[str, Estimate], k: int) -> tuple[str, ...]:
    whole = estimates[f"{ALL}: samples"]
    if whole.value > 1 / k + 3 * (whole.error or 0.0):
        return ()
    return (
        "The samples show the class that they were given no more often than by chance: the condition does nothing, or "
        "is too weak (--set metric.conditional.strength for a latent).",
    )


def build_conditional(config: ConditionalConfig, context: BuildContext) -> Conditional:
    """Returns the metric."""
    return Conditional(config=config)
