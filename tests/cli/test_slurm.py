"""The Slurm script of the documentation, tried under plain bash; and what signals do to a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes.commands import free_port

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


SRUN = """#!/bin/bash
# A stand-in: starts the tasks, hands signals on, ends with the largest exit status.
tasks=()
for ((i = 0; i < SLURM_NTASKS; i++)); do
    SLURM_PROCID=$i SLURM_LOCALID=$i "$@" & tasks+=($!)
done
trap 'kill -USR1 "${tasks[@]}"' USR1
largest=0
for task in "${tasks[@]}"; do
    wait $task; status=$?
    while kill -0 $task 2>/dev/null; do wait $task; status=$?; done
    [ $status -gt 128 ] && { wait $task; status=$?; }
    [ $status -gt $largest ] && largest=$status
done
exit $largest
"""
SCONTROL = """#!/bin/bash
case $1 in show) echo localhost;; requeue) echo "requeued $2";; esac
"""


def test_tasks_of_a_job_train_together_and_the_job_is_put_back(toy, ebmkit_command: str, tmp_path: Path) -> None:
    for name, content in (("srun", SRUN), ("scontrol", SCONTROL)):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    job_id = str(free_port() - 10_000)  # the script adds 10,000
    slurm = {"SLURM_JOB_ID": job_id, "SLURM_NTASKS": "2", "SLURM_JOB_NODELIST": "localhost"}
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    environment = {**os.environ, **slurm, "PATH": path, "EBMKIT": ebmkit_command, "OMP_NUM_THREADS": "1"}
    limited = [*FLAGS, "--set", "run.max_minutes=0.00001"]
    job = ["bash", str(ROOT / "docs" / "slurm.sh"), "it", *toy, *limited]
    done = subprocess.run(job, capture_output=True, text=True, env=environment, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f"requeued {job_id}" in done.stdout
    assert done.stderr.count("Error:") == 1 and "(run.max_minutes)" in done.stderr


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
