"""Laws of the name that data have in titles."""

from __future__ import annotations

import pytest

from ebmkit.plugins.host import host
from ebmkit.recipes.naming import data_name
from ebmkit.recipes.recipe import Part, Recipe


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (Part("toy", {"density": "rings"}), "toy:rings"),
        (Part("npz", {"path": "somewhere/points.npz"}), "npz:points.npz"),
        (Part("fashion-mini"), "fashion-mini"),
        (Part("array-data", {"given": "a program"}), "array-data"),
    ],
)
def test_data_are_named_as_they_were_asked_for(part: Part, name: str) -> None:
    assert data_name(Recipe(parts={"data": (part,)}), host()) == name
