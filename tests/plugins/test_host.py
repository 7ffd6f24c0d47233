"""Plugins load one at a time, all or nothing, and one that is broken never stops the others."""

import itertools
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ebmkit.errors import PluginError, RecipeError
from ebmkit.plugins import host as plugins
from ebmkit.plugins.component import Component
from ebmkit.plugins.hookspecs import hookimpl
from ebmkit.plugins.host import Host
from ebmkit.plugins.loading import load_build
from ebmkit.protocols.traits import SamplerTraits


class PanicError(BaseException):
    """What a compiled extension raises: not an Exception."""


def part(name: str, kind: str = "sampler") -> Component:
    traits = SamplerTraits() if kind == "sampler" else None
    return Component(kind=kind, name=name, build="nowhere:Nothing", summary="", traits=traits)


def module(*parts: Any, recipes: Any = None, **hooks: Any) -> ModuleType:
    made = ModuleType("made")
    made.ebmkit_components = hookimpl(lambda: iter(parts))  # type: ignore[attr-defined]
    if recipes is not None:
        made.ebmkit_recipes = hookimpl(lambda: recipes)  # type: ignore[attr-defined]
    for name, hook in hooks.items():
        setattr(made, name, hook)
    return made


def raising(error: BaseException) -> Callable[[], Any]:
    def load() -> Any:
        raise error

    return load


class Entry:
    """An entry point as the standard library finds it."""

    def __init__(self, name: str, offer: Any, distribution: str = "") -> None:
        self.name, self.value = name, f"{name}.plugin"
        self.dist = SimpleNamespace(name=distribution or f"dist-{name}", version="1")
        self.load = offer if callable(offer) else lambda: offer


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EBMKIT_STRICT", raising=False)
    monkeypatch.delenv("EBMKIT_PLUGINS", raising=False)


@pytest.fixture
def discovered(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Host]:
    def discover(*entries: Entry) -> Host:
        monkeypatch.setattr(plugins, "entry_points", lambda group: list(entries))
        host = Host()
        host.discover()
        return host

    return discover


def offered(host: Host) -> set[tuple[str, str, str]]:
    return {(c.kind, c.name, p.distribution) for c, p in host.all()}


@pytest.fixture
def core(discovered: Callable[..., Host]) -> set[tuple[str, str, str]]:
    return offered(discovered())


# --- loading


def test_core_is_plugin_zero(discovered: Callable[..., Host]) -> None:
    host = discovered()
    assert [p.name for p in host.plugins] == ["core"]
    assert {"mlp", "resnet"} <= set(host.names("energy"))
    assert not host.broken()


BREAKING = {
    "Exception": (raising(RuntimeError("no such GPU")), "RuntimeError: no such GPU"),
    "ImportError": (raising(ImportError("no module named jax")), "ImportError: no module named jax"),
    "SystemExit": (raising(SystemExit(3)), "SystemExit: 3"),
    "not an Exception": (raising(PanicError("panicked")), "PanicError: panicked"),
    "GeneratorExit": (raising(GeneratorExit()), "GeneratorExit"),
    "an error of ours without a message": (raising(PluginError()), "PluginError"),
    "nothing": (lambda: None, "names nothing"),
    "not a Component": (lambda: module(part("fine"), "mlp"), "'mlp', which is not a Component"),
    "a Component instead of several": (lambda: module(ebmkit_components=hookimpl(lambda: part("x"))), "not iterable"),
    "twice the same": (lambda: module(part("fine"), part("fine")), "declares sampler 'fine' twice"),
    "recipes that are no mapping": (lambda: module(part("fine"), recipes=["a"]), "ValueError"),
    "a recipe that is no text": (lambda: module(part("fine"), recipes={"r": 3}), "recipe 'r' must be TOML text"),
    "a misspelt hook": (
        lambda: module(part("fine"), ebmkit_component=hookimpl(lambda: ())),
        "unknown hook 'ebmkit_component'. Did you mean 'ebmkit_components'?",
    ),
    "a misspelt function": (lambda: module(part("fine"), ebmkit_onstep=lambda report: None), "mean 'ebmkit_on_step'?"),
    "an unmarked hook": (lambda: module(part("fine"), ebmkit_on_step=lambda report: None), "put @ebmkit.hookimpl"),
    "a wrong signature": (
        lambda: module(part("fine"), ebmkit_on_step=hookimpl(lambda report, more: None)),
        "PluginValidationError",
    ),
}


