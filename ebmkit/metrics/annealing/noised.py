"""The law of data at the last noise level: its Gaussian, and how far it is from it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ebmkit.errors import CapabilityError
from ebmkit.evaluation.uncertainty import standard_error
from ebmkit.ops.laws import Gaussian, Mixture, fitted
from ebmkit.point import Point
from ebmkit.protocols.coordinate import Coordinate, Noising
from ebmkit.protocols.energy import abilities_of, levels_of
from ebmkit.sampling.model import Model


@dataclass(frozen=True, kw_only=True, slots=True)
class Between:
    """A number that two estimates hold between them, one below and one above in expectation.

    Attributes:
        lower: the one below.
        lower_error: its standard error.
        upper: the one above.
        upper_error: its standard error.
    """

    lower: float
    lower_error: float
    upper: float
    upper_error: float


def noise_levels_of(model: Model) -> Coordinate:
    """Returns the coordinate whose values are the noise levels of a joint model, the clean one first.

    Raises:
        CapabilityError: there is none, or its energies or its noise are not known.
    """
    for coordinate in model.coordinates:
        if coordinate.noises_x and coordinate.n_values and coordinate.leaves_data:
            _check(model, coordinate)
            return coordinate
    raise CapabilityError(
        f"The likelihood in one pass needs a joint model of x and a discrete noise level; {model.name} has none. "
        "Metric ais needs none."
    )


def noise_at(coordinate: Coordinate, value: int) -> tuple[float, float]:
    """Returns (a, s) of x_t = a x₀ + s ε at a value of a coordinate that says its noise.

    Raises:
        CapabilityError: it does not.
    """
    if not isinstance(coordinate, Noising):
        raise CapabilityError(
            f"Coordinate '{coordinate.name}' does not say its noise (`noise`): its law at the last value is not known. "
            "Metric ais needs no levels."
        )
    at = Point(x=torch.zeros(1, 1), aux={coordinate.name: torch.tensor([value])})
    scale, spread = (float(found[0]) for found in coordinate.noise(at))
    return scale, spread


def gaussian_at(x: Tensor, coordinate: Coordinate, value: int) -> Gaussian:
    """Returns the Gaussian with the moments of data x [N, *event], as chains hold them, at a level."""
    scale, spread = noise_at(coordinate, value)
    return fitted(x, scale=scale, spread=spread)


def kl_from_gaussian(
    train: Tensor, held: Tensor, gaussian: Gaussian, noise: tuple[float, float], rng: Generator
) -> Between:
    """Returns KL(q ‖ Gaussian), nats, of the law q of a x + s ε, between two estimates.

    q is a mixture of one Gaussian for each datum. With y drawn from held-out data, E log q̂(y) is below E log q(y) where
    q̂ is the mixture of the training data, by KL(q ‖ q̂); and above where it is that of the same held-out data, since
    entropy is concave.

    Args:
        train: x [N, *event], as chains hold it.
        held: [M, *event], likewise.
        gaussian: of the training data at the level.
        noise: (a, s).
        rng: of ε, on the device of x.
    """
    scale, spread = noise
    own, seen = held.flatten(1).double(), train.flatten(1).double()
    y = scale * own + spread * torch.randn(own.shape, generator=rng, device=own.device, dtype=own.dtype)
    plain = gaussian.log_prob(y.view(held.shape))
    below, above = (
        Mixture(centres=scale * centres, sd=torch.tensor(spread)).log_prob(y) - plain for centres in (seen, own)
    )
    return Between(
        lower=float(below.mean()), lower_error=standard_error(below),
        upper=float(above.mean()), upper_error=standard_error(above),
    )  # fmt: skip


def _check(model: Model, coordinate: Coordinate) -> None:
    if levels_of(coordinate.name) not in abilities_of(model.energy):
        raise CapabilityError(
            f"The energy of {model.name} does not give those of all values of '{coordinate.name}', so the joint is "
            "not over them. Metric ais needs no levels."
        )
    if noise_at(coordinate, (coordinate.n_values or 1) - 1)[1] <= 0:
        raise CapabilityError(f"The last value of '{coordinate.name}' adds no noise, so its law is no near-Gaussian.")
