"""What a run is about to write can be read back: found out before the first step, and not after the last."""

from __future__ import annotations

import json

from ebmkit.assembly.assemble import Assembly
from ebmkit.data.spec import DataSpec
from ebmkit.errors import CheckpointError, DataError, RecipeError
from ebmkit.recipes.recipe import from_toml, to_toml


def check_reads_back(assembly: Assembly) -> None:
    """Raises DataError or RecipeError where facts of the data, or the recipe, could not be read back from their files.

    Such as the name of a class that is no UTF-8: a folder on Linux can have one.
    """
    for name in assembly.data.class_names:
        if not _is_text(name):
            raise DataError(f"The class {name!r} has a name that is no UTF-8, and cannot be kept: rename its folder.")
    try:
        again = DataSpec.from_json(json.loads(json.dumps(assembly.data.as_json())))
    except (CheckpointError, TypeError, ValueError) as error:
        raise DataError(f"What the data set says of itself cannot be kept: {error}") from error
    if repr(again) != repr(assembly.data):
        raise DataError(f"What the data set says of itself is {assembly.data}, and reads back as {again}.")
    text = to_toml(assembly.recipe)
    if not _is_text(text):
        wrong = next(line for line in text.splitlines() if not _is_text(line))
        raise RecipeError(f"The recipe holds a text that is no UTF-8, and cannot be kept: {wrong!r}. Rename that file.")
    if to_toml(from_toml(text)) != text:
        raise RecipeError("The recipe would read back as another one: a setting of it cannot be written as TOML.")


def _is_text(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
