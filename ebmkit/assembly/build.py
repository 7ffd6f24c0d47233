"""From a declaration and a config to a part."""

from __future__ import annotations

from typing import Any

import torch

from ebmkit.assembly.members import check_members
from ebmkit.plugins.context import BuildContext
from ebmkit.plugins.host import host
from ebmkit.plugins.loading import load_build
from ebmkit.protocols.dataset import Dataset
from ebmkit.recipes.recipe import Part
from ebmkit.recipes.settings import validated


def build(kind: str, name: str, /, *, context: BuildContext | None = None, **config: Any) -> Any:
    """Builds one part outside a run.

    Args:
        kind: "energy", "wrapper", "coordinate", "sampler", "buffer", "objective", "dataset" or "metric".
        name: as `ebmkit list` shows it.
        context: what a run would know; without one, 2-D unbounded events at temperature 1 on the CPU.
        **config: settings of its config dataclass.

    Raises:
        RecipeError: an unknown part or setting, or a value out of range.
        CapabilityError: the part cannot work in this context.

    >>> import ebmkit
    >>> ebmkit.build("sampler", "sgld", moves=5).step_size
    0.005
    """
    component = host().get(kind, name)
    settings = validated(component.config, config, f"{kind} {name}")
    return load_build(component)(settings, context or BuildContext())


def build_dataset(part: Part, device: torch.device | str) -> Dataset:
    """Builds the data set of a recipe's `[data]`, for a device."""
    dataset: Dataset = build("dataset", part.use, context=BuildContext(device=device), **part.settings)
    check_members("dataset", part.use, dataset)
    return dataset
