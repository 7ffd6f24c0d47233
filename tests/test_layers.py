"""The layers of the house: a module imports only from those below it."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONTRACT = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]


def test_imports_keep_to_the_layers() -> None:
    pytest.importorskip("importlinter")
    script = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    run = subprocess.run(
        [sys.executable, "-c", script, "--no-cache"], cwd=ROOT, capture_output=True, text=True, env=environment
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_module_has_its_layer() -> None:
    layered = {name.strip() for layer in CONTRACT["layers"] for name in layer.split("|")}
    found = {
        f"ebmkit.{p.stem}" for p in (ROOT / "ebmkit").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()
    }
    assert found - layered - {"ebmkit.__init__"} == set()


SOURCES = sorted(
    [*ROOT.glob("ebmkit/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py"), *ROOT.glob("examples/plugins/*/src/**/*.py")]
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 260
    bodies = {n.name: body(n, text) for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef)}
    assert {name: lines for name, lines in bodies.items() if lines > 35} == {}


def body(function: ast.FunctionDef, text: str) -> int:
    """Returns the lines of a function's body, without its docstring, blank lines and comments."""
    inner = function.body[1:] if ast.get_docstring(function) else function.body
    lines = text.splitlines()[inner[0].lineno - 1 : function.end_lineno] if inner else []
    return sum(1 for line in lines if line.strip() and not line.strip().startswith("#"))
