"""`composition`: samples of two classes composed, and whether a classifier sees what was asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import torch
from torch import Generator, Tensor

from ebmkit.energies.compose import mixture, product
from ebmkit.errors import RecipeError
from ebmkit.evaluation.evaluate import sampling_words
from ebmkit.evaluation.labelled import classes_grid
from ebmkit.evaluation.uncertainty import share_error
from ebmkit.metrics.classes import class_names
from ebmkit.metrics.declarations.conditions import LABEL, CompositionConfig
from ebmkit.metrics.features.sets import features_of
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.metric import Better, Estimate, Measured, Subject
from ebmkit.sampling.compose import Conditioned
from ebmkit.sampling.given import class_index, latent_direction
from ebmkit.sampling.model import Model
from ebmkit.sampling.named import with_named_sampler
from ebmkit.sampling.variants import holding, slower

DEFINITION = (
    "Share of the samples in which the classifier '{name}' sees what was asked for. A and B: the first, the second or "
    "both among the two most likely classes. A or B: the most likely class is the first, the second, one of them. A "
    "not B (weight {weight:g}): the most likely class is A, B is not among the two most likely, both hold. By chance, "
    "all of it: {both:.2g}, {either:.2g}, {without:.2g}. Classes are given as {how}. Error: of the share"
)

N_PAIRS, SHOWN = 2, 10
"""Pairs of classes where none are named; samples of each composition in the picture."""

COLUMNS = ("first", "second", "all of it")


def shown_concepts(op: str, logits: Tensor, first: int, second: int) -> tuple[Tensor, Tensor, Tensor]:
    """Returns [N] bool each: whether the first concept is there, the second, and all that the composition asks.

    Args:
        op: "and", "or", "not".
        logits: [N, K].
        first: class A.
        second: class B.
    """
    best, two = logits.argmax(dim=1), logits.topk(2, dim=1).indices
    among = [(two == k).any(dim=1) for k in (first, second)]
    if op == "and":
        return among[0], among[1], among[0] & among[1]
    if op == "or":
        return best == first, best == second, (best == first) | (best == second)
    return best == first, ~among[1], (best == first) & ~among[1]


def chance(n_classes: int) -> tuple[float, float, float]:
    """Returns how often and, or, not are all there where the classes come in random order.

    >>> chance(4)
    (0.16666666666666666, 0.5, 0.16666666666666666)
    """
    k = n_classes
    return 2 / (k * (k - 1)), 2 / k, (k - 2) / (k * (k - 1))


@dataclass(frozen=True, kw_only=True, slots=True)
class Compositions:
    """Measures samples of pairs of classes."""

    config: CompositionConfig

    def measure(self, subject: Subject) -> Measured:
        """Returns how often each concept of each composition is seen."""
        config, model = self.config, subject.sampled_model()
        features = features_of(subject, config.features)
        names = class_names(features, model.data.class_names, model.data.n_classes)
        estimates: dict[str, Estimate] = {}
        pictures, how = list[tuple[str, Tensor]](), dict[str, None]()
        for first, second in pairs_of(model, config.pairs, subject.rng("pairs of classes")):
            for op in config.ops:
                what = f"{names[first]} {op} {names[second]}"
                whole = composed(model, op, first, second, config.weight, config.strength or None)
                made = subject.generate(config.n, model=whole)
                how[f"Samples of {op}: {sampling_words(model, made)}."] = None
                x = made.x
                estimates |= _estimates(what, shown_concepts(op, features.logits(x), first, second))
                pictures.append((what, x[:SHOWN]))
        both, either, without = chance(len(names))
        definition = DEFINITION.format(
            name=features.name, weight=config.weight, both=both, either=either, without=without,
            how="labels" if _has_label(model) else "latents",
        )  # fmt: skip
        drawn = {"compositions": _picture(pictures, model.data.value_range)}
        return Measured(estimates=estimates, definition=definition, notes=tuple(how), pictures=drawn)


def pairs_of(model: Model, asked: tuple[str, ...], rng: Generator) -> list[tuple[int, int]]:
    """Returns pairs of classes: those that are named, else some of all.

    Raises:
        RecipeError: a pair is not two different classes of the data.
    """
    if not asked:
        every = list(combinations(range(model.data.n_classes), 2))
        return [every[i] for i in torch.randperm(len(every), generator=rng)[:N_PAIRS].tolist()]
    found = []
    for text in asked:
        parts = [part.strip() for part in text.split("+")]
        if len(parts) != 2:
            raise RecipeError(f"metric.composition.pairs: '{text}' is no pair of classes. Write 3+7, or Coat+Bag.")
        first, second = (class_index(model, part, f"metric.composition.pairs: {part}") for part in parts)
        if first == second:
            raise RecipeError(f"metric.composition.pairs: '{text}' is one class twice.")
        found.append((first, second))
    return found


def composed(model: Model, op: str, first: int, second: int, weight: float, strength: float | None = None) -> Model:
    """Returns the model of a composition: of the conditions of one energy by a latent, of its densities by labels.

    With latents, "and" is E(x) − β⟨g, z₁ + z₂⟩ and "not" E(x) − β⟨g, z₁ − w·z₂⟩; with labels, "and" is
    E(x, y₁) + E(x, y₂) and "not" E(x, y₁) − w·E(x, y₂). "or" is the mixture of the two conditioned densities.
    β is the strength, that of training where there is none.
    """
    bare = with_named_sampler(model)
    if _has_label(model):
        values = [torch.tensor(k, device=model.device) for k in (first, second)]
        bare, name = _without_label(bare), LABEL
    else:
        values = [latent_direction(model, f"class:{_spelt(model, k)}", strength) for k in (first, second)]
        name = "latent"

    def given(value: Tensor) -> Any:
        return Conditioned(model.energy, value, name)

    if op == "or":
        whole = mixture(*map(given, values), log_weights=(0.0, 0.0), temperature=model.temperature)
        return replace(bare, energy=whole)
    sign = 1.0 if op == "and" else -weight
    if name == "latent":
        return replace(bare, energy=given(values[0] + sign * values[1]))
    summed = replace(bare, energy=product(*map(given, values), weights=(1.0, sign)))
    return slower(summed, 1 + abs(sign))[0]


def _without_label(model: Model) -> Model:
    """Returns the model without its label, which its conditioned energies hold."""
    others = tuple(coordinate for coordinate in model.coordinates if coordinate.name != LABEL)
    return replace(holding(model, frozenset({LABEL})), coordinates=others)


def _has_label(model: Model) -> bool:
    return any(coordinate.name == LABEL for coordinate in model.coordinates)


def _spelt(model: Model, k: int) -> str:
    """Returns how a class is asked for: by its number, unless a class is called so."""
    return model.data.class_names[k] if str(k) in model.data.class_names else str(k)


def _estimates(what: str, concepts: tuple[Tensor, ...]) -> dict[str, Estimate]:
    def estimate(seen: Tensor, better: Better) -> Estimate:
        share = float(seen.double().mean())
        return Estimate(value=share, error=share_error(share, len(seen)), n=len(seen), better=better)

    return {
        f"{what}: {column}": estimate(seen, "higher" if column == COLUMNS[-1] else "")
        for column, seen in zip(COLUMNS, concepts, strict=True)
    }


def _picture(groups: list[tuple[str, Tensor]], value_range: tuple[float, float] | None) -> Any:
    names = [name for name, x in groups for _ in range(len(x))]
    return classes_grid(torch.cat([x for _, x in groups]), names, value_range)


def build_composition(config: CompositionConfig, context: BuildContext) -> Compositions:
    """Returns the metric."""
    return Compositions(config=config)