@pytest.mark.parametrize("breakage", BREAKING)
def test_a_broken_plugin_is_told_and_stops_nobody(
    breakage: str, discovered: Callable[..., Host], core: set[tuple[str, str, str]]
) -> None:
    load, said = BREAKING[breakage]
    host = discovered(Entry("a", module(part("before"))), Entry("bad", load), Entry("c", module(part("after"))))
    assert [p.name for p in host.broken()] == ["bad"]
    assert said in host.broken()[0].error
    assert offered(host) == core | {("sampler", "before", "dist-a 1"), ("sampler", "after", "dist-c 1")}
    assert not [name for name, plugin in host.recipes() if plugin.name != "core"]
    assert not host.hook.ebmkit_on_step.get_hookimpls()
    assert host.not_loaded().count("\n") == 1
    with pytest.raises(RecipeError, match=re.escape("Plugin 'bad' (dist-bad 1) is not loaded:")):
        host.get("sampler", "fine")


def test_a_generator_hook_that_fails_half_way_leaves_nothing(discovered: Callable[..., Host]) -> None:
    def half() -> Iterator[Component]:
        yield part("first")
        raise OSError("disk")

    host = discovered(Entry("half", module(ebmkit_components=hookimpl(half), recipes={"r": "x = 1"})))
    assert host.broken()[0].error == "OSError: disk"
    assert "first" not in host.names("sampler")
    assert not [name for name, plugin in host.recipes() if plugin.name != "core"]


def test_ctrl_c_is_not_swallowed(discovered: Callable[..., Host]) -> None:
    with pytest.raises(KeyboardInterrupt):
        discovered(Entry("slow", raising(KeyboardInterrupt())))


