"""Light tables: rich lays out cell by cell, 60 us each; most tables need no more than blanks between their columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text


class LightTable:
    """What `Table(box=None, pad_edge=False)` shows; rich lays it out only where it does not fit or has control codes.

    Args:
        headings: of the columns.
        numbers: which columns hold numbers: set to the right and never cut; the others are folded.
    """

    def __init__(self, headings: Sequence[str], numbers: Sequence[bool]) -> None:
        self.headings, self.numbers = list(headings), list(numbers)
        self.rows: list[list[str]] = []

    def add(self, *cells: str) -> None:
        """Add a row; cells that it lacks are empty. Nothing in them is taken for markup."""
        self.rows.append([*cells, *[""] * (len(self.headings) - len(cells))])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table for a console, as rich asks for it."""
        lines = [self.headings, *self.rows]
        widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
        fits = sum(widths) + 2 * (len(widths) - 1) <= options.max_width
        if not fits or not all(cell.isprintable() for line in lines for cell in line):
            yield self._laid_out()
            return
        head, *rest = ("  ".join(map(_set, line, widths, self.numbers)) for line in lines)
        yield Text.assemble((head, "table.header"), "".join(f"\n{line}" for line in rest), no_wrap=True)

    def _laid_out(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for heading, number in zip(self.headings, self.numbers, strict=True):
            table.add_column(heading, justify="right" if number else "left", overflow="fold", no_wrap=number)
        for row in self.rows:
            # Text is not searched for markup: names stay what they are.
            table.add_row(*map(Text, row))
        return table


def _set(cell: str, width: int, right: bool) -> str:
    blanks = " " * (width - cell_len(cell))
    return blanks + cell if right else cell + blanks
