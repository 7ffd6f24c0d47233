"""From a declaration and a config to a part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, overload

import torch

from ebmkit.assembly.checks import check_traits
from ebmkit.assembly.members import check_members
from ebmkit.assembly.memory import within_memory
from ebmkit.display.doing import doing
from ebmkit.errors import RecipeError
from ebmkit.plugins.component import Component
from ebmkit.plugins.context import BuildContext
from ebmkit.plugins.host import host
from ebmkit.plugins.loading import load_build
from ebmkit.protocols.dataset import Dataset
from ebmkit.recipes.declared import declaration_of
from ebmkit.recipes.recipe import Part
from ebmkit.recipes.resolver.choice import settled
from ebmkit.recipes.settings import given, validated
from ebmkit.training.checker.streams import own_stream_only

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SEEDED = (
    "Initialise it as the run's seed says: put `with ebmkit.seeded(context.seed):` around what draws, on the "
    "CPU, and move it to the device afterwards."
)
"""What a part is to do whose weights come from a global random stream."""


@overload
def build(kind: str, name: str, /, *, context: BuildContext | None = None, **settings: Any) -> Any: ...
@overload
def build(part: DataclassInstance, /, *, context: BuildContext | None = None) -> Any: ...


def build(
    kind: str | DataclassInstance, name: str = "", /, *, context: BuildContext | None = None, **settings: Any
) -> Any:
    """Builds one part outside a run.

    Args:
        kind: "energy", "wrapper", "coordinate", "sampler", "buffer", "objective", "dataset", "metric" or "observer"; or
            the settings of a part, `ebmkit.samplers.Mala(step_size=0.1)`, which say what it is.
        name: as `ebmkit list` shows it.
        context: what a run would know; without one, 2-D unbounded events at temperature 1 on the CPU.
        **settings: of its config dataclass; none beside settings as an object.

    Raises:
        RecipeError: an unknown part or setting, or a value out of range.
        CapabilityError: the part cannot work in this context.
        PluginError: a sampler was built that does something else than its declaration says, or a part drew from a
            global random stream while it was built.

    >>> import ebmkit
    >>> ebmkit.build("sampler", "sgld", moves=5).step_size
    0.005
    >>> ebmkit.build(ebmkit.samplers.Sgld(moves=5)).step_size
    0.005
    """
    if isinstance(kind, str):
        component = host().get(kind, name)
    else:
        component = host().component_of(None, kind)
        _check_alone(kind, name, settings)
        settings = given(kind, f"{component.kind} {component.name}")
    return build_component(component, settings, context or BuildContext())


def build_component(component: Component, settings: Mapping[str, object], context: BuildContext) -> Any:
    """Builds the part of a declaration, known to the host or not; as `build`."""
    config = validated(component.config, settings, f"{component.kind} {component.name}")
    who = f"{component.kind.capitalize()} '{component.name}', while it was built,"
    with own_stream_only(who, SEEDED, of_torch_alone=True), within_memory(who):
        built = load_build(component)(config, context)
    if component.kind == "sampler":
        selection = context.selection()
        check_traits(built, component.traits_of(settled(config, selection), selection), component.name)
    return built


def build_part(kind: str, part: Part, context: BuildContext, **changes: Any) -> Any:
    """Builds a part of a recipe, with some settings changed; one that a program handed over is taken as it is.

    Raises:
        RecipeError, CapabilityError, PluginError: as `build`; the part was handed over and is not here.
    """
    if part.built is not None:
        return part.built
    return build_component(declaration_of(kind, part, host()), {**part.settings, **changes}, context)


def _check_alone(config: DataclassInstance, name: str, settings: Mapping[str, object]) -> None:
    if name or settings:
        more = ", ".join(filter(None, [name, *settings]))
        raise RecipeError(
            f"{config!r} holds all settings of its part, but {more} was given beside it. Set it in there."
        )


def build_dataset(part: Part, device: torch.device | str) -> Dataset:
    """Builds the data set of a recipe's `[data]`, for a device."""
    doing(f"reading the data {part.use}")
    dataset: Dataset = build_part("dataset", part, BuildContext(device=device))
    check_members("dataset", part.use, dataset)
    return dataset
