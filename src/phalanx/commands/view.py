"""`phalanx view`: the web viewer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from phalanx.commands import _options

if TYPE_CHECKING:
    from phalanx.commands._found import Reading
    from phalanx.mask.dialect import Dialect
    from phalanx.view.gallery import Gallery
    from phalanx.view.volume import Volume


class _Named(NamedTuple):
    """What is named on the command line."""

    files: Sequence[Path]
    images: Path
    truth: Path | None
    store: Path | None


def view(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="A.csv [B.csv ...]", help="Submissions; also runs, stores or data sets. Or label maps, NIfTI."
        ),
    ],
    *,
    images: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder of the images; of label maps the scan, a file.")
    ],
    truth: Annotated[
        Path | None, typer.Option(metavar="DATA", help="The labels: a data set or a CSV; also a run or a store.")
    ] = None,
    store: Annotated[
        Path | None, typer.Option(metavar="S", help="A store, to see where the network is undecided.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1024, max=65535, help="Of 127.0.0.1; the first free one from 8501 if not told.")
    ] = None,
    headless: Annotated[bool, typer.Option("--headless", help="Open no browser.")] = False,
    dialect: Annotated[str, typer.Option(help="How the CSVs are written.")] = "handbone",
    columns: _options.Columns = None,
    order: _options.Order = None,
    base: _options.Base = None,
    empty: _options.Empty = None,
    reader: _options.Reader = None,
    option: _options.ReaderOptions = None,
    patch: _options.Patch = None,
    rasteriser: _options.Rasteriser = "opencv",
) -> None:
    """Look at submissions in the browser: outlines over the images, errors, disagreement, the worst cases first.

    The page answers on this machine only. Stop it with Ctrl+C. Examples:

    phalanx view submission.csv --images data/test

    phalanx view new.csv old.csv --images data/train --truth data --store runs/unet/oof.zarr

    phalanx view organs.nii.gz --images scan.nii.gz --truth labels.nii.gz
    """
    from phalanx.commands import _dialect, _found
    from phalanx.view import app

    written = _dialect.chosen(dialect, columns, order, base, empty)
    twice = [str(path) for path in files if sum(path.resolve() == other.resolve() for other in files) > 1]
    if twice:
        raise typer.BadParameter(f"{twice[0]} is named twice", param_hint="A.csv [B.csv ...]")
    free = app.free_port(port)
    named = _Named(files, images, truth, store)
    reading = _found.Reading(reader, tuple(option or ()), rasteriser, patch)
    shown = _volume(named) or _gallery(named, written, reading)
    app.serve(
        shown, free, headless=headless, say=lambda address: _say(f"The viewer answers at {address} (Ctrl+C stops it)")
    )


def _volume(named: _Named) -> Volume | None:
    """What label maps show; None where the files are none."""
    from phalanx.commands import _viewed_volume
    from phalanx.view import _format

    volumes = [_viewed_volume.is_volume(path) for path in [*named.files, *([named.truth] if named.truth else [])]]
    if not any(volumes):
        return None
    if not all(volumes) or named.store is not None:
        raise typer.BadParameter("go with a scan and other label maps alone", param_hint="NIfTI files")
    shown = _viewed_volume.volume(named.files, named.images, named.truth)
    _say(f"{' x '.join(map(str, shown.image.shape))} voxels, {_format.count(len(shown.classes), 'class', 'classes')}")
    return shown


def _gallery(named: _Named, dialect: Dialect, reading: Reading) -> Gallery:
    """What masks of images show."""
    from phalanx.commands import _found, _viewed
    from phalanx.view import _format

    predictions = [_found.find(path, dialect, reading) for path in named.files]
    labels = None if named.truth is None else _found.find(named.truth, dialect, reading)
    note = _found.unpatched([*predictions, *([labels] if labels else [])], reading)
    shown = _viewed.gallery(predictions, labels, named.images, named.store)
    _say(f"{_format.count(len(shown.cases), 'case')}, {_format.count(len(shown.classes), 'class', 'classes')}")
    for said in (*shown.notes, *([note] if note else [])):
        _say(said)
    return shown


def _say(text: str) -> None:
    # Whoever waits for the address reads a pipe, which would keep the line until it is full.
    print(text, flush=True)
