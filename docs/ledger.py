"""The ledger: numbers that are printed in the documentation, each with the command that makes it again.

python docs/ledger.py                    all entries: what they say, and how long each takes
python docs/ledger.py run --n 3          makes the numbers of three commands again, chosen by chance
python docs/ledger.py run ID ...         makes these again

Entries are those of docs/results/ledger.toml, and one for each number in the tables of a study and each training:
STUDY/ARM-SEED names all of one training, STUDY/ARM-SEED/METRIC: NUMBER one of them. An entry has pages and the text on
them, the number as shown, value and standard error, what it is, seeds and counts, date and commit, and commands whose
last one writes {out}/told.json. A number made again that is further off than two standard errors of a difference is
flagged, and the exit status is 1. A page whose numbers one command makes stands as a whole, with that command. Times
are not here: they are of a machine, and `ebmkit bench` measures ratios.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from ledger_entry import Entry
from ledger_studies import study_entries, told_of
from results_study import count, studies, study_of, words
from results_table import END

ROOT = Path(__file__).resolve().parent.parent
LEDGER = ROOT / "docs" / "results" / "ledger.toml"
WITH_ERROR = re.compile(r"(−?[\d.,]*\d) ± ([.\d]*\d)")
OF_SEEDS = 2.0
"""A mean over seeds errs less than a training that is made again: by √3 with three seeds, and some for rounding."""
MADE = re.compile(r"<!-- (?!end)[\w-]+ -->")
"""Begins what a command writes into a page."""
UNTOLD = ("docs/decisions/", "docs/parts.md")
"""Pages that are not asked: records of a day, and settings with their ranges."""


def entries(file: Path = LEDGER) -> list[Entry]:
    """Returns all entries, in order; an entry takes what it leaves out from the one that it is `like`."""
    whole: dict[str, dict[str, Any]] = {}
    for told in tomllib.loads(file.read_text(encoding="utf-8"))["number"]:
        other = whole[told.pop("like")] if "like" in told else {}
        whole[told["id"]] = other | told
    return [Entry(**told | {name: tuple(told[name]) for name in ("pages", "commands")}) for told in whole.values()]


def wrong(entry: Entry, root: Path = ROOT) -> list[str]:
    """Returns what does not fit between an entry and the pages that it names; nothing where all fits."""
    found = []
    if entry.shown not in entry.text:
        found.append(f"{entry.id}: {entry.shown} does not stand in its text")
    for page in entry.pages:
        if " ".join(entry.text.split()) not in " ".join((root / page).read_text(encoding="utf-8").split()):
            found.append(f"{entry.id}: {page} does not say {entry.text!r}")
    if not rounds_to(entry.value, entry.shown):
        found.append(f"{entry.id}: {entry.shown} is shown, and the value is {entry.value:g}")
    printed = re.search(rf"{re.escape(entry.shown)} ± ([.\d]*\d)", entry.text)
    if printed and not (rounds_to(entry.error, printed[1]) or entry.error <= OF_SEEDS * float(printed[1])):
        found.append(f"{entry.id}: ± {printed[1]} is shown, and the error is {entry.error:g}")
    return found


def rounds_to(value: float, shown: str) -> bool:
    """Says whether a value may be shown so.

    >>> rounds_to(0.0096, ".010"), rounds_to(1476.2, "1,476"), rounds_to(-0.25, "−.2"), rounds_to(0.016, ".010")
    (True, True, True, False)
    """
    return abs(float(shown.replace(",", "").replace("−", "-")) - value) <= 1.0001 * half_a_digit(shown)


def pages(file: Path = LEDGER) -> Mapping[str, str]:
    """Returns the pages whose numbers one command makes, with that command; those of studies among them."""
    told = {page["page"]: page["command"] for page in tomllib.loads(file.read_text(encoding="utf-8"))["page"]}
    made = {f"docs/results/{name}.md": f"make results STUDY={name}" for name in studies()}
    return told | made


def untold(root: Path = ROOT) -> Iterator[str]:
    """Yields the numbers of the documentation that have an error and no command in the ledger, with page and line.

    Of a page that one command makes, that command has what stands between marks; all of it, where there are none. In
    the words of a study, numbers must be of the study.
    """
    known, whole, measured = entries(), pages(), {f"docs/results/{name}.md": name for name in studies()}
    for path in sorted([root / "README.md", *root.glob("docs/**/*.md"), *root.glob("plugins/*/README.md")]):
        page = path.relative_to(root).as_posix()
        lines = [" ".join(line.split()) for line in path.read_text(encoding="utf-8").splitlines()]
        if page.startswith(UNTOLD) or (page in whole and not any(map(MADE.fullmatch, lines))):
            continue
        texts = [(" ".join(entry.text.split()), entry.shown) for entry in known if page in entry.pages]
        of_study = told_of(study_of(measured[page])) if page in measured else []
        made = False
        for number, line in enumerate(lines, 1):
            made = page in whole and ((made and line != END) or bool(MADE.fullmatch(line)))
            told = {at + text.find(f"{shown} ±") for text, shown in texts if (at := line.find(text)) >= 0}
            for found in () if made else WITH_ERROR.finditer(line):
                value, error = found.groups()
                if any(rounds_to(of, value) and rounds_to(within, error) for of, within in of_study):
                    continue
                if found.start() not in told:
                    yield f"{page}:{number}: {found[0]}"


def half_a_digit(shown: str) -> float:
    """Returns half of the last digit of a printed number.

    >>> half_a_digit(".010"), half_a_digit("3.69"), half_a_digit("12")
    (0.0005, 0.005, 0.5)
    """
    return 0.5 * 10.0 ** -len(shown.partition(".")[2])


def made_again(commands: Sequence[str], out: Path) -> str:
    """Runs commands, {out} in them being a folder, and returns what they said where one failed, or ""."""
    for command in commands:
        asked = [sys.executable if word == "python" else word for word in words(command.replace("{out}", str(out)))]
        asked = [sys.executable, "-m", *asked] if asked[0] == "ebmkit" else asked
        one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
        try:
            subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, env=one_thread)
        except subprocess.CalledProcessError as error:
            return f"{error} {error.stderr.decode(errors='replace')[-500:]}"
        except OSError as error:
            return repr(error)
    return ""


def number_of(entry: Entry, told: Mapping[str, Any]) -> float:
    """Returns the number of an entry in an evaluation; raises KeyError where it has none."""
    metric, _, name = entry.read.partition(": ")
    estimates = {judged["name"]: judged["estimates"] for judged in told["metrics"]}
    return float(estimates[metric][name]["value"])


def verdict(entry: Entry, found: float) -> tuple[bool, str]:
    """Returns whether a number that was made again is the one of the ledger, and a line that says so.

    Both are measured with the same error, so that they may differ by two of √2 times it; where it is 0, by a
    millionth.
    """
    allowed = 2 * math.sqrt(2) * entry.error or 1e-6 * abs(entry.value)
    right = abs(found - entry.value) <= allowed
    said = f"{entry.value:g} ± {entry.error:g} in the ledger, {found:g} now: {'fits' if right else 'OFF'}"
    return right, f"{entry.id}: {said}"


def run(chosen: Sequence[Entry]) -> int:
    """Makes entries again; returns how many are off or failed.

    Those of the same commands are made together, and those that differ in the last one alone, as evaluations of one
    training, share what comes before it.
    """
    n_off, groups = 0, by_commands(chosen)
    for before in dict.fromkeys(commands[:-1] for commands in groups):
        with tempfile.TemporaryDirectory() as folder:
            failed = made_again(before, Path(folder))
            for commands, together in groups.items():
                if commands[:-1] == before:
                    said = failed or made_again(commands[-1:], Path(folder))
                    n_off += sum(not fits(entry, Path(folder) / "told.json", said) for entry in together)
    sys.stdout.write(f"{len(chosen) - n_off} of {len(chosen)} fit\n")
    return n_off


def fits(entry: Entry, file: Path, failed: str) -> bool:
    """Returns whether an entry fits what was made again in a file, and says so; `failed` is why nothing was."""
    try:
        told = {"metrics": []} if failed else json.loads(file.read_text(encoding="utf-8"))
        right, line = verdict(entry, number_of(entry, told))
    except (OSError, ValueError, KeyError, TypeError):
        right, line = False, f"{entry.id}: failed: {failed or 'it is not in what the commands write'}"
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
    return right


def by_commands(chosen: Sequence[Entry]) -> dict[tuple[str, ...], list[Entry]]:
    """Returns entries by the commands that make them."""
    found: dict[tuple[str, ...], list[Entry]] = {}
    for entry in chosen:
        found.setdefault(entry.commands, []).append(entry)
    return found


def training_of(entry: Entry) -> str:
    """Returns STUDY/ARM-SEED for a number of a study, and the name of an entry as it is for others."""
    return "/".join(entry.id.split("/")[:2])


def main() -> None:
    """Lists the ledger, or makes entries of it again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("list", "run"), default="list")
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--n", type=count, help="so many commands, by chance; unset, all")
    asked = parser.parse_args()
    known = [*entries(), *study_entries()]
    names: dict[str, list[Entry]] = {}
    for entry in known:
        for name in dict.fromkeys((entry.id, training_of(entry))):
            names.setdefault(name, []).append(entry)
    if unknown := set(asked.ids) - set(names):
        short = dict.fromkeys(map(training_of, known))
        sys.exit(f"The ledger has no {', '.join(sorted(unknown))}. It has: {', '.join(short)}.")
    if asked.what == "list":
        told = {name: names[name] for name in map(training_of, known)}
        lines = [
            f"{name}: {found[0].text or f'{len(found)} numbers'} ({found[0].date}, {found[0].minutes:g} minutes)"
            for name, found in told.items()
        ]
        lines += [f"{page}: all of it by {command}" for page, command in pages().items()]
        sys.stdout.write("\n".join(lines) + "\n")
        return
    chosen = list({entry.id: entry for name in asked.ids or names for entry in names[name]}.values())
    groups = list(by_commands(chosen).values())
    if asked.n is not None:
        groups = random.sample(groups, min(asked.n, len(groups)))
        chosen = [entry for group in groups for entry in group]
        sys.stdout.write(f"{', '.join(entry.id for entry in chosen)}\n")
    minutes = sum(max(entry.minutes for entry in group) for group in groups)
    sys.stdout.write(f"{len(groups)} commands, at most {minutes:.0f} minutes of CPU time\n")
    sys.stdout.flush()
    sys.exit(min(1, run(chosen)))


if __name__ == "__main__":
    main()
