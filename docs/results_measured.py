"""Studies: several settings of a method, each trained with several seeds for the same time, and judged alike.

python docs/results_measured.py list                     studies, what is done of them, and what the rest takes
python docs/results_measured.py pilot STUDY              steps of each arm that fill the time of the study
python docs/results_measured.py run STUDY [--arms A B] [--seeds 0 1] [--minutes 60] [--jobs 2]
python docs/results_measured.py page STUDY               the table of the study's page, from what was measured

A study is docs/results/STUDY.toml; {70%} in its flags is that share of the steps, for a stage. Runs go to
runs/results/STUDY, numbers and complete recipes to docs/results/STUDY/.
What is there already is not measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from results_pictures import draw_curves
from results_study import HERE, ROOT, Arm, Study, run_command, studies, study_of, words
from results_table import write_page

PILOT_STEPS = 20
TRACED = ("gap", "energy_positive", "gradient_norm.energy")
"""Of the numbers that training writes, those that a study keeps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """What a command took.

    Attributes:
        seconds: CPU time.
        mib: the most memory it had at once, with what Python and torch take by themselves.
    """

    seconds: float
    mib: float


def pilot(study: Study, folder: Path = HERE) -> None:
    """Measures the CPU time of a step of each arm, and writes down the steps that fill the study's time."""
    found = {}
    for arm in study.arms:
        spent = []
        for steps in (PILOT_STEPS, 3 * PILOT_STEPS):
            out = ROOT / "runs" / "results" / study.name / f"pilot-{arm.name}-{steps}"
            shutil.rmtree(out, ignore_errors=True)
            spent.append(_timed(run_command(arm, steps, out), None).seconds)
        a_step = (spent[1] - spent[0]) / (2 * PILOT_STEPS)
        n_steps = max(1, int(60 * study.minutes / a_step))
        found[arm.name] = {"steps": n_steps, "seconds": n_steps * a_step}
        sys.stdout.write(f"{arm.name}: {1e3 * a_step:.0f} ms of CPU time a step, {n_steps} steps\n")
    _write(folder / study.name / "pilot.json", found)


def measure(study: Study, arm: Arm, seed: int, folder: Path = HERE) -> None:
    """Trains an arm with one seed, judges it, and keeps its numbers and its complete recipe."""
    runs = ROOT / "runs" / "results" / study.name
    out = runs / f"{arm.name}-{seed}"
    log = runs / f"{arm.name}-{seed}.log"
    spent = runs / f"{arm.name}-{seed}.spent"
    quarter = max(1, arm.steps // 4)
    if not spent.exists():
        shutil.rmtree(out, ignore_errors=True)
        keep = ("--set", f"checkpoint.every={quarter}", "--set", "checkpoint.keep=5", "--seed", str(seed))
        spent.write_text(json.dumps(asdict(_timed(run_command(arm, arm.steps, out, *keep), log))))
    numbers: dict[str, object] = {}
    for index, flags in enumerate((*study.judge["all"], *study.judge.get(arm.name, ()))):
        numbers |= _judged(out, runs / f"{arm.name}-{seed}-{index}.json", log, *words(flags))
    curve = {}
    for step in range(quarter, arm.steps, quarter) if study.curve else ():
        at = ("--step", str(step))
        curve[step] = _judged(out, runs / f"{arm.name}-{seed}-step-{step}.json", log, *study.curve, *at)
    kept = {
        "arm": arm.name,
        "seed": seed,
        "steps": arm.steps,
        **json.loads(spent.read_text()),
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit(),
        "numbers": numbers,
        "curve": curve,
        "trace": traced(out / "metrics.jsonl"),
    }
    _write(folder / study.name / f"{arm.name}-{seed}.json", kept)
    (folder / study.name / f"{arm.name}.toml").write_text((out / "recipe.toml").read_text(encoding="utf-8"))


def commit() -> str:
    """Returns the commit that is checked out, "" outside of a repository."""
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False
    )
    return found.stdout.strip()


