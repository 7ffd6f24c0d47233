"""Runs of two processes as the command line starts them: one model, one word for each failure, and a way back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import ebmkit
from ebmkit.display import processes
from ebmkit.errors import DivergenceError
from ebmkit.plugins.host import host
from ebmkit.runs import launched, loop, run
from ebmkit.runs.checkpoints import checkpoint
from tests.processes.commands import Ended, Job, free_port

RECIPE = """
[run]
steps = {steps}
batch_size = 8
engine = "eager"
device = "cpu"
checked_steps = 0
seed = 1
[log]
every = 1
tensorboard = false
[checkpoint]
every = 2
[pictures]
every = 1000
[data]
use = "toy"
density = "rings"
[energy]
use = "mlp"
widths = [8]
[buffer]
use = "replay"
capacity = 32
[[sampler]]
use = "mala"
moves = 2
"""


def recipe(folder: Path, steps: int = 6, more: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.toml"
    path.write_text(RECIPE.format(steps=steps) + more)
    return path


def job(folder: Path, *more: object, steps: int = 6, **how: Any) -> Job:
    return Job(["run", "--recipe", recipe(folder, steps), "--out", folder / "run", *more], folder, **how)


def held(directory: Path) -> dict[str, bytes]:
    """Returns the tensors of the newest checkpoint, and the log."""
    newest = max((directory / "checkpoints").glob("step-*"))
    found = {path.name: path.read_bytes() for path in newest.glob("*.safetensors")}
    return {**found, "log": (directory / "metrics.jsonl").read_bytes()}


def await_step(directory: Path, step: int) -> None:
    until = time.monotonic() + 60
    while not (directory / "checkpoints" / f"step-{step:08d}").is_dir():
        assert time.monotonic() < until, "no checkpoint is made"
        time.sleep(0.01)


def errors(found: list[Ended]) -> list[str]:
    """Returns the lines in which a process says why it ends."""
    return [line for each in found for line in each.said.splitlines() if line.startswith("Error:")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    found = job(folder).ended()
    assert [each.status for each in found] == [0, 0], found
    assert not found[1].said, "the second process says nothing"
    return folder / "run"


def test_a_killed_process_ends_the_run_and_resuming_is_bit_for_bit(whole: Path, tmp_path: Path) -> None:
    def slow(rank: int) -> None:
        original = loop.Trainer._step
        loop.Trainer._step = lambda self, step: (time.sleep(0.2), original(self, step))[1]  # type: ignore

    going = job(tmp_path, before=slow)
    await_step(tmp_path / "run", 2)
    begun = time.monotonic()
    going.send(signal.SIGKILL, 1)
    found = going.ended()
    assert time.monotonic() - begun < 30
    assert [each.status for each in found] == [1, -signal.SIGKILL]
    assert len(errors(found)) == 1 and "ended without a word" in errors(found)[0], found
    shutil.copytree(tmp_path / "run", tmp_path / "alone")
    again = Job(["resume", tmp_path / "run"], tmp_path).ended()
    assert [each.status for each in again] == [0, 0], again
    assert held(tmp_path / "run") == held(whole)
    alone = Job(["resume", tmp_path / "alone"], tmp_path, size=1).ended()
    assert alone[0].status == 0 and "was written by 2 processes, and 1 go on" in alone[0].said
    more = Job(["resume", tmp_path / "alone", "--steps", "8"], tmp_path).ended()
    assert [each.status for each in more] == [0, 0] and "was written by 1 processes, and 2 go on" in more[0].said


@pytest.mark.parametrize("ranks", [(0,), (1,), (0, 1)])
def test_who_is_told_to_stop_tells_the_others_and_the_first_says_how_to_go_on(
    ranks: tuple[int, ...], tmp_path: Path
) -> None:
    going = job(tmp_path, steps=100_000)
    await_step(tmp_path / "run", 2)
    going.send(signal.SIGTERM, *ranks)
    found = going.ended()
    assert [each.status for each in found] == [75, 75], found
    (said,) = errors(found)
    assert "(SIGTERM); a checkpoint is saved. Go on with: ebmkit resume" in said and said in found[0].said


def test_each_process_reads_its_own_share_and_all_take_a_checkpoint_that_is_whole_for_all(
    whole: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole, tmp_path / "run")
    newest = tmp_path / "run" / "checkpoints" / "step-00000006"
    share = newest / "buffer.rank-1.safetensors"
    share.write_bytes(share.read_bytes()[:-1] + b"?")  # the first process does not read it

    def counting(rank: int) -> None:
        original = checkpoint._tensors
        checkpoint._tensors = lambda path, sealed: (sys.stdout.write(f"read {path.stem}\n"), original(path, sealed))[1]

    found = Job(["resume", tmp_path / "run"], tmp_path, before=counting).ended()
    assert [each.status for each in found] == [0, 0], found
    assert "buffer.rank-1.safetensors is damaged" in found[0].said and "of step 4" in found[0].said
    assert "read buffer.rank-1" not in found[0].said and "read buffer\n" in found[0].said
    assert held(tmp_path / "run") == held(whole)


def test_under_torchrun_a_run_that_was_told_to_stop_is_no_failure(tmp_path: Path) -> None:
    def by_torchrun(rank: int) -> None:
        os.environ["TORCHELASTIC_RUN_ID"] = "none"

    found = job(tmp_path, "--set", "run.max_minutes=0.00001", before=by_torchrun, steps=100_000).ended()
    assert [each.status for each in found] == [0, 0], found
    assert "(run.max_minutes)" in found[0].said and "It ends with status 0: torchrun" in found[0].said
    assert not errors(found[1:])


def test_what_is_wrong_in_one_process_alone_is_said_by_that_one(tmp_path: Path) -> None:
    def diverges(rank: int) -> None:
        def step(self: Any, step: int) -> Any:
            if rank == 1 and step == 4:
                raise DivergenceError("The chains are not finite.")
            return original(self, step)

        original = loop.Trainer._step
        loop.Trainer._step = step  # type: ignore[method-assign]

    found = job(tmp_path, before=diverges).ended()
    assert [each.status for each in found] == [1, 1], found
    assert errors(found) == ["Error: Process 1 of 2: The chains are not finite."]
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-00000002"]


def test_a_request_that_is_wrong_is_told_by_the_first_process_however_late_it_is(tmp_path: Path) -> None:
    def late(rank: int) -> None:
        processes.WAIT = 3.0
        time.sleep(1 - rank)

    going = Job(["run", "--sampler", "no-such-sampler", "--out", tmp_path / "run"], tmp_path, before=late)
    begun = time.monotonic()
    found = going.ended()
    assert [each.status for each in found] == [2, 2]
    assert "no-such-sampler" in found[0].said
    assert time.monotonic() - begun > 2, "torchrun would end the first process before it speaks"


def test_processes_that_do_not_come_are_not_waited_for_long(tmp_path: Path) -> None:
    def short(rank: int) -> None:
        launched.MEETING = timedelta(seconds=1)

    (found,) = job(tmp_path, before=short, present=[0]).ended()
    assert found.status == 1
    assert "2 processes were to start (WORLD_SIZE), but they do not find each other" in found.said
    assert "unset WORLD_SIZE" in found.said and not (tmp_path / "run").exists()


def test_several_processes_do_not_go_back(tmp_path: Path) -> None:
    found = job(tmp_path, "--set", "run.rollbacks=2").ended()
    assert [each.status for each in found] == [2, 2]
    assert len(errors(found)) == 1 and "several processes do not go back together yet" in errors(found)[0]


def test_a_process_that_is_late_does_not_take_the_run_for_another_one(tmp_path: Path) -> None:
    def late(rank: int) -> None:
        if rank == 1:
            original = run._trained
            run._trained = lambda *given: (time.sleep(2), original(*given))[1]  # type: ignore[func-returns-value]

    found = job(tmp_path, before=late, steps=2).ended()
    assert [each.status for each in found] == [0, 0], found


def test_the_first_process_alone_evaluates_and_writes(whole: Path, tmp_path: Path) -> None:
    def marks(rank: int) -> None:
        from ebmkit.runs.watch import judging

        original = judging.judge

        def judge(*given: Any, **more: Any) -> Any:
            (tmp_path / f"judged-{rank}").touch()
            return original(*given, **more)

        judging.judge = judge

    found = job(tmp_path, "--set", "eval.every=2", "--set", "eval.n=16", before=marks, steps=2).ended()
    assert [each.status for each in found] == [0, 0], found
    assert [path.name for path in tmp_path.glob("judged-*")] == ["judged-0"]
    for command in (["sample", whole, "-n", "4", "--out", tmp_path / "x.npz"], ["list"]):
        first, second = Job(command, tmp_path).ended()
        assert (first.status, second.status, second.said) == (0, 0, "") and first.said


class Fails:
    """A plugin that fails at its third step."""

    @ebmkit.hookimpl
    def ebmkit_on_step(self, run: Any, report: Any) -> None:
        if report.step == 3:
            raise ValueError("not today")


def test_a_failing_observer_of_the_first_process_saves_and_is_named(tmp_path: Path) -> None:
    def register(rank: int) -> None:
        host()._manager.register(Fails(), name="fails 1:fails")

    found = job(tmp_path, before=register).ended()
    assert all(each.status in (1, 2) for each in found), found
    (said,) = errors(found)
    assert "not today" in said and said in found[0].said
    names = [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()]
    assert max(names) == "step-00000003", "what there was is saved"


DIES = """
import os, pathlib, signal, threading, time

