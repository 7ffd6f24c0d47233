"""The gauge of a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ebmkit.display.gauge import Gauge


@pytest.mark.parametrize("width", [40, 79, 80, 81, 200])
def test_behind_the_last_line_is_room_for_what_a_terminal_writes_at_an_interrupt(width):
    paper = io.StringIO()
    gauge = Gauge(done=3, total=40, left="0:01 left", items=tuple(f"part.{i} 0.1{i}" for i in range(30)))
    Console(file=paper, width=width).print(gauge)
    assert all(len(line) + len("^C") <= width for line in paper.getvalue().splitlines()[1:])
