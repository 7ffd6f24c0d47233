"""Where the files of a published data set may lie."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ebmkit.errors import DataError

VARIABLE = "EBMKIT_DATA"


def search_places(name: str, root: str) -> tuple[Path, ...]:
    """Returns the folders to search for a set: root where given, else below $EBMKIT_DATA and ./data."""
    if root:
        return (Path(root).expanduser(),)
    shared = os.environ.get(VARIABLE, "")
    below = (Path(shared).expanduser() / name, Path(shared).expanduser()) if shared else ()
    return (*below, Path("data") / name)


def find_files(
    name: str, root: str, layouts: Sequence[Sequence[str]], *, advice: str, suffixes: tuple[str, ...] = ("",)
) -> tuple[Path, ...]:
    """Returns the files of the first layout that is complete in one folder; folders go before layouts.

    Args:
        name: of the data set.
        root: the folder that the user named, or "".
        layouts: alternative sets of files, each complete in itself, as paths below a folder.
        advice: where to get the files.
        suffixes: endings that a file may have beyond its name, the preferred one first.

    Raises:
        DataError: no layout is complete; it says what was looked for, where, and what was there.
    """
    places = search_places(name, root)
    for place in places:
        for layout in layouts:
            files = [_existing(place / file, suffixes) for file in layout]
            found = tuple(file for file in files if file is not None)
            if len(found) == len(layout):
                return found
    ending = "".join(f"[{suffix}]" for suffix in suffixes if suffix)
    wanted = ", or ".join(" + ".join(f"{file}{ending}" for file in layout) for layout in layouts)
    raise DataError(
        f"Data set '{name}' needs {wanted}. Searched: {'; '.join(_findings(p, layouts, suffixes) for p in places)}. "
        f"{advice} Put the files into one of these folders, set {VARIABLE} to a folder that holds '{name}', "
        f"or write --data {name}:FOLDER."
    )


def _existing(file: Path, suffixes: tuple[str, ...]) -> Path | None:
    candidates = (file.with_name(file.name + suffix) for suffix in suffixes)
    return next((path for path in candidates if path.is_file()), None)


def _findings(place: Path, layouts: Sequence[Sequence[str]], suffixes: tuple[str, ...]) -> str:
    if not place.is_dir():
        return f"{place} ({'not a folder' if place.exists() else 'no such folder'})"
    there = {file for layout in layouts for file in layout if _existing(place / file, suffixes) is not None}
    return f"{place} (has {', '.join(sorted(there)) or 'none of them'})"
