"""The Slurm script of the documentation, tried under plain bash; and what signals do to a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = "from ebmkit.cli.main import entry; entry()"
FLAGS = ["--steps", "1000000", "--set", "log.every=5", "--set", "run.engine=eager", "--set", "log.tensorboard=false"]


@pytest.fixture
def ebmkit_command(tmp_path: Path) -> str:
    command = tmp_path / "ebmkit"
    command.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{PROGRAM}' \"$@\"\n")
    command.chmod(0o755)
    return str(command)


def test_a_job_that_runs_out_of_time_saves_and_the_next_one_goes_on(toy, ebmkit_command: str) -> None:
    environment = {**os.environ, "EBMKIT": ebmkit_command, "OMP_NUM_THREADS": "1"}
    job = ["bash", str(ROOT / "docs" / "slurm.sh"), "it", *toy, *FLAGS]
    process = subprocess.Popen(job, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    while not process.stdout.readline().startswith("step 5"):
        assert process.poll() is None
    process.send_signal(signal.SIGUSR1)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 75, err
    assert "(SIGUSR1); a checkpoint is saved. Go on with: ebmkit resume it" in err
    made = int(err.split("after step ")[1].split(" ")[0])
    again = subprocess.run(
        [*job, "--set", "run.max_minutes=0.00001"], capture_output=True, text=True, env=environment, check=False
    )
    assert again.returncode == 75, again.stderr
    assert f"Interrupted after step {made} of 1000000 (run.max_minutes)" in again.stderr
    assert not Path("it/.lock").exists()


def test_a_signal_while_torch_is_imported_is_one_line(toy) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "run", *toy, *FLAGS, "--out", "it"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert process.stderr.readline().startswith("importing torch")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 75
    assert err.splitlines() == ["Error: Stopped by SIGTERM before the first step. Nothing was written: start it again."]
    assert not Path("it").exists()