@pytest.mark.parametrize("breakage", ["Exception", "SystemExit", "not an Exception", "a misspelt hook"])
def test_strict_raises_again(breakage: str, discovered: Callable[..., Host], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EBMKIT_STRICT", "1")
    with pytest.raises((RuntimeError, SystemExit, PanicError, PluginError)):
        discovered(Entry("bad", BREAKING[breakage][0]))


def test_a_restriction_loads_what_it_names(
    discovered: Callable[..., Host], monkeypatch: pytest.MonkeyPatch, core: set[tuple[str, str, str]]
) -> None:
    monkeypatch.setenv("EBMKIT_PLUGINS", "b, absent")
    loaded: list[str] = []

    def load() -> ModuleType:
        loaded.append("b")
        return module(part("x"))

    host = discovered(Entry("a", raising(AssertionError())), Entry("b", load))
    assert loaded == ["b"]
    assert [(p.name, p.distribution) for p in host.broken()] == [("absent", "not installed")]
    assert offered(host) - core == {("sampler", "x", "dist-b 1")}


def test_an_empty_restriction_leaves_core(discovered: Callable[..., Host], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EBMKIT_PLUGINS", "")
    host = discovered(Entry("a", module(part("x"))))
    assert [p.name for p in host.plugins] == ["core"]
    assert not host.broken()


def test_damaged_metadata_leave_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "entry_points", lambda group: raising(TypeError("missing 'value'"))())
    host = Host()
    host.discover()
    assert "mlp" in host.names("energy")
    assert "entry points cannot be read" in host.broken()[0].error


def test_one_module_offered_twice_is_loaded_once(discovered: Callable[..., Host]) -> None:
    shared = module(part("x"))
    host = discovered(Entry("a", shared), Entry("b", shared))
    assert [p.name for p in host.broken()] == ["b"]
    assert "already loaded as plugin 'dist-a 1:a'" in host.broken()[0].error
    assert host.get("sampler", "x").name == "x"


def test_a_hook_under_another_name_and_a_list_of_components() -> None:
    named, listed = ModuleType("named"), ModuleType("listed")
    named.offer = hookimpl(specname="ebmkit_components")(lambda: [part("x")])  # type: ignore[attr-defined]
    listed.COMPONENTS = (part("y"),)  # type: ignore[attr-defined]
    host = Host()
    host.add_plugin("named", "d", lambda: named)
    host.add_plugin("listed", "d", lambda: listed)
    assert host.names("sampler") == ["x", "y"]


# --- clashes


def test_a_clash_names_both_takes_nothing_and_spares_the_rest(discovered: Callable[..., Host]) -> None:
    host = discovered(
        Entry("a", module(part("same"), part("mine"))), Entry("b", module(part("same"), part("other"))),
        Entry("c", module(part("third"))),
    )  # fmt: skip
    assert [p.name for p in host.broken()] == ["b"]
    for text in (host.broken()[0].error, str(raised(PluginError, lambda: host.get("sampler", "same")))):
        assert "dist-a 1" in text
        assert "dist-b 1" in text
    assert "Plugin 'b'" in str(raised(RecipeError, lambda: host.get("sampler", "other")))
    assert host.get("sampler", "mine") and host.get("sampler", "third") and host.get("sampler", "sgld")


def test_every_name_of_a_clash_is_refused(discovered: Callable[..., Host]) -> None:
    host = discovered(Entry("a", module(part("x"), part("y"))), Entry("b", module(part("y"), part("x"))))
    for name in ("x", "y"):
        assert "declared by both" in str(raised(PluginError, partial(host.get, "sampler", name)))


def test_three_claimants_are_all_named(discovered: Callable[..., Host]) -> None:
    host = discovered(*(Entry(name, module(part("x"))) for name in "abc"))
    text = str(raised(PluginError, lambda: host.get("sampler", "x")))
    assert all(f"dist-{name} 1" in text for name in "abc")


def test_a_clash_with_core_names_both(discovered: Callable[..., Host]) -> None:
    host = discovered(Entry("a", module(part("sgld"), part("mine"))))
    text = str(raised(PluginError, lambda: host.get("sampler", "sgld")))
    assert "ebmkit-core" in text
    assert "dist-a 1" in text
    assert "mine" not in host.names("sampler")
    assert host.get("energy", "mlp")


def test_a_name_may_be_of_two_kinds(discovered: Callable[..., Host]) -> None:
    host = discovered(Entry("a", module(part("x"))), Entry("b", module(part("x", "buffer"))))
    assert not host.broken()
    assert {c.kind for c, _ in host.find("x")} == {"sampler", "buffer"}


def test_recipes_clash_like_parts(discovered: Callable[..., Host]) -> None:
    host = discovered(
        Entry("a", module(recipes={"r": "a = 1", "s": "s = 1"})), Entry("b", module(part("x"), recipes={"r": "b = 1"}))
    )
    assert [p.name for p in host.broken()] == ["b"]
    assert "x" not in host.names("sampler")
    text = str(raised(PluginError, lambda: host.recipe("r")))
    assert "recipe 'r' is declared by both dist-a 1" in text
    assert "dist-b 1" in text
    assert host.recipe("s") == "s = 1"


def test_the_order_in_which_entry_points_are_found_makes_no_difference(discovered: Callable[..., Host]) -> None:
    def state(order: tuple[Entry, ...]) -> Any:
        host = discovered(*order)
        asked = [
            str(raised((PluginError, RecipeError), partial(host.get, "sampler", n))) for n in ("x", "z", "w", "no")
        ]
        return offered(host), sorted((p.name, p.distribution, p.error) for p in host.plugins), asked

    entries = (
        Entry("a", module(part("x"), part("y"))), Entry("b", module(part("x"), part("z"))),
        Entry("c", raising(ValueError("broken"))), Entry("c", module(part("w")), "dist-one"),
        Entry("c", module(part("w")), "dist-two"),
    )  # fmt: skip
    states = [state(order) for order in itertools.permutations(entries)]
    assert all(s == states[0] for s in states)


# --- asking


def test_an_unknown_name_gets_a_suggestion_the_list_and_its_kind(discovered: Callable[..., Host]) -> None:
    host = discovered()
    text = str(raised(RecipeError, lambda: host.get("energy", "resent")))
    assert "There is no energy 'resent'. Did you mean 'resnet'? Known: convnet, mlp, resnet." in text
    assert "'sgld' is a part of kind sampler" in str(raised(RecipeError, lambda: host.get("energy", "sgld")))
    assert "There is no smapler 'x'" in str(raised(RecipeError, lambda: host.get("smapler", "x")))


def test_recipes_are_text_or_files(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text("x = 'µ'\n", encoding="utf-8")
    host = Host()
    texts = {"text": "x = 1\n", "line": "x = 1", "path": file, "name": str(file), "gone": str(tmp_path / "no.toml")}
    host.add_plugin("a", "d 1", lambda: module(recipes=texts))
    assert [host.recipe(name) for name in ("text", "line", "path", "name")] == ["x = 1\n", "x = 1"] + 2 * ["x = 'µ'\n"]
    assert "Recipe 'gone' of d 1" in str(raised(PluginError, lambda: host.recipe("gone")))
    assert "Did you mean 'text'?" in str(raised(RecipeError, lambda: host.recipe("texts")))


# --- registering by hand


def test_register_offers_a_part_once() -> None:
    host = Host()
    host.register(part("x"))
    text = str(raised(PluginError, lambda: host.register(part("x"), "a notebook")))
    assert "this program" in text
    assert "a notebook" in text
    assert host.get("sampler", "x").name == "x", "a failed register leaves the name as it was"
    assert len(host.plugins) == 1
    assert "not a Component" in str(raised(PluginError, lambda: host.register("x")))  # type: ignore[arg-type]


IDEA = """
from dataclasses import dataclass
from ebmkit import Component, SamplerTraits

class Walk:
    traits = SamplerTraits()

    def __init__(self, config, context): self.config = config

COMPONENTS = (Component(kind="sampler", name="{name}", build=f"{{__name__}}:Walk", summary="", traits=Walk.traits),)
"""


def test_a_file_is_a_plugin(tmp_path: Path) -> None:
    host = Host()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "idea.py").write_text(IDEA.format(name=folder))
        host.add_file(tmp_path / folder / "idea.py")
    built = [load_build(host.get("sampler", name)) for name in "ab"]
    assert built[0] is not built[1], "two files of one name are two modules"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("idea.py", "import nowhere_at_all", "No module named 'nowhere_at_all'"),
        ("idea.py", "x = (", "SyntaxError"),
        ("idea.py", "raise SystemExit", "SystemExit"),
        ("idea.py", IDEA.format(name="taken"), "declared by both"),
        ("idea.txt", "", "a plugin file is a Python file"),
    ],
)
def test_a_file_that_fails_leaves_the_host_as_it_was(tmp_path: Path, name: str, text: str, said: str) -> None:
    host = Host()
    host.register(part("taken"))
    (tmp_path / name).write_text(text)
    modules = set(sys.modules)
    assert said in str(raised(PluginError, lambda: host.add_file(tmp_path / name)))
    assert host.get("sampler", "taken")
    assert [p.name for p in host.plugins] == ["taken"]
    if said != "declared by both":
        assert {n for n in set(sys.modules) - modules if "idea" in n} == set()


