"""What only a process of its own can show: signals, pipes, terminals, exit statuses."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

EBMKIT = [sys.executable, "-c", "from ebmkit.cli.main import entry; entry()"]
ENDLESS = ["--steps", "1000000", "--out", "it", "--set", "log.every=5", "--set", "run.engine=eager"]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_ctrl_c_on_a_terminal_saves_a_checkpoint_and_says_how_to_resume(toy) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "60", "NO_COLOR": "1"}
    process = subprocess.Popen(
        [*EBMKIT, "run", *toy, *ENDLESS], stdout=theirs, stderr=subprocess.PIPE, text=True, env=environment
    )
    os.close(theirs)
    seen = read_until(ours, "accepted")
    process.send_signal(signal.SIGINT)
    read_until(ours, None)
    os.close(ours)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "a checkpoint is saved" in err
    assert "ebmkit resume it" in err
    assert len(err.splitlines()) == 1
    assert len(list(Path("it/checkpoints").glob("step-*/state.json"))) == 1
    assert "1/1,000,000" in seen  # a bar
    assert "step 1/" not in seen  # and no plain lines
    assert not re.search("\x1b\\[[349][0-7]m", seen)  # nor colours, which NO_COLOR forbids


def read_until(terminal: int, word: str | None) -> str:
    """Returns what a terminal shows until a word, or the end."""
    seen = ""
    try:
        while word is None or word not in seen:
            seen += os.read(terminal, 4096).decode(errors="replace")
    except OSError:  # the other side is closed
        pass
    return seen


def test_ctrl_c_before_training_is_one_line() -> None:
    program = """
import ebmkit.cli.catalogue, time
from ebmkit.cli.main import entry
ebmkit.cli.catalogue.table = lambda *_, **__: (print("now", flush=True), time.sleep(60))
entry()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program, "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background inherits deafness
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "now\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.splitlines() == ["Interrupted."]


def test_a_closed_pipe_is_quiet() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*EBMKIT, "list"], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == 1


@pytest.mark.parametrize("flags", [["lst"], ["run", "--stepz", "3"], ["sample"]])
def test_usage_errors_exit_with_2(flags: list[str]) -> None:
    done = subprocess.run([*EBMKIT, *flags], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Error:" in done.stderr
    assert "Traceback" not in done.stderr
