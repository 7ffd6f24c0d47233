"""Faults of a machine: kills, damaged bytes, two writers, folders that are full, read-only or gone.

    python -m tests.soak.faults --kills 200 --damages 500

Runs are made in forked processes, so that a trial costs the training alone.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

import ebmkit
from ebmkit.display.output import say
from ebmkit.errors import EbmkitError
from tests.soak.families import FAMILIES, family
from tests.soak.several import several

TIMEOUT = 300.0


def held(directory: Path) -> dict[str, bytes]:
    """Returns what a finished run made that a kill must not change: weights, chains, log, findings, pictures."""
    last = max((directory / "checkpoints").glob("step-*"), default=directory / "none")
    files = [*directory.glob("*.jsonl"), *directory.glob("samples/*.png"), *last.glob("*.safetensors")]
    files += directory.glob("evaluation/*.png")
    return {p.relative_to(directory).as_posix(): p.read_bytes() for p in files if not p.name.startswith("damaged-")}


def make(name: str, directory: Path, note: Callable[[str], None] | None = None) -> None:
    """Begins a run of a family, or goes on with it."""
    tell = note or (lambda text: None)
    if (directory / "recipe.toml").exists():
        ebmkit.resume(directory, note=tell)
    else:
        ebmkit.run(family(name), directory, note=tell)


def forked(work: Callable[[], object]) -> int:
    """Does some work in a process of its own and returns its number."""
    pid = os.fork()
    if pid:
        return pid
    status = 70
    with suppress(BaseException):
        torch.set_num_threads(1)
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        try:
            work()
            status = 0
        except EbmkitError as error:
            status = error.exit_status
    os._exit(status)


def ended(pid: int) -> int:
    """Waits for a process and returns its exit status, the negative number of the signal that ended it."""
    until = time.monotonic() + TIMEOUT
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError(f"a run did not end within {TIMEOUT:.0f} s")


OPERATIONS = ((Path, "replace"), (Path, "mkdir"), (Path, "unlink"), (os, "fsync"), (os, "truncate"), (shutil, "rmtree"))


def dies_at(number: int, work: Callable[[], object], count: list[int] | None = None) -> Callable[[], object]:
    """Returns work that kills its process just before, or just after, its n-th operation on a disk."""

    def run() -> object:
        calls = [0]

        def counted(original: Callable[..., Any]) -> Callable[..., Any]:
            def call(*given: Any, **more: Any) -> Any:
                calls[0] += 1
                if calls[0] == (number + 1) // 2 and number % 2:
                    os.kill(os.getpid(), signal.SIGKILL)
                result = original(*given, **more)
                if calls[0] == number // 2 and not number % 2:
                    os.kill(os.getpid(), signal.SIGKILL)
                return result

            return call

        before = [(place, name, getattr(place, name)) for place, name in OPERATIONS]
        for place, name, original in before:
            setattr(place, name, counted(original))
        try:
            return work()
        finally:
            for place, name, original in before:
                setattr(place, name, original)
            if count is not None:
                count.append(calls[0])

    return run


def wholes(names: list[str], folder: Path) -> dict[str, tuple[Path, float, int]]:
    """Makes each family once, whole, and returns where it is, how long it took and its operations on the disk."""
    found = {}
    for name in names:
        directory, count = folder / "whole" / name / "run", list[int]()
        make(name, folder / "warm" / name / "run")
        begun = time.monotonic()
        dies_at(0, lambda name=name, directory=directory: make(name, directory), count)()  # type: ignore[misc]
        found[name] = directory, time.monotonic() - begun, count[0]
    return found


def kills(n: int, rng: random.Random, folder: Path, made: dict[str, tuple[Path, float, int]]) -> str:
    """Kills n runs, each up to three times, half of them at an operation on the disk, and goes on with them."""
    same, killed, wrong, names = 0, 0, list[str](), list(made)
    for trial in range(n):
        name = names[trial % len(names)]
        whole, seconds, operations = made[name]
        directory = folder / f"kill-{trial}" / "run"
        for _ in range(rng.randint(1, 3)):

            def work(name: str = name, directory: Path = directory) -> None:
                make(name, directory)

            if trial % 2:
                pid = forked(dies_at(rng.randint(1, 2 * operations), work))
            else:
                pid = forked(work)
                time.sleep(rng.uniform(0, 1.2 * seconds))
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            killed += ended(pid) == -signal.SIGKILL
        status = 0 if finished(directory) else ended(forked(work))
        if status == 0 and held(directory) == held(whole):
            same += 1
            shutil.rmtree(directory.parent)
        else:
            wrong.append(f"{directory} ({name}, status {status})")
    for line in wrong:
        say(f"  NOT EQUAL: {line}")
    return f"{same} of {n} bit-equal, pictures included, after {killed} SIGKILLs"


def finished(directory: Path) -> bool:
    """Whether a run has made its last checkpoint."""
    from ebmkit.recipes.recipe import read_recipe

    path = directory / "recipe.toml"
    return path.exists() and (directory / "checkpoints" / f"step-{read_recipe(path).table('run').steps:08d}").is_dir()


def damages(n: int, rng: random.Random, folder: Path, made: dict[str, tuple[Path, float, int]]) -> str:
    """Damages n files of runs that were stopped half-way, one at a time, and goes on with the run."""
    kinds, wrong = Counter[str](), list[str]()
    halves = {name: half(name, folder) for name in list(made)[:2]}
    for trial in range(n):
        name = list(halves)[trial % len(halves)]
        directory = folder / f"damage-{trial}" / "run"
        shutil.copytree(halves[name], directory)
        files = sorted(path for path in directory.rglob("*") if path.is_file() and path.stat().st_size)
        path = files[trial // len(halves) % len(files)]
        spoil(path, rng)
        told = list[str]()
        try:
            make(name, directory, told.append)
        except EbmkitError as error:
            told.append(str(error))
        except Exception as error:  # what the command would call not foreseen
            wrong.append(f"{directory}: {path.name}: {type(error).__name__}: {error}")
            continue
        if any(path.name in text for text in told):
            kinds["named"] += 1
        elif finished(directory) and held(directory) == held(made[name][0]):
            kinds["unread"] += 1
        else:
            wrong.append(f"{directory}: {path.relative_to(directory)}: {told}")
            continue
        shutil.rmtree(directory.parent)
    for line in wrong:
        say(f"  SILENT: {line}")
    return (
        f"{kinds['named']} of {n} named; {kinds['unread']} in files that resuming does not read, the run bit-equal; "
        f"{len(wrong)} silent or not foreseen"
    )


def half(name: str, folder: Path) -> Path:
    """Makes a run of a family that stopped between its second and its third checkpoint."""

    def stop(progress: Any) -> None:
        if progress.step == 5:
            raise KeyboardInterrupt

    directory = folder / "half" / name / "run"
    with suppress(KeyboardInterrupt):
        ebmkit.run(family(name), directory, watch=stop, note=lambda text: None)
    return directory


def spoil(path: Path, rng: random.Random) -> None:
    """Changes bytes of a file, cuts it, or fills a block of it with zeros."""
    data, before = bytearray(path.read_bytes()), path.read_bytes()
    while bytes(data) == before:
        at, how = rng.randrange(len(data)), rng.random()
        if how < 0.6:
            data[at] ^= 1 << rng.randrange(8)
        elif how < 0.8:
            data = data[:at]
        else:
            data[at : at + 64] = bytes(len(data[at : at + 64]))
    path.write_bytes(data)


def writers(n: int, folder: Path, made: dict[str, tuple[Path, float, int]]) -> str:
    """Starts n times three processes on one directory at once."""
    alone, names = 0, list(made)
    for trial in range(n):
        name = names[trial % len(names)]
        directory = folder / f"writers-{trial}" / "run"
        pids = [forked(lambda name=name, directory=directory: make(name, directory)) for _ in range(3)]  # type: ignore[misc]
        statuses = sorted(ended(pid) for pid in pids)
        alone += statuses.count(0) >= 1 and set(statuses) <= {0, 1, 2} and held(directory) == held(made[name][0])
    return f"{alone} of {n} directories with three writers at once: one run, the others refused"


def disks(folder: Path, made: dict[str, tuple[Path, float, int]]) -> str:
    """Fills the disk under a run, makes it read-only, and takes the directory away; then goes on."""
    well, tried = 0, 0
    for name in made:
        for trouble in ("full", "read-only", "gone"):
            place = folder / f"disk-{name}-{trouble}"
            place.mkdir()
            if (
                trouble != "gone"
                and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", place]).returncode
            ):
                continue
            tried += 1
            try:
                well += disk(name, trouble, place, made[name][0])
            finally:
                if trouble != "gone":
                    subprocess.run(["umount", place], check=True)
    return f"{well} of {tried} full, read-only and vanished directories: one message, and the run goes on bit-equal"


def disk(name: str, trouble: str, place: Path, whole: Path) -> bool:
    """Gets one run into trouble half-way, and returns whether all went well."""
    directory, elsewhere = place / "run", place / "elsewhere"

    def watch(progress: Any) -> None:
        if progress.step != 5:
            return
        if trouble == "read-only":
            raise KeyboardInterrupt  # a disk that is written to cannot be made so
        if trouble == "gone":
            directory.rename(elsewhere)
            return
        with suppress(OSError), (place / "filler").open("wb") as file:
            while True:
                file.write(bytes(2**16))

    try:
        with suppress(KeyboardInterrupt):
            ebmkit.run(family(name), directory, watch=watch, note=lambda text: None)
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        make(name, directory)
        return False
    except EbmkitError as error:
        if error.exit_status != 1:
            say(f"  status {error.exit_status}: {error}")
            return False
    if trouble == "gone":
        elsewhere.rename(directory)
    elif trouble == "read-only":
        subprocess.run(["mount", "-o", "remount,rw", place], check=True)
    else:
        (place / "filler").unlink()
    make(name, directory)
    return held(directory) == held(whole)


def report(options: argparse.Namespace) -> int:
    """Tries everything, prints a line of each, and returns an exit status."""
    rng = random.Random(options.seed)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder, begun = Path(name), time.process_time()
        made = wholes(options.families or list(FAMILIES), folder)
        lines = [
            f"kills:    {kills(options.kills, rng, folder, made)}",
            f"damages:  {damages(options.damages, rng, folder, made)}",
            f"writers:  {writers(options.writers, folder, made)}",
            f"several:  {several(options.several, rng, folder / 'several', held)}",
        ]
        if options.disks and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("mount"):
            lines.append(f"disks:    {disks(folder, dict(list(made.items())[:2]))}")
        times = os.times()
        for line in lines:
            say(line)
        say(f"{time.process_time() - begun + times.children_user + times.children_system:.0f} s of CPU time")
    return 0 if all(is_well(line) for line in lines) else 1


def is_well(line: str) -> bool:
    """Whether a line of the report tells of no failure."""
    words = line.split()
    return "; 0 silent" in line if words[0] == "damages:" else words[1] == words[3]


def parsed(arguments: list[str]) -> argparse.Namespace:
    """Returns the counts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("kills", 30), ("damages", 100), ("writers", 5), ("several", 5), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--no-disks", dest="disks", action="store_false", help="leave out what mounts a small disk")
    parser.add_argument("--families", nargs="*", choices=list(FAMILIES), help="some of them; unset, all")
    parser.add_argument("--folder", type=Path, help="where the runs are made; unset, a temporary folder")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(report(parsed(sys.argv[1:])))
