"""Settings are validated strictly, and an error names where, what and what was found."""

from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from annotated_types import Gt, MinLen
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.errors import PluginError, RecipeError
from ebmkit.recipes.counts import MOST
from ebmkit.recipes.settings import as_toml, settings_of, validated, written
from ebmkit.recipes.tables import RunConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Inner:
    rate: float = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    moves: Annotated[int, Gt(0)] = 20
    step: Annotated[float, Gt(0)] | None = None
    widths: Annotated[tuple[int, ...], MinLen(1)] = (8, 8)
    clamp: Literal["auto", "on"] = "auto"
    labels: bool = False
    root: str = ""
    betas: tuple[float, float] = (0.0, 0.9)
    inner: Inner = field(default_factory=Inner)


class Unknown:
    """No type that a recipe could hold."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Required:
    path: str

    def __post_init__(self) -> None:
        if self.path == "ours":
            raise RecipeError("ours is no path")
        if self.path == "theirs":
            raise ValueError("theirs is no path")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"mvoes": 3}, "[x] has no setting 'mvoes'. Did you mean 'moves'? Settings: moves, step,"),
        ({"moves": "3"}, "[x]: moves: Input should be a valid integer, found '3'."),
        ({"moves": True}, "moves: Input should be a valid integer, found True"),
        ({"moves": 2.5}, "moves: Input should be a valid integer"),
        ({"moves": 0}, "moves: Input should be greater than 0, found 0"),
        ({"step": "0.1"}, "step: Input should be a valid number, found '0.1'"),
        ({"step": False}, "step: Input should be a valid number, found False"),
        ({"step": -1.5}, "step: Input should be greater than 0, found -1.5"),
        ({"widths": 8}, "widths: Input should be a valid array, found 8"),
        ({"widths": []}, "widths: Tuple should have at least 1 item"),
        ({"widths": [8, "a"]}, "widths.1: Input should be a valid integer"),
        ({"clamp": "of"}, "clamp: Input should be 'auto' or 'on', found 'of'"),
        ({"labels": 1}, "labels: Input should be a valid boolean, found 1"),
        ({"labels": "true"}, "labels: Input should be a valid boolean"),
        ({"root": 3}, "root: Input should be a valid string, found 3"),
        ({"betas": [0.1]}, "betas.1: Field required"),
        ({"inner": {"rat": 1.0}}, "[x] inner has no setting 'rat'. Did you mean 'rate'?"),
        ({"inner": {"rate": "a"}}, "inner.rate: Input should be a valid number"),
        ({"root": object}, "a recipe cannot hold"),
        ({"moves": 0, "step": -1.5}, "found 0; step: "),
    ],
)
def test_wrong_settings_name_where_what_and_what_was_found(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        validated(Config, settings, "[x]")
    assert said in str(caught.value)


def test_a_config_may_object_itself() -> None:
    with pytest.raises(RecipeError, match="ours is no path"):
        validated(Required, {"path": "ours"}, "[x]")
    with pytest.raises(RecipeError, match=r"\[x\].*theirs is no path"):
        validated(Required, {"path": "theirs"}, "[x]")
    with pytest.raises(RecipeError, match=r"\[x\]: path: .*required"):
        validated(Required, {}, "[x]")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, Config()),
        ({"moves": 1e3, "step": 2}, Config(moves=1000, step=2.0)),
        ({"widths": [3], "betas": (0, 0.5)}, Config(widths=(3,), betas=(0.0, 0.5))),
        ({"step": None, "inner": {"rate": 1}}, Config(inner=Inner(rate=1.0))),
        ({"root": Path("a") / "b", "moves": np.int64(3)}, Config(root="a/b", moves=3)),
    ],
)
def test_what_passes(settings: dict[str, Any], expected: Config) -> None:
    found = validated(Config, settings, "[x]")
    assert found == expected
    assert type(found.moves) is int
    assert found.step is None or type(found.step) is float


@given(
    st.builds(
        Config,
        moves=st.integers(1, MOST),
        step=st.none() | st.floats(0, exclude_min=True, allow_infinity=False),
        widths=st.lists(st.integers(-MOST, MOST), min_size=1).map(tuple),
        root=st.text(),
        inner=st.builds(Inner, rate=st.floats(allow_nan=False)),
    )
)
def test_a_config_survives_its_settings(config: Config) -> None:
    assert validated(Config, settings_of(config), "[x]") == config


def test_plain_values_are_those_of_toml() -> None:
    assert as_toml({"a": None, "b": (1, (2,)), "c": {"d": None, "e": Path("x")}}) == {"b": [1, [2]], "c": {"e": "x"}}
    assert written({"head": "linear", "widths": (1, 2)}) == "head = 'linear', widths = [1, 2]"
    with pytest.raises(RecipeError, match="Setting 'f': a recipe cannot hold"):
        as_toml({"f": print})


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_a_setting_is_finite(value: float) -> None:
    with pytest.raises(RecipeError, match="temperature must be a finite number"):
        validated(RunConfig, {"temperature": value}, "[run]")


def test_a_config_with_a_type_that_is_not_there_is_named() -> None:
    """As where a plugin imports it for type checkers alone."""
    config = make_dataclass("Unfinished", [("where", "Nowhere", None)], frozen=True)
    with pytest.raises(PluginError, match=r"buffer mine: a type that .*Unfinished names cannot be found: import it"):
        validated(config, {}, "buffer mine")


@pytest.mark.parametrize("annotation", [Unknown, "int |"])
def test_a_config_with_a_type_that_no_setting_has_is_named(annotation: Any) -> None:
    config = make_dataclass("Strange", [("what", annotation, None)], frozen=True)
    with pytest.raises(PluginError, match=r"buffer mine: the types of .*Strange are not those of settings: "):
        validated(config, {}, "buffer mine")
