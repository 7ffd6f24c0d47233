"""A test that needs a device says so by the mark `cuda`, so that `pytest -m cuda` runs them all, and no others."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted([*(ROOT / "tests").rglob("*.py"), *(ROOT / "plugins").rglob("tests/**/*.py")])
ALLOWED = {"tests/conftest.py"}
"""Where it is asked whether there is a device."""


def unmarked(source: str) -> list[int]:
    """Returns the lines that ask `torch.cuda` for anything outside of functions with the mark."""
    return sorted(_calls(ast.parse(source)))


def _calls(node: ast.AST) -> Iterator[int]:
    if isinstance(node, ast.FunctionDef) and any("pytest.mark.cuda" in ast.unparse(d) for d in node.decorator_list):
        return
    if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("torch.cuda."):
        yield node.lineno
    for child in ast.iter_child_nodes(node):
        yield from _calls(child)


def test_whoever_asks_for_a_device_has_the_mark() -> None:
    names = {path.relative_to(ROOT).as_posix(): path for path in FILES}
    found = {name: unmarked(path.read_text(encoding="utf-8")) for name, path in names.items() if name not in ALLOWED}
    assert not {name: lines for name, lines in found.items() if lines}


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("def test_a():\n    torch.cuda.synchronize()", [2]),
        ("@pytest.mark.cuda\ndef test_a():\n    torch.cuda.synchronize()", []),
        ("@pytest.mark.skipif(not torch.cuda.is_available(), reason='')\ndef test_a(): ...", [1]),
        ("def test_a(monkeypatch):\n    monkeypatch.setattr(torch.cuda, 'is_available', None)", []),
    ],
)
def test_calls_are_found(source: str, lines: list[int]) -> None:
    assert unmarked(source) == lines
