"""`list`, `show`, `recipes`, `plugins`, `cite`."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from ebmkit import Component, hookimpl
from ebmkit.plugins.host import Host, host
from ebmkit.samplers.declarations.langevin import SgldConfig

RECIPE = '# A small one of s.d. 0.1. With a second sentence.\n[energy]\nuse = "mlp"\n[data]\nuse = "toy"\n'


@pytest.fixture
def shipped() -> None:
    """A plugin with a part and recipes."""
    part = Component(kind="energy", name="ring", build="no:where", summary="a [long] " + "story " * 40, cite="A; B")
    recipes = {"small": RECIPE, "gone": "no-such-file.toml"}
    module = SimpleNamespace(ebmkit_components=hookimpl(lambda: [part]), ebmkit_recipes=hookimpl(lambda: recipes))
    host().add_plugin("ring", "ebmkit-ring 1.0", lambda: module)


def test_list_is_never_truncated_in_a_pipe(cli, shipped) -> None:
    out = cli("list").out
    assert "a [long] " + "story " * 39 in out
    assert "ebmkit-ring 1.0" in out
    assert "\x1b" not in out
    assert len(out.splitlines()) == 1 + sum(1 for _ in host().all())


def test_list_of_a_kind(cli) -> None:
    lines = cli("list", "sampler").out.splitlines()
    assert lines[0].split() == ["kind", "name", "summary", "from"]
    assert lines[1:]
    assert all(line.startswith("sampler") for line in lines[1:])
    cli("list", "samplers").refuses("Did you mean 'sampler'?")


def test_list_of_a_kind_of_which_there_is_none_says_so(cli) -> None:
    assert cli("list", "observer").out.startswith("No observer is installed")


def test_show_names_every_setting(cli) -> None:
    out = cli("show", "sgld").out
    for name in SgldConfig.__dataclass_fields__:
        assert f"    {name} = " in out
    assert "moves = 20    (int > 0, ≤ 1,000,000)" in out
    assert "noises x." in out  # the last line of a meaning that goes over two
    assert "Welling" in out
    assert "sampler.tail" in out


def test_show_of_a_recipe_is_its_text(cli, shipped) -> None:
    assert cli("show", "small").out == RECIPE


def test_unknown_names_get_a_hint(cli, shipped) -> None:
    cli("show", "sgdl").refuses("Did you mean 'sgld'?")
    cli("cite", "smal").refuses("Did you mean 'small'?")
    cli("lst").refuses("list")


def test_recipes_say_what_they_are(cli, shipped) -> None:
    gone, small = (line for line in cli("recipes").out.splitlines() if line.endswith("ebmkit-ring 1.0"))
    assert gone.startswith("gone")
    assert "cannot be read" in gone
    assert small.split() == ["small", "unknown", "A", "small", "one", "of", "s.d.", "0.1.", "ebmkit-ring", "1.0"]


def test_recipes_say_who_looks_after_them_and_when_they_last_ran(cli) -> None:
    text = f'{RECIPE}[about]\nmaintainer = "Ann"\nlast_green = 2026-01-02\n'
    module = SimpleNamespace(ebmkit_recipes=hookimpl(lambda: {"kept": text}))
    host().add_plugin("ring", "ebmkit-ring 1.0", lambda: module)
    head, *lines = cli("recipes").out.splitlines()
    (line,) = (line for line in lines if line.startswith("kept"))
    assert head.split() == ["name", "last", "green", "about", "maintainer", "from"]
    assert " ".join(line.split()) == "kept 2026-01-02 A small one of s.d. 0.1. Ann ebmkit-ring 1.0"
    assert cli("show", "kept").out == text


def test_recipes_without_any(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Host, "recipes", dict)
    assert "no plugin" in cli("recipes").out.lower()


def test_cite_part_recipe_and_file(cli, shipped) -> None:
    assert cli("cite", "ring").out == "energy ring\n  A\n  B\n"
    assert "nothing to cite" in cli("cite", "mlp").out
    of_recipe = cli("cite", "small").out
    assert "sampler sgld" in of_recipe
    assert "energy mlp" not in of_recipe  # it has nothing to cite
    Path("mine.toml").write_text(RECIPE)
    assert cli("cite", "mine.toml").out == of_recipe


def test_a_broken_plugin_is_a_line_elsewhere_and_the_matter_of_plugins(cli) -> None:
    host().add_plugin("bad", "ebmkit-bad 0.1", lambda: 1 / 0)
    listed = cli("list")
    assert listed.status == 0
    assert len(listed.err.splitlines()) == 1
    assert "Plugin 'bad' (ebmkit-bad 0.1) is not loaded: ZeroDivisionError" in listed.err
    plugins = cli("plugins")
    assert plugins.status == 1
    assert "bad (ebmkit-bad 0.1): ZeroDivisionError" in plugins.out
    assert plugins.err == ""
    assert "is not loaded" in cli("show", "nothing").err


def test_plugins_without_a_broken_one(cli) -> None:
    answer = cli("plugins")
    assert answer.status == 0
    assert "core" in answer.out