def test_an_absent_file_is_told(tmp_path: Path) -> None:
    assert "there is no such file" in str(raised(PluginError, lambda: Host().add_file(tmp_path / "no.py")))


# --- building


@pytest.mark.parametrize(
    ("build", "said"),
    [
        ("nowhere_at_all:Walk", "No module named 'nowhere_at_all'"),
        ("ebmkit.errors:Walk", "has no attribute 'Walk'"),
        ("ebmkit.plugins.hookspecs:__doc__", "is not callable"),
        ("broken_on_import:Walk", "ZeroDivisionError"),
    ],
)
def test_a_build_that_cannot_be_imported_is_named(
    build: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_on_import.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = Component(kind="sampler", name="x", build=build, summary="", traits=SamplerTraits())
    text = str(raised(PluginError, lambda: load_build(found)))
    assert f"sampler 'x' cannot be built: {build}" in text
    assert said in text


# --- a real distribution


def test_installed_distributions_are_found(tmp_path: Path) -> None:
    for name, offer in (("good", "good-walk"), ("clashing", "good-walk"), ("failing", None)):
        (tmp_path / f"ebmkit_{name}.py").write_text(
            "1 / 0"
            if offer is None
            else "from ebmkit import Component, SamplerTraits, hookimpl\n"
            "@hookimpl\ndef ebmkit_components():\n"
            f"    return [Component(kind='sampler', name='{offer}', build='nowhere:X', summary='',\n"
            "                      traits=SamplerTraits())]\n"
        )
        info = tmp_path / f"ebmkit_{name}-2.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: ebmkit-{name}\nVersion: 2.0\n")
        (info / "entry_points.txt").write_text(f"[ebmkit]\n{name} = ebmkit_{name}\n")
    script = """
    from ebmkit.plugins.host import host
    for plugin in host().plugins:
        print(plugin.name, "|", plugin.distribution, "|", " ".join(plugin.error.split()))
    """
    path = os.pathsep.join([str(tmp_path), str(Path(plugins.__file__).parents[1])])
    environment = {**os.environ, "PYTHONPATH": path, "EBMKIT_PLUGINS": "good,clashing,failing"}
    said = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, env=environment, check=True
    ).stdout.splitlines()
    assert said[0] == "core | ebmkit-core | "
    assert said[1] == "clashing | ebmkit-clashing 2.0 | "
    assert said[2] == "failing | ebmkit-failing 2.0 | ZeroDivisionError: division by zero"
    assert said[3].startswith("good | ebmkit-good 2.0 | sampler 'good-walk' is declared by both ebmkit-clashing 2.0")


def raised(kind: Any, act: Callable[[], Any]) -> BaseException:
    with pytest.raises(kind) as caught:
        act()
    error: BaseException = caught.value
    return error
