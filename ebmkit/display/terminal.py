"""The part of a terminal that is drawn again and again: a gauge, and what is being done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebmkit.display.gauge import Gauge

if TYPE_CHECKING:
    from rich.live import Live


class Stage:
    """A live part of the terminal; the gauge that it showed last stays when it ends, and nothing else."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._gauge: Gauge | None = None

    def show(self, gauge: Gauge) -> None:
        """Shows a gauge in place of the last one."""
        self._gauge = gauge
        self._live.transient = False
        self._live.update(gauge, refresh=True)

    def doing(self, what: str) -> None:
        """Shows what is being done, below the gauge."""
        from rich.console import Group
        from rich.text import Text

        line = Text(f"{what} …", style="dim", no_wrap=True, overflow="ellipsis")
        self._live.update(line if self._gauge is None else Group(self._gauge, line), refresh=True)

    def above(self, text: str) -> None:
        """Leaves a line above."""
        self._live.console.print(text, markup=False, soft_wrap=True)

    def end(self) -> None:
        """Leaves the gauge alone."""
        if self._gauge is not None:
            self._live.update(self._gauge)
