"""What a study is: settings that are compared at equal time of training, read from docs/results/STUDY.toml."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import sys
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "docs" / "results"
PLACES = {"{here}": str(HERE.relative_to(ROOT)), "{data}": os.environ.get("EBMKIT_DATA") or "data"}
"""What stands in a study for a folder: of the studies, and of the data sets that do not come with ebmkit."""

MNIST = ("mnist/t10k-images*", "t10k-images*")
"""Where a file of it is, below the folder of data sets."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """One setting of a study.

    Attributes:
        name: as in tables.
        asked: flags of `ebmkit run`, as they would be typed.
        steps: training steps; 0 where the pilot has not found them.
        seconds: CPU time of training with these steps, from the pilot.
    """

    name: str
    asked: tuple[str, ...]
    steps: int = 0
    seconds: float = 0.0

    @property
    def cost(self) -> str:
        """What the time of a step depends on: its flags, without those of the optimiser."""
        flags = list(self.asked)
        for place in range(len(flags) - 1, 0, -1):
            if flags[place - 1] == "--set" and flags[place].startswith("optim."):
                del flags[place - 1 : place + 1]
        return shlex.join(flags)


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """Arms that are compared at equal time of training.

    Attributes:
        name: of its file.
        question: what it answers.
        minutes: CPU time of one training, on one thread.
        seeds: of training.
        judge: flags of `ebmkit eval` after training, one evaluation each: of every arm ("all"), and of some.
        curve: flags of one evaluation after each quarter of training; none where there are none.
        columns: numbers of the table, as METRIC: VALUE.
        tables: further tables of the page, by name: their numbers.
        arms: the settings.
        seeds_of: the seeds of arms that have fewer than the others, where time is short: by name, or one (`once`).
        steps_of: arms that take the steps of another, by name.
    """

    name: str
    question: str
    minutes: float
    seeds: tuple[int, ...]
    judge: Mapping[str, Sequence[str]]
    curve: tuple[str, ...]
    columns: tuple[str, ...]
    tables: Mapping[str, Sequence[str]]
    arms: tuple[Arm, ...]
    seeds_of: Mapping[str, Sequence[int]]
    steps_of: Mapping[str, str]

    def missing(self, arm: Arm) -> list[str]:
        """Returns the files of other data that evaluations of an arm name, and that are not there."""
        told = " ".join((*self.judge["all"], *self.judge.get(arm.name, ())))
        data = ROOT / PLACES["{data}"]
        missing = [name for name in dict.fromkeys(re.findall(r"{data}/([\w.-]+)", told)) if not (data / name).exists()]
        if '"mnist"' in told and not any(any(data.glob(pattern)) for pattern in MNIST):
            missing.insert(0, "mnist")
        return [f"{PLACES['{data}']}/{name}" for name in missing]


def study_of(name: str, folder: Path = HERE) -> Study:
    """Returns a study, with the steps that its pilot found."""
    told = tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
    found = numbers_of(folder / name / "pilot.json")
    arms = []
    for arm, flags in told["arms"].items():
        known = found.get(arm, {})
        asked = (*words(told.get("all", "")), *words(flags))
        arms.append(Arm(name=arm, asked=asked, steps=int(known.get("steps", 0)), seconds=known.get("seconds", 0.0)))
    return Study(
        name=name,
        question=told["question"],
        minutes=told["minutes"],
        seeds=tuple(told["seeds"]),
        judge=told["judge"],
        curve=words(told.get("curve", "")),
        columns=tuple(told["columns"]),
        tables=told.get("tables", {}),
        arms=tuple(arms),
        seeds_of={name: told["seeds"][:1] for name in told.get("once", ())} | told.get("seeds_of", {}),
        steps_of=told.get("steps_of", {}),
    )


def words(flags: str) -> tuple[str, ...]:
    """Returns the words of a command line, with folders in their places."""
    for mark, folder in PLACES.items():
        flags = flags.replace(mark, folder)
    return tuple(shlex.split(flags))


def studies(folder: Path = HERE) -> list[str]:
    """Returns the names of all studies, by the number that their files begin with; first those that find rates."""
    names = (path.stem for path in folder.glob("*.toml") if path.stem != "ledger")
    return sorted(names, key=lambda name: (name.partition("-")[0], not name.endswith("-rates"), name))


def run_command(arm: Arm, steps: int, out: Path, *more: str) -> list[str]:
    """Returns the command that trains an arm for so many steps; {70%} in a flag is that share of them."""

    def share(found: re.Match[str]) -> str:
        return str(max(1, steps * int(found[1]) // 100))

    flags = [re.sub(r"\{(\d+)%\}", share, flag) for flag in arm.asked]
    return [sys.executable, "-m", "ebmkit", "run", *flags, "--steps", str(steps), *more, "--out", str(out)]


def numbers_of(path: Path) -> dict[str, dict[str, float]]:
    """Returns what a JSON file holds; nothing where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def count(text: str) -> int:
    """Returns a whole number from 1 on."""
    with suppress(ValueError):
        if int(text) >= 1:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 on")
