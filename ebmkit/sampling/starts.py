"""Where the chains of a model start: at the prior, or at x that somebody gives."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from ebmkit.assembly.context import data_point
from ebmkit.buffers.declarations import AT_DATA
from ebmkit.errors import RecipeError
from ebmkit.plugins.component import Selection
from ebmkit.plugins.host import host
from ebmkit.point import Point
from ebmkit.prior import Fresh
from ebmkit.recipes.declared import declaration_of
from ebmkit.recipes.settings import validated
from ebmkit.sampling.model import Model


def fresh_chains(model: Model, n: int, rng: Generator, given: Mapping[str, Tensor]) -> Point:
    """Returns n chains from the prior that generation starts from, which hold what is given, row by row.

    Where there are more or fewer rows than chains, they are spread evenly.
    """
    return Fresh(model.context())(n, rng, "generation").with_aux(**_rows(model, n, given))


def started(model: Model, chains: Point, x: Tensor, given: Mapping[str, Tensor]) -> Point:
    """Returns the chains at x [B, *event] of data, with the coordinates that data have and what is given."""
    clean = data_point(model.coordinates, x.to(chains.x))
    return chains.replace(x=clean.x).with_aux(**clean.aux).with_aux(**_rows(model, len(chains), given))


def check_starts(start: Tensor | None, n: int, event_shape: tuple[int, ...]) -> None:
    """Raises RecipeError where x to start from is not one finite event for each of n chains."""
    if start is None:
        return
    if tuple(start.shape) != (n, *event_shape):
        raise RecipeError(
            f"{n} chains of x {list(event_shape)} were asked for, and start has shape {list(start.shape)}: give it "
            f"as {[n, *event_shape]}."
        )
    if not bool(torch.isfinite(start).all()):
        raise RecipeError("start holds values that are not finite: chains cannot start there.")


def never_saw_noise(model: Model) -> str:
    """Returns what is to be said of chains that start from noise where those of training started at data, or ""."""
    if any(coordinate.leaves_data for coordinate in model.coordinates):
        return ""
    for part in model.recipe.parts.get("buffer", ()):
        component = declaration_of("buffer", part, host())
        config = validated(component.config, part.settings, f"buffer {part.use}")
        if AT_DATA in component.ask("gives", config, Selection()):
            return (
                f"Chains of training started at data (buffer {part.use}) and never saw the noise that these started "
                "from: the energy was not taught there, and few moves do not reach data. Start them at data "
                "(model.sample(n, start=x)), give them more transitions, or go on training with --buffer replay."
            )
    return ""


def _rows(model: Model, n: int, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.to(model.device)[torch.arange(n) * len(value) // n] for name, value in given.items()}
