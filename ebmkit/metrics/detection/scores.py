"""Values of data that are to be higher out of distribution: their names, and which of them a model has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from ebmkit.errors import CapabilityError, DivergenceError, RecipeError, did_you_mean
from ebmkit.evaluation.clean_energy import in_passes
from ebmkit.metrics.detection import formulas
from ebmkit.metrics.detection.formulas import Asked
from ebmkit.metrics.detection.notes import BASELINE
from ebmkit.metrics.detection.references import Distance, distance_from_gaussian, distance_from_median
from ebmkit.sampling.model import Model

Reference = Literal["", "held-out", "training"]
"""Data that a value is a distance from, if any; held-out ones are not scored themselves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OodScore:
    """A value of each x, higher out of distribution.

    Attributes:
        name: as a person asks for it.
        meaning: its formula, in words.
        unit: of its values.
        raw: of x [N, *event] on the device of the model: [N], or [N, F] what a distance is taken of.
        lacks: the reason why a model has none of it, "" where it has.
        reference: the data that it is a distance from.
        distance: from raw values of the reference to the distance from them, None where the value is the raw one.
        same_order_as: the one that orders data alike, so that its figures of separation are the same numbers; or "".
    """

    name: str
    meaning: str
    unit: str
    raw: Callable[[Asked, Tensor], Tensor]
    lacks: Callable[[Model], str] = formulas.always
    reference: Reference = ""
    distance: Callable[[Tensor], Distance] | None = None
    same_order_as: Callable[[Model], str] = lambda model: ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Values:
    """The values of one name of one model: x [N, *event] on the CPU → [N], float64.

    Attributes:
        asked: what is asked.
        score: which value.
        distance: from its reference, which was measured; None where it has none.
    """

    asked: Asked
    score: OodScore
    distance: Distance | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """Returns the values; raises DivergenceError where one is not finite."""
        raw = _raw(self.asked, self.score, x)
        return raw if self.distance is None else self.distance(raw)


def values_with(asked: Asked, score: OodScore, reference: Callable[[Reference], Tensor]) -> Values:
    """Returns the values of a name, once their reference was measured.

    Args:
        asked: what is asked.
        score: which value.
        reference: gives the data x [M, *event] of a kind of reference; it is asked where the value needs them.

    Raises:
        DataError: there are too few reference data.
        DivergenceError: a value of them is not finite.
    """
    if score.distance is None:
        return Values(asked=asked, score=score)
    raw = _raw(asked, score, reference(score.reference))
    return Values(asked=asked, score=score, distance=score.distance(raw))


def _raw(asked: Asked, score: OodScore, x: Tensor) -> Tensor:
    values = in_passes(partial(score.raw, asked), x, asked.model.device).double()
    bad = int((~torch.isfinite(values).reshape(len(x), -1).all(dim=1)).sum())
    if bad:
        raise DivergenceError(
            f"{score.name} of {bad} of {len(values)} data is not finite: the energy fails there. Take another score."
        )
    return values


def scores_for(model: Model, names: Sequence[str] = ()) -> tuple[tuple[OodScore, ...], tuple[str, ...]]:
    """Returns the values that a model has, and what is to be said of those that are left out.

    Args:
        model: the model.
        names: of those that are asked for; none: all, of two that order data alike one.

    Raises:
        RecipeError: there is none of a name.
        CapabilityError: the model lacks one that was asked for.
    """
    if names:
        return tuple(score_named(model, name) for name in dict.fromkeys(names)), ()
    found, lacking = list[OodScore](), dict[str, list[str]]()
    for score in SCORES.values():
        same = score.same_order_as(model)
        if reason := score.lacks(model) or (f"the same figures as {same}, which orders data alike" * bool(same)):
            lacking.setdefault(reason, []).append(score.name)
        else:
            found.append(score)
    return tuple(found), tuple(f"Left out: {', '.join(those)} ({reason})." for reason, those in lacking.items())


def usual_score(model: Model) -> str:
    """Returns the score that is taken where none is named: of images their features' distance, else the energy.

    An energy of images was seen to tell no other images apart (docs/evaluation.md); one of few dimensions does.
    """
    has_features = len(model.data.event_shape) == 3 and not formulas.lacks_features(model)
    return "feature-distance" if has_features else "energy"


def score_named(model: Model, name: str | None) -> OodScore:
    """Returns the value of a name; None stands for the usual one.

    Raises:
        RecipeError: there is none of that name.
        CapabilityError: the model lacks it.
    """
    name = usual_score(model) if name is None else name
    if name not in SCORES:
        raise RecipeError(f"There is no score '{name}'; known: {', '.join(SCORES)}.{did_you_mean(name, SCORES)}")
    if reason := SCORES[name].lacks(model):
        have = ", ".join(score.name for score in SCORES.values() if not score.lacks(model))
        raise CapabilityError(f"Score '{name}' cannot be had: {reason}. This run has {have}.")
    return SCORES[name]


def _clean_level(model: Model) -> str:
    return "" if formulas.lacks_level(model) else "level-0"


def _plain(model: Model) -> str:
    return _clean_level(model) or "energy"


_ALL = (
    OodScore(name="energy", meaning="E(x) at clean data", unit="nats", raw=formulas.energy,
             same_order_as=_clean_level),
    OodScore(name="level-0", meaning="E(x, 0), the energy at the clean level", unit="nats", raw=formulas.energy,
             lacks=formulas.lacks_level),
    OodScore(name="energy/T", meaning="E(x)/T, −log p(x) up to a constant", unit="nats",
             raw=formulas.energy_in_temperatures, same_order_as=_plain),
    OodScore(name="latent-joint", meaning="E(x) − β·cos(h(x), g(f(x))), the joint energy with the encoder's latent",
             unit="nats", raw=formulas.latent_joint, lacks=formulas.lacks_latent),
    OodScore(name="level-marginal", meaning="−T log Σ_t exp(−E(x, t)/T), the energy of x at whatever level",
             unit="nats", raw=formulas.level_marginal, lacks=formulas.lacks_level),
    OodScore(name="level-ratio", meaning="−log p(t = 0 | x), the density of clean data against that of all levels",
             unit="nats", raw=formulas.level_ratio, lacks=formulas.lacks_level),
    OodScore(name="gradient-norm", meaning="‖∇ₓE(x)‖", unit="nats per data unit", raw=formulas.gradient_norm,
             lacks=formulas.lacks_gradient),
    OodScore(name="typicality", meaning="|E(x)/T − m|, m its median over held-out data that are not scored",
             unit="nats", raw=formulas.energy_in_temperatures, reference="held-out", distance=distance_from_median),
    OodScore(name="feature-distance", meaning="Mahalanobis distance of the energy's features f(x) from those of "
             "training data", unit="s.d.", raw=formulas.features, lacks=formulas.lacks_features, reference="training",
             distance=distance_from_gaussian),
    OodScore(name=BASELINE, meaning="Mahalanobis distance of x itself from training data, a baseline that needs no "
             "model", unit="s.d.", raw=formulas.entries, lacks=formulas.lacks_input, reference="training",
             distance=distance_from_gaussian),
)  # fmt: skip

SCORES: Mapping[str, OodScore] = {score.name: score for score in _ALL}
"""By name."""
