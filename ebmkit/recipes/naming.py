"""What the data of a recipe are called in titles."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from ebmkit.plugins.host import Host
from ebmkit.recipes.recipe import Recipe


def data_name(recipe: Recipe, host: Host) -> str:
    """Returns the data set as `--data` names it, with the last part of a path alone: "toy:rings", "npz:points.npz".

    Data that a program handed over have the name of their kind: "array-data".
    """
    part = recipe.part("data")
    if "given" in part.settings:
        return part.use
    settings = fields(host.get("dataset", part.use).config)
    argument = part.settings.get(settings[0].name, "") if settings else ""
    is_telling = isinstance(argument, str) and argument not in ("", "train")
    return f"{part.use}:{Path(argument).name}" if is_telling else part.use
