"""What is shown while a run goes on."""

from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.live import Live

from ebmkit.display.gauge import Gauge
from ebmkit.display.notebook import WIDTH, OneLine
from ebmkit.display.output import packed
from ebmkit.display.progress import Pace, Progress, duration
from ebmkit.display.terminal import Stage
from ebmkit.display.ways import FewLines, LiveDisplay, NotebookLine, PlainLines

CHAINS = {"gap": 0.125, "chain_displacement": 2.0, "chain_accept_rate": 0.57}
VALUES = {**CHAINS, "loss.cd.gap": 1.0, "energy_positive": 3.0}


def at(step: int, seconds: float, values: dict[str, float] | None = None) -> Progress:
    return Progress(step=step, steps=100, values=values or {}, seconds=seconds, images=8 * step)


def test_pace_forgets_a_slow_start() -> None:
    pace = Pace()
    for step in range(1, 61):
        rate, left = pace.update(at(step, 100.0 + step))
    assert rate == pytest.approx(8)
    assert left == pytest.approx(40)


def test_plain_lines_are_of_logged_steps(capsys) -> None:
    watch = PlainLines("Run: x")
    watch(at(1, 1.0, VALUES))
    watch(at(2, 2.0))
    heading, line = capsys.readouterr().out.splitlines()
    assert heading == "Run: x"
    assert line == "step 1/100  8 data/s  1:39 left  E⁺−E⁻ 0.125  moved 2  accepted 0.57  cd.gap 1"


@pytest.mark.parametrize("width", [40, 60, 140])
@pytest.mark.parametrize("colour", [True, False])
def test_the_display_fits_the_terminal(width: int, colour: bool) -> None:
    file = StringIO()
    console = Console(file=file, width=width, force_terminal=True, no_color=not colour, color_system="standard")
    many = {f"loss.part-{i}.loss": 1e-9 for i in range(6)}
    gauge = Gauge(done=123456, total=1000000, left="12:34:56 left", items=("1,234 data/s", *many))
    lines = console.render_lines(gauge)
    assert all(sum(segment.cell_length for segment in line) <= width for line in lines)
    with Live(console=console, auto_refresh=False) as live:
        watch = LiveDisplay(Stage(live), "Run: x")
        watch(at(1, 1.0, {**VALUES, **many}))
        watch(at(100, 200.0))
    assert "100/100" in file.getvalue()
    assert "in 3:20" in file.getvalue()
    assert ("\x1b[9" in file.getvalue()) is colour


@given(st.lists(st.text("abc ", min_size=1, max_size=30)), st.integers(10, 80))
def test_packed_lines_are_never_too_wide_and_lose_no_item(items: list[str], width: int) -> None:
    lines = packed(items, width)
    assert all(len(line) <= width or line in items for line in lines)
    if all(len(item) <= width for item in items):
        assert "".join("   ".join(items).split()) == "".join("".join(lines).split())


@pytest.mark.parametrize("steps", [1, 3, 7, 10, 95, 2000])
def test_few_lines_are_few_and_know_the_last_values(steps: int) -> None:
    lines: list[str] = []
    watch = FewLines("Run: x", lines.append)
    for step in range(1, steps + 1):
        values = {"gap": float(step)} if step % 50 == 1 else {}
        watch(Progress(step=step, steps=steps, values=values, seconds=step / 10, images=8 * step))
    assert lines[0] == "Run: x" and lines[1].startswith(f"step 1/{steps}  ")
    assert lines[-1].startswith(f"step {steps}/{steps}  ") and f"in {duration(steps / 10)}" in lines[-1]
    assert len(lines) == 1 + min(steps, 11) and all("E⁺−E⁻" in line for line in lines[1:])


def test_a_notebook_has_one_line_that_leaves_nothing_of_the_one_before(capsys) -> None:
    line = OneLine()
    line.doing("getting ready")
    watch = NotebookLine(line, "Run: x")
    watch(at(1, 1.0, {**VALUES, **{f"loss.part-{i}.loss": 1e-9 for i in range(9)}}))
    watch(at(2, 1.01))  # too soon to be shown
    watch(at(100, 60.0))
    line.end()
    written = capsys.readouterr().out
    assert "step 2/100" not in written
    assert written.endswith("\n") and written.count("\n") == 2
    heading, steps, _ = written.split("\n")
    assert heading.rstrip().endswith("Run: x")
    texts = steps.lstrip("\r").split("\r")
    assert [text.split("   ")[0] for text in texts] == ["step 1/100", "step 100/100"]
    assert len(texts[1]) >= len(texts[0].rstrip()) and max(map(len, texts)) <= WIDTH
