"""`ebmkit check RUN` names what is damaged of a run, and changes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import TOY, Cli


def test_a_run_is_looked_at_as_a_whole(cli: Cli, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert cli("run", *TOY, "--steps", "2", "--out", str(run)).status == 0
    answer = cli("check", str(run))
    assert answer.status == 0 and "all is what was written" in answer.out, answer.err
    weights = run / "checkpoints" / "step-00000002" / "energy.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    answer = cli("check", str(run))
    assert answer.status == 1
    assert "FAILED   checkpoints/step-00000002" in answer.out and str(weights) in answer.out
    assert "1 damaged" in answer.out
    cli("check", str(run), "--only", "x").refuses("is a run", "--only")
    shutil.rmtree(run / "checkpoints")
    answer = cli("check", str(run))
    assert answer.status == 1 and "no checkpoint yet" in answer.out


@pytest.mark.parametrize("asked", ["nowhere", "."])
def test_what_is_neither_run_nor_plugin_is_said(asked: str, cli: Cli) -> None:
    cli("check", asked).refuses(asked)
