"""A bar with how far it is, and lines of values below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ebmkit.display.output import packed

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

BAR_WIDTH = (10, 50)
ECHO = "^C"  # what a terminal writes behind the last line: where it began another, a line would be left over


@dataclass(frozen=True, kw_only=True, slots=True)
class Gauge:
    """A bar with how far it is, and lines of values that wrap between items only.

    Attributes:
        done: so many.
        total: of so many.
        left: what is said after the count.
        items: shown below the bar.
    """

    done: int
    total: int
    left: str
    items: tuple[str, ...] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draws it as wide as the terminal allows."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        count = f"{self.done:,}/{self.total:,}"
        room = options.max_width - len(count) - len(self.left) - 4
        line = Table.grid(padding=(0, 2, 0, 0))
        bar = ProgressBar(total=self.total, completed=self.done, width=min(max(room, BAR_WIDTH[0]), BAR_WIDTH[1]))
        line.add_row(bar, Text(count, style="bold"), Text(self.left))
        yield line
        for text in packed(self.items, max(options.max_width - len(ECHO), 1)):
            yield Text(text, no_wrap=True, overflow="ellipsis")
