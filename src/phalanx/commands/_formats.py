"""Formats: COCO files, folders of PNGs and of label maps as sources of masks, and where images' sizes come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from phalanx.core.case import Case, MaskFiles
from phalanx.core.errors import DataError, SubmissionError
from phalanx.core.labels import LabelSpace
from phalanx.data import decode
from phalanx.datasets import _base, _coco_json, mask_folder
from phalanx.mask import polygon
from phalanx.mask import runs as run_lengths
from phalanx.submit import png
from phalanx.submit.convert import Frame, Frames, Picture, Size, Source
from phalanx.submit.recode import sized


def frames(size: Size | None, images: Path | None) -> Frames:
    """Where name and size of an image come from: one size for all, a folder of images, or nowhere.

    A key is a file's name, or its stem where only one file has it.

    Raises:
        DataError: the folder is missing or holds no image; when asked, an image that is not there or not readable.
    """
    if images is None:
        return lambda key: Frame(key, size)
    notes = _base.Notes()
    files = _base.images(images, "folder of images", notes)
    _refuse(notes)
    stems: dict[str, list[str]] = {}
    for name in files:
        stems.setdefault(png.stem_of(name), []).append(name)
    known: dict[str, Frame] = {}

    def find(key: str) -> Frame:
        if key not in known:
            found = [key] if key in files else stems.get(key, [])
            if len(found) != 1:
                wrong = "a key fits several images" if found else "no image has this key"
                raise DataError(wrong, ", ".join([key, *found]), f"look into {images}")
            known[key] = Frame(found[0], _header(files[found[0]]).size)
        return known[key]

    return find


def coco(path: Path, known: Frames) -> tuple[Source, list[str]]:
    """The annotations of a COCO file, one object each, and remarks on what was taken or passed over.

    Images are named by their bare file names. Outlines are painted as pycocotools does.

    Raises:
        DataError: not a COCO file, or one with entries that cannot be used; when drawn, a damaged annotation.
    """
    document = _coco_json.load(_base.file(path, "COCO file"))
    notes = _base.Notes()
    names = _coco_json.categories(document)
    found = _coco_json.by_image(document, names, notes)
    entries = _coco_json.images(document, notes)
    _refuse(notes)
    items = [item for part in found.values() for _, item in part]
    crowd = sum(bool(item.get("iscrowd")) for item in items)
    hollow = sum(not item.get("segmentation") for item in items)
    remarks = [f"{crowd} crowd annotations are taken like any other"] * bool(crowd)
    remarks += [f"{hollow} annotations have no mask and are passed over"] * bool(hollow)
    pictures = (
        _annotated(entry, found.get(number, []), list(names.values()), known) for number, entry in entries.items()
    )
    return Source(tuple(names.values()), True, len(entries), pictures), remarks


def _annotated(
    entry: _coco_json.Entry,
    items: Sequence[tuple[str, Mapping[str, Any]]],
    names: Sequence[str],
    known: Frames,
) -> Picture:
    frame = _framed(entry.name, entry.size, known)
    masks: list[tuple[str | None, np.ndarray]] = []
    for category, item in items:
        if not item.get("segmentation"):
            continue
        try:
            masks.append((category, _segment(item["segmentation"], sized(frame, entry.name))))
        except DataError as error:
            seen = f"{error.seen} in annotation {item.get('id', '?')} of {entry.name}"
            raise DataError(error.wrong, seen, error.fix) from None
    # A class without an object is still one of this image.
    held = {label for label, _ in masks}
    masks += [(name, run_lengths.empty()) for name in names if name not in held]
    return Picture(frame.name, sized(frame, entry.name), masks)


def _segment(segmentation: Any, size: Size) -> np.ndarray:
    if isinstance(segmentation, dict):
        return _coco_json.rle(segmentation, size)
    if not isinstance(segmentation, list):
        raise DataError("an annotation is neither outline nor RLE", type(segmentation).__name__, "mend the JSON")
    rings = []
    for part in segmentation:
        ring = _coco_json.ring(part)
        if isinstance(ring, str):
            raise DataError(ring, repr(part)[:60], "redraw the outline")
        rings.append(ring)
    return polygon.to_runs(rings, size, "coco")


def pictures(folder: Path, known: Frames) -> Source:
    """Binary PNGs, as `CLASS/STEM.png` or, for one class, `STEM.png`.

    Raises:
        DataError: no such folder, no image in it, or one that lies deeper or beside folders of classes; when drawn, a
            file that cannot be read or is of another size.
    """
    files = _masks(folder)
    nested = {len(path.relative_to(folder).parts) for path in files}
    if nested not in ({1}, {2}):
        raise DataError("masks are not all STEM.png, nor all CLASS/STEM.png", folder, "sort them into folders")
    named = _manifest(folder)
    if nested == {1}:
        label = named[0] if len(named) == 1 else None
        labels, owner = (label,), dict.fromkeys(files, label)
    else:
        owner = {path: path.parent.name for path in files}
        held = sorted(set(owner.values()))
        labels = tuple(named) if set(held) <= set(named) else tuple(held)
    images: dict[str, list[Path]] = {}
    for path in files:
        images.setdefault(png.stem_of(path.name), []).append(path)
    _check_single(images, owner)
    order = {label: index for index, label in enumerate(labels)}
    drawn = (
        _painted(stem, sorted(found, key=lambda path: order[owner[path]]), owner, known)
        for stem, found in sorted(images.items())
    )
    return Source(labels, False, len(images), drawn)


def _check_single(images: Mapping[str, list[Path]], owner: Mapping[Path, str | None]) -> None:
    for found in images.values():
        if len({owner[path] for path in found}) < len(found):
            names = " and ".join(path.name for path in found[:2])
            raise DataError("an image has two masks of the same class", names, "remove one")


def _painted(stem: str, files: Sequence[Path], owner: Mapping[Path, str | None], known: Frames) -> Picture:
    frame = _framed(stem, _header(files[0]).size, known)
    size = sized(frame, stem)
    name = files[0].name if frame.name == stem else frame.name
    masks = []
    for path in files:
        case = Case(name, path, MaskFiles(((path, None, "mask"),)))
        masks.append((owner[path], decode.runs(case, LabelSpace(("mask",)), "coco", size)[0]))
    return Picture(name, size, masks)


def label_maps(folder: Path, known: Frames, given: Sequence[str] | None) -> Source:
    """PNGs of class numbers, `STEM.png`; classes are named by `classes.json` beside them, or as given from 1 on.

    Raises:
        DataError: no such folder, no image in it, or classes nobody names; when drawn, a file that cannot be read, is
            of another size, or holds a number that is no class.
    """
    files = _masks(folder)
    if given is not None:
        named = dict(enumerate((png.BACKGROUND, *given)))
    else:
        named = mask_folder._read_classes(folder / png.MANIFEST)
    values = {value: name for value, name in sorted(named.items()) if value}
    if not values:
        raise DataError("a label map needs a class behind the background", folder / png.MANIFEST, "give --classes")
    space = LabelSpace(tuple(values.values()))
    stems = [png.stem_of(path.name) for path in files]
    if len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise DataError("an image has two label maps", twice, "remove one")

    def draw() -> Iterator[Picture]:
        for stem, path in zip(stems, files, strict=True):
            frame = _framed(stem, _header(path).size, known)
            name = path.name if frame.name == stem else frame.name
            size = sized(frame, stem)
            case = Case(name, path, MaskFiles(tuple((path, value, label) for value, label in values.items())))
            found = decode.runs(case, space, "coco", size)
            yield Picture(name, size, list(zip(space.names, found, strict=True)))

    return Source(tuple(values.values()), False, len(files), draw())


def _masks(folder: Path) -> list[Path]:
    files = _base.walk(_base.folder(folder, "folder of masks"), _base.SUFFIXES)
    if not files:
        raise DataError("the folder of masks holds no image", folder, f"found {_base.contents(folder)}")
    return files


def _manifest(folder: Path) -> list[str]:
    """Names of classes beside binary masks, in order; none when nobody wrote them."""
    file = folder / png.MANIFEST
    # One class without a name is an empty list.
    if not file.is_file() or file.read_bytes().strip() == b"[]":
        return []
    named = mask_folder._read_classes(file)
    return [named[value] for value in sorted(named)]


def _framed(key: str, size: Size | None, known: Frames) -> Frame:
    """What is known of an image whose masks state a size of their own."""
    frame = known(key)
    if size and frame.size and size != frame.size:
        seen = f"{key}: {_base.text(size)} and {_base.text(frame.size)}"
        raise SubmissionError("masks of another size than their image", seen, "scale one of them")
    return Frame(frame.name, size or frame.size)


def _header(path: Path) -> _base.Header:
    try:
        return _base.header(path)
    except DataError as error:
        raise DataError(error.wrong, f"{path} ({error.seen})", "replace the file") from error


def _refuse(notes: _base.Notes) -> None:
    """Make the first error found an end."""
    for finding in notes.findings:
        if finding.level == "error":
            wrong, _, rest = finding.message.partition(": ")
            seen, _, fix = rest.rstrip(".").rpartition(". ")
            raise DataError(wrong, seen, fix)
