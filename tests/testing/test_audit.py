"""The audit of published samplers: every fault is found, what is right passes, and the page tells what was measured."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The script, which lies among the documents."""
    monkeypatch.syspath_prepend(str(DOCS))
    import audit

    yield audit
    for name in ("audit", "audit_samplers"):
        sys.modules.pop(name, None)


def part_of(audit: Any, name: str) -> Any:
    return next(part for part in (*audit.PUBLISHED, *audit.RIGHT) if part.name == name)


FOUND = {
    "half-square": ("law-gaussian", "energy is 4.* must be 5"),
    "two-h-square": ("law-gaussian", "must be"),
    "old-momentum": ("law-gaussian", "square of the momentum"),
    "forgotten-flip": ("law-gaussian", "must be"),
    "one-decision": ("rows", "chains share random numbers"),
}


@pytest.mark.parametrize("name", FOUND)
def test_every_published_fault_is_found(audit: Any, name: str) -> None:
    check, words = FOUND[name]
    said = audit.found(part_of(audit, name), (check,))
    assert said.ran == 1 and re.search(words, audit.off(said.failed[check]))


@pytest.mark.parametrize("name", ["right-mala", "right-hmc"])
def test_the_same_moves_without_a_fault_pass(audit: Any, name: str) -> None:
    assert audit.found(part_of(audit, name), ("law-gaussian", "law-box", "temperature", "rows")).failed == {}


def test_the_bias_is_measured_with_its_error(audit: Any) -> None:
    how = audit.Run(n=200, moves=300, n_seeds=2)
    wrong = audit.measured(part_of(audit, "half-square"), {"step_size": 0.3}, how)
    hidden = audit.measured(part_of(audit, "half-square"), {"step_size": 1.0}, how)
    right = audit.measured(part_of(audit, "right-mala"), {"step_size": 1.0}, how)
    assert wrong.value < 0.75 and wrong.acceptance > 0.8, "half of the width, and a healthy acceptance"
    assert abs(hidden.value - 1) < 0.1 and abs(right.value - 1) < 0.1
    assert 0 < right.error < 0.1 and str(right).startswith(f"{right.value:.3f} ± ")


def test_a_batch_decided_by_one_number_does_not_move(audit: Any) -> None:
    case = next(case for case in audit.CASES if case.name == "one-decision")
    stuck = audit.measured(part_of(audit, case.name), case.usual, audit.Run(n=256, moves=40, n_seeds=2, cold=True))
    assert stuck.value < 0.01 and stuck.acceptance < 0.05


def test_the_page_holds_a_line_for_each(audit: Any) -> None:
    page = (DOCS / "audit.md").read_text(encoding="utf-8")
    measured = page.partition(audit.MARKS[0])[2].partition(audit.MARKS[1])[0]
    assert {case.name for case in audit.CASES} == {part.name for part in audit.PUBLISHED}
    for case in audit.CASES:
        assert f"| `{case.name}` |" in measured and f"`{case.name}`" in page.replace(measured, "")
    controls = (
        "right-mala",
        "right-hmc",
        "ebmkit's mala",
        "ebmkit's hmc",
        "ebmkit's nuts",
        "blackjax-mala",
        "blackjax-nuts",
    )
    assert all(f"| {name} | 0 of " in measured for name in controls), "no false alarm"
