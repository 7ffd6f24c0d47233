"""What reliability costs: checks, lock and checksums of a run, a large buffer on the disk, memory of hostile files.

python -m tests.soak.costs

CPU time is that of this process, in one thread; the wall clock is said where the disk has a part in it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

import ebmkit
from ebmkit.display.output import say
from ebmkit.runs import kept
from ebmkit.runs.checkpoints import beside, checkpoint
from ebmkit.runs.checkpoints.checkpoint import Saved
from ebmkit.runs.checkpoints.finite import check_finite
from ebmkit.runs.files import whole
from ebmkit.runs.files.lock import Lock
from ebmkit.runs.log.lines import Lines

DEMO = "clel-fashion"
ROWS = (50_000, 3, 32, 32)
HOSTILE = Path(__file__).parents[1] / "data" / "hostile.py"
EACH_STEP = ((Lock, "is_held"),)
EACH_CHECKPOINT = (
    (checkpoint, "seal"), (checkpoint, "self_sealed"), (beside.Beside, "seals"), (Lines, "seal"),
    (kept, "check_finite"), (whole, "sync"), (whole, "sync_folder"),
)  # fmt: skip


class Timed:
    """CPU and wall time within some functions; within one of them, the others count with it."""

    def __init__(self) -> None:
        self.cpu, self.wall, self._depth = 0.0, 0.0, 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Counts what is done within it."""
        self._depth += 1
        cpu, wall = time.process_time(), time.monotonic()
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self.cpu += time.process_time() - cpu
                self.wall += time.monotonic() - wall

    def counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Returns a function whose time is counted."""

        def call(*given: Any, **more: Any) -> Any:
            with self.counting():
                return function(*given, **more)

        return call


@contextmanager
def timed(functions: tuple[tuple[Any, str], ...]) -> Iterator[Timed]:
    """Within it, the time in some functions is counted."""
    found = Timed()
    with ExitStack() as stack:
        for place, name in functions:
            stack.enter_context(patch.object(place, name, found.counted(getattr(place, name))))
        yield found


def of_a_run(steps: int) -> str:
    """Makes some steps of the demo's recipe and one checkpoint; returns the share that checks take at its own pace."""
    every = ebmkit.as_recipe(DEMO).table("checkpoint").every
    settings = {"run.steps": steps, "run.engine": "eager", "run.checked_steps": 0, "checkpoint.every": steps,
                "pictures.every": steps, "log.every": 1, "eval.every": 0}  # fmt: skip
    seconds = list[float]()
    with (
        tempfile.TemporaryDirectory() as folder, timed(EACH_STEP) as each_step, timed(EACH_CHECKPOINT) as each_save,
    ):  # fmt: skip
        ebmkit.run(
            ebmkit.as_recipe(DEMO).with_overrides(settings.items()), Path(folder) / "run",
            watch=lambda progress: seconds.append(time.process_time()), note=lambda text: None,
        )  # fmt: skip
    step = (seconds[-1] - seconds[1]) / (len(seconds) - 2)
    share = (each_step.cpu / steps * every + each_save.cpu) / (every * step)
    look, save = 1e6 * each_step.cpu / steps, 1e3 * each_save.cpu
    return (
        f"checks:  a step takes {step:.2f} s of CPU, its look at the lock {look:.0f} µs; the checks and checksums of a "
        f"checkpoint, every {every} steps, {save:.0f} ms; together {share:.3%} of the run"
    )


def of_a_buffer() -> list[str]:
    """Writes and reads a checkpoint with a large buffer, and returns a line on each."""
    rows = torch.rand(ROWS, generator=torch.Generator().manual_seed(0))
    saved = Saved(step=1, tensors={"buffer": {"x": rows}}, data={})
    with tempfile.TemporaryDirectory() as folder, timed(((whole, "sync"),)) as disk:
        both = Timed()
        with both.counting():
            check_finite(saved, ())
            path = checkpoint.save(Path(folder), saved, keep=1)
        again = Timed()
        with again.counting():
            found = checkpoint.load(path)
        assert torch.equal(found.tensors["buffer"]["x"], rows)
    size = f"{ROWS[0]:,} rows of 3×32×32 floats, {rows.nbytes / 2**20:.0f} MiB"
    waits = f"{disk.wall:.2f} s of it until the disk holds them"
    return [
        f"buffer:  {size}: saved in {both.wall:.2f} s ({both.cpu:.2f} s of CPU; {waits})",
        f"buffer:  {size}: loaded in {again.wall:.2f} s ({again.cpu:.2f} s of CPU)",
    ]


def of_hostile_files() -> str:
    """Opens all hostile files in a process of its own; returns how many were refused, and its memory."""
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run([sys.executable, str(HOSTILE), folder], capture_output=True, text=True, check=False)
    tried = re.findall(r"^(.*): .*; at most ([0-9.]+) GiB so far$", made.stderr, re.MULTILINE)
    refused = sum(found == "refused" for found, _ in tried)
    most = max((float(size) for _, size in tried), default=0.0)
    return (
        f"hostile: {refused} of {len(tried)} files and settings refused, the process never above {most:.2f} GiB in all"
    )


def main() -> None:
    """Prints all costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20, help="of the demo's recipe")
    steps = parser.parse_args().steps
    torch.set_num_threads(1)
    say(of_hostile_files())  # first: a process counts the memory of the one that it was started by
    say(of_a_run(steps))
    for line in of_a_buffer():
        say(line)


if __name__ == "__main__":
    main()
