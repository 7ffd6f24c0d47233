"""What is shown while a run goes on."""

from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.live import Live

from ebmkit.cli.progress import Gauge, LiveDisplay, Pace, PlainLines, packed
from ebmkit.runs.loop import Progress

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
    assert line == "step 1/100  8 images/s  1:39 left  E⁺−E⁻ 0.125  moved 2  accepted 0.57  cd.gap 1"


@pytest.mark.parametrize("width", [40, 60, 140])
@pytest.mark.parametrize("colour", [True, False])
def test_the_display_fits_the_terminal(width: int, colour: bool) -> None:
    file = StringIO()
    console = Console(file=file, width=width, force_terminal=True, no_color=not colour, color_system="standard")
    many = {f"loss.part-{i}.loss": 1e-9 for i in range(6)}
    gauge = Gauge(done=123456, total=1000000, left="12:34:56 left", items=("1,234 images/s", *many))
    lines = console.render_lines(gauge)
    assert all(sum(segment.cell_length for segment in line) <= width for line in lines)
    with Live(console=console, auto_refresh=False) as live:
        watch = LiveDisplay(live, "Run: x")
        watch(at(1, 1.0, {**VALUES, **many}))
        watch(at(100, 200.0))
    assert "100/100" in file.getvalue()
    assert "in 3:20" in file.getvalue()
    assert ("\x1b[9" in file.getvalue()) is colour


@given(st.lists(st.text("abc ", min_size=1, max_size=30)), st.integers(10, 80))
def test_packed_lines_are_never_too_wide_and_lose_no_item(items: list[str], width: int) -> None:
    lines = packed(items, width)
    assert all(len(line) <= width for line in lines)
    if all(len(item) <= width for item in items):
        assert "".join("   ".join(items).split()) == "".join("".join(lines).split())
