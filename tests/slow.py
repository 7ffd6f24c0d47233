"""Measures the CPU time of every test, and writes which of them `make test-fast` leaves out.

    python -m pytest -n 2 -p tests.slow     # writes a line for each test into test-times.txt
    python -m tests.slow test-times.txt     # writes tests/slow.txt from it

CPU time, that of child processes included, does not depend on what else the machine does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

LIST = Path(__file__).parent / "slow.txt"
TIMES = Path("test-times.txt").resolve()
LONGEST = 1.5
"""Seconds of CPU time of a test that is left out in any case."""
BUDGET = 190.0
"""Seconds of CPU time of those that stay: under 3 minutes on two cores, collection included."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Adds a line of seconds and name for each test; what it sets up for others counts as its own."""
    before = os.times()
    try:
        return (yield)
    finally:
        seconds = sum(os.times()[:4]) - sum(before[:4])
        with TIMES.open("a", encoding="utf-8") as file:
            file.write(f"{seconds:.3f} {item.nodeid}\n")


def read(path: Path) -> dict[str, float]:
    """Returns name → seconds of CPU time; of a test that was measured twice, the later one."""
    lines = (line.partition(" ") for line in path.read_text(encoding="utf-8").splitlines())
    return {name: float(seconds) for seconds, _, name in lines}


def too_slow(times: Mapping[str, float], longest: float = LONGEST, budget: float = BUDGET) -> set[str]:
    """Returns the tests to leave out: the longest first, and of each folder the quickest test stays.

    >>> sorted(too_slow({"a/t.py::x": 9, "a/t.py::y": 1, "b/t.py::z": 9}, longest=2, budget=20))
    ['a/t.py::x']
    """
    out: set[str] = set()
    left = sum(times.values())
    kept = {folder: min(names, key=lambda name: times[name]) for folder, names in _folders(times).items()}
    for name in sorted(times, key=lambda name: -times[name]):
        if times[name] <= longest and left <= budget:
            break
        if name not in kept.values():
            out.add(name)
            left -= times[name]
    return out


def shortened(out: set[str], names: set[str]) -> list[str]:
    """Returns beginnings of names that hold for those that are out, and for no other: files, functions, single cases.

    >>> shortened({"a.py::x[1]", "a.py::x[2]"}, {"a.py::x[1]", "a.py::x[2]", "a.py::y"})
    ['a.py::x']
    """
    stay = names - out
    lines: set[str] = set()
    for name in sorted(out):
        ways = (name.partition("::")[0], name.partition("[")[0], name)
        lines.add(next((way for way in ways if not any(one.startswith(way) for one in stay)), name))
    return sorted(lines)


def _folders(names: Mapping[str, float]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(str(Path(name.partition("::")[0]).parent), []).append(name)
    return found


def main() -> None:
    """Writes the list anew, and says how long the rest takes."""
    times = read(Path(sys.argv[1]))
    out = too_slow(times)
    LIST.write_text("\n".join(shortened(out, set(times))) + "\n", encoding="utf-8")
    rest = sum(seconds for name, seconds in times.items() if name not in out)
    sys.stdout.write(f"{len(out)} of {len(times)} tests are left out; the others take {rest:.0f} s of CPU time.\n")


if __name__ == "__main__":
    main()
