"""The public API is written down, names and signatures: it changes on purpose only."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import ebmkit
from ebmkit.plugins import hookspecs

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def api() -> ModuleType:
    """The program that writes it down."""
    spec = importlib.util.spec_from_file_location("public_api", ROOT / "docs" / "public_api.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_public_api_is_what_is_written_down(api: ModuleType) -> None:
    different = api.changes()
    assert not different, (
        f"The public API is not what tests/public_api.txt says:\n{different}\n"
        "Where that is meant: python docs/public_api.py, a line in CHANGELOG.md, and for a name that others use "
        "already the way that docs/releasing.md describes. Where it is not, others rely on what was there."
    )


def test_nothing_that_is_exported_is_left_out(api: ModuleType) -> None:
    named = {line.split("(")[0].split(":")[0].removeprefix("class ") for line in api.lines()}
    assert {f"ebmkit.{name}" for name in ebmkit.__all__} <= named
    assert {f"hook {name}" for name in vars(hookspecs) if name.startswith("ebmkit_")} <= named
    assert {"ebmkit.testing.checks_for", "ebmkit.samplers.Mala", "ebmkit.samplers.mala.build_mala"} <= named
    assert not [line for line in api.lines() if " at 0x" in line or "\n" in line]


def function(x: float, *, steps: int = 3) -> float:
    return x * steps


class Thing:
    def method(self, x: float) -> float:
        return x


def renamed(x: float, *, n_steps: int = 3) -> float:
    return x * n_steps


def another_default(x: float, *, steps: int = 4) -> float:
    return x * steps


def another_type(x: int, *, steps: int = 3) -> float:
    return x * steps


@pytest.mark.parametrize("changed", [renamed, another_default, another_type])
def test_a_change_of_a_signature_is_noticed(api: ModuleType, changed: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "OURS", (__name__,))
    assert list(api.described("f", function)) == ["f(x: float, *, steps: int = 3) -> float"]
    assert list(api.described("f", changed)) != list(api.described("f", function))


def test_a_method_that_goes_is_noticed(api: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "OURS", (__name__,))
    before = list(api.described("Thing", Thing))
    assert before[1:] == ["  Thing.method(self, x: float) -> float"]
    monkeypatch.delattr(Thing, "method")
    assert list(api.described("Thing", Thing)) == before[:1]


def test_a_name_that_goes_is_shown(api: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(api, "RECORD", tmp_path / "record.txt")
    monkeypatch.setattr(api, "lines", lambda: ["a", "b"])
    (tmp_path / "record.txt").write_text("a\nb\nc\n", encoding="utf-8")
    assert "-c" in api.changes().splitlines()
    monkeypatch.setattr(api.sys, "argv", ["public_api.py", "--check"])
    assert api.main() == 1
    monkeypatch.setattr(api.sys, "argv", ["public_api.py"])
    assert api.main() == 0
    assert api.changes() == ""
