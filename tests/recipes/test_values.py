"""A recipe of a stranger holds no more text, depth or digits than any recipe has use for."""

from __future__ import annotations

import pytest

from ebmkit.errors import RecipeError
from ebmkit.recipes.recipe import from_mapping, from_toml, parse_override


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[run]\nsteps = " + "9" * 5_000, "not valid TOML"),
        ("[run]\nsteps = " + "9" * 100, "whole number of 333 bits"),
        ("x = " + "[" * 1_000 + "]" * 1_000, "nested too deep"),
        ("[energy]\nuse = 'mlp'\nwidths = " + "[" * 30 + "]" * 30, "nested too deep"),
        ("# " + "x" * 2**20, "longer than 1,048,576 characters"),
    ],
)
def test_a_recipe_is_refused_in_one_message(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        from_toml(text)


def test_a_mapping_is_held_to_the_same() -> None:
    with pytest.raises(RecipeError, match="whole number of 65 bits"):
        from_mapping({"run": {"steps": 2**64}})


def test_settings_are_held_to_the_same() -> None:
    assert parse_override("run.device=" + "[" * 5_000)[1] == "[" * 5_000  # no value, so it is text
    assert parse_override("run.steps=" + "9" * 5_000)[1] == "9" * 5_000
    with pytest.raises(RecipeError, match=r"--set run\.steps holds a whole number"):
        parse_override("run.steps=" + "9" * 40)
