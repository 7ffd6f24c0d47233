"""`--out`: whether a file can be written there, told before anything is computed. Imports no torch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ebmkit.errors import RecipeError


def check_out(out: Path, suffixes: Sequence[str]) -> None:
    """Raises RecipeError where no file of these kinds can be written."""
    if out.is_dir():
        raise RecipeError(f"--out {out} is a folder: name a file.")
    if out.suffix not in suffixes:
        *first, last = suffixes
        kinds = f"{', '.join(first)} or {last}" if first else last
        raise RecipeError(f"--out {out}: the file must end in {kinds}, found '{out.suffix}'.")
    if not out.parent.is_dir():
        raise RecipeError(f"--out {out}: there is no folder {out.parent}. Make it first.")
    if not os.access(out.parent, os.W_OK):
        raise RecipeError(f"--out {out}: nothing can be written to the folder {out.parent.resolve()}. Name another.")
