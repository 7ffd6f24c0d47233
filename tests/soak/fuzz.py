"""Gives the command line what no person would: 10,000 inputs, of which each must end in one message, and soon.

python tests/soak/fuzz.py 10000
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ebmkit.cli.main import main
from ebmkit.display.output import say
from ebmkit.plugins.host import host

sys.path.insert(0, str(Path(__file__).parent))

from inputs import SMALL, Inputs  # type: ignore[import-not-found]

LIMIT = 2.0
"""Seconds of work after which an input counts as a hang."""


class Hang(BaseException):
    """An input took too long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """An input that ended otherwise than in one message.

    Attributes:
        line: the arguments.
        why: what was wrong.
        said: the end of what was written.
    """

    line: list[str]
    why: str
    said: str


def tried(line: list[str], limit: float = LIMIT) -> Found | None:
    """Runs a command line in this process; returns what is wrong with its end, None where all is well."""
    out, err = io.StringIO(), io.StringIO()
    begun = time.process_time()
    why = ""
    try:
        with _limited(10 * limit), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(line)
        if status not in (0, 1, 2):
            why = f"exit status {status}"
        elif status and not (err.getvalue() + out.getvalue()).strip():
            why = "no message"
    except Hang:
        why = "hang"
    except BaseException as error:
        why = f"{type(error).__name__} came through: {error}"[:300]
    said = err.getvalue()
    if "Traceback" in said or "not foreseen" in said:
        why = "a traceback, or what was not foreseen"
    spent = time.process_time() - begun
    if not why and spent > limit:
        why = f"{spent:.1f} s"
    return Found(line=line, why=why, said=said[-400:]) if why else None


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def fuzzed(n: int, seed: int, folder: Path) -> Iterator[Found]:
    """Tries n inputs in a folder of their own, and yields those that end otherwise than in one message."""
    trained = folder / "trained"
    before = Path.cwd()
    os.chdir(folder)
    try:
        if problem := tried([*SMALL, "--steps", "1", "--out", str(trained)], limit=600):
            raise AssertionError(f"the run to try things on failed: {problem}")
        inputs = Inputs(seed, host(), folder, trained)
        for _ in range(n):
            if (found := tried(inputs.line())) is not None:
                yield found
    finally:
        os.chdir(before)


def report(n: int, seed: int = 0) -> int:
    """Tries n inputs, prints what failed and a summary, and returns an exit status."""
    torch.set_num_threads(1)
    begun, failed = time.process_time(), 0
    with tempfile.TemporaryDirectory() as folder:
        for found in fuzzed(n, seed, Path(folder)):
            failed += 1
            line = " ".join(repr(word)[:120] for word in found.line)
            say(f"FAILED ({found.why}): ebmkit {line}\n    {found.said.strip()}")
    say(f"{n:,} inputs, {failed} of them failed, {time.process_time() - begun:.0f} s of CPU time")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(report(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, int(sys.argv[2]) if len(sys.argv) > 2 else 0))
