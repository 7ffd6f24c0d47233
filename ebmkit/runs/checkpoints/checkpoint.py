"""Checkpoints: safetensors and JSON, written aside and renamed into place, so that none is ever half there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ebmkit.errors import CheckpointError, RunError
from ebmkit.plain_files import read_json, remove, write_new
from ebmkit.processes import ALONE, World
from ebmkit.runs.checkpoints.packed import unpacked
from ebmkit.runs.files.seal import Seal, as_seals, damage, is_self_sealed, seal, self_sealed
from ebmkit.runs.files.whole import aside, written_whole

FORMAT, VERSION = "ebmkit-checkpoint", 3
KEYS = {"step", "files", "data", "beside", "alarms"}
ASIDE = "damaged-"
"""How the name of a damaged checkpoint begins, once a run has gone on without it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """One checkpoint.

    Attributes:
        step: training steps made.
        tensors: file name → tensors: owner, "ema.OWNER", "optim.OWNER", and where there are chains "buffer", "tuning".
        data: what is known of the data set (event shape, value range, classes), so that a run can be loaded without it.
        beside: what the other files of the run were then, by name.
        alarms: what the alarms of the run knew then, as JSON.
        names: of all files of tensors that it has, of which not all need be read.
        stage: that made the step; "" in a run without stages.
    """

    step: int
    tensors: Mapping[str, Mapping[str, Tensor]]
    data: Mapping[str, Any]
    beside: Mapping[str, Seal] = field(default_factory=dict)
    alarms: Mapping[str, Any] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    stage: str = ""


def save(directory: Path, saved: Saved, keep: int, also: Collection[int] = (), world: World = ALONE) -> Path:
    """Writes `directory/step-NNNNNNNN` and removes all but the newest `keep`, and those of the steps in `also`.

    Of several processes the first one does; the others call `save_share` at the same time.

    Raises:
        RunError: the disk is full or cannot be written; older checkpoints stay as they were.
    """
    final = directory / f"step-{saved.step:08d}"
    try:
        with written_whole(final) as fresh:
            fresh.mkdir(parents=True)
            world.wait()
            files = _all_written(fresh, saved.tensors)
            for said in world.said_by_all("{}")[1:]:
                files |= as_seals(json.loads(said))
            write_new(fresh / "state.json", json.dumps(_state(saved, files), indent=1))
        others = [path for path in checkpoints(directory) if path == final or step_of(path) not in also]
        for old in others[:-keep]:
            remove(old)
    except (OSError, SafetensorError) as error:
        raise RunError(
            f"The checkpoint of step {saved.step} could not be written to {directory}: {error}. "
            "Free some space and resume; earlier checkpoints are untouched."
        ) from error
    world.wait()
    return final


def save_share(directory: Path, step: int, tensors: Mapping[str, Mapping[str, Tensor]], world: World) -> None:
    """Writes what a process that is not the first has of its own, into the checkpoint that the first one writes.

    Raises:
        RunError: the folder is not there, as where the processes see different disks, or nothing can be written.
    """
    fresh = aside(directory / f"step-{step:08d}")
    world.wait()
    try:
        files = _all_written(fresh, tensors)
    except (OSError, SafetensorError) as error:
        raise RunError(
            f"Process {world.rank} could not write its share of the checkpoint of step {step} to {directory}: {error}. "
            "All processes of a run write into one directory: it must be on a disk that all of them see."
        ) from error
    world.said_by_all(json.dumps(files))
    world.wait()


def _all_written(folder: Path, tensors: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Seal]:
    return {name: _written(folder / f"{name}.safetensors", own) for name, own in tensors.items()}


def _written(path: Path, tensors: Mapping[str, Tensor]) -> Seal:
    """Writes tensors; those that share memory with others, as tied weights, are written apart."""
    taken, apart = set[int](), dict[str, Tensor]()
    for name, tensor in tensors.items():
        own = tensor.detach().cpu().contiguous()
        memory = own.untyped_storage()
        alone = memory.nbytes() == own.nbytes and memory.data_ptr() not in taken
        apart[name] = own if alone else own.clone()
        taken.add(memory.data_ptr())
    save_file(apart, path)
    return seal(path)


def _state(saved: Saved, files: Mapping[str, Seal]) -> dict[str, Any]:
    stage = {"stage": saved.stage} if saved.stage else {}
    return self_sealed(
        {
            "format": FORMAT, "version": VERSION, "step": saved.step, "files": dict(sorted(files.items())),
            "data": saved.data, "beside": dict(saved.beside), "alarms": saved.alarms, **stage,
        }
    )  # fmt: skip


def step_of(path: Path) -> int:
    """Returns the step of a checkpoint by its name, −1 where it has none."""
    number = path.name.removeprefix("step-")
    return int(number) if number.isdecimal() else -1


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


def load(path: Path, wanted: Callable[[str], bool] = lambda name: True) -> Saved:
    """Reads one checkpoint, or of its files those that are wanted.

    Raises:
        CheckpointError: it is damaged, incomplete or not ours.
    """
    state = read_state(path)
    sealed = as_seals(state["files"])
    return Saved(
        step=state["step"],
        tensors={name: _tensors(path / f"{name}.safetensors", own) for name, own in sealed.items() if wanted(name)},
        data=state["data"],
        beside=as_seals(state["beside"]),
        alarms=state["alarms"],
        names=frozenset(sealed),
        stage=state.get("stage", ""),
    )


def read_state(path: Path) -> dict[str, Any]:
    """Returns a checkpoint's JSON; raises CheckpointError where it is damaged or not ours."""
    try:
        state = read_json(path / "state.json")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path / 'state.json'} cannot be read: {error}.") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not a checkpoint of ebmkit.")
    if state.get("version") != VERSION:
        raise CheckpointError(f"{path} has version {state.get('version')}; this ebmkit reads version {VERSION}.")
    for wrong in _damage(state):
        raise CheckpointError(f"{path / 'state.json'} is damaged: {wrong}.")
    return state


def _damage(state: Mapping[str, Any]) -> Iterator[str]:
    if not state.keys() >= KEYS:
        yield f"it lacks {', '.join(sorted(KEYS - state.keys()))}"
        return
    step, data, alarms = state["step"], state["data"], state["alarms"]
    if type(step) is not int or step < 0:
        yield f"step must be a number of steps, found {step!r}"
    for name in ("files", "beside"):
        try:
            as_seals(state[name])
        except ValueError as error:
            yield f"{name}: {error}"
    if strange := [name for name in state["files"] if not re.fullmatch(r"[\w+-][\w.+-]*", name)]:
        yield f"files: {strange[0]!r} is no name of one"
    if not isinstance(state.get("stage", ""), str):
        yield f"stage must be the name of one, found {state['stage']!r}"
    if not isinstance(data, dict) or not isinstance(alarms, dict):
        yield f"data and alarms must be tables, found {data!r} and {alarms!r}"
    if not is_self_sealed(state):
        yield "it is not what was written: its SHA-256 is another"


def _tensors(path: Path, sealed: Seal) -> dict[str, Tensor]:
    wrong = damage(path, sealed)
    if wrong:
        raise CheckpointError(f"{path} is damaged: {wrong}.")
    try:
        return unpacked(load_file(path))
    except (OSError, RuntimeError, SafetensorError) as error:  # safetensors says RuntimeError of a file that went away
        raise CheckpointError(f"{path} is damaged or missing: {error}.") from error
