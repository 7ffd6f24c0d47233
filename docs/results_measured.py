"""Studies: several settings of a method, each trained with several seeds for the same time, and judged alike.

python docs/results_measured.py list                     studies, what is done of them, and what the rest takes
python docs/results_measured.py pilot STUDY              steps of each arm that fill the time of the study
python docs/results_measured.py run STUDY [--arms A B] [--seeds 0 1] [--minutes 60] [--jobs 2]
python docs/results_measured.py page STUDY               the table of the study's page, from what was measured

A study is docs/results/STUDY.toml; {70%} in its flags is that share of the steps, for a stage. Runs go to
runs/results/STUDY, numbers and complete recipes to docs/results/STUDY/.
What is there already is not measured again; a cell that failed is a result, and is measured again where its file is
deleted.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import fmean

sys.path.insert(0, str(Path(__file__).parent))
from results_cell import CODE, Cell, Failed, git, timed, traced
from results_pictures import draw_curves
from results_study import HERE, ROOT, Arm, Study, count, numbers_of, run_command, studies, study_of
from results_table import write_page

PILOT_STEPS = 15
PILOT_ROUNDS = 2
"""Each arm is timed so often, in turn: a machine that is slower for a minute is so for several arms."""


def pilot(study: Study, folder: Path = HERE) -> None:
    """Measures the CPU time of a step of each arm, and writes down the steps that fill the study's time.

    Arms that differ in `[optim]` alone take the same steps: the mean of what they were measured at. Arms that have
    results keep their steps. One that has the steps of another is timed at these.
    """
    kept = {path.name.rpartition("-")[0] for path in (folder / study.name).glob("*-[0-9]*.json")}
    arms = tuple(arm for arm in study.arms if not (arm.steps and arm.name in kept))
    if not arms:
        sys.exit(f"All arms of {study.name} have results, and new steps would not be theirs: delete them.")
    spent: dict[str, list[float]] = {}
    for arm in PILOT_ROUNDS * arms:
        spent.setdefault(arm.cost, []).append(_a_step(study, arm))
    found = numbers_of(folder / study.name / "pilot.json")
    for arm in sorted(arms, key=lambda arm: arm.name in study.steps_of):
        a_step = fmean(spent[arm.cost])
        if a_step <= 0:
            sys.exit(f"A step of {arm.name} is too short to be timed: {1e3 * a_step:.2f} ms. Try once more.")
        other = study.steps_of.get(arm.name)
        n_steps = int(found[other]["steps"]) if other else max(1, int(60 * study.minutes / a_step))
        found[arm.name] = {"steps": n_steps, "seconds": n_steps * a_step}
        sys.stdout.write(f"{arm.name}: {1e3 * a_step:.0f} ms of CPU time a step, {n_steps} steps\n")
    _write(folder / study.name / "pilot.json", found)


def _a_step(study: Study, arm: Arm) -> float:
    """Returns the CPU seconds of a step, from two short trainings."""
    spent = []
    for steps in (PILOT_STEPS, 3 * PILOT_STEPS):
        out = ROOT / "runs" / "results" / study.name / f"pilot-{arm.name}-{steps}"
        shutil.rmtree(out, ignore_errors=True)
        spent.append(timed(run_command(arm, steps, out), None).seconds)
    return (spent[1] - spent[0]) / (2 * PILOT_STEPS)


def measure(study: Study, arm: Arm, seed: int, folder: Path = HERE) -> None:
    """Trains an arm with one seed, judges it, and keeps its numbers and its complete recipe.

    A training that fails by itself, as one that diverges, is kept as such: it is a result.
    """
    cell = Cell(study=study, arm=arm, seed=seed)
    kept: dict[str, object] = {
        "arm": arm.name,
        "seed": seed,
        "steps": arm.steps,
        "date": time.strftime("%Y-%m-%d"),
        "commit": "",
        "asked": list(arm.asked),
        "judged": cell.judges,
    }
    try:
        kept |= cell.trained()
        kept |= cell.judged()
    except Failed as failure:
        kept |= {"failed": str(failure), "numbers": {}, "curve": {}}
    kept["commit"] = commit(cell.out)
    if (cell.out / "metrics.jsonl").exists():
        kept["trace"] = traced(cell.out / "metrics.jsonl")
    _write(folder / study.name / f"{arm.name}-{seed}.json", kept)
    if (cell.out / "recipe.toml").exists():
        (folder / study.name / f"{arm.name}.toml").write_text((cell.out / "recipe.toml").read_text(encoding="utf-8"))


def commit(run: Path) -> str:
    """Returns the commit of a run; that which is checked out has a + where ebmkit was changed since. May be ""."""
    head = git("rev-parse", "--short", "HEAD")
    told = run / "environment.json"
    trained = str(json.loads(told.read_text(encoding="utf-8")).get("commit") or head) if told.exists() else head
    if not head or not trained.startswith(head):
        return trained[: len(head) or 7]
    return head + ("+" if git("status", "--porcelain", "--", *CODE) else "")


def left(study: Study, arms: Sequence[str], seeds: Sequence[int], folder: Path = HERE) -> Iterator[tuple[Arm, int]]:
    """Yields what is not measured yet: every arm with the first seed, then those that have more with the second."""
    for seed in seeds or study.seeds:
        for arm in study.arms:
            wanted = arm.name in arms if arms else seed in study.seeds_of.get(arm.name, (seed,))
            if wanted and not (folder / study.name / f"{arm.name}-{seed}.json").exists():
                yield arm, seed


def judging(study: Study, folder: Path = HERE) -> float:
    """Returns the most seconds that evaluations took after a training so far; a third of a training before any."""
    cells = [json.loads(path.read_text(encoding="utf-8")) for path in (folder / study.name).glob("*-[0-9]*.json")]
    return max((cell.get("judging", 0.0) for cell in cells), default=20.0 * study.minutes)


def run(study: Study, asked: argparse.Namespace, deadline: float, folder: Path = HERE) -> int:
    """Measures what is left of a study, as far as the time until the deadline (`time.monotonic`) goes.

    Returns how many trainings could not be measured, as where data are missing.
    """
    if any(not arm.steps for arm in study.arms) and time.monotonic() < deadline:
        with claimed(ROOT / "runs" / "results" / study.name / "pilot.lock") as free:
            if not free:
                sys.stdout.write(f"{study.name}: left out, another process is timing its steps\n")
                return 0
            pilot(study, folder)
        study = study_of(study.name, folder)

    todo = list(left(study, asked.arms, asked.seeds, folder))
    if not todo:
        again = f"docs/results/{study.name}/ARM-SEED.json and runs/results/{study.name}"
        sys.stdout.write(f"{study.name}: all is measured. To measure a training again, delete {again}\n")
    with ThreadPoolExecutor(asked.jobs) as pool:
        try:
            return sum(not worked for worked in pool.map(lambda cell: _tried(study, *cell, deadline, folder), todo))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _tried(study: Study, arm: Arm, seed: int, deadline: float, folder: Path) -> bool:
    """Measures one training if there is time and no other process does; False where it could not be measured."""
    name = f"{study.name} {arm.name} seed {seed}"
    needs = 1.2 * (arm.seconds + judging(study, folder))
    if time.monotonic() + needs > deadline:
        sys.stdout.write(f"{name}: left out, it needs {needs / 60:.0f} minutes\n")
        return True
    if missing := study.missing(arm):
        sys.stdout.write(f"{name}: there is no {', no '.join(missing)}; docs/results/README.md says where it is from\n")
        return False
    with claimed(ROOT / "runs" / "results" / study.name / f"{arm.name}-{seed}.lock") as free:
        if not free:
            sys.stdout.write(f"{name}: left out, another process measures it\n")
        if not free or (folder / study.name / f"{arm.name}-{seed}.json").exists():
            return True
        sys.stdout.write(f"{name}: begins\n")
        sys.stdout.flush()
        try:
            measure(study, arm, seed, folder)
        except (subprocess.CalledProcessError, OSError, ValueError, KeyError) as error:
            cell = Cell(study=study, arm=arm, seed=seed)
            sys.stdout.write(f"{name}: {error}\n  It said: {cell.last_words()}\n  All of it is in {cell.log}\n")
            return False
    return True


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Holds a lock file, and gives whether it was free: two `make results` at once share the work."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _write(path: Path, told: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _positive(text: str) -> float:
    """Returns a number above 0."""
    with suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"{text} is not a number above 0")


def main() -> None:
    """Does what the first word says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("list", "pilot", "run", "page"))
    parser.add_argument("study", nargs="?", choices=studies(), help="unset, all of them")
    parser.add_argument("--arms", nargs="*", default=[])
    parser.add_argument("--seeds", nargs="*", type=int, default=[])
    parser.add_argument("--minutes", type=_positive, default=60.0, help="of the clock; what does not fit is left out")
    parser.add_argument("--jobs", type=count, default=2, help="trainings at once, each on one thread")
    asked = parser.parse_args()
    deadline = time.monotonic() + 60 * asked.minutes
    known = {arm.name for name in ([asked.study] if asked.study else studies()) for arm in study_of(name).arms}
    if unknown := sorted(set(asked.arms) - known):
        sys.exit(f"There is no arm {', '.join(unknown)}. There are: {', '.join(sorted(known))}.")
    n_failed = 0
    for name in [asked.study] if asked.study else studies():
        study = study_of(name)
        if asked.what == "list":
            todo = list(left(study, asked.arms, asked.seeds))
            minutes = sum((arm.seconds or 60 * study.minutes) + judging(study) for arm, _ in todo) / 60
            sys.stdout.write(
                f"{name}: {study.question}\n  {len(todo)} trainings left, {minutes:.0f} minutes of CPU time\n"
            )
        elif asked.what == "pilot":
            pilot(study)
        elif asked.what == "run":
            n_failed += run(study, asked, deadline)
        else:
            draw_curves(study)
            write_page(HERE, study)
    sys.exit(f"{n_failed} trainings could not be measured." if n_failed else 0)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Stopped. What was finished is kept; a training that was not begins anew.")
