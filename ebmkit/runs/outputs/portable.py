"""An energy in one file: a program of torch.export that needs no ebmkit, or safetensors with the recipe beside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ebmkit.assembly.context import data_point
from ebmkit.errors import CapabilityError, CheckpointError, RecipeError
from ebmkit.plugins.host import host
from ebmkit.protocols.coordinate import Coordinate
from ebmkit.recipes.recipe import to_toml
from ebmkit.runs.files.environment import origins, versions
from ebmkit.sampling.given import condition
from ebmkit.sampling.model import Model
from ebmkit.views.frozen import FrozenCopy

FORMAT, VERSION = "ebmkit-energy", 1
METADATA = "ebmkit.json"
"""Name of the metadata within an exported program."""


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What is known of an energy in a file.

    Attributes:
        temperature: T of p ∝ exp(−E/T), nats.
        event_shape: of x.
        value_range: of x, None where it is unbounded.
        step: training steps made.
        given: coordinate → what the energy was conditioned on.
        cite: works to cite for it.
        raw: all metadata.
    """

    temperature: float
    event_shape: tuple[int, ...]
    value_range: tuple[float, float] | None
    step: int
    given: Mapping[str, str]
    cite: tuple[str, ...]
    raw: Mapping[str, Any]


class EnergyOfData(nn.Module):
    """E(x) [B], nats, of x [B, *event] in the value range of the data, every coordinate at data or as it was given.

    Attributes:
        about: temperature, event shape and more, where it came out of a file.
    """

    def __init__(
        self, inner: nn.Module, coordinates: tuple[Coordinate, ...] = (), given: Mapping[str, Tensor] | None = None
    ) -> None:
        super().__init__()
        self.inner, self.coordinates = inner, coordinates
        self.names = tuple(given or ())
        self.about: About | None = None
        for name, value in (given or {}).items():
            self.register_buffer(f"given_{name}", value, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the energies [B]."""
        held = {name: self.get_buffer(f"given_{name}") for name in self.names}
        point = data_point(self.coordinates, x)
        rows = {name: value.expand(x.shape[0], *value.shape) for name, value in held.items()}
        energy: Tensor = self.inner(point.with_aux(**rows))
        return energy


class ExportedEnergy(nn.Module):
    """E(x) [B], nats, by a program of torch.export.

    Attributes:
        about: temperature, event shape and more.
    """

    def __init__(self, program: nn.Module, about: About) -> None:
        super().__init__()
        self.program, self.about = program, about

    def forward(self, x: Tensor) -> Tensor:
        """Returns the energies [B] of x [B, *event] in the value range of the data."""
        energy: Tensor = self.program(x)
        return energy


def energy_of_data(model: Model, given: Mapping[str, str] | None = None) -> EnergyOfData:
    """Returns the energy of a model as a function of x alone, its weights constant and folded.

    Raises:
        RecipeError: what is given makes no sense for the model, or x alone leaves a coordinate open.
        CapabilityError: the energy is no module.
    """
    if not isinstance(model.energy, nn.Module):
        raise CapabilityError(f"Only a module can be written to a file; the energy is {type(model.energy).__name__}.")
    held = condition(model, given or {}, None)
    example = torch.zeros(1, *model.data.event_shape, device=model.device)
    open_ones = [c.name for c in model.coordinates if c.name not in {**data_point(model.coordinates, example).aux,
                                                                    **held} and c.n_values]  # fmt: skip
    if open_ones:
        name = open_ones[0]
        raise RecipeError(f"x alone does not say its {name}, and the energy wants one: add --given {name}=VALUE.")
    folded = FrozenCopy(model.energy, "exact").module
    folded._forward_pre_hooks.clear()  # it takes points alone
    return EnergyOfData(folded, model.coordinates, held).eval()


def about(model: Model, given: Mapping[str, str]) -> dict[str, Any]:
    """Returns the metadata of an energy, as JSON values."""
    parts = [host().get(kind, name) for kind, name in dict.fromkeys(model.recipe.named()) if name in host().names(kind)]
    return {
        "format": FORMAT,
        "version": VERSION,
        "temperature": model.temperature,
        "event_shape": list(model.data.event_shape),
        "value_range": None if model.data.value_range is None else list(model.data.value_range),
        "step": model.step,
        "given": dict(given),
        "cite": list(dict.fromkeys(part.cite for part in parts if part.cite)),
        "data": model.data.as_json(),
        "recipe": to_toml(model.recipe),
        "parts": origins(model.recipe),
        "versions": versions(),
    }


def read_about(text: str, path: Path) -> About:
    """Returns what metadata say; raises CheckpointError where they are not ours."""
    try:
        raw = json.loads(text)
        if raw["format"] != FORMAT or raw["version"] != VERSION:
            raise ValueError(f"format {raw['format']}, version {raw['version']}")
        value_range = raw["value_range"]
        return About(
            temperature=raw["temperature"],
            event_shape=tuple(raw["event_shape"]),
            value_range=None if value_range is None else (value_range[0], value_range[1]),
            step=raw["step"],
            given=raw["given"],
            cite=tuple(raw["cite"]),
            raw=raw,
        )
    except (ValueError, LookupError, TypeError) as error:
        raise CheckpointError(f"{path} is no energy that `ebmkit export` wrote: {error}.") from error
