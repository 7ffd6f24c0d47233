"""The files of a data set as a run was begun with them: what has changed since is told on resuming."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ebmkit.errors import DataError
from ebmkit.plain_files import read_json
from ebmkit.protocols.dataset import Dataset
from ebmkit.runs.files.seal import Seal, as_seals, seal_of

MOST_BYTES = 2**32
"""Of all files together, up to which they are read; of larger sets, the sizes of the files are remembered alone."""
MOST_FILES = 20_000
"""Beyond them, as in a folder of as many pictures, only the first so many are remembered."""
UNREAD = ""
"""Stands for the digest of a file that was not read."""
TOLD = 5


def data_seals(dataset: Dataset) -> dict[str, Seal]:
    """Returns what the files of a data set are now, by their names below the folder that all of them share.

    Raises:
        DataError: one cannot be read.
    """
    paths = _named(files_of(dataset))
    try:
        total = sum(path.stat().st_size for path in paths.values())
        return {name: _seal(path, read=total <= MOST_BYTES) for name, path in paths.items()}
    except OSError as error:
        raise DataError(f"A file of the data cannot be read again: {error}.") from error


def files_of(dataset: Dataset) -> Sequence[Path]:
    """Returns the files that a data set was read from; none where it does not say so."""
    found = getattr(dataset, "files", ())
    if not isinstance(found, tuple) or not all(isinstance(path, Path) for path in found):
        return ()  # a set of a program's own, which calls something else so
    return found[:MOST_FILES]


def other_data(directory: Path, dataset: Dataset) -> str:
    """Returns what is no longer as it was of the files that a run was begun with, "" where all is."""
    try:
        begun = as_seals(read_json(directory / "environment.json").get("data", {}))
    except (OSError, ValueError, AttributeError):
        return ""  # what is wrong with that file is told by others
    wrong = list(_differing(begun, _named(files_of(dataset))))
    if not wrong:
        return ""
    more = f"; and {len(wrong) - TOLD} more" if len(wrong) > TOLD else ""
    return (
        f"Warning: data of this run were damaged or changed since it began; {'; '.join(wrong[:TOLD])}{more}. It goes "
        "on with what they hold now, so it is another run from here on."
    )


def _differing(begun: Mapping[str, Seal], now: Mapping[str, Path]) -> Iterator[str]:
    for name, then in begun.items():
        if name not in now:
            yield f"{name}: it is gone"
            continue
        try:
            found = _seal(now[name], read=then.sha256 != UNREAD)
        except OSError as error:
            yield f"{now[name]}: {error}"
            continue
        if found.size != then.size:
            yield f"{now[name]}: it holds {found.size:,} bytes, and held {then.size:,}"
        elif found.sha256 != then.sha256:
            yield f"{now[name]}: its SHA-256 is another"
    if begun:
        yield from (f"{path}: it is new" for name, path in now.items() if name not in begun)


def _seal(path: Path, *, read: bool) -> Seal:
    if not read:
        return Seal(path.stat().st_size, UNREAD)
    with path.open("rb") as file:  # it may be a link: it is the user's own
        return seal_of(file)


def _named(paths: Sequence[Path]) -> dict[str, Path]:
    """Returns each path by its name below the folder that all share: a set that was moved is the same."""
    if not paths:
        return {}
    shared = os.path.commonpath([path.absolute().parent for path in paths])
    return {path.absolute().relative_to(shared).as_posix(): path for path in paths}
