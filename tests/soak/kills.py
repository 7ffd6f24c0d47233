"""SIGKILLs of runs, at random times and just before or after a random operation on the disk."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ebmkit.display.output import say
from tests.soak.forked import Whole, dies_at, ended, finished, forked, held, make
from tests.soak.parallel import each


def kills(n: int, seed: int, folder: Path, made: Sequence[Whole], jobs: int) -> str:
    """Kills n runs, each up to three times, half of them at an operation on the disk, and goes on with them."""
    trials = [(made[trial % len(made)], folder / f"kill-{trial}" / "run", f"{seed} {trial}") for trial in range(n)]
    hit, wrong = Counter[str](), list[str]()
    for (whole, directory, _), (killed, why) in zip(trials, each(killed_at_random, trials, jobs), strict=True):
        hit[whole.name] += killed
        if why:
            wrong.append(f"{directory} ({whole.name}, {why})")
    for line in wrong:
        say(f"  NOT EQUAL: {line}")
    least = min((hit[whole.name] for whole in made), default=0)
    return (
        f"{n - len(wrong)} of {n} bit-equal, pictures included, after {hit.total()} SIGKILLs, at least {least} for "
        f"each of {len(made)} recipes"
    )


def killed_at_random(whole: Whole, directory: Path, seed: str) -> tuple[int, str]:
    """Kills a run up to three times and goes on with it; returns how many kills hit, and why it is not whole."""
    rng, killed = random.Random(seed), 0
    for _ in range(rng.randint(1, 3)):
        if rng.random() < 0.5:
            pid = forked(dies_at(rng.randint(1, 2 * whole.operations), lambda: make(whole.recipe, directory)))
        else:
            pid = forked(lambda: make(whole.recipe, directory))
            time.sleep(rng.uniform(0, whole.seconds))
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed += ended(pid) == -signal.SIGKILL
    status = 0 if finished(directory) else ended(forked(lambda: make(whole.recipe, directory)))
    if status or held(directory) != held(whole.directory):
        return killed, f"status {status}"
    shutil.rmtree(directory.parent)
    return killed, ""
