"""The commands that look things up import no torch; how long they take is measured, not tested."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from ebmkit.cli.main import main
status = main(sys.argv[1:])
print([name for name in ("torch", "numpy", "rich.console", "copier") if name in sys.modules], status, file=sys.stderr)
"""


def ask(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True)
    return done.stderr.splitlines()[-1]


LOOK_UPS = [
    "--help",
    "--version",
    "list",
    "plugins",
    "recipes",
    "show sgld",
    "cite",
    "cite sgld --bibtex",
    "run --help",
    "new-plugin --help",
]


@pytest.mark.parametrize("command", LOOK_UPS)
def test_no_heavy_import(command: str) -> None:
    assert ask(*command.split()) == "[] 0"


def test_cite_of_a_recipe_imports_no_torch(tmp_path) -> None:
    (tmp_path / "r.toml").write_text('[energy]\nuse = "mlp"\n')
    assert ask("cite", str(tmp_path / "r.toml")) == "[] 0"
