"""One training of a study, and its evaluations: what is there already, by the same command, is not made again."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from results_study import ROOT, Arm, Study, run_command, words

TRACED = ("gap", "energy_positive", "gradient_norm.energy", "chain_accept_rate")
"""Of the numbers that training writes, those that a study keeps."""

QUARTERS = (1, 2, 3, 4)

CODE = ("ebmkit", "plugins")
"""Folders of the code that trains and judges."""

DIVERGED = 1
"""Exit status of a training that fails by itself, and of an evaluation in which a metric has no numbers."""

NO_NUMBERS = " has no numbers: "
"""What an evaluation says of a metric that has none."""


class Failed(Exception):
    """A training that failed by itself, as one that diverges, or an evaluation that has no numbers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """What a command took.

    Attributes:
        seconds: CPU time.
        mib: the most memory it had at once, with what Python and torch take by themselves.
    """

    seconds: float
    mib: float


def git(*asked: str) -> str:
    """Returns what git says; "" where there is none."""
    return subprocess.run(["git", *asked], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def code_state() -> str:
    """Returns what tells the code that trains and judges: the contents of its folders, and what was changed since."""
    trees = git("rev-parse", *(f"HEAD:{folder}" for folder in CODE))
    changed = git("diff", "HEAD", "--", *CODE)
    return hashlib.sha256(f"{trees}\n{changed}".encode()).hexdigest()[:12]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """An arm of a study with one seed.

    What it made before is taken where command, recipes and code are the same.
    """

    study: Study
    arm: Arm
    seed: int
    code: str = field(default_factory=code_state)

    @property
    def runs(self) -> Path:
        """The folder of all runs of the study."""
        return ROOT / "runs" / "results" / self.study.name

    @property
    def out(self) -> Path:
        """The run."""
        return self.runs / f"{self.arm.name}-{self.seed}"

    @property
    def log(self) -> Path:
        """What the commands print."""
        return self.runs / f"{self.arm.name}-{self.seed}.log"

    @property
    def judges(self) -> list[str]:
        """Flags of its evaluations."""
        own = () if self.arm.name == "all" else self.study.judge.get(self.arm.name, ())
        return [*self.study.judge["all"], *own]

    def last_words(self) -> str:
        """Returns the last error that its commands printed, else their last line; "" where there is none."""
        said = self.log.read_text(encoding="utf-8", errors="replace").splitlines() if self.log.exists() else []
        errors = [line for line in said if re.match(r"(\w*Error\b|.*: No module )", line)]
        return (errors or said or [""])[-1]

    def trained(self) -> dict[str, object]:
        """Trains it, and returns seconds, MiB and the date; raises Failed."""
        quarter = max(1, self.arm.steps // 4)
        keep = ("--set", f"checkpoint.every={quarter}", "--set", "checkpoint.keep=6", "--seed", str(self.seed))
        command = run_command(self.arm, self.arm.steps, self.out, *keep)
        known = self.runs / f"{self.out.name}.spent"
        told = json.loads(known.read_text(encoding="utf-8")) if known.exists() else {}
        asked = {"command": command, "recipes": _contents(command), "code": self.code}
        if {name: told.get(name) for name in asked} != asked:
            known.unlink(missing_ok=True)
            shutil.rmtree(self.out, ignore_errors=True)
            told = asdict(self._made(command, "training")) | asked | {"date": time.strftime("%Y-%m-%d")}
            known.write_text(json.dumps(told), encoding="utf-8")
        return {name: told[name] for name in ("seconds", "mib", "date")}

    def judged(self) -> dict[str, object]:
        """Returns all numbers, how they were drawn, those over training, the seconds, and evaluations without any."""
        numbers, curve, seconds, without = dict[str, object](), dict[int, object](), 0.0, list[str]()
        drawn = dict[str, list[str]]()
        for flags in self.judges:
            try:
                found, took = self._evaluated(*words(flags))
            except Failed as failure:
                without.append(str(failure))
                continue
            numbers |= found
            drawn[flags] = self.said(*words(flags))
            seconds += took
            without += self._without(*words(flags))
        for quarter in QUARTERS if self.study.curve else ():
            step = max(1, self.arm.steps // 4) * quarter if quarter < QUARTERS[-1] else self.arm.steps
            try:
                curve[step], took = self._evaluated(*self.study.curve, "--step", str(step))
            except Failed as failure:
                without.append(str(failure))
                continue
            seconds += took
            without += self._without(*self.study.curve, "--step", str(step))
        found = {"numbers": numbers, "drawn": drawn, "curve": curve, "judging": seconds}
        if curve:
            found["shares"] = shares_of_time(self.out, list(curve))
        return found | ({"without": without} if without else {})

    def _evaluated(self, *flags: str) -> tuple[dict[str, list[float | None]], float]:
        """Returns value and error of each number of an evaluation, as METRIC: VALUE, and the seconds that it took."""
        told, spent = self._told(*flags), self._told(*flags).with_suffix(".took")
        trained = self.runs / f"{self.out.name}.spent"
        if not told.exists() or told.stat().st_mtime < trained.stat().st_mtime:
            begun = told.with_name(f"{told.stem}-begun.json")
            command = [sys.executable, "-m", "ebmkit", "eval", str(self.out), *flags, "--out", str(begun)]
            begun.unlink(missing_ok=True)
            try:
                took = self._made(command, "evaluation").seconds
            except Failed:
                if not begun.exists():  # where only some metrics have no numbers, the others are there
                    raise
                took = 0.0
            spent.write_text(str(took), encoding="utf-8")
            begun.rename(told)
        found = {}
        for metric in json.loads(told.read_text(encoding="utf-8"))["metrics"]:
            for name, estimate in metric["estimates"].items():
                found[f"{metric['name']}: {name}"] = [estimate["value"], estimate["error"]]
        return found, float(spent.read_text(encoding="utf-8"))

    def said(self, *flags: str) -> list[str]:
        """Returns how the numbers of an evaluation were made, and its notes, as of chains that were left out."""
        told = json.loads(self._told(*flags).read_text(encoding="utf-8"))
        made = [line for metric in told["metrics"] for line in (metric["definition"], *metric["notes"])]
        return [line for line in (told.get("sampling", ""), *told.get("notes", []), *made) if line]

    def _without(self, *flags: str) -> list[str]:
        """Returns why metrics of an evaluation have no numbers."""
        failures = json.loads(self._told(*flags).read_text(encoding="utf-8")).get("failures", {})
        return [f"{metric}: {why}" for metric, why in failures.items()]

    def _told(self, *flags: str) -> Path:
        key = hashlib.sha256(" ".join((self.code, *flags)).encode()).hexdigest()[:12]
        return self.runs / f"{self.out.name}-{key}.json"

    def _made(self, command: Sequence[str], what: str) -> Spent:
        before = self.log.stat().st_size if self.log.exists() else 0
        try:
            return timed(command, self.log)
        except subprocess.CalledProcessError as error:
            said = self.log.read_bytes()[before:].decode(errors="replace").splitlines()
            errors = [line for line in said if line.startswith("Error") or NO_NUMBERS in line]
            interrupted = any("Interrupted" in line for line in said)
            if error.returncode != DIVERGED or interrupted or not errors:
                raise  # it was stopped or killed, or asked for what is not there: that says nothing about the method
            raise Failed(f"{what}: {errors[-1]}") from error


def _contents(command: Sequence[str]) -> list[str]:
    """Returns what stands in the recipe files that a command names."""
    return [(ROOT / word).read_text(encoding="utf-8") for word in command if word.endswith(".toml")]


def timed(command: Sequence[str], log: Path | None) -> Spent:
    """Runs a command on one thread and returns what it took; raises CalledProcessError."""
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
    with (log or Path(os.devnull)).open("a") as told:
        env = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        process = subprocess.Popen(command, stdout=told, stderr=subprocess.STDOUT, cwd=ROOT, env=env)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, " ".join(command))
    a_mib = 2**20 if sys.platform == "darwin" else 2**10
    return Spent(seconds=used.ru_utime + used.ru_stime, mib=used.ru_maxrss / a_mib)


def shares_of_time(run: Path, steps: Sequence[int]) -> dict[int, float]:
    """Returns the shares of the time of training that had passed at these steps.

    Stages take what they took by the clock; the steps of one are taken to be alike, as other work slows now these,
    now those.
    """
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    ends = [row["step"] for row, after in itertools.pairwise(rows) if row.get("stage") != after.get("stage")]
    known = [0, *ends, rows[-1]["step"]]
    passed = [end / known[-1] for end in known]
    if ends:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        written = EventAccumulator(str(run / "tensorboard"))
        written.Reload()
        at = {event.step: event.wall_time for tag in written.Tags()["scalars"] for event in written.Scalars(tag)}
        begin, end = min(at.values()), max(at.values())
        passed = [0.0, *((at[step] - begin) / (end - begin) for step in known[1:])]
    return dict(zip(steps, np.interp(steps, known, passed).tolist(), strict=True))


def traced(file: Path, most: int = 60) -> dict[str, list[float | None]]:
    """Returns steps and the kept numbers of a training log, at most so many of each, evenly over the run."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    kept = rows[:: -(-len(rows) // most) or 1]
    return {name: [row.get(name) for row in kept] for name in ("step", *TRACED) if any(name in row for row in rows)}
