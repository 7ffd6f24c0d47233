"""The commands that look things up import no torch and answer at once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from ebmkit.cli.main import main
status = main(sys.argv[1:])
print([name for name in ("torch", "numpy", "rich.console") if name in sys.modules], status, file=sys.stderr)
"""


def ask(*arguments: str) -> tuple[str, float]:
    before = os.times()
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return done.stderr.splitlines()[-1], cpu


@pytest.mark.parametrize("command", ["--help", "list", "plugins", "recipes", "show sgld", "cite sgld", "run --help"])
def test_no_heavy_import(command: str) -> None:
    assert ask(*command.split())[0] == "[] 0"


def test_cite_of_a_recipe_imports_no_torch(tmp_path) -> None:
    (tmp_path / "r.toml").write_text('[energy]\nuse = "mlp"\n')
    assert ask("cite", str(tmp_path / "r.toml"))[0] == "[] 0"


def test_help_and_list_take_half_a_second_at_most() -> None:
    for command in ("--help", "list", "plugins"):
        assert min(ask(command)[1] for _ in range(2)) < 0.5  # seconds of CPU, which other processes do not stretch