def traced(file: Path, most: int = 60) -> dict[str, list[float | None]]:
    """Returns steps and the kept numbers of a training log, at most so many of each, evenly over the run."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    kept = rows[:: -(-len(rows) // most)]
    return {name: [row.get(name) for row in kept] for name in ("step", *TRACED) if any(name in row for row in rows)}


def left(study: Study, arms: Sequence[str], seeds: Sequence[int], folder: Path = HERE) -> Iterator[tuple[Arm, int]]:
    """Yields what is not measured yet: every arm with the first seed, then with the second."""
    for seed in seeds or study.seeds:
        for arm in study.arms:
            if (not arms or arm.name in arms) and not (folder / study.name / f"{arm.name}-{seed}.json").exists():
                yield arm, seed


def run(study: Study, asked: argparse.Namespace, folder: Path = HERE) -> None:
    """Measures what is left of a study, as far as the time that was given goes."""
    if any(not arm.steps for arm in study.arms):
        pilot(study, folder)
        study = study_of(study.name, folder)
    deadline = time.monotonic() + 60 * asked.minutes

    def one(cell: tuple[Arm, int]) -> None:
        arm, seed = cell
        needs = 1.3 * arm.seconds
        if time.monotonic() + needs > deadline:
            sys.stdout.write(f"{study.name} {arm.name} seed {seed}: left out, it needs {needs / 60:.0f} minutes\n")
            return
        sys.stdout.write(f"{study.name} {arm.name} seed {seed}: begins\n")
        sys.stdout.flush()
        try:
            measure(study, arm, seed, folder)
        except subprocess.CalledProcessError as error:
            sys.stdout.write(f"{study.name} {arm.name} seed {seed}: failed: {error}\n")

    with ThreadPoolExecutor(asked.jobs) as pool:
        list(pool.map(one, list(left(study, asked.arms, asked.seeds, folder))))


def _timed(command: Sequence[str], log: Path | None) -> Spent:
    """Runs a command on one thread and returns what it took."""
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
    told = (log or Path(os.devnull)).open("a")
    with told:
        env = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        process = subprocess.Popen(command, stdout=told, stderr=subprocess.STDOUT, cwd=ROOT, env=env)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, " ".join(command))
    return Spent(
        seconds=used.ru_utime + used.ru_stime, mib=used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    )


def _judged(out: Path, told: Path, log: Path, *flags: str) -> dict[str, list[float | None]]:
    """Evaluates a run, if that is not done; returns value and error of each number, as METRIC: VALUE."""
    if not told.exists():
        _timed([sys.executable, "-m", "ebmkit", "eval", str(out), *flags, "--out", str(told)], log)
    found = {}
    for metric in json.loads(told.read_text(encoding="utf-8"))["metrics"]:
        for name, estimate in metric["estimates"].items():
            found[f"{metric['name']}: {name}"] = [estimate["value"], estimate["error"]]
    return found


def _write(path: Path, told: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Does what the first word says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("list", "pilot", "run", "page"))
    parser.add_argument("study", nargs="?", help="unset, all of them")
    parser.add_argument("--arms", nargs="*", default=[])
    parser.add_argument("--seeds", nargs="*", type=int, default=[])
    parser.add_argument("--minutes", type=float, default=60.0, help="of the clock; what does not fit is left out")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at once, each on one thread")
    asked = parser.parse_args()
    for name in [asked.study] if asked.study else studies():
        study = study_of(name)
        if asked.what == "list":
            todo = list(left(study, asked.arms, asked.seeds))
            minutes = sum(arm.seconds or 60 * study.minutes for arm, _ in todo) / 60
            sys.stdout.write(
                f"{name}: {study.question}\n  {len(todo)} trainings left, {minutes:.0f} minutes of CPU time\n"
            )
        elif asked.what == "pilot":
            pilot(study)
        elif asked.what == "run":
            run(study, asked)
        else:
            draw_curves(study)
            write_page(HERE, study)


if __name__ == "__main__":
    main()
