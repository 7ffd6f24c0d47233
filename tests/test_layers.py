"""The layers of the house: a module imports only from those below it."""

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
