"""SIGKILLs of one of two processes that train together."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ebmkit.display.output import say
from ebmkit.recipes.recipe import from_mapping, to_toml
from tests.processes.commands import Job
from tests.soak.families import family

NAME = "persistent chains in the plane"


def several(n: int, rng: random.Random, folder: Path, held: Callable[[Path], dict[str, bytes]]) -> str:
    """Kills n times one of two processes, at a random time, and goes on with the run in two."""
    folder.mkdir()
    recipe = folder / "recipe.toml"
    recipe.write_text(to_toml(from_mapping(family(NAME))))

    def job(directory: Path) -> Job:
        return Job(["run", "--recipe", recipe, "--out", directory, "--resume-if-present"], folder)

    job(folder / "warm" / "run").ended()
    begun = time.monotonic()
    statuses = [each.status for each in job(folder / "whole" / "run").ended()]
    assert statuses == [0, 0], "the run that is not killed does not end well"
    seconds, same, killed = time.monotonic() - begun, 0, 0
    for trial in range(n):
        directory = folder / f"{trial}" / "run"  # pictures bear its name
        going = job(directory)
        time.sleep(rng.uniform(0, seconds))
        with suppress(ProcessLookupError):
            going.send(signal.SIGKILL, rng.randrange(2))
        statuses = [each.status for each in going.ended()]
        killed += -signal.SIGKILL in statuses
        again = job(directory).ended()
        if [each.status for each in again] == [0, 0] and held(directory) == held(folder / "whole" / "run"):
            same += 1
        else:
            say(f"  NOT EQUAL: {directory}: {statuses}, then {[(each.status, each.said[-300:]) for each in again]}")
    return f"{same} of {n} runs of two processes bit-equal, after {killed} SIGKILLs of one of them"
