"""The data set of a model that is judged: handed over, or built from its recipe."""

from __future__ import annotations

from typing import Any

import torch

from ebmkit.assembly.build import build_dataset
from ebmkit.data.given import given_data
from ebmkit.errors import DataError
from ebmkit.protocols.dataset import Dataset
from ebmkit.sampling.model import Model


def data_of(model: Model, device: torch.device | str) -> Dataset:
    """Returns the data set of the recipe of a model; raises DataError where a program handed it over and it is gone."""
    part = model.recipe.part("data")
    if part.built is None and "given" in part.settings:
        raise DataError(
            f"The data of {model.name} were handed over by a program, and are not in its directory. From Python, load "
            "it with ebmkit.load(DIR, given={'data': x}), or give them: ebmkit.evaluate(run, data=x), "
            "ebmkit.detector(run, x=…)."
        )
    return build_dataset(part, device)


def data_given(model: Model, x: Any) -> Dataset:
    """Returns what was handed over, as `ebmkit.fit` takes it, as a data set; raises DataError where it does not fit."""
    found, data = given_data(x, device=model.device, value_range=model.data.value_range), model.data
    if (tuple(found.event_shape), found.x_values) != (tuple(data.event_shape), data.x_values):
        raise DataError(
            f"{model.name} knows {data.x_values} x of shape {list(data.event_shape)}; found {found.x_values} x of "
            f"shape {list(found.event_shape)}."
        )
    return found
