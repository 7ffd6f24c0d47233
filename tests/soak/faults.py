"""Faults of a machine: kills, damaged bytes, two writers, folders that are full, read-only or gone.

    python -m tests.soak.faults --kills 60 --damages 500 --several 4
    python -m tests.soak.faults --recipes --kills 200 --several 20

Runs are made in forked processes, so that a trial costs the training alone.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from ebmkit.display.output import say
from tests.soak.damages import damages, on_files
from tests.soak.disks import disks, writers
from tests.soak.families import FAMILIES, family
from tests.soak.forked import Asked, held, wholes
from tests.soak.formats import WRITTEN
from tests.soak.kills import kills
from tests.soak.several import several
from tests.soak.shipped import shipped

AT_LEAST = 3
"""SIGKILLs of each recipe, where enough are asked for."""


def report(options: argparse.Namespace) -> int:
    """Tries everything, prints a line of each, and returns an exit status."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        lines, begun = list[str](), time.process_time()
        for line in tried(options, Path(name)):
            say(line)
            lines.append(line)
        times = os.times()
        say(f"{time.process_time() - begun + times.children_user + times.children_system:.0f} s of CPU time")
    return 0 if all(is_well(line) for line in lines) else 1


def tried(options: argparse.Namespace, folder: Path) -> Iterator[str]:
    """Yields a line on each kind of fault that was asked for."""
    asked = asked_recipes(options)
    made = wholes(asked, folder)
    if options.kills:
        yield f"kills:    {kills(options.kills, options.seed, folder, made, options.jobs)}"
    if options.damages:
        damaged = [*made[:2], *on_files(folder, WRITTEN[: options.formats])]
        yield f"damages:  {damages(options.damages, options.seed, folder, damaged, options.jobs)}"
    if options.writers:
        yield f"writers:  {writers(options.writers, folder, made)}"
    if options.several:
        yield f"several:  {several(options.several, random.Random(options.seed), folder / 'several', held, asked)}"
    if options.disks and not options.recipes and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("mount"):
        yield f"disks:    {disks(folder, made[:2])}"


def asked_recipes(options: argparse.Namespace) -> Mapping[str, Asked]:
    """Returns name → recipe of the runs that faults are tried on."""
    names = options.families or list(FAMILIES)
    return shipped() if options.recipes else {name: family(name) for name in names}


def is_well(line: str) -> bool:
    """Whether a line of the report tells of no failure."""
    words = line.split()
    least = re.search(r"at least (\d+) for each of (\d+) recipes", line)
    if least and int(least[1]) < min(AT_LEAST, int(words[3]) // int(least[2]) - 1):  # a kill may come too late
        return False
    return "; 0 silent" in line if words[0] == "damages:" else words[1] == words[3]


def parsed(arguments: list[str]) -> argparse.Namespace:
    """Returns the counts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("kills", "damages", "writers", "several", "seed"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes at once")
    parser.add_argument("--formats", type=int, default=len(WRITTEN), help="data formats whose files are damaged")
    parser.add_argument("--disks", action="store_true", help="mount small disks, as root")
    parser.add_argument("--recipes", action="store_true", help="on every shipped recipe, cut down, not on the families")
    parser.add_argument("--families", nargs="*", choices=list(FAMILIES), help="some of them; unset, all")
    parser.add_argument("--folder", type=Path, help="where the runs are made; unset, a temporary folder")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(report(parsed(sys.argv[1:])))
