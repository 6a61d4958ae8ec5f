"""`phalanx compare`: how much several submissions say the same, and where they do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from phalanx.mask.dialect import Dialect
    from phalanx.metrics._agreement import Disagreement
    from phalanx.view.agreement import Page

# Masks that are listed, and characters of a number on the terminal with the gap before it.
SHOWN, _CELL = 20, 8


def compare(
    files: Annotated[list[Path], typer.Argument(metavar="A.csv B.csv ...", help="Two submissions or more.")],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="PAGE.html", help="Write a page that needs no network.")
    ] = None,
    classes: Annotated[bool, typer.Option("--classes", help="Every class too, on the terminal and in --csv.")] = False,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the matrix as CSV.")] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write everything as JSON.")] = None,
    dialect: Annotated[str, typer.Option(help="How the files are written.")] = "handbone",
    columns: Annotated[
        str | None, typer.Option(metavar="image,class,rle", help="Names of the columns, where they differ.")
    ] = None,
    order: Annotated[str | None, typer.Option(metavar="row|column", help="How pixels are counted.")] = None,
    base: Annotated[int | None, typer.Option(help="Number of the first pixel, 0 or 1.")] = None,
    empty: Annotated[str | None, typer.Option(metavar="TEXT", help="What stands for an empty mask.")] = None,
    size: Annotated[
        str | None, typer.Option(metavar="HxW", help="Height x width of every image; runs are then held to it.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what -o, --csv and --json name.")] = False,
) -> None:
    """Compare submissions: Dice of every pair of files, and the masks on which they are furthest apart.

    Rows are matched by image and class; missing, extra and repeated ones are refused. Example:

    phalanx compare fold0.csv fold1.csv fold2.csv -o agreement.html
    """
    from phalanx.commands import _dialect, _results

    if len(files) < 2:
        raise typer.BadParameter("name two files or more", param_hint="A.csv B.csv ...")
    twice = [str(path) for path in files if sum(path.resolve() == other.resolve() for other in files) > 1]
    if twice:
        raise typer.BadParameter(f"{twice[0]} is named twice", param_hint="A.csv B.csv ...")
    written = _dialect.chosen(dialect, columns, order, base, empty)
    pixels = None if size is None else _dialect.parse_size(size)
    _results.check({"-o": output, "--csv": csv, "--json": json}, files, overwrite)
    page = _work(files, written, pixels)
    _show(page, classes)
    _write(page, output, csv, json, classes=classes)


def _work(files: Sequence[Path], dialect: Dialect, size: tuple[int, int] | None) -> Page:
    """Every file is read once; all pairs are counted slice by slice."""
    from contextlib import ExitStack

    import numpy as np

    from phalanx.core import parallel, progress
    from phalanx.mask import sheet
    from phalanx.mask.index import Index
    from phalanx.metrics import _agreement, _overlaps
    from phalanx.metrics.dice import Dice
    from phalanx.view.agreement import Page

    with ExitStack() as stack:
        sheets = list(parallel.ordered(lambda path: stack.enter_context(sheet.Sheet(path, dialect)), files))
        sheet.share(sheets)
        sources = list(map(Index, sheets))
        _overlaps.align(sources)
        ranges = _overlaps.parts(sources)
        counts = _overlaps.counts(sources, _agreement.pairs(len(files)), ranges, size)
        dice = np.concatenate([Dice()(part) for part in progress.track(counts, "comparing", len(ranges))], 1)
    grid = _overlaps.Grid(sources[0].keys)
    found = _agreement.Agreement(dice, grid, len(files))
    per_class = found.per_class()
    return Page(
        names=_names(files),
        classes=["mask" if label is None else label for label in grid.labels],
        images=len(grid.images),
        keys=len(grid.rows),
        matrix=per_class.mean(0),
        per_class=per_class,
        of_files=found.of_files(per_class),
        largest=found.largest(SHOWN),
    )


def _names(files: Sequence[Path]) -> list[str]:
    """Names without folders where those are enough to tell the files apart."""
    short = [path.name for path in files]
    return short if len(set(short)) == len(short) else [str(path) for path in files]


def _show(page: Page, classes: bool) -> None:
    from rich.console import Console

    console = Console()
    numbers = [str(place) for place in range(1, len(page.names) + 1)]
    console.print(_matrix(page, numbers, console.width), highlight=False)
    if classes:
        console.print(_table(("class", *numbers), _by_class(page)), highlight=False)
    if page.largest:
        console.print(_largest(page))
    said = f"{page.keys} masks of {page.images} images in {len(page.names)} files"
    equal = [
        f"{page.names[a]} equals {page.names[b]}"
        for a in range(len(page.names)) for b in range(a) if (page.per_class[:, a, b] > 1 - 1e-12).all()
    ]  # fmt: skip
    for line in (said, *equal):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _matrix(page: Page, numbers: Sequence[str], width: int) -> Table:
    """Mean Dice of each file with the others; every pair where there is room, else nearest and furthest."""
    import numpy as np

    names = [f"{number} {name}" for number, name in zip(numbers, page.names, strict=True)]
    fits = max(map(len, names)) + _CELL * (len(names) + 1) <= width
    headings = numbers if fits else ["nearest", "", "furthest", ""]
    rows = []
    for place, (name, mean) in enumerate(zip(names, page.mean_of_files(), strict=True)):
        row = page.matrix[place].tolist()
        if not fits:
            others = [other for other in np.argsort(row, kind="stable").tolist() if other != place]
            row = [cell for other in (others[-1], others[0]) for cell in (numbers[other], row[other])]
        rows.append((name, [mean, *row]))
    return _table(("mean Dice", "others", *headings), rows)


def _by_class(page: Page) -> list[tuple[str, list[float]]]:
    """Mean Dice of each file with the others, the class most in doubt first."""
    rows = zip(page.classes, page.of_files.tolist(), strict=True)
    return sorted(rows, key=lambda row: sum(row[1]))


def _largest(page: Page) -> Table:
    rows = [
        (item.image, ["" if item.label is None else item.label, item.mean, *_odd(page, item)]) for item in page.largest
    ]
    return _table(("furthest apart", "class", "Dice", "odd one out", "its Dice", "others'"), rows)


def _odd(page: Page, item: Disagreement) -> tuple[Any, ...]:
    return ("", "", "") if item.odd is None else (page.names[item.odd], item.odd_mean, item.rest)


def _table(headings: Sequence[str], rows: Any) -> Table:
    from rich.table import Table
    from rich.text import Text

    rows = [[name, *cells] for name, cells in rows]
    table = Table(box=None, pad_edge=False)
    for place, heading in enumerate(headings):
        number = any(isinstance(cells[place], float) for cells in rows)
        table.add_column(heading, justify="right" if number else "left", no_wrap=number, overflow="fold")
    for cells in rows:
        table.add_row(*(Text(f"{cell:.4f}" if isinstance(cell, float) else str(cell)) for cell in cells))
    return table


def _write(page: Page, output: Path | None, csv: Path | None, json: Path | None, *, classes: bool) -> None:
    from phalanx.commands import _results
    from phalanx.view import agreement

    if csv is not None:
        _results.write_csv(csv, _rows(page, classes))
    if json is not None:
        _results.write_json(json, _plain(page))
    if output is not None:
        agreement.write(page, output)
    for path in (csv, json, output):
        if path is not None:
            print(f"Wrote {path}")


def _rows(page: Page, classes: bool) -> Iterator[list[object]]:
    """The matrix, a header first; with `classes` a column in front says which, empty for all of them."""
    blocks: list[tuple[str, np.ndarray]] = [("", page.matrix)]
    blocks += list(zip(page.classes, page.per_class, strict=True)) if classes else []
    yield [*(["class"] if classes else []), "file", *page.names]
    for label, matrix in blocks:
        for name, row in zip(page.names, matrix.tolist(), strict=True):
            yield [*([label] if classes else []), name, *(f"{value:.6f}" for value in row)]


def _plain(page: Page) -> dict[str, Any]:
    return {
        "metric": "dice",
        "files": page.names,
        "images": page.images,
        "masks": page.keys,
        "matrix": page.matrix.tolist(),
        "per_class": dict(zip(page.classes, page.per_class.tolist(), strict=True)),
        "largest": [
            {
                "image": item.image,
                "class": item.label,
                "mean": item.mean,
                "odd": None if item.odd is None else page.names[item.odd],
                "odd_mean": item.odd_mean,
                "rest": item.rest,
            }
            for item in page.largest
        ],
    }
