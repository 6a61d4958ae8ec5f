"""Masks as PNG files: one binary picture a class, or one of class numbers an image.

Laid out as the reader `mask_folder` wants them: `CLASS/STEM.png`, or `STEM.png` where there is one class without a name
or one map of all classes. `classes.json` beside them names the values; it also tells later that the folder is ours.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from phalanx.core.errors import SubmissionError
from phalanx.mask import runs as run_lengths
from phalanx.mask.dialect import IMAGE_SUFFIXES
from phalanx.submit import convert
from phalanx.submit.convert import Picture, Source

MANIFEST = "classes.json"
BACKGROUND = "background"


def to_png(folder: Path, source: Source, overwrite: bool = False) -> int:
    """Write a binary PNG (0 and 255) an image and class; returns their number.

    Args:
        folder: is there whole or not at all.
        source: with one class, files are `STEM.png`, with several `CLASS/STEM.png`.
        overwrite: replace a folder that was written here before.

    Raises:
        SubmissionError: a name that cannot be that of a file, two images of one stem, no image at all, or a folder
            that may not be replaced.
    """
    several = len(source.labels) > 1
    if several and MANIFEST in source.labels:
        raise SubmissionError("a class is called as the list of classes", MANIFEST, "give --classes other names")
    places = {label: convert.check_name(str(label), "class") if several else "" for label in source.labels}

    def paint(picture: Picture, stem: str, place: Path) -> int:
        masks = picture.united()
        for label, runs in masks.items():
            plane = run_lengths.to_mask(runs, picture.size).view(np.uint8) * 255
            _save(plane, place / places[label] / f"{stem}.png")
        return len(masks)

    return _fill(folder, source, [str(label) for label in source.labels if label is not None], paint, overwrite)


def to_label_map(folder: Path, source: Source, overwrite: bool = False) -> int:
    """Write a PNG of class numbers an image, 0 for the background, 1, 2, 3 ... in the order of the source's classes.

    Args:
        folder: is there whole or not at all.
        source: its classes must exclude each other.
        overwrite: replace a folder that was written here before.

    Raises:
        SubmissionError: two classes share a pixel, and whatever `to_png` refuses.
    """
    convert.check_names(source.labels, "label maps")
    names = [str(label) for label in source.labels]
    if BACKGROUND in names[1:]:
        raise SubmissionError("the background is no class of a label map", names, f"leave {BACKGROUND} out")
    if len(names) > np.iinfo(np.uint16).max:
        raise SubmissionError("a label map holds 65,535 classes at most", len(names), "choose another format")
    kind = np.uint8 if len(names) <= np.iinfo(np.uint8).max else np.uint16
    values = {label: index + 1 for index, label in enumerate(source.labels)}

    def paint(picture: Picture, stem: str, place: Path) -> int:
        masks = picture.united()
        _check_apart(picture, masks)
        plane = np.zeros(picture.size, kind)
        for label, runs in masks.items():
            for start, stop in runs.tolist():
                plane.reshape(-1)[start:stop] = values[label]
        _save(plane, place / f"{stem}.png")
        return 1

    return _fill(folder, source, [BACKGROUND, *names], paint, overwrite)


def stem_of(name: str) -> str:
    """A file name without an image's suffix; other dots (`1.2.840.10008`) belong to it."""
    suffix = Path(name).suffix
    return name[: -len(suffix)] if suffix.lower() in IMAGE_SUFFIXES else name


def check_target(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that is there, unless it may be replaced and was written here.

    Raises:
        SubmissionError: it holds something, and may not be replaced or holds other things than convert writes.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not overwrite:
        raise SubmissionError("the folder exists already", folder, "choose another name, or say --overwrite")
    strange = "it is a file" if not folder.is_dir() else _strange(folder)
    if strange:
        fix = "choose another name, or remove it yourself"
        raise SubmissionError("the folder was not written by convert and is not replaced", f"{folder}: {strange}", fix)


def _strange(folder: Path) -> str:
    """What in a folder convert would not have written."""
    if not (folder / MANIFEST).is_file():
        return f"it has no {MANIFEST}"
    for parent, _, names in os.walk(folder):
        for name in names:
            if not name.endswith(".png") and Path(parent, name) != folder / MANIFEST:
                return f"it holds {Path(parent, name).relative_to(folder)}"
    return ""


def _fill(
    folder: Path,
    source: Source,
    names: Sequence[str],
    paint: Callable[[Picture, str, Path], int],
    overwrite: bool,
) -> int:
    """Paint every picture into a new folder that takes the wanted name when all are there."""
    check_target(folder, overwrite)
    count, stems = 0, dict[str, str]()
    with _appearing(folder) as place:
        for picture in source.pictures:
            stem = convert.check_name(stem_of(picture.name), "image")
            if stem in stems:
                seen = f"{stems[stem]} and {picture.name}"
                raise SubmissionError("two images would have the same mask file", seen, "rename one of them")
            stems[stem] = picture.name
            count += paint(picture, stem, place)
        if not stems:
            raise SubmissionError("there is nothing to write", folder, "name an input that holds masks")
        (place / MANIFEST).write_text(json.dumps(list(names), ensure_ascii=False) + "\n", encoding="utf-8")
    return count


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """A neighbour of the folder to fill; takes its name on success, is removed on failure."""
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    unfinished.mkdir()
    try:
        yield unfinished
        if folder.exists():
            folder.rename(old)
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        if old.exists() and not folder.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _check_apart(picture: Picture, masks: dict[str | None, np.ndarray]) -> None:
    """Refuse masks of which two share a pixel."""
    found = list(masks.items())
    whole = run_lengths.union([runs for _, runs in found])
    if run_lengths.area(whole) == sum(run_lengths.area(runs) for _, runs in found):
        return
    for index, (label, runs) in enumerate(found):
        for other, others in found[:index]:
            if shared := run_lengths.overlap(runs, others):
                seen = f"{other} and {label} share {shared} pixels of {picture.name}"
                fix = "a label map has one class a pixel; convert to png or coco"
                raise SubmissionError("classes overlap", seen, fix)


def _save(plane: np.ndarray, path: Path) -> None:
    # imwrite says nothing of a full disk.
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(cv2.imencode(".png", plane)[1].tobytes())
