"""Laws of stages and `--init` on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli

RECIPE = """# Two short stages.
[run]
batch_size = 16
[data]
use = "toy"
density = "rings"
[energy]
use = "mlp"
widths = [8]
[log]
tensorboard = false
[pictures]
every = 1000
n = 4
[[stage]]
name = "warm"
steps = 2
[[stage.objective]]
use = "sliced-score-matching"
[[stage]]
name = "exact"
steps = 2
[[stage.objective]]
use = "cd"
[[stage.sampler]]
use = "mala"
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "two.toml"
    path.write_text(RECIPE)
    return path


def test_a_run_with_stages_from_the_command_line(cli: Cli, recipe: Path, tmp_path: Path) -> None:
    said = cli("run", "--recipe", recipe, "--out", tmp_path / "run", "--steps", "5")
    assert "stage warm (1 of 2), steps 1 to 2 of 16 data: sliced-score-matching; no chains" in said.out
    assert "from warm to exact pass on: weights and averages" in said.out
    assert "Train on:" in said.out and "--steps 10" in said.out and "--sampler" not in said.out
    again = cli("run", "--recipe", recipe, "--out", tmp_path / "run", "--steps", "5", "--resume-if-present")
    assert "has made its 5 steps already" in again.out
    assert (tmp_path / "run" / "checkpoints" / "step-00000002").is_dir()


def test_a_flag_for_what_stages_name_is_refused(cli: Cli, recipe: Path) -> None:
    said = cli("run", "--recipe", recipe, "--objective", "cd", "--dry-run")
    said.refuses("--objective would hold for the whole run, but stage 'warm' of the recipe names its own")


def test_init_from_the_command_line(cli: Cli, recipe: Path, tmp_path: Path) -> None:
    cli("run", "--recipe", recipe, "--out", tmp_path / "first")
    words = ["run", "--data", "toy:rings", "--energy", "mlp", "--steps", "1", "--init", tmp_path / "first"]
    cli(*words, "--out", tmp_path / "second").refuses("is of another architecture", "energy.mlp.widths")
    assert not (tmp_path / "second").exists()
    said = cli(*words, "--out", tmp_path / "third", "--set", "energy.widths=[8]", "--set", "log.tensorboard=false")
    assert "weights and averages of step 4 are the start" in said.out + said.err
