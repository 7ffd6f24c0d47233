"""From a declaration and a config to a part."""

from __future__ import annotations

from typing import Any

import torch

from ebmkit.assembly.checks import check_traits
from ebmkit.assembly.members import check_members
from ebmkit.plugins.context import BuildContext
from ebmkit.plugins.host import host
from ebmkit.plugins.loading import load_build
from ebmkit.protocols.dataset import Dataset
from ebmkit.recipes.recipe import Part
from ebmkit.recipes.resolver.choice import settled
from ebmkit.recipes.settings import validated
from ebmkit.training.checker.streams import own_stream_only

SEEDED = (
    "Initialise it as the run's seed says: put `with ebmkit.seeded(context.seed):` around what draws, on the "
    "CPU, and move it to the device afterwards."
)
"""What a part is to do whose weights come from a global random stream."""


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
        PluginError: a sampler was built that does something else than its declaration says, or a part drew from a
            global random stream while it was built.

    >>> import ebmkit
    >>> ebmkit.build("sampler", "sgld", moves=5).step_size
    0.005
    """
    component = host().get(kind, name)
    settings = validated(component.config, config, f"{kind} {name}")
    context = context or BuildContext()
    with own_stream_only(f"{kind.capitalize()} '{name}', while it was built,", SEEDED):
        built = load_build(component)(settings, context)
    if kind == "sampler":
        selection = context.selection()
        check_traits(built, component.traits_of(settled(settings, selection), selection), name)
    return built


def build_dataset(part: Part, device: torch.device | str) -> Dataset:
    """Builds the data set of a recipe's `[data]`, for a device."""
    dataset: Dataset = build("dataset", part.use, context=BuildContext(device=device), **part.settings)
    check_members("dataset", part.use, dataset)
    return dataset
