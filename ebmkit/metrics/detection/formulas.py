"""What a model can say of an x: the formulas behind out-of-distribution values, and when a model lacks one."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from ebmkit.energies.probe import length_of
from ebmkit.evaluation.clean_energy import CleanEnergy, choices
from ebmkit.metrics.detection.references import TRAINING
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
        beta: β of `latent_joint`, nats.
    """

    model: Model
    energy: CleanEnergy
    beta: float = LATENT_BETA


def energy(asked: Asked, x: Tensor) -> Tensor:
    """Returns E(x) [N], nats."""
    return asked.energy(x)


def energy_in_temperatures(asked: Asked, x: Tensor) -> Tensor:
    """Returns E(x)/T [N], nats."""
    return asked.energy(x) / asked.model.temperature


def latent_joint(asked: Asked, x: Tensor) -> Tensor:
    """Returns E(x) − β·cos(h(x), g(f(x))) [N], nats (Lee, Jeong, Park, Shin, ICLR 2023)."""
    encoder = encoder_of(asked.model)
    assert encoder is not None
    (point,) = asked.energy.points(x)
    values = values_of(asked.energy.energy, point, "energy", "latent")
    cosine = (values["latent"].double() * encoder.encode(x).double()).sum(dim=1)
    return values["energy"].double() - asked.beta * cosine


def gradient_norm(asked: Asked, x: Tensor) -> Tensor:
    """Returns ‖∇ₓE‖ [N], nats per data unit (Grathwohl et al., ICLR 2020, their approximate mass, negated)."""
    norms: Tensor = asked.energy.gradient(x).double().flatten(1).norm(dim=1)
    return norms


def features(asked: Asked, x: Tensor) -> Tensor:
    """Returns f(x) [N, F], what the energy is computed from."""
    (point,) = asked.energy.points(x)
    return values_of(asked.energy.energy, point, "features")["features"]


def entries(asked: Asked, x: Tensor) -> Tensor:
    """Returns x [N, entries] itself: what a baseline without the model sees."""
    return x.flatten(1)


def level_marginal(asked: Asked, x: Tensor) -> Tensor:
    """Returns −T log Σ_t exp(−E(x, t)/T) [N], nats."""
    return -asked.model.temperature * _levels(asked, x)[1]


def level_ratio(asked: Asked, x: Tensor) -> Tensor:
    """Returns −log p(t = 0 | x) [N], nats.

    It is a likelihood ratio of the density of clean data and the sum of those of all levels, noised ones among them: in
    the spirit of Ren et al., NeurIPS 2019, whose background model is one of noised data.
    """
    clean, log_sum = _levels(asked, x)
    return clean + log_sum


def _levels(asked: Asked, x: Tensor) -> tuple[Tensor, Tensor]:
    """Returns E(x, 0)/T [N], and log Σ_t exp(−E(x, t)/T) [N]."""
    level = noise_level(asked.model)
    assert level is not None
    (point,) = asked.energy.points(x)
    name = levels_of(level.name)
    scaled = values_of(asked.energy.energy, point.without(level.name), name)[name].double() / asked.model.temperature
    return scaled.gather(1, point.aux[level.name][:, None])[:, 0], torch.logsumexp(-scaled, dim=1)


def noise_level(model: Model) -> Coordinate | None:
    """Returns the coordinate that takes x away from data and back, all of whose energies the model gives, if any."""
    abilities = abilities_of(model.energy)
    levels = (c for c in model.coordinates if c.leaves_data and c.noises_x and levels_of(c.name) in abilities)
    return next(levels, None)


def encoder_of(model: Model) -> Encodes | None:
    """Returns the objective that says what the latent of data is, None where there is none."""
    return next((o for o in model.objectives.values() if isinstance(o, Encodes)), None)


def always(model: Model) -> str:
    """Returns "": nothing is lacking."""
    return ""


def lacks_level(model: Model) -> str:
    """Returns why there are no values of a noise level, "" where there are."""
    if noise_level(model) is None:
        return "the run has no noise level all of whose energies it gives"
    return _labelled(model, "noise level")


def lacks_latent(model: Model) -> str:
    """Returns why there is no joint energy with a latent, "" where there is."""
    if "latent" not in abilities_of(model.energy) or encoder_of(model) is None:
        return "it needs an energy with a latent, and an objective that encodes"
    return _labelled(model, "latent")


def lacks_gradient(model: Model) -> str:
    """Returns why there is no gradient in x, "" where there is."""
    return "x is discrete, so there is no gradient in it" if model.data.x_values != "real" else ""


def lacks_features(model: Model) -> str:
    """Returns why there are no features whose covariance the training data tell, "" where there are."""
    if "features" not in abilities_of(model.energy):
        return "it needs an energy with features"
    if labels := _labelled(model, "features"):
        return labels
    return _too_many(length_of(model.energy, "features", model.context()), "features", model)


def lacks_input(model: Model) -> str:
    """Returns why the training data do not tell the covariance of x, "" where they do."""
    return _too_many(prod(model.data.event_shape), "entries of x", model)


def _too_many(n: int, what: str, model: Model) -> str:
    found = min(model.data.n_data, TRAINING)
    return f"the covariance of {n:,} {what} needs more than {found:,} training data" if found <= n else ""


def _labelled(model: Model, what: str) -> str:
    return f"the run has labels beside its {what}" if len(choices(model.coordinates)) > 1 else ""
