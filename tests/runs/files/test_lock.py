"""One writer a run directory: laws of its lock."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import ebmkit
from ebmkit.display.progress import Progress
from ebmkit.errors import RecipeError, RunError
from ebmkit.runs.files import lock, owner
from ebmkit.runs.files.directory import free_directory
from ebmkit.runs.files.lock import FILE, locked

RECIPE = {
    "run": {"steps": 4, "batch_size": 4, "engine": "eager", "checked_steps": 0},
    "data": {"use": "toy"},
    "energy": {"use": "mlp", "widths": [4]},
    "log": {"tensorboard": False, "every": 1},
    "checkpoint": {"every": 2},
}

HOLDER = """
import sys, time
from pathlib import Path
from ebmkit.runs.files.lock import locked
with locked(Path(sys.argv[1]), print):
    print("held", flush=True)
    time.sleep(60)
"""


def silent(text: str) -> None:
    raise AssertionError(f"nothing was to be told: {text}")


def test_a_lock_is_one_process_s_and_is_gone_after_it(tmp_path: Path) -> None:
    with locked(tmp_path / "run", silent) as first:
        assert first.is_held()
        about = json.loads((tmp_path / "run" / FILE).read_text())
        assert about["pid"] == os.getpid() and about["host"] and about["since"].endswith("UTC")
        found = rf"being written by process {os.getpid()} on .*, since .*Wait for it"
        with pytest.raises(RunError, match=found), locked(tmp_path / "run", silent):
            pass
        assert first.is_held(), "whoever asked in vain took nothing away"
    assert not (tmp_path / "run").exists(), "a directory into which nothing was written is not left"


def test_a_lock_outlives_nobody(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    with pytest.raises(RunError, match=f"being written by process {process.pid} on"), locked(tmp_path, silent):
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (tmp_path / FILE).exists()
    told: list[str] = []
    with locked(tmp_path, told.append):
        assert len(told) == 1 and f"left by process {process.pid}" in told[0] and "taken over" in told[0]
    assert not (tmp_path / FILE).exists()


def left(directory: Path, silent_for: float, **other: object) -> None:
    directory.mkdir(exist_ok=True)
    about = {"pid": 1, "host": "elsewhere", "boot": "b", "since": "2026-01-01", **other}
    (directory / FILE).write_text(json.dumps(about))
    at = time.time() - silent_for
    os.utime(directory / FILE, (at, at))


def test_an_owner_on_another_machine_is_dead_only_after_a_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "WATCH", 0.1)
    left(tmp_path, lock.DEAD - 30)
    with (
        pytest.raises(RunError, match=r"on elsewhere, since 2026.*last sign of life 90 s ago"),
        locked(tmp_path, silent),
    ):
        pass
    left(tmp_path, lock.DEAD + 30)
    told: list[str] = []
    with locked(tmp_path, told.append):
        assert "is watched for" in told[0] and "left by process 1 on elsewhere" in told[1]


def test_a_lock_gives_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "BEAT", 0.01)
    with locked(tmp_path, silent):
        os.utime(tmp_path / FILE, (1, 1))
        for _ in range(200):
            time.sleep(0.01)
            if (tmp_path / FILE).stat().st_mtime > 1:
                return
        raise AssertionError("no sign of life in two seconds")


def test_a_file_system_without_locks_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_alone", lambda descriptor: None)
    with locked(tmp_path, silent), pytest.raises(RunError, match="has no locks"), locked(tmp_path, silent):
        pass
    left(tmp_path, 1e6)
    with pytest.raises(RunError, match=rf"has no locks.*remove .*{FILE}"), locked(tmp_path, silent):
        pass


def test_a_lock_that_is_no_file_of_its_own_is_not_written_to(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("kept")
    for make in (Path.symlink_to, Path.hardlink_to):
        (tmp_path / "run").mkdir(exist_ok=True)
        make(tmp_path / "run" / FILE, mine)
        with pytest.raises(RunError, match="remove it"), locked(tmp_path / "run", silent):
            pass
        (tmp_path / "run" / FILE).unlink()
    os.mkfifo(tmp_path / "run" / FILE)
    with pytest.raises(RunError, match="remove it"), locked(tmp_path / "run", silent):
        pass
    assert mine.read_text() == "kept"


def test_of_many_that_want_a_lock_at_once_one_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "WATCH", 0.01)
    left(tmp_path / "run", 1e6)
    held, refused, most = list[int](), list[int](), list[int]()

    def want(number: int) -> None:
        for _ in range(20):
            try:
                with locked(tmp_path / "run", lambda text: None):
                    held.append(number)
                    most.append(len(held))
                    time.sleep(0.001)
                    held.remove(number)
            except RunError:
                refused.append(number)

    threads = [Thread(target=want, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1 and refused and len(most) + len(refused) == 120


def test_a_directory_that_is_written_to_takes_no_second_run_and_no_resume(tmp_path: Path) -> None:
    ebmkit.run(RECIPE, tmp_path / "made")
    before = {path: path.read_bytes() for path in (tmp_path / "made").rglob("*") if path.is_file()}
    for directory in (tmp_path / "made", tmp_path / "fresh"):
        with locked(directory, silent):
            with pytest.raises(RunError, match="is being written by process"):
                if directory.name == "made":
                    ebmkit.resume(directory, steps=8)
                else:
                    ebmkit.run(RECIPE, directory)
            if directory.name == "made":
                assert ebmkit.load(directory).step == 4, "what only reads goes on working"
    assert {path: path.read_bytes() for path in (tmp_path / "made").rglob("*") if path.is_file()} == before
    assert not (tmp_path / "fresh").exists()


def test_numbered_directories_are_everybody_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made: list[Path] = []
    threads = [Thread(target=lambda: made.append(free_directory("x"))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 12 and all(path.is_dir() for path in made)


def test_no_copies_are_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ebmkit.run(RECIPE, tmp_path / "made")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RecipeError, match=r"ebmkit.fit trains in one process"):
        ebmkit.fit("mlp", "toy", steps=1, progress=False)
    for train in (lambda: ebmkit.run(RECIPE, tmp_path / "run"), lambda: ebmkit.resume(tmp_path / "made", steps=8)):
        with pytest.raises(RunError, match="do not find each other"):
            train()
    assert not (tmp_path / "run").exists()
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert ebmkit.resume(tmp_path / "made", steps=8).step == 8


def test_a_directory_that_vanishes_ends_a_run_with_one_message(tmp_path: Path) -> None:
    for vanish in (lambda path: path.rename(tmp_path / "elsewhere"), shutil.rmtree):
        directory = tmp_path / "run"

        def watch(progress: Progress, vanish: Any = vanish, directory: Path = directory) -> None:
            if progress.step == 1:
                vanish(directory)

        with pytest.raises(RunError, match=r"is not the directory of this run any more.*removed, renamed"):
            ebmkit.run(RECIPE, directory, watch=watch)
        assert not directory.exists(), "nothing of it is made again"
    assert ebmkit.resume(tmp_path / "elsewhere").step == 4
