"""What may happen to a lock under a live run: clocks, forks, stopped processes, removed files. One writer stays one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import ebmkit
from ebmkit.display.progress import Progress
from ebmkit.errors import EbmkitError, RunError
from ebmkit.runs.files import lock
from ebmkit.runs.files.lock import FILE, locked
from ebmkit.sampling.generate import generate
from tests.runs.files.test_lock import RECIPE, left, silent
from tests.soak.forked import ended, forked, held


@pytest.mark.parametrize("hours", [-5, -0.1, 1, 48])
@pytest.mark.parametrize("is_alive", [True, False])
def test_a_clock_that_was_set_anew_makes_nobody_dead_or_immortal(
    is_alive: bool, hours: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "WATCH", 0.5)
    left(tmp_path, 3600 * hours)
    over, told = False, list[str]()

    def beats() -> None:
        while not over:
            with suppress(OSError):
                left(tmp_path, 3600 * hours + time.time() % 1)
            time.sleep(0.02)

    beating = Thread(target=beats)
    if is_alive:
        beating.start()
    try:
        if is_alive:
            with (
                pytest.raises(RunError, match="is being written by process 1 on elsewhere"),
                locked(tmp_path, told.append),
            ):
                pass
        else:
            with locked(tmp_path, told.append) as taken:
                assert taken.is_held() and "taken over" in told[-1]
    finally:
        over = True
        if is_alive:
            beating.join()


def test_an_owner_that_comes_back_after_its_lock_was_taken_over_sees_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "WATCH", 0.01)
    left(tmp_path, 1e6)
    before = (tmp_path / FILE).stat().st_ino
    with locked(tmp_path, lambda text: None) as taken:
        assert (tmp_path / FILE).stat().st_ino != before, "a file of its own: who holds the old one has lost it"
        assert taken.is_held() and [path.name for path in tmp_path.iterdir()] == [FILE]


@contextmanager
def holding(directory: Path) -> Iterator[int]:
    """Within it, another process holds the lock of a directory; yields its number."""

    def hold() -> None:
        with locked(directory, silent):
            time.sleep(60)

    pid = forked(hold)
    for _ in range(2000):
        with suppress(OSError, ValueError):
            if json.loads((directory / FILE).read_text())["pid"] == pid:
                break
        time.sleep(0.005)
    try:
        yield pid
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            ended(pid)


def test_an_owner_that_is_stopped_is_alive(tmp_path: Path) -> None:
    with holding(tmp_path) as pid:
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(RunError, match=f"being written by process {pid}"), locked(tmp_path, silent):
            pass


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": "x"}', b"\xff" * 5000])
def test_a_lock_file_that_was_spoilt_is_still_held(content: bytes, tmp_path: Path) -> None:
    with holding(tmp_path):
        (tmp_path / FILE).write_bytes(content)
        with pytest.raises(RunError, match="is being written by another process"), locked(tmp_path, silent):
            pass


def test_a_fork_neither_holds_a_lock_nor_releases_it(tmp_path: Path) -> None:
    with locked(tmp_path, silent) as mine:
        inside = forked(lambda: time.sleep(1) if not mine.is_held() else os._exit(3))
        assert ended(inside) == 0 and mine.is_held(), "the child knows that the lock is not its own"

    def leaves_a_child() -> None:
        with locked(tmp_path / "run", silent):
            (tmp_path / "child").write_text(str(forked(lambda: time.sleep(60))))
            os.kill(os.getpid(), signal.SIGKILL)

    assert ended(forked(leaves_a_child)) == -signal.SIGKILL
    told: list[str] = []
    try:
        with locked(tmp_path / "run", told.append):
            assert "has ended without a word" in told[0], "its child keeps nobody out"
    finally:
        os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


def test_a_fork_that_falls_through_does_not_take_the_lock_away(tmp_path: Path) -> None:
    with suppress(KeyboardInterrupt), locked(tmp_path, silent) as mine:
        pid = os.fork()
        if not pid:
            try:
                raise KeyboardInterrupt
            finally:
                os._exit(0 if not mine.is_held() else 3)
        assert ended(pid) == 0 and mine.is_held() and (tmp_path / FILE).exists()


@pytest.mark.parametrize("step", [1, 3])
def test_a_lock_that_was_removed_ends_its_run_before_it_writes_again(step: int, tmp_path: Path) -> None:
    directory = tmp_path / "run"

    def watch(progress: Progress) -> None:
        if progress.step == step:
            (directory / FILE).unlink()
            with locked(directory, silent):
                (directory / "second").touch()

    with pytest.raises(RunError, match=r"its lock .* was removed. Nothing more is written"):
        ebmkit.run(RECIPE, directory, watch=watch)
    assert len((directory / "metrics.jsonl").read_text().splitlines()) == step
    assert ebmkit.resume(directory).step == 4


def test_two_that_resume_at_once_are_one_and_one_that_is_refused(tmp_path: Path) -> None:
    ebmkit.run(RECIPE, tmp_path / "whole" / "run")
    for name in ("half", "whole"):
        (tmp_path / name).mkdir(exist_ok=True)

    def stop(progress: Progress) -> None:
        if progress.step == 3:
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        ebmkit.run(RECIPE, tmp_path / "half" / "run", watch=stop)
    pids = [forked(lambda: ebmkit.resume(tmp_path / "half" / "run")) for _ in range(3)]
    statuses = sorted(ended(pid) for pid in pids)
    assert statuses[0] == 0 and set(statuses[1:]) <= {1, 2}, "refused, or nothing was left to do"
    assert held(tmp_path / "half" / "run") == held(tmp_path / "whole" / "run")


def test_what_reads_a_run_that_goes_on_always_finds_it_whole(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    recipe: dict[str, Any] = {**RECIPE, "run": {**RECIPE["run"], "steps": 60}, "checkpoint": {"every": 1, "keep": 1}}
    pid, steps = forked(lambda: ebmkit.run(recipe, directory)), list[int]()
    while not steps or steps[-1] < 60:
        if not list(directory.glob("checkpoints/step-*")):
            continue
        run = ebmkit.load(directory)
        assert len(generate(run.model, 2, transitions=1).x) == 2
        steps.append(run.step)
    assert ended(pid) == 0 and steps == sorted(steps) and len(steps) > 2


@pytest.mark.parametrize("place", ["checkpoints", "samples", "metrics.jsonl"])
def test_a_place_that_takes_no_files_any_more_ends_a_run_with_one_message(place: str, tmp_path: Path) -> None:
    """A file where a folder was, since nothing is read-only to the root user."""
    directory = tmp_path / "run"
    recipe: dict[str, Any] = {**RECIPE, "pictures": {"every": 2, "n": 1}, "log": {"tensorboard": False, "every": 3}}

    def watch(progress: Progress) -> None:
        if progress.step == 3:
            shutil.move(directory / place, tmp_path / "moved")
            if place == "metrics.jsonl":
                (directory / place).mkdir()
            else:
                (directory / place).touch()

    if place == "metrics.jsonl":
        recipe["log"]["every"] = 1
    try:
        ebmkit.run(recipe, directory, watch=watch)
    except EbmkitError as error:
        assert error.exit_status == 1 and str(directory) in str(error)
    else:
        assert place == "metrics.jsonl", "which was open, and is written where it is now"
