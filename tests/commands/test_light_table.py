"""Light tables show what rich's tables do, in any width, with and without colours."""

import io

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from phalanx.commands import _light_table
from phalanx.commands._light_table import LightTable

HEADINGS, NUMBERS = ("class", "Dice", "weakest", "95 % interval"), (False, True, False, True)
ROWS = [
    ("finger-1", "0.9", "ulna", "[0.1, 0.22]"),
    ("[bold]x[/bold]", "1.0000", "\u9aa8", "-"),
    ("... and 2 better ones",),
]


def shown(table: object, width: int, colour: bool) -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=colour, color_system="standard" if colour else None
    )
    console.print(table, highlight=False)
    # rich switches colours off and on again between the cells of a heading.
    return console.file.getvalue().replace("\x1b[0m\x1b[1m", "")  # type: ignore[attr-defined]


def light(rows) -> LightTable:
    table = LightTable(HEADINGS, NUMBERS)
    for row in rows:
        table.add(*row)
    return table


def rich_table(rows) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading, number in zip(HEADINGS, NUMBERS, strict=True):
        table.add_column(heading, justify="right" if number else "left", overflow="fold", no_wrap=number)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


# The table is 53 columns wide.
@pytest.mark.parametrize("width", [30, 52, 53, 54, 80])
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("more", [(), [("two\nlines", "", "\ttab", "0")]])
def test_a_table_is_that_of_rich(width, colour, more):
    rows = [*ROWS, *more]
    assert shown(light(rows), width, colour) == shown(rich_table(rows), width, colour)


def test_rich_lays_out_only_what_does_not_fit(monkeypatch):
    class NoTable:
        def __init__(self, **_):
            raise AssertionError("rich was asked")

    monkeypatch.setattr(_light_table, "Table", NoTable)
    lines = shown(light(ROWS), 60, False).splitlines()
    assert lines[0] == "class                    Dice  weakest  95 % interval"
    assert lines[1] == "finger-1                  0.9  ulna       [0.1, 0.22]"
    with pytest.raises(AssertionError, match="rich was asked"):
        shown(light(ROWS), len(lines[0]) - 1, False)
