"""Options that several commands take, declared once: how a CSV is written, and how a data set is read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

# How a CSV is written, where it differs from its dialect.
Columns = Annotated[
    str | None, typer.Option(metavar="image,class,rle", help="Names of the columns, where they differ.")
]
Order = Annotated[str | None, typer.Option(metavar="row|column", help="How pixels are counted.")]
Base = Annotated[int | None, typer.Option(help="Number of the first pixel, 0 or 1.")]
Empty = Annotated[str | None, typer.Option(metavar="TEXT", help="What stands for an empty mask.")]
Size = Annotated[
    str | None, typer.Option(metavar="HxW", help="Height x width of every image; runs are then held to it.")
]

# How a folder that is a data set is read.
Reader = Annotated[str | None, typer.Option(help="Reader of a data set; guessed if not told.")]
ReaderOptions = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="An option of the reader; may be repeated.")
]
Patch = Annotated[Path | None, typer.Option(help="Corrections of the data set's labels, as data.patch.")]
Rasteriser = Annotated[Literal["opencv", "coco"], typer.Option(help="How outlines become pixels.")]