def dies():
    while not pathlib.Path(os.environ["RUN"], "checkpoints", "step-00000002").is_dir():
        time.sleep(0.001)
    pathlib.Path(os.environ["RUN"]).with_name("died").touch()
    os.kill(os.getpid(), signal.SIGKILL)

if os.environ["RANK"] == "1" and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
    threading.Thread(target=dies, daemon=True).start()
"""


@pytest.mark.slow
def test_under_torchrun_a_run_comes_back_by_itself(tmp_path: Path) -> None:
    """The store of torchrun outlives the processes, and with it where the dead ones were to be found."""
    plugin, directory = tmp_path / "dies.py", tmp_path / "run"
    plugin.write_text(DIES)
    words = ["--nproc-per-node", "2", "--max-restarts", "1", "--master-port", str(free_port()), "-m", "ebmkit", "run"]
    words += ["--recipe", str(recipe(tmp_path, steps=40)), "--out", str(directory), "--plugin", str(plugin)]
    command = [sys.executable, "-m", "torch.distributed.run", *words]
    found = subprocess.run(
        command, env={**os.environ, "RUN": str(directory)}, capture_output=True, text=True, timeout=200
    )
    assert found.returncode == 0, found.stderr[-3000:]
    assert (directory / "checkpoints" / "step-00000040").is_dir()
    assert (tmp_path / "died").exists()
    # torchrun may end the process that is left before that one finds that the other is lost.
    assert len(errors([Ended(status=0, said=found.stderr)])) <= 1
