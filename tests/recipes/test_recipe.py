"""A recipe is the same thing as its TOML."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebmkit.errors import RecipeError
from ebmkit.recipes.recipe import (
    LISTS,
    SINGLES,
    Part,
    Recipe,
    from_mapping,
    from_toml,
    parse_override,
    read_recipe,
    to_toml,
)
from ebmkit.recipes.stage import OF_STAGE, Stage
from ebmkit.recipes.tables import TABLES

names = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)
scalars = st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars | st.none(),
    lambda inner: (
        st.lists(inner.filter(lambda v: v is not None), max_size=3)
        | st.lists(inner.filter(lambda v: v is not None), max_size=3).map(tuple)
        | st.dictionaries(st.text(), inner, max_size=2)
    ),
    max_leaves=4,
)
tables_of_values = st.dictionaries((names | st.text()).filter(lambda key: key != "use"), values, max_size=3)
parts = st.builds(Part, names | st.text(), tables_of_values)


stages = st.builds(
    Stage,
    name=names,
    settings=st.fixed_dictionaries({"steps": st.integers(1, 9)}, optional={"batch_size": st.integers(1, 9)}),
    parts=st.dictionaries(st.sampled_from(OF_STAGE), parts.map(lambda part: (part,))),
    optim=st.dictionaries(names | st.text(), tables_of_values, max_size=2),
)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    singles = draw(st.dictionaries(st.sampled_from(SINGLES), parts.map(lambda part: (part,))))
    lists = draw(st.dictionaries(st.sampled_from(LISTS), st.lists(parts, max_size=3).map(tuple)))
    tables = draw(st.dictionaries(st.sampled_from(sorted(TABLES)), tables_of_values))
    optim = draw(st.dictionaries(names | st.text(), tables_of_values, max_size=2))
    followed = draw(st.lists(stages, max_size=2, unique_by=lambda stage: stage.name).map(tuple))
    is_resolved = draw(st.booleans())
    return Recipe(parts={**singles, **lists}, tables=tables, optim=optim, resolved=is_resolved, stages=followed)


@given(recipes())
@settings(max_examples=50)
def test_a_recipe_survives_its_toml(recipe: Recipe) -> None:
    text = to_toml(recipe)
    assert from_toml(text) == recipe
    assert to_toml(from_toml(text)) == text


def test_lists_are_written_as_a_table_each() -> None:
    text = to_toml(Recipe(parts={"sampler": (Part("augment"), Part("sgld", {"moves": 3}))}))
    assert text == '[[sampler]]\nuse = "augment"\n\n[[sampler]]\nuse = "sgld"\nmoves = 3\n'


def test_none_is_left_out_and_tuples_are_lists() -> None:
    recipe = Recipe(parts={"energy": (Part("mlp", {"widths": (8, 8), "head": None}),), "wrapper": ()})
    assert recipe.part("energy").settings == {"widths": [8, 8]}
    assert recipe == from_mapping({"energy": {"use": "mlp", "widths": (8, 8), "head": None}})
    assert recipe.with_table("run", temperature=1.0).with_table("run", temperature=None).tables == {"run": {}}


def test_a_recipe_does_not_change_with_what_it_was_made_of() -> None:
    widths = [8]
    part = Part("mlp", {"widths": widths})
    widths.append(9)
    assert part.settings == {"widths": [8]}


def test_overrides_are_not_lost_silently() -> None:
    with pytest.raises(RecipeError, match=r"sampler\.moves"):
        to_toml(Recipe(overrides=(("sampler.moves", 3),)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = ", "mine is not valid TOML"),
        ("[enrgy]", "no table 'enrgy'. Did you mean 'energy'?"),
        ("[energy]", '[energy] needs use = "NAME"'),
        ("[energy]\nuse = 3", '[energy] needs use = "NAME"'),
        ("energy = 'mlp'", "[energy] must be a table, found 'mlp'"),
        ("sampler = ['sgld']", "[sampler] must be a table, found 'sgld'"),
        ("[[energy]]\nuse = 'mlp'", "a run has one energy: write [energy]"),
        ("[[run]]\nsteps = 3", "[run] must be a table"),
        ("[optim]\nlr = 1.0", "[optim.lr] must be a table, found 1.0"),
        ("optim = 3", "[optim] must be a table"),
        ("resolved = 'yes'", "resolved is true or false, found 'yes'"),
    ],
)
def test_wrong_recipes_name_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        from_toml(text, "mine")
    assert str(caught.value).startswith("mine")
    assert said in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path / "latin.toml")
    (tmp_path / "good.toml").write_text("[run]\nsteps = 3\n")
    assert read_recipe(tmp_path / "good.toml").table("run").steps == 3


def test_tables_are_validated_where_they_are_asked_for() -> None:
    recipe = from_toml("[run]\nstepz = 3\n[optim.energy]\nlr = -1.0\n")
    with pytest.raises(RecipeError, match=r"\[run\] has no setting 'stepz'. Did you mean 'steps'"):
        recipe.table("run")
    with pytest.raises(RecipeError, match=r"\[optim.energy\]: lr: .*greater than 0, found -1"):
        recipe.owner("energy")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sampler.moves=60", ("sampler.moves", 60)),
        ("sampler . moves = 60", ("sampler.moves", 60)),
        ("run.temperature=5e-9", ("run.temperature", 5e-9)),
        ("energy.widths=[8, 8]", ("energy.widths", [8, 8])),
        ("energy.labels=true", ("energy.labels", True)),
        ("sampler.augment.preset=weak", ("sampler.augment.preset", "weak")),
        ('data.root="a = b"', ("data.root", "a = b")),
        ("data.root=/a=b", ("data.root", "/a=b")),
        ("data.root=", ("data.root", "")),
        ("data.root=1\nx = 2", ("data.root", "1\nx = 2")),
    ],
)
def test_overrides_are_toml_values_else_text(text: str, expected: tuple[str, Any]) -> None:
    assert parse_override(text) == expected


@pytest.mark.parametrize("text", ["sampler.moves", "moves=3", "=3", ".moves=3", "sampler.=3", "sampler..moves=3"])
def test_what_is_no_override(text: str) -> None:
    with pytest.raises(RecipeError, match=r"write table\.setting=value"):
        parse_override(text)


@given(names, names, st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False))
def test_an_override_is_read_back(table: str, setting: str, value: Any) -> None:
    written = str(value).lower() if isinstance(value, bool) else repr(value)
    assert parse_override(f"{table}.{setting}={written}") == (f"{table}.{setting}", value)
