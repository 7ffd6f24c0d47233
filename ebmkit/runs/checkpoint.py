"""Checkpoints: safetensors and JSON, written aside and renamed into place, so that none is ever half there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ebmkit.errors import CheckpointError, RunError
from ebmkit.plain_files import opened, read_json, remove, write_new
from ebmkit.runs.packed import unpacked
from ebmkit.runs.whole import written_whole

FORMAT, VERSION = "ebmkit-checkpoint", 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """One checkpoint.

    Attributes:
        step: training steps made.
        tensors: file name → tensors: owner, "ema.OWNER", "optim.OWNER", and where there are chains "buffer", "tuning".
        data: what is known of the data set (event shape, value range, classes), so that a run can be loaded without it.
    """

    step: int
    tensors: Mapping[str, Mapping[str, Tensor]]
    data: Mapping[str, Any]


def save(directory: Path, saved: Saved, keep: int) -> Path:
    """Writes `directory/step-NNNNNNNN` and removes all but the newest `keep`.

    Raises:
        RunError: the disk is full or cannot be written; older checkpoints stay as they were.
    """
    final = directory / f"step-{saved.step:08d}"
    state = {
        "format": FORMAT, "version": VERSION, "step": saved.step, "files": sorted(saved.tensors), "data": saved.data,
    }  # fmt: skip
    try:
        with written_whole(final) as fresh:
            fresh.mkdir(parents=True)
            for name, tensors in saved.tensors.items():
                save_file(
                    {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()},
                    fresh / f"{name}.safetensors",
                )
            write_new(fresh / "state.json", json.dumps(state, indent=1))
    except (OSError, SafetensorError) as error:
        raise RunError(
            f"The checkpoint of step {saved.step} could not be written to {directory}: {error}. "
            "Free some space and resume; earlier checkpoints are untouched."
        ) from error
    for old in checkpoints(directory)[:-keep]:
        remove(old)
    return final


def checkpoints(directory: Path) -> list[Path]:
    """Returns the finished checkpoints of a run, oldest first."""
    return sorted(path for path in directory.glob("step-*") if path.is_dir() and not path.is_symlink())


def latest(run_directory: Path) -> Path:
    """Returns the newest checkpoint of a run; raises CheckpointError where there is none."""
    found = checkpoints(run_directory / "checkpoints")
    if not found:
        raise CheckpointError(
            f"{run_directory} has no finished checkpoint (looked in {run_directory / 'checkpoints'}). "
            f"`ebmkit resume {run_directory}` starts the run over."
        )
    return found[-1]


def load(path: Path) -> Saved:
    """Reads one checkpoint.

    Raises:
        CheckpointError: it is damaged, incomplete or not ours.
    """
    state = read_state(path)
    return Saved(
        step=state["step"],
        tensors={name: _tensors(path / f"{name}.safetensors") for name in state["files"]},
        data=state["data"],
    )


def read_state(path: Path) -> dict[str, Any]:
    """Returns a checkpoint's JSON; raises CheckpointError where it is damaged or not ours."""
    try:
        state = read_json(path / "state.json")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path / 'state.json'} cannot be read: {error}. {_instead(path)}") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT or not {"step", "files", "data"} <= state.keys():
        raise CheckpointError(f"{path} is not a checkpoint of ebmkit. {_instead(path)}")
    if state.get("version") != VERSION:
        raise CheckpointError(f"{path} has version {state.get('version')}; this ebmkit reads version {VERSION}.")
    for wrong in _damage(state):
        raise CheckpointError(f"{path / 'state.json'} is damaged: {wrong}. {_instead(path)}")
    return state


def _damage(state: Mapping[str, Any]) -> Iterator[str]:
    step, files, data = state["step"], state["files"], state["data"]
    if type(step) is not int or step < 0:
        yield f"step must be a number of steps, found {step!r}"
    if not isinstance(files, list) or not all(isinstance(name, str) for name in files):
        yield f"files must be a list of names, found {files!r}"
    elif strange := [name for name in files if not re.fullmatch(r"[\w+-][\w.+-]*", name)]:
        yield f"{strange[0]!r} is no name of a file of it"
    if not isinstance(data, dict):
        yield f"data must be a table, found {data!r}"


def _instead(path: Path) -> str:
    return f"Remove {path} to use the one before."


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        with opened(path):  # or an error, where it is no plain file
            return unpacked(load_file(path))
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} is damaged or missing: {error}. {_instead(path.parent)}") from error


def weights(saved: Saved, owner: str, *, averaged: bool) -> Mapping[str, Tensor]:
    """Returns the weights of an owner; raises CheckpointError where only their averages were kept."""
    if not averaged and owner not in saved.tensors and f"ema.{owner}" in saved.tensors:
        raise CheckpointError(f"This run holds only the averaged weights of '{owner}': leave averaged=False out.")
    return saved.tensors.get(f"ema.{owner}" if averaged else owner, {})


def take(module: torch.nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Loads weights into a module; raises CheckpointError where they belong to another network."""
    try:
        module.load_state_dict(dict(tensors))
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
        value.copy_(tensors[key])


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
