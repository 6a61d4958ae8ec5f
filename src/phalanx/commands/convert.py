"""`phalanx convert`: between run-length dialects, COCO JSON, folders of PNGs and label maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

if TYPE_CHECKING:
    from phalanx.mask.dialect import Dialect
    from phalanx.submit.convert import Frames, Source

_COCO = ("coco", "coco-uncompressed")
_FOLDERS = ("png", "labelmap")
_FORMATS = (*_COCO, *_FOLDERS)


def convert(
    given: Annotated[Path, typer.Argument(metavar="IN", help="A CSV, a COCO file, or a folder of PNGs.")],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="What to write.")],
    *,
    source: Annotated[
        str, typer.Option("--from", metavar="DIALECT", help=f"A dialect of CSVs, or {', '.join(_FORMATS)}.")
    ],
    target: Annotated[str, typer.Option("--to", metavar="DIALECT", help="The same choice.")],
    size: Annotated[str | None, typer.Option(metavar="HxW", help="Height x width of every image.")] = None,
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The images: their names, and sizes from their headers.")
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="a,b,c", help="Classes in order: of the values 1, 2, 3; or the one that IN does not name."
        ),
    ] = None,
    from_columns: Annotated[
        str | None, typer.Option(metavar="image,class,rle", help="Columns of IN, where they differ from the dialect's.")
    ] = None,
    from_order: Annotated[str | None, typer.Option(metavar="row|column", help="How IN counts pixels.")] = None,
    from_base: Annotated[int | None, typer.Option(metavar="0|1", help="IN's first pixel.")] = None,
    from_empty: Annotated[str | None, typer.Option(metavar="TEXT", help="IN's empty mask: '', -1, '1 0'.")] = None,
    to_columns: Annotated[str | None, typer.Option(metavar="image,class,rle", help="Columns of OUT.")] = None,
    to_order: Annotated[str | None, typer.Option(metavar="row|column", help="How OUT counts pixels.")] = None,
    to_base: Annotated[int | None, typer.Option(metavar="0|1", help="OUT's first pixel.")] = None,
    to_empty: Annotated[str | None, typer.Option(metavar="TEXT", help="OUT's empty mask.")] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend malformed rows of a CSV, and list what was done.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.")] = False,
) -> None:
    """Convert masks between the dialects of run-length CSVs, COCO JSON, folders of PNGs and label maps.

    A PNG folder is CLASS/STEM.png, or STEM.png for one class; a label map is STEM.png and classes.json. --size or
    --images is needed where pixels change their order or are painted. Examples:

    phalanx convert submission.csv submission.json --from handbone --to coco --size 2048x2048

    phalanx convert train.csv masks --from severstal --to png --images train_images

    phalanx convert other.csv mine.csv --from handbone --from-columns id,label,mask --from-base 0 --to handbone
    """
    from phalanx.commands import _dialect, _formats

    read = _side(source, "from", columns=from_columns, order=from_order, base=from_base, empty=from_empty)
    written = _side(target, "to", columns=to_columns, order=to_order, base=to_base, empty=to_empty)
    if size is not None and images is not None:
        raise typer.BadParameter("give --size or --images, not both", param_hint="--size")
    if repair and read is None:
        raise typer.BadParameter("only run-length CSVs can be repaired", param_hint="--repair")
    names = None if classes is None else _names(classes)
    pixels = None if size is None else _dialect.parse_size(size)
    _check_target(given, output, images, target, overwrite)
    known = _formats.frames(pixels, images)
    to = _Output(output, target, written, overwrite)
    if read is None:
        count, remarks = _from_pictures(given, source, to, known, names)
    else:
        count, remarks = _from_csv(given, read, to, known, names, repair=repair)
    for remark in remarks:
        print(remark)
    what = "rows" if written else "annotations" if target in _COCO else "files"
    print(f"{output}: {count} {what}" + f"; {len(remarks)} repairs" * (repair and bool(remarks)))


class _Output(NamedTuple):
    """Where to write, and how."""

    path: Path
    format: str
    dialect: Dialect | None
    overwrite: bool


def _side(name: str, side: str, **changes: Any) -> Dialect | None:
    """The dialect of one side; None for a format that is no CSV."""
    from phalanx.commands import _dialect
    from phalanx.mask.dialect import DIALECTS

    if name in DIALECTS:
        return _dialect.chosen(name, **changes, side=side)
    if name not in _FORMATS:
        known = ", ".join((*DIALECTS, *_FORMATS))
        raise typer.BadParameter(f"{name!r} is none of {known}", param_hint=f"--{side}")
    for option, value in changes.items():
        if value is not None:
            raise typer.BadParameter(f"{name} is no run-length CSV", param_hint=f"--{side}-{option}")
    return None


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise typer.BadParameter(f"{text!r} does not name classes, each once", param_hint="--classes")
    return names


def _check_target(given: Path, output: Path, images: Path | None, target: str, overwrite: bool) -> None:
    """Refuse to write where something is, or where replacing would remove what is read."""
    from phalanx.core.errors import SubmissionError
    from phalanx.submit import png

    for path in (given, images):
        if path is not None and path.resolve().is_relative_to(output.resolve()):
            raise SubmissionError("the output would replace the input", output, "choose another name")
    if target in _FOLDERS:
        png.check_target(output, overwrite)
    elif output.is_dir():
        raise SubmissionError("a folder has the name of the output", output, "name a file")
    elif output.exists() and not overwrite:
        raise SubmissionError("the file exists already", output, "choose another name, or say --overwrite")


def _from_csv(
    given: Path, read: Dialect, to: _Output, known: Frames, names: list[str] | None, *, repair: bool
) -> tuple[int, list[str]]:
    """Read a CSV; number of things written, and what was repaired."""
    from phalanx.mask.sheet import Sheet
    from phalanx.submit import recode
    from phalanx.submit.convert import class_names

    with Sheet(given, read) as sheet:
        reader = recode.Reader(sheet, known, repair)
        called = class_names(reader.labels, names)
        if to.dialect is not None:
            count = recode.recode(to.path, reader, to.dialect, called)
        else:
            count = _write(reader.source().named(called), to)
        return count, reader.repairs


def _from_pictures(
    given: Path, source: str, to: _Output, known: Frames, names: list[str] | None
) -> tuple[int, list[str]]:
    """Read COCO or a folder; number of things written, and remarks."""
    from phalanx.commands import _formats
    from phalanx.submit.convert import class_names

    remarks: list[str] = []
    if source in _COCO:
        found, remarks = _formats.coco(given, known)
    elif source == "png":
        found = _formats.pictures(given, known)
    else:
        found = _formats.label_maps(given, known, names)
    return _write(found.named(class_names(found.labels, names)), to), remarks


def _write(source: Source, to: _Output) -> int:
    from dataclasses import replace

    from phalanx.core.progress import track
    from phalanx.submit import coco, convert, png

    source = replace(source, pictures=track(source.pictures, "converting", source.count))
    if to.dialect is not None:
        return convert.to_csv(to.path, source, to.dialect)
    if to.format in _COCO:
        return coco.to_coco(to.path, source, compressed=to.format == "coco")
    return (png.to_png if to.format == "png" else png.to_label_map)(to.path, source, to.overwrite)
