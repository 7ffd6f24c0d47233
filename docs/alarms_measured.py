"""Counts what the alarms find: runs made to go wrong that stop within 200 steps with the right line, and false alarms.

python docs/alarms_measured.py             all runs of docs/alarms_runs.py, the table of docs/alarms.md
python docs/alarms_measured.py wrong 3 4   only these
"""

from __future__ import annotations

import json
import re
import shlex
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent))

from alarms_parts import COMPONENTS
from alarms_runs import HEALTHY, WRONG, Planned

import ebmkit
from ebmkit.cli.asked import Asked, asked_recipe
from ebmkit.errors import DivergenceError
from ebmkit.plugins.host import host
from ebmkit.recipes.recipe import Recipe
from ebmkit.training.alarms.table import ALARMS

WITHIN = 200
"""Steps after going wrong in which a run must have stopped."""

QUIET = ("run.engine=eager", "log.tensorboard=false", "checkpoint.every=100000", "pictures.every=100000")


def recipe_of(planned: Planned) -> Recipe:
    """Returns the recipe that the flags of a run ask for."""
    words = shlex.split(planned.command)
    pairs = list(zip(words[::2], words[1::2], strict=True))
    settings = [value for flag, value in pairs if flag == "--set"]
    named = {flag.removeprefix("--"): value for flag, value in pairs if flag != "--set"}
    asked = Asked(settings=(*settings, *QUIET), steps=planned.steps, **named)
    return asked_recipe(asked, host())


def made(planned: Planned, directory: Path) -> tuple[int, str, list[dict[str, object]]]:
    """Makes a run; returns the step at which it stopped (0 where it did not), why, and all findings."""
    stopped, said = 0, ""
    try:
        ebmkit.run(recipe_of(planned), directory, note=lambda line: None)
    except DivergenceError as error:
        said = str(error)
        stopped = int(re.findall(r"Step (\d+):", said)[0])
    path = directory / "alarms.jsonl"
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return stopped, said, found


def lines_in(said: str, found: list[dict[str, object]]) -> str:
    """Returns the line of the table that a run was stopped with; the last that its message names."""
    stops = [str(finding["alarm"]) for finding in found if finding["kind"] == "stop"]
    named = [alarm.name for alarm in ALARMS if f"(alarm {alarm.name};" in said]
    return stops[-1] if stops else (named[-1] if named else "")


def judged(planned: Planned, n: int) -> tuple[bool, str]:
    """Makes a run; returns whether it went as it should, and a line of the table of results."""
    begun = time.monotonic()
    with TemporaryDirectory() as directory:
        stopped, said, found = made(planned, Path(directory) / "run")
    line = lines_in(said, found)
    warned = ", ".join(f"{finding['alarm']} {finding['step']}" for finding in found if finding["kind"] == "warning")
    if planned.lines:
        good = 0 < stopped <= planned.wrong_from + WITHIN and line in planned.lines
    else:
        good = not stopped and not found
    cells = (n, "yes" if good else "NO", stopped or "–", line or "–", warned or "–", f"`{planned.command}`")
    return good, f"| {' | '.join(map(str, cells))} | {time.monotonic() - begun:.0f} s |\n"


def count(name: str, runs: Iterable[tuple[int, Planned]]) -> None:
    """Makes runs one after the other and prints how many went as they should."""
    sys.stdout.write(f"\n| {name} | as it should | stopped at step | line | warnings | flags | time |\n|{'---|' * 7}\n")
    good = []
    for n, planned in runs:
        well, line = judged(planned, n)
        good.append(well)
        sys.stdout.write(line)
        sys.stdout.flush()
    sys.stdout.write(f"\n{sum(good)} of {len(good)} {name} runs went as they should.\n")


def main() -> int:
    """Makes all runs, or those that are named."""
    for component in COMPONENTS:
        ebmkit.register(component)
    kinds = {"wrong": WRONG, "healthy": HEALTHY}
    for name in sys.argv[1:2] or kinds:
        chosen = {int(word) for word in sys.argv[2:]} or set(range(1, len(kinds[name]) + 1))
        count(name, [(n, run) for n, run in enumerate(kinds[name], start=1) if n in chosen])
    return 0


if __name__ == "__main__":
    sys.exit(main())
