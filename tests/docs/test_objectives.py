"""The table of objectives: every line is a recipe, cells are kept, and the page is filled from them."""

from __future__ import annotations

import sys
from math import inf
from pathlib import Path
from typing import Any

import pytest

from ebmkit.assembly.complete import complete

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))

import objectives_cell as cells  # noqa: E402
import objectives_measured as measured  # noqa: E402
import objectives_page as page  # noqa: E402
import objectives_rows as rows  # noqa: E402

LINES = [(name, target) for target in ("rings", "mixture-64") for name in measured.rows_on(target)]


@pytest.mark.parametrize(("name", "target"), LINES)
def test_every_line_is_a_recipe_with_its_settings(name: str, target: str) -> None:
    row = rows.ROWS[name]
    for more in ({}, *row.tried):
        made = complete(cells.recipe_of(row, rows.TARGETS[target], 0, 7, more)).recipe
        assert made.table("run").steps == 7 and made.table("run").temperature == 1.0
    assert len(row.tried) <= 2, "with the settings of the line itself, three were tried"


def test_a_line_whose_parts_are_not_installed_is_skipped() -> None:
    absent = rows.Row(title="x", objective="cd+no-such-objective")
    assert not measured.installed(absent) and measured.installed(rows.ROWS["cd-mala"])


def test_a_cell_counts_what_its_network_was_asked() -> None:
    row, target = rows.ROWS["dsm"], rows.TARGETS["moons"]
    count = cells.Count()
    with count.counting():
        cells.trained(row, target, 0, 3, {"run.batch_size": 10})
    assert count.energies == count.gradients == 30
    before = count.energies
    cells.trained(row, target, 0, 1, {"run.batch_size": 10})
    assert count.energies == before


def test_what_is_asked_for_is_planned_once() -> None:
    planned = measured.planned({"nce", "rings"}, 3, tune=False)
    assert [one.key for one in planned] == ["nce|rings|0", "nce|rings|1", "nce|rings|2"]
    assert [one.tried for one in measured.planned({"nce", "rings"}, 3, tune=True)] == [0, 1, 2]
    assert "exact-sm" not in {one.row for one in measured.planned({"mixture-16"}, 1, tune=False)}
    with pytest.raises(SystemExit, match="no row and no target spiral"):
        measured.planned({"spiral"}, 1, tune=False)


def test_the_ledger_keeps_finished_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "LEDGER", tmp_path / "objectives.json")
    one = measured.planned({"nce", "rings"}, 1, tune=False)
    ledger = measured.read()
    ledger["cells"][one[0].key] = {"kl": 0.5, "asked": 30.0}
    measured.write(ledger)
    said: list[str] = []
    monkeypatch.setattr(measured, "say", said.append)
    measured.measure(one, 30.0, measured.read(), "cells", 1)  # nothing is started
    assert said == ["0 of 1 cells to measure, 30 s each: about 0 minutes"]


def test_entries_of_the_tables() -> None:
    found: list[dict[str, Any]] = [{"kl": 1.0, "reverse": inf}, {"kl": 1.2, "reverse": 3.0, "runs_away": True}]
    assert page.entry(found, ("kl", "reverse")) == "1.1 ± 0.1 / ∞†"
    assert page.entry([], ("kl",)) == "–" and page.entry([{"failed": "x"}], ("kl",)) == "failed"
    assert page.entry([*found, {"failed": "x"}], ("kl",)) == "1.1 ± 0.1† (1 failed)"


def test_the_page_has_a_block_for_every_table() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    tables = page.tables_of({"cells": {}, "tried": {}, "published": {}})
    once = page.filled(text, tables)
    assert page.filled(once, tables) == once
    with pytest.raises(SystemExit, match="no block"):
        page.filled("nothing", tables)
