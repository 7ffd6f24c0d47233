"""A recipe that others use says who looks after it and when it last ran; a run does not take that over."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from ebmkit.errors import RecipeError
from ebmkit.recipes.about import AboutConfig, Said, said_by
from ebmkit.recipes.recipe import from_toml, to_toml
from ebmkit.recipes.settings import validated

ROOT = Path(__file__).parents[2]
SHIPPED = sorted([*ROOT.glob("plugins/*/src/*/recipes/*.toml"), *ROOT.glob("ebmkit/recipes/shipped/*.toml")])
PLAIN = '# Rings. Slow.\n\n[energy]\nuse = "mlp"\n\n[data]\nuse = "toy"\n'
ABOUT = '[about]\nmaintainer = "Ann Other <ann@example.org>"\nlast_green = 2026-01-02\nversion = "1"\nran = "all"\n'


@pytest.fixture(scope="module")
def green() -> ModuleType:
    """The program that runs the shipped recipes."""
    sys.path.insert(0, str(ROOT / "docs"))
    spec = importlib.util.spec_from_file_location("green_recipes", ROOT / "docs" / "green_recipes.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(ROOT / "docs"))
    return module


def about(text: str) -> AboutConfig:
    return validated(AboutConfig, tomllib.loads(text)["about"], "[about]")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_recipe_names_its_maintainer_and_the_day_on_which_it_last_ran(path: Path) -> None:
    found = about(path.read_text(encoding="utf-8"))
    assert found.maintainer
    assert found.last_green is not None, "run: python docs/green_recipes.py"
    assert found.last_green <= datetime.now(UTC).date() + timedelta(days=1)  # a clock may be a day ahead
    assert re.search(r"ebmkit-core \d", found.version) and re.search(r"torch \d", found.version)
    assert found.ran


def test_there_is_a_cut_of_every_shipped_recipe(green: ModuleType) -> None:
    assert SHIPPED
    assert {path.stem for path in SHIPPED} == set(green.planned())


def test_the_run_does_not_take_it_over() -> None:
    assert from_toml(PLAIN + ABOUT) == from_toml(PLAIN)
    assert "about" not in to_toml(from_toml(PLAIN + ABOUT))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('maintainr = "Ann"', "Did you mean 'maintainer'?"),
        ('last_green = "yesterday"', "last_green"),
        ("maintainer = 3", "maintainer"),
    ],
)
def test_what_it_cannot_hold_is_refused(wrong: str, said: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(said)):
        from_toml(f"{PLAIN}[about]\n{wrong}\n", "mine.toml")
    with pytest.raises(RecipeError, match=re.escape("mine.toml: [about] must be a table")):
        from_toml("about = 3", "mine.toml")


@pytest.mark.parametrize("text", ["", "x = (", "about = 3", PLAIN, "[[about]]\n"])
def test_a_list_of_recipes_shows_what_there_is(text: str) -> None:
    said = said_by(text)
    assert (said.maintainer, said.last_green) == ("", "")
    assert said_by(PLAIN + ABOUT) == Said("Rings.", "Ann Other <ann@example.org>", "2026-01-02")


def test_the_program_puts_a_new_day_and_leaves_the_rest(green: ModuleType) -> None:
    first = green.dated(PLAIN, "2026-03-04", "ebmkit-core 2")
    assert about(first).maintainer == "The ebmkit authors"
    assert first.replace(green.entry("2026-03-04", "ebmkit-core 2", "The ebmkit authors"), "") == PLAIN
    again = green.dated(first.replace("The ebmkit authors", "Ann"), "2027-05-06", "ebmkit-core 3")
    assert (about(again).maintainer, str(about(again).last_green), about(again).version) == (
        "Ann",
        "2027-05-06",
        "ebmkit-core 3",
    )
    assert from_toml(again) == from_toml(PLAIN)
    assert again.count("[about]") == 1


def test_a_recipe_that_fails_keeps_its_day(
    green: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in SHIPPED}
    monkeypatch.setattr(green, "COMPONENTS", ())
    monkeypatch.setattr(green, "ran", lambda planned: "DivergenceError: step 3")
    monkeypatch.setattr(sys, "argv", ["green_recipes.py", "da-rings", "clel-fashion"])
    assert green.main() == 1
    assert capsys.readouterr().out.count("DivergenceError: step 3") == 2
    assert before == {path: path.read_bytes() for path in SHIPPED}
