"""Numbers fit the screen: drawn where there is room, each on a line of its own where there is none."""

from __future__ import annotations

import pytest

from ebmkit.display import tables

HEADER = ("", "AUROC", "FPR95")
ROWS = [("uniform noise, energy", "1.000 ± 0.001", "0.01 ± 0.01"), ("mnist, energy", "0.430 ± 0.015", "")]


def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int | None) -> list[str]:
    monkeypatch.setattr(tables, "is_screen", lambda: width is not None)
    monkeypatch.setattr(tables, "columns", lambda: width)
    monkeypatch.setenv("COLUMNS", str(width))
    tables.numbers(HEADER, ROWS)
    return capsys.readouterr().out.splitlines()


def test_a_pipe_gets_a_line_a_row(capsys, monkeypatch) -> None:
    lines = shown(capsys, monkeypatch, None)
    assert [line.split()[0] for line in lines] == ["AUROC", "uniform", "mnist,"]
    assert lines[1].endswith("0.01 ± 0.01") and lines[2].endswith("0.430 ± 0.015")


def test_a_wide_screen_gets_a_table(capsys, monkeypatch) -> None:
    lines = [line for line in shown(capsys, monkeypatch, 70) if line.strip()]
    assert len(lines) == 4 and "─" in lines[1] and lines[2].strip().startswith("uniform noise, energy")


def test_a_narrow_screen_gets_every_number_with_its_name(capsys, monkeypatch) -> None:
    lines = shown(capsys, monkeypatch, 40)
    assert lines == ["uniform noise, energy", "  AUROC 1.000 ± 0.001", "  FPR95 0.01 ± 0.01", "mnist, energy",
                     "  AUROC 0.430 ± 0.015"]  # fmt: skip


def test_no_number_is_cut_at_any_width(capsys, monkeypatch) -> None:
    for width in range(40, 75):
        lines = shown(capsys, monkeypatch, width)
        assert max(map(len, lines)) <= width
        assert sum("1.000 ± 0.001" in line for line in lines) == 1 and "…" not in "".join(lines)
