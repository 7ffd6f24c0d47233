"""The files of a run beside its checkpoints, as each checkpoint remembers them: damage to them is told on resuming."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ebmkit.plain_files import opened
from ebmkit.runs.files.seal import Seal, damage, seal

PATTERNS = ("recipe.toml", "environment.json", "samples/[!.]*.png", "evaluation/[!.]*.json", "evaluation/[!.]*.png")
"""Files that do not grow once they are written."""
GROWING = ("tensorboard/events.out.tfevents.*",)
"""Files that do, beside the logs, which know their seals themselves: sealed as far as they went."""
TOLD = 5


class Beside:
    """Knows the seals of files of a run beside its logs; what was read once is not read again where it has not changed.

    Args:
        directory: of the run.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._seen: dict[str, tuple[tuple[int, int], Seal]] = {}
        self._grown: dict[str, Grown] = {}

    def seals(self) -> dict[str, Seal]:
        """Returns what each file is now; raises OSError where one cannot be read."""
        for path in files(self.directory):
            name, about = path.relative_to(self.directory).as_posix(), path.stat()
            mark = (about.st_size, about.st_mtime_ns)
            if name not in self._seen or self._seen[name][0] != mark:
                self._seen[name] = mark, seal(path)
        for path in files(self.directory, GROWING):
            name = path.relative_to(self.directory).as_posix()
            self._grown[name] = (self._grown.get(name) or Grown()).read_on(path)
        found = {name: sealed for name, (_, sealed) in self._seen.items()}
        return dict(sorted((found | {name: grown.seal for name, grown in self._grown.items()}).items()))


class Grown:
    """The seal of a file that grows, of which only what is new is read."""

    def __init__(self) -> None:
        self._sha256, self._size = hashlib.sha256(), 0

    @property
    def seal(self) -> Seal:
        """Of what was read."""
        return Seal(self._size, self._sha256.hexdigest())

    def read_on(self, path: Path) -> Grown:
        """Reads what the file has grown by, and has the disk hold it; one that has shrunk is read anew."""
        with opened(path) as file:
            if os.fstat(file.fileno()).st_size < self._size:
                return Grown().read_on(path)
            os.fsync(file.fileno())
            file.seek(self._size)
            while block := file.read(2**20):
                self._sha256.update(block)
                self._size += len(block)
        return self


def files(directory: Path, patterns: Sequence[str] = PATTERNS) -> Iterator[Path]:
    """Yields the files of a run with such names, those that do not grow where none are given."""
    for pattern in patterns:
        yield from (path for path in directory.glob(pattern) if path.is_file() and not path.is_symlink())


def without_logs(sealed: Mapping[str, Seal]) -> dict[str, Seal]:
    """Returns the seals of all files but the logs: those are looked at when they are opened."""
    return {name: own for name, own in sealed.items() if not name.endswith(".jsonl")}


def damaged(directory: Path, sealed: Mapping[str, Seal]) -> Iterator[str]:
    """Yields path and damage of each file that a checkpoint remembers and that is no longer what it was."""
    for name, own in sealed.items():
        if ".." in Path(name).parts or Path(name).is_absolute():
            continue
        if not own.size and not (directory / name).exists():  # nothing was ever written to it
            continue
        grows = name.endswith(".jsonl") or name.startswith("tensorboard/")
        if found := damage(directory / name, own, grows=grows):
            yield f"{directory / name}: {found}"


def tell_damage(directory: Path, sealed: Mapping[str, Seal], step: int, note: Callable[[str], None]) -> None:
    """Tells which of the files that a checkpoint remembers are no longer what they were."""
    wrong = list(damaged(directory, sealed))
    if wrong:
        more = f"; and {len(wrong) - TOLD} more" if len(wrong) > TOLD else ""
        note(
            f"Warning: since the checkpoint of step {step} was written, files of this run were damaged or changed; "
            f"{'; '.join(wrong[:TOLD])}{more}. The run goes on with what they hold now."
        )


def drop_later(directory: Path, step: int) -> None:
    """Removes pictures and evaluations of later steps, from which a run went back; raises OSError where it cannot."""
    for pattern in ("samples/*-????????.png", "evaluation/step-????????*"):
        for path in directory.glob(pattern):
            number = next((part for part in path.stem.split("-") if len(part) == 8 and part.isdecimal()), "")
            if number and int(number) > step:
                path.unlink()
