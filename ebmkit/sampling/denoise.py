"""A last step from samples of noisy data to what they are the noisy images of: Tweedie's formula."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.ops.rows import rows_as
from ebmkit.point import Point
from ebmkit.protocols.coordinate import Noising
from ebmkit.sampling.model import Model
from ebmkit.sampling.transitions import Taken
from ebmkit.views.view import view


def tweedie(x: Tensor, score: Tensor, scale: Tensor, sd: Tensor) -> Tensor:
    """Returns E[x₀ | x] = (x + σ²∇log p(x))/a of x = a·x₀ + σ·noise.

    Args:
        x: [B, *event].
        score: ∇log p(x) [B, *event] of the density of noisy x, per unit of x.
        scale: a [B].
        sd: σ [B], units of x.

    Source: Robbins (1956), who gives the formula to Tweedie; Efron (2011).
    """
    return (x + rows_as(sd, x).to(x) ** 2 * score) / rows_as(scale, x).to(x)


def check_noise(model: Model, denoise: bool | float) -> None:
    """Raises CapabilityError or RecipeError where no noise of x is known, or one that cannot be."""
    known = [coordinate.name for coordinate in model.coordinates if isinstance(coordinate, Noising)]
    if isinstance(denoise, bool):
        if not known:
            raise CapabilityError(
                "--denoise takes away a noise of known size, and this run knows of none: it has no noise level. Leave "
                "it out; from Python, denoise=SD says the s.d. of noise that the data were given."
            )
        return
    if not denoise > 0:
        raise RecipeError(f"denoise is a positive s.d., data units; found {denoise}.")
    if known:
        raise RecipeError(f"denoise = {denoise:g}, but the {known[0]} says how noisy x is: write denoise=True.")


def denoised(model: Model, taken: Taken, denoise: bool | float) -> tuple[Taken, float]:
    """Returns chains after the step, which costs a gradient each, and the mean s.d. of their noise, data units.

    Args:
        model: whose coordinates say how noisy x is.
        taken: the chains.
        denoise: True, or the s.d. of the noise where no coordinate knows it, data units.

    Raises:
        CapabilityError: x holds no noise.
    """
    point = taken.point
    scale, sd = _noise(model, point, denoise)
    if not bool((sd > 0).any()):
        raise CapabilityError("--denoise: x at data holds no noise in this run, so there is none to take away.")
    score = -view(model.energy).gradient(point) / model.temperature
    clean = point.replace(x=tweedie(point.x, score, scale, sd))
    for coordinate in model.coordinates:
        clean = coordinate.clean(clean)
    unit = _data_unit(model, clean)
    return replace(taken, point=clean, n_gradients=taken.n_gradients + len(point)), float((sd / scale).mean()) * unit


def _noise(model: Model, point: Point, denoise: bool | float) -> tuple[Tensor, Tensor]:
    ones = torch.ones(len(point), device=point.x.device)
    if not isinstance(denoise, bool):
        return ones, denoise * ones
    return next(coordinate.noise(point) for coordinate in model.coordinates if isinstance(coordinate, Noising))


def _data_unit(model: Model, point: Point) -> float:
    """Returns data units per unit of the chains' x."""
    first = point.map(lambda values: values[:1])
    zero, one = (model.in_data_range(first.replace(x=torch.full_like(first.x, value))) for value in (0.0, 1.0))
    return float((one - zero).flatten()[0])
