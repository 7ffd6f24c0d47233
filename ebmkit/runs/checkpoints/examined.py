"""All sealed files of a run, looked at: what is damaged is named, whether anything would read it or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ebmkit.errors import CheckpointError
from ebmkit.runs.checkpoints.beside import damaged
from ebmkit.runs.checkpoints.checkpoint import checkpoints, read_state
from ebmkit.runs.files.directory import check_is_run
from ebmkit.runs.files.seal import Seal, as_seals, damage


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined:
    """What was found of a run.

    Attributes:
        checkpoints: name → what is wrong with its files; nothing where it is whole.
        beside: what is wrong with other files, as the newest checkpoint that can be read remembers them.
        n_files: files that were looked at, beside the state of each checkpoint, which seals them.
        n_bytes: that they were written with.
    """

    checkpoints: dict[str, tuple[str, ...]]
    beside: tuple[str, ...]
    n_files: int
    n_bytes: int

    @property
    def wrong(self) -> tuple[str, ...]:
        """Everything that is."""
        return (*(line for found in self.checkpoints.values() for line in found), *self.beside)


def examine(directory: Path) -> Examined:
    """Looks at every sealed file of a run, and changes none.

    Raises:
        CheckpointError: the directory holds no run.
    """
    check_is_run(directory)
    of_checkpoints, sealed = dict[str, tuple[str, ...]](), list[Seal]()
    beside = dict[str, Seal]()
    for path in checkpoints(directory / "checkpoints"):
        wrong, seals = _looked_at(path)
        if not path.exists():  # its run has dropped it meanwhile
            continue
        of_checkpoints[path.name] = wrong
        sealed += seals.values()
        beside = _beside(path) or beside
    sealed += (own for own in beside.values() if own.size)
    return Examined(
        checkpoints=of_checkpoints,
        beside=tuple(damaged(directory, beside)),
        n_files=len(sealed),
        n_bytes=sum(own.size for own in sealed),
    )


def tell_damaged_checkpoints(directory: Path, taken: int, note: Callable[[str], None]) -> None:
    """Tells which checkpoints before the one that a run goes on from are damaged."""
    for path in checkpoints(directory / "checkpoints"):
        if path.name < f"step-{taken:08d}" and (wrong := _looked_at(path)[0]):
            note(
                f"Warning: an older checkpoint is damaged: {'; '.join(wrong)}. The run goes on from step {taken}, "
                "which is whole."
            )


def recipe_since(directory: Path, taken: int) -> dict[str, Seal]:
    """Returns the seal of the recipe that later checkpoints hold, damaged ones too: `resume --steps` writes it anew."""
    found = dict[str, Seal]()
    for path in checkpoints(directory / "checkpoints"):
        if path.name > f"step-{taken:08d}":
            found |= {name: own for name, own in _beside(path).items() if name == "recipe.toml"}
    return found


def _looked_at(path: Path) -> tuple[tuple[str, ...], dict[str, Seal]]:
    """Returns what is wrong with a checkpoint, and the seals of its files."""
    try:
        sealed = as_seals(read_state(path)["files"])
    except CheckpointError as error:
        return (str(error).removesuffix("."),), {}
    return tuple(_wrong(path, sealed)), {f"{name}.safetensors": own for name, own in sealed.items()}


def _wrong(path: Path, sealed: dict[str, Seal]) -> Iterator[str]:
    for name, own in sealed.items():
        if found := damage(path / f"{name}.safetensors", own):
            yield f"{path / name}.safetensors: {found}"


def _beside(path: Path) -> dict[str, Seal]:
    """Returns the seals of other files that a checkpoint holds; none where it cannot be read."""
    try:
        return as_seals(read_state(path)["beside"])
    except CheckpointError:
        return {}
