"""The files of a run beside its checkpoints, as each checkpoint remembers them: damage to them is told on resuming."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ebmkit.runs.files.seal import Seal, damage, seal

PATTERNS = ("recipe.toml", "environment.json", "samples/[!.]*.png", "evaluation/[!.]*.json", "evaluation/[!.]*.png")
"""Files that do not grow once they are written."""
TOLD = 5


class Beside:
    """Knows the seals of files of a run that do not grow; each is read once, and again if it has changed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._seen: dict[str, tuple[tuple[int, int], Seal]] = {}

    def seals(self) -> dict[str, Seal]:
        """Returns what each file is now; raises OSError where one cannot be read."""
        for path in files(self.directory):
            name, about = path.relative_to(self.directory).as_posix(), path.stat()
            mark = (about.st_size, about.st_mtime_ns)
            if name not in self._seen or self._seen[name][0] != mark:
                self._seen[name] = mark, seal(path)
        return {name: sealed for name, (_, sealed) in sorted(self._seen.items())}


def files(directory: Path) -> Iterator[Path]:
    """Yields the files of a run that do not grow."""
    for pattern in PATTERNS:
        yield from (path for path in directory.glob(pattern) if path.is_file() and not path.is_symlink())


def without_logs(sealed: Mapping[str, Seal]) -> dict[str, Seal]:
    """Returns the seals of files that do not grow: those that do are looked at when they are opened."""
    return {name: own for name, own in sealed.items() if not name.endswith(".jsonl")}


def tell_damage(directory: Path, sealed: Mapping[str, Seal], step: int, note: Callable[[str], None]) -> None:
    """Tells which of the files that a checkpoint remembers are no longer what they were."""
    mine = {name: own for name, own in sealed.items() if ".." not in Path(name).parts and not Path(name).is_absolute()}
    wrong = [f"{directory / name}: {found}" for name, own in mine.items() if (found := damage(directory / name, own))]
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
