"""The page of a comparison: one HTML file that opens anywhere, without a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from phalanx import __version__
from phalanx.core import files
from phalanx.metrics._agreement import Disagreement
from phalanx.view import _agreement, _format, _html
from phalanx.view._html import Cell, escape


@dataclass(frozen=True)
class Page:
    """What a comparison found.

    Args:
        names: of the files.
        classes: names of the classes.
        images: their number.
        keys: number of masks in each file.
        matrix: mean Dice of every pair, float64 `(files, files)`.
        per_class: the same by class, `(classes, files, files)`.
        of_files: mean Dice of each file with the others, `(classes, files)`.
        largest: the masks on which the files are furthest apart, furthest first.
    """

    names: Sequence[str]
    classes: Sequence[str]
    images: int
    keys: int
    matrix: np.ndarray
    per_class: np.ndarray
    of_files: np.ndarray
    largest: Sequence[Disagreement]

    def mean_of_files(self) -> list[float]:
        """Mean Dice of each file with the others, over all classes."""
        return self.of_files.mean(0).tolist()


_NOTES = {
    "files": "Mean Dice of every pair of files. An ensemble gains from files that are good and differ; two that agree "
    "almost everywhere count as one.",
    "classes": "Mean Dice of each file with the others, the class most in doubt on top. A red column is a file of its "
    "own opinion, a red row a class that is hard.",
    "masks": "The masks with the lowest mean Dice of all pairs. Where one file stands alone it is named: look there "
    "for a missed or misplaced object.",
}


def write(page: Page, path: Path) -> None:
    """Write the page, whole or not at all."""
    files.write_text(path, render(page))


def render(page: Page) -> str:
    """The whole page. Equal comparisons give equal pages, byte for byte."""
    parts = (
        ("files", "Files", _files(page)),
        ("classes", "Classes", _classes(page)),
        ("masks", "Largest disagreements", _largest(page)),
    )
    shown = [(name, title, _html.section(name, title, body, _NOTES[name])) for name, title, body in parts if body]
    title = f"{len(page.names)} submissions compared"
    return _html.page(
        "Phalanx comparison", (title, "phalanx compare A.csv B.csv ..."), _headline(page), shown, __version__
    )


def _headline(page: Page) -> str:
    upper = page.matrix[np.triu_indices(len(page.names), 1)]
    own = page.mean_of_files()
    last = int(np.argmin(own))
    doubt = int(np.argmin(page.of_files.mean(1)))
    tiles = [
        ("Closest pair", _pair(page, int(np.argmax(upper))), float(upper.max())),
        ("Furthest pair", _pair(page, int(np.argmin(upper))), float(upper.min())),
        ("Class most in doubt", page.classes[doubt], float(page.of_files.mean(1)[doubt])),
    ]
    if len(page.names) > 2:
        tiles.insert(2, ("Furthest from the others", page.names[last], own[last]))
    boxes = "".join(
        f"<div><dt>{name}</dt><dd>{escape(value)}<small>{_format.number(number)}</small></dd></div>"
        for name, value, number in tiles
    )
    of = f"{_format.count(page.keys, 'mask')} of {_format.count(page.images, 'image')}"
    return (
        '<div class="headline"><div class="score"><div class="name">Mean Dice of all pairs</div>'
        f'<div class="value">{_format.number(float(upper.mean()))}</div><div class="of">{of}</div></div>'
        f'<dl class="tiles">{boxes}</dl></div>'
    )


def _pair(page: Page, place: int) -> str:
    row, column = (axis[place] for axis in np.triu_indices(len(page.names), 1))
    return f"{page.names[row]} and {page.names[column]}"


def _files(page: Page) -> str:
    chart = _html.chart("files", _agreement.matrix(page.names, page.matrix), "Dice of every pair of files")
    rows = [
        [Cell.text(name), Cell.number(mean), *map(Cell.number, row)]
        for name, mean, row in zip(page.names, page.mean_of_files(), page.matrix.tolist(), strict=True)
    ]
    return chart + _html.table(("file", "with the others", *page.names), rows)


def _classes(page: Page) -> str:
    if len(page.classes) < 2:
        return ""
    figure = _agreement.by_class(page.classes, page.names, page.of_files)
    means = page.of_files.mean(1)
    rows = [
        [
            Cell.text(page.classes[place]),
            Cell.number(float(means[place])),
            *map(Cell.number, page.of_files[place].tolist()),
        ]
        for place in np.argsort(means, kind="stable").tolist()
    ]
    chart = _html.chart("classes", figure, "Dice of each file with the others, class by class")
    return chart + _html.table(("class", "all files", *page.names), rows)


def _largest(page: Page) -> str:
    rows = [
        [
            Cell.text(item.image),
            Cell.text("" if item.label is None else item.label),
            Cell.number(item.mean),
            Cell.text(_format.NONE if item.odd is None else page.names[item.odd]),
            Cell.number(item.odd_mean),
            Cell.number(item.rest),
        ]
        for item in page.largest
    ]
    columns = ("image", "class", "mean Dice", "odd one out", "its Dice with the others", "Dice among the others")
    return _html.table(columns, rows) if rows else "<p>All files say the same.</p>"
