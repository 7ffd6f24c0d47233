"""From what a checkpoint holds into modules and mappings, and nested tensors under flat names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ebmkit.errors import CheckpointError
from ebmkit.runs.checkpoints.checkpoint import Saved
from ebmkit.training.split import split_like


def weights(saved: Saved, owner: str, *, averaged: bool) -> Mapping[str, Tensor]:
    """Returns the weights of an owner; raises CheckpointError where only their averages were kept."""
    if not averaged and owner not in saved.tensors and f"ema.{owner}" in saved.tensors:
        raise CheckpointError(f"This run holds only the averaged weights of '{owner}': leave averaged=False out.")
    return saved.tensors.get(f"ema.{owner}" if averaged else owner, {})


def take(module: torch.nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Loads weights into a module; raises CheckpointError where they belong to another network."""
    own = module.state_dict()
    try:
        module.load_state_dict({key: split_like(t, own[key]) if key in own else t for key, t in tensors.items()})
    except RuntimeError as error:
        first = "; ".join(str(error).splitlines()[1:3])
        raise CheckpointError(f"The saved weights of '{name}' do not fit this recipe: {first.strip()}") from error


def take_tensors(own: Mapping[str, Tensor], tensors: Mapping[str, Tensor], name: str) -> None:
    """Copies saved tensors into a run's own; raises CheckpointError where names or shapes differ."""
    differing = sorted(
        key for key in own.keys() | tensors.keys()
        if key not in own or key not in tensors or own[key].shape != tensors[key].shape
    )  # fmt: skip
    if differing:
        raise CheckpointError(f"The saved '{name}' does not fit this recipe: {', '.join(differing[:3])}.")
    for key, value in own.items():
        value.copy_(split_like(tensors[key], value))


def flatten(tuning: Mapping[str, Any], prefix: str = "") -> dict[str, Tensor]:
    """Returns nested tensors under dotted names."""
    flat: dict[str, Tensor] = {}
    for key, value in tuning.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def unflatten(flat: Mapping[str, Tensor]) -> dict[str, Any]:
    """Returns the nested mapping of dotted names; raises CheckpointError where one is both value and mapping."""
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        *path, last = key.split(".")
        node = nested
        for part in path:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise CheckpointError(f"The saved tuning holds '{key}' below a value: it is not ours.")
        node[last] = value
    return nested
