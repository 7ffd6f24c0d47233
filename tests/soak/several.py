"""SIGKILLs of one of two processes that train together."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from ebmkit.display.output import say
from ebmkit.plugins.host import host
from ebmkit.recipes.recipe import Recipe, from_mapping, to_toml
from ebmkit.recipes.resolver.stages import resolve_run
from tests.processes.commands import Job
from tests.soak.forked import Asked

AT_MOST = 4
"""Recipes that are taken, each with a run of two processes that is not killed."""


def several(
    n: int, rng: random.Random, folder: Path, held: Callable[[Path], dict[str, bytes]], recipes: Mapping[str, Asked]
) -> str:
    """Kills n times one of two processes, at a random time, and goes on with the run in two."""
    names = [name for name, asked in recipes.items() if may_be_shared(name, asked)]
    names = names[:: max(1, len(names) // AT_MOST)][: min(AT_MOST, n)]
    made = {name: _whole(recipes[name], folder / name) for name in names}
    same, killed = 0, 0
    for trial in range(n):
        name = names[trial % len(names)]
        directory, (whole, seconds) = folder / name / f"{trial}" / "run", made[name]  # pictures bear its name
        going = _job(folder / name, directory)
        time.sleep(rng.uniform(0.3, 1) * seconds)
        with suppress(ProcessLookupError):
            going.send(signal.SIGKILL, rng.randrange(2))
        statuses = [each.status for each in going.ended()]
        killed += -signal.SIGKILL in statuses
        again = _job(folder / name, directory).ended()
        if [each.status for each in again] == [0, 0] and held(directory) == held(whole):
            same += 1
        else:
            say(f"  NOT EQUAL: {directory}: {statuses}, then {[(each.status, each.said[-300:]) for each in again]}")
    return (
        f"{same} of {n} runs of two processes bit-equal, after {killed} SIGKILLs of one of them; recipes: "
        f"{', '.join(names)}"
    )


def may_be_shared(name: str, asked: Asked) -> bool:
    """Whether two processes may make a run: it goes never back, and its parts are those of installed plugins."""
    recipe = asked if isinstance(asked, Recipe) else from_mapping(asked)
    parts = {part.use for named in recipe.parts.values() for part in named}
    return not recipe.table("run").rollbacks and "altered" not in parts


def _job(folder: Path, directory: Path) -> Job:
    return Job(["run", "--recipe", folder / "recipe.toml", "--out", directory, "--resume-if-present"], folder)


def _whole(asked: Asked, folder: Path) -> tuple[Path, float]:
    """Makes a run in two processes that is not killed; returns its directory and how long it took."""
    folder.mkdir(parents=True)
    recipe = asked if isinstance(asked, Recipe) else from_mapping(asked)
    (folder / "recipe.toml").write_text(to_toml(resolve_run(recipe, host()).recipe))
    _job(folder, folder / "warm" / "run").ended()
    begun = time.monotonic()
    ended = _job(folder, folder / "whole" / "run").ended()
    assert [each.status for each in ended] == [0, 0], f"the run that is not killed does not end well: {ended}"
    return folder / "whole" / "run", time.monotonic() - begun
