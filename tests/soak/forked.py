"""Runs in processes of their own, which may be killed at any moment."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import ebmkit
from ebmkit.errors import EbmkitError
from ebmkit.recipes.recipe import Recipe, read_recipe
from ebmkit.recipes.stage import total_steps

TIMEOUT = 300.0
OPERATIONS = ((Path, "replace"), (Path, "mkdir"), (Path, "unlink"), (os, "fsync"), (os, "truncate"), (shutil, "rmtree"))

Asked = Recipe | Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Whole:
    """A run that nothing happened to.

    Attributes:
        name: of its recipe.
        recipe: that it was made from.
        directory: of the run.
        seconds: that it took.
        operations: on the disk, see `OPERATIONS`.
    """

    name: str
    recipe: Asked
    directory: Path
    seconds: float
    operations: int


def held(directory: Path) -> dict[str, bytes]:
    """Returns what a finished run made that a kill must not change: weights, chains, log, findings, pictures."""
    last = max((directory / "checkpoints").glob("step-*"), default=directory / "none")
    files = [*directory.glob("*.jsonl"), *directory.glob("samples/*.png"), *last.glob("*.safetensors")]
    files += directory.glob("evaluation/*.png")
    return {p.relative_to(directory).as_posix(): p.read_bytes() for p in files if not p.name.startswith("damaged-")}


def make(recipe: Asked, directory: Path, note: Callable[[str], None] | None = None) -> None:
    """Begins a run, or goes on with it."""
    tell = note or (lambda text: None)
    if (directory / "recipe.toml").exists():
        ebmkit.resume(directory, note=tell)
    else:
        ebmkit.run(recipe, directory, note=tell)


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


def finished(directory: Path) -> bool:
    """Whether a run has made its last checkpoint."""
    path = directory / "recipe.toml"
    return path.exists() and (directory / "checkpoints" / f"step-{total_steps(read_recipe(path)):08d}").is_dir()


def wholes(recipes: Mapping[str, Asked], folder: Path) -> list[Whole]:
    """Makes each run once, whole, after one that warms up."""
    found = []
    for name, recipe in recipes.items():
        directory, count = folder / "whole" / name / "run", list[int]()
        make(recipe, folder / "warm" / name / "run")
        begun = time.monotonic()
        dies_at(0, lambda recipe=recipe, directory=directory: make(recipe, directory), count)()  # type: ignore[misc]
        seconds = time.monotonic() - begun
        found.append(Whole(name=name, recipe=recipe, directory=directory, seconds=seconds, operations=count[0]))
    return found
