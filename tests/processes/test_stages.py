"""Runs of two processes with stages, as the command line starts them: killed at a border, they go on bit for bit."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from ebmkit.runs import loop
from tests.processes.commands import Job
from tests.processes.test_runs import RECIPE, await_step, held

STAGES = """
[[stage]]
name = "warm"
steps = 3

[[stage.objective]]
use = "noise-contrastive"

[[stage]]
name = "exact"
steps = 4

[stage.buffer]
use = "replay"
capacity = 32

[[stage.objective]]
use = "cd"

[[stage.objective]]
use = "noise-contrastive"
"""


def job(folder: Path, slow: float = 0.0) -> Job:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.toml"
    text = RECIPE.format(steps=7).replace('[buffer]\nuse = "replay"\ncapacity = 32\n', "")
    path.write_text(text + STAGES)

    def slowly(rank: int) -> None:
        original = loop.Trainer._step
        loop.Trainer._step = lambda self, step: (time.sleep(slow), original(self, step))[1]  # type: ignore

    return Job(["run", "--recipe", path, "--out", folder / "run"], folder, before=slowly)


def test_two_processes_go_on_bit_for_bit_behind_a_border(tmp_path: Path) -> None:
    found = job(tmp_path / "whole").ended()
    assert [each.status for each in found] == [0, 0], found
    for step in (3, 4):  # the border, and one step into the second stage
        folder = tmp_path / f"stopped-{step}"
        going = job(folder, slow=0.2)
        await_step(folder / "run", step)
        going.send(signal.SIGKILL, 1)
        going.ended()
        again = Job(["resume", folder / "run"], folder).ended()
        assert [each.status for each in again] == [0, 0], again
        assert held(folder / "run") == held(tmp_path / "whole" / "run")
