"""Measures every objective on every target and writes docs/objectives.md; `make objectives`.

python docs/objectives_measured.py                               what is not measured yet, then the page
python docs/objectives_measured.py --only nce,rings --seconds 5   these objectives, on these targets
python docs/objectives_measured.py --tune                        the settings that were tried, on two targets
python docs/objectives_measured.py --page                        the page alone

Each cell is a process of its own, two at a time, with one thread. What is finished is kept in docs/objectives.json, so
that it may be stopped and started again; cells that were measured for another time are measured anew.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from objectives_rows import MIXTURE, PLANE, ROWS, TARGETS, Row, Settings

from ebmkit.plugins.host import host

LEDGER = Path(__file__).parent / "objectives.json"
DENSITIES = "runs/objectives"
TUNED_ON = {PLANE: "rings", MIXTURE: "mixture-16"}
SECONDS = 20.0
OVERHEAD = 7.0
"""CPU seconds of a cell beside its training: imports, the pilot, the judgement."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A cell to be measured.

    Attributes:
        row: objective.
        target: law.
        seed: of the run.
        tried: number of the settings that are tried, from 1; 0 for those of the row.
        is_trial: whether it is measured to choose among them.
    """

    row: str
    target: str
    seed: int
    tried: int = 0
    is_trial: bool = False

    @property
    def key(self) -> str:
        """Its name in the ledger."""
        return f"{self.row}|{self.target}|{self.seed}" + (f"|{self.tried}" if self.tried else "")

    @property
    def settings(self) -> Settings:
        """What it changes of the row."""
        row = ROWS[self.row]
        if self.is_trial:
            return row.tried[self.tried - 1] if self.tried else {}
        return row.took(TARGETS[self.target].kind)


def installed(row: Row) -> bool:
    """Returns whether every part of a row is there."""
    known = {component.name for component, _ in host().all()}
    return row.names() <= known


def rows_on(target: str) -> Iterator[str]:
    """Yields the rows that are measured on a target."""
    for name, row in ROWS.items():
        if installed(row) and row.only in ("", TARGETS[target].kind):
            yield name


def planned(only: set[str], seeds: int, tune: bool) -> list[Planned]:
    """Returns the cells that are asked for; all rows and all targets where none is named."""
    unknown = only - {*ROWS, *TARGETS}
    if unknown:
        raise SystemExit(f"--only: no row and no target {', '.join(sorted(unknown))}. See docs/objectives_rows.py.")
    targets = [name for name in TARGETS if name in only or not only & {*TARGETS}]
    cells = []
    for seed in range(1 if tune else seeds):
        for target in targets:
            for row in rows_on(target):
                if row not in only and only & {*ROWS}:
                    continue
                if not tune:
                    cells.append(Planned(row=row, target=target, seed=seed))
                elif target in TUNED_ON.values():
                    cells += [
                        Planned(row=row, target=target, seed=seed, tried=i, is_trial=True)
                        for i in range(len(ROWS[row].tried) + 1)
                    ]
    return cells


def read() -> dict[str, Any]:
    """Returns the ledger: "cells", "tried" and "published", key → numbers."""
    empty: dict[str, Any] = {"cells": {}, "tried": {}, "published": {}}
    return {**empty, **json.loads(LEDGER.read_text())} if LEDGER.exists() else empty


def write(ledger: dict[str, Any]) -> None:
    """Writes the ledger aside, then renames it: a kill leaves one or the other."""
    aside = LEDGER.with_suffix(".part")
    aside.write_text(json.dumps(ledger, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    aside.replace(LEDGER)


def measure(cells: list[Planned], seconds: float, ledger: dict[str, Any], table: str, processes: int) -> None:
    """Measures what the ledger lacks, keeps each cell when it is there, and says how far it is."""
    from objectives_cell import cell  # torch

    missing = [one for one in cells if ledger[table].get(one.key, {}).get("asked") != seconds]
    about = len(missing) * (seconds + OVERHEAD) / processes / 60
    say(f"{len(missing)} of {len(cells)} cells to measure, {seconds:g} s each: about {about:.0f} minutes")
    if not missing:
        return
    begin, n_done = time.monotonic(), 0
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for seed in sorted({one.seed for one in missing}):  # the first tells the others what a step costs
            waiting: dict[Future[Any], Planned] = {}
            for one in missing:
                if one.seed == seed:
                    kept, steps = DENSITIES if not one.is_trial and seed == 0 else "", steps_of(one, seconds)
                    waiting[pool.submit(cell, one.row, one.target, seed, seconds, kept, one.settings, steps)] = one
            for done in as_completed(waiting):
                one, n_done = waiting[done], n_done + 1
                now = read()  # anew: another command may have written meanwhile
                now[table][one.key] = {**done.result(), "asked": seconds, "settings": dict(one.settings)}
                write(now)
                minutes = (time.monotonic() - begin) / 60
                say(f"{n_done}/{len(missing)}  {minutes:5.1f} min  {one.key:<40} {words(done.result())}")


def steps_of(one: Planned, seconds: float) -> int:
    """Returns the steps that fill a cell as those of seed 0 told, 0 where it is not measured."""
    first = read()["cells"].get(f"{one.row}|{one.target}|0", {})
    known = one.seed and not one.is_trial and first.get("asked") == seconds and "steps" in first
    return round(first["steps"] * seconds / first["seconds"]) if known else 0


def words(found: dict[str, Any]) -> str:
    """Returns a cell in a few words."""
    names = [name for name in ("kl", "reverse", "error", "modes", "ess", "weights") if name in found]
    return found.get("failed", "") or "  ".join(f"{name} {found[name]:.3g}" for name in names)


def say(line: str) -> None:
    """Prints a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measures, and writes the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=SECONDS, help="CPU seconds of training, each cell")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="objectives and targets, with commas")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--tune", action="store_true", help="measure the settings that were tried")
    parser.add_argument("--page", action="store_true", help="write the page alone")
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    ledger = read()
    if not asked.page:
        only = {name for name in asked.only.split(",") if name}
        table = "tried" if asked.tune else "cells"
        measure(planned(only, asked.seeds, asked.tune), asked.seconds, ledger, table, asked.processes)
    from objectives_page import write_page

    write_page(read())


if __name__ == "__main__":
    main()
