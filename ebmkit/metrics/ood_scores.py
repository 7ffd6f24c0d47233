"""Values of data that are to be higher out of distribution: what a model can say of an x, one number each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ebmkit.data.spec import DataSpec
from ebmkit.errors import CapabilityError, DivergenceError, RecipeError, did_you_mean
from ebmkit.evaluation.clean_energy import CleanEnergy, choices, in_passes
from ebmkit.protocols.coordinate import Coordinate
from ebmkit.protocols.energy import abilities_of, levels_of, values_of
from ebmkit.protocols.guided import Encodes
from ebmkit.sampling.model import Model

LATENT_BETA = 0.1
"""β of the joint energy at test, nats: that of the reference code of Lee et al. (2023); training has .01."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What values are asked of.

    Attributes:
        model: the model.
        energy: E(x) at clean data.
        beta: β of `latent-joint`, nats.
    """

    model: Model
    energy: CleanEnergy
    beta: float = LATENT_BETA


@dataclass(frozen=True, kw_only=True, slots=True)
class OodScore:
    """A value of each x, higher out of distribution.

    Attributes:
        name: as a person asks for it.
        meaning: its formula, in words.
        unit: of its values.
        values: of x [N, *event] on the device of the model: [N].
        lacks: the reason why a model has none of it, "" where it has.
        centred: its values count as distances from their median over calibration data.
        same_order_as: the one that orders data alike, so that its figures of separation are the same numbers; or "".
    """

    name: str
    meaning: str
    unit: str
    values: Callable[[Asked, Tensor], Tensor]
    lacks: Callable[[Model], str]
    centred: bool = False
    same_order_as: Callable[[Model], str] = lambda model: ""


def score_values(asked: Asked, score: OodScore, x: Tensor) -> Tensor:
    """Returns the values [N], float64 on the CPU, of x [N, *event]; those of a centred one before they are centred.

    Raises:
        DivergenceError: a value is not finite.
    """
    values = in_passes(partial(score.values, asked), x, asked.model.device).double()
    bad = int((~torch.isfinite(values)).sum())
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
    found, notes = [], []
    for score in SCORES.values():
        if reason := score.lacks(model):
            notes.append(f"{score.name} is left out: {reason}.")
        elif same := score.same_order_as(model):
            notes.append(f"{score.name} orders data as {same} does, so its figures are those of {same}.")
        else:
            found.append(score)
    return tuple(found), tuple(notes)


def score_named(model: Model, name: str) -> OodScore:
    """Returns the value of a name; raises RecipeError where there is none, CapabilityError where a model lacks it."""
    if name not in SCORES:
        raise RecipeError(f"There is no score '{name}'; known: {', '.join(SCORES)}.{did_you_mean(name, SCORES)}")
    if reason := SCORES[name].lacks(model):
        have = ", ".join(score.name for score in SCORES.values() if not score.lacks(model))
        raise CapabilityError(f"Score '{name}' cannot be had: {reason}. This run has {have}.")
    return SCORES[name]


def noise_level(model: Model) -> Coordinate | None:
    """Returns the coordinate that takes x away from data and back, all of whose energies the model gives, if any."""
    abilities = abilities_of(model.energy)
    levels = (c for c in model.coordinates if c.leaves_data and c.noises_x and levels_of(c.name) in abilities)
    return next(levels, None)


def encoder_of(model: Model) -> Encodes | None:
    """Returns the objective that says what the latent of data is, None where there is none."""
    return next((o for o in model.objectives.values() if isinstance(o, Encodes)), None)


def _energy(asked: Asked, x: Tensor) -> Tensor:
    return asked.energy(x)


def _energy_in_temperatures(asked: Asked, x: Tensor) -> Tensor:
    return asked.energy(x) / asked.model.temperature


def _latent_joint(asked: Asked, x: Tensor) -> Tensor:
    encoder = encoder_of(asked.model)
    assert encoder is not None
    (point,) = asked.energy.points(x)
    values = values_of(asked.energy.energy, point, "energy", "latent")
    cosine = (values["latent"].double() * encoder.encode(x).double()).sum(dim=1)
    return values["energy"].double() - asked.beta * cosine


def _gradient_norm(asked: Asked, x: Tensor) -> Tensor:
    norms: Tensor = asked.energy.gradient(x).double().flatten(1).norm(dim=1)
    return norms


def _levels(asked: Asked, x: Tensor) -> tuple[Tensor, Tensor]:
    """Returns E(x, 0)/T [N], and log Σ_t exp(−E(x, t)/T) [N]."""
    level = noise_level(asked.model)
    assert level is not None
    (point,) = asked.energy.points(x)
    name = levels_of(level.name)
    scaled = values_of(asked.energy.energy, point.without(level.name), name)[name].double() / asked.model.temperature
    return scaled.gather(1, point.aux[level.name][:, None])[:, 0], torch.logsumexp(-scaled, dim=1)


def _marginal(asked: Asked, x: Tensor) -> Tensor:
    return -asked.model.temperature * _levels(asked, x)[1]


def _not_clean(asked: Asked, x: Tensor) -> Tensor:
    clean, log_sum = _levels(asked, x)
    return clean + log_sum


def _always(model: Model) -> str:
    return ""


def _no_level(model: Model) -> str:
    if noise_level(model) is None:
        return "the run has no noise level all of whose energies it gives"
    return "the run has labels beside its noise level" if len(choices(model.coordinates)) > 1 else ""


def _no_latent(model: Model) -> str:
    if "latent" not in abilities_of(model.energy) or encoder_of(model) is None:
        return "it needs an energy with a latent, and an objective that encodes"
    return "the run has labels beside its latent" if len(choices(model.coordinates)) > 1 else ""


def _no_gradient(model: Model) -> str:
    data: DataSpec = model.data
    return "x is discrete, so there is no gradient in it" if data.x_values != "real" else ""


def _clean_level(model: Model) -> str:
    return "" if _no_level(model) else "level-0"


def _plain(model: Model) -> str:
    return _clean_level(model) or "energy"


_ALL = (
    OodScore(name="energy", meaning="E(x) at clean data", unit="nats", values=_energy, lacks=_always,
             same_order_as=_clean_level),
    OodScore(name="level-0", meaning="E(x, 0), the energy at the clean level", unit="nats", values=_energy,
             lacks=_no_level),
    OodScore(name="energy/T", meaning="E(x)/T, −log p(x) up to a constant", unit="nats",
             values=_energy_in_temperatures, lacks=_always, same_order_as=_plain),
    OodScore(name="latent-joint", meaning="E(x) − β·cos(h(x), g(f(x))), the joint energy with the encoder's latent",
             unit="nats", values=_latent_joint, lacks=_no_latent),
    OodScore(name="level-marginal", meaning="−T log Σ_t exp(−E(x, t)/T), the energy of x at whatever level",
             unit="nats", values=_marginal, lacks=_no_level),
    OodScore(name="level-ratio", meaning="−log p(t = 0 | x), the density of clean data against that of all levels",
             unit="nats", values=_not_clean, lacks=_no_level),
    OodScore(name="gradient-norm", meaning="‖∇ₓE(x)‖", unit="nats per data unit", values=_gradient_norm,
             lacks=_no_gradient),
    OodScore(name="typicality", meaning="|E(x)/T − m|, m its median over held-out data that are not scored",
             unit="nats", values=_energy_in_temperatures, lacks=_always, centred=True),
)  # fmt: skip

SCORES: Mapping[str, OodScore] = {score.name: score for score in _ALL}
"""By name."""
