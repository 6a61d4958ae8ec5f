"""The hand-bone layout: 29 overlapping bones, one JSON of outlines an image, one folder a person.

    train/DCM/IDnnn/*.png   train/outputs_json/IDnnn/*.json   test/DCM/IDnnn/*.png   meta_data.xlsx

Phantoms are written in the same layout, with the outlines of the test images under `test_truth/outputs_json`.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np

from phalanx.core import hand
from phalanx.core.case import Case, Dataset, Polygons
from phalanx.core.catalogue import nearest
from phalanx.core.errors import DataError
from phalanx.core.labels import LabelSpace
from phalanx.datasets import _base, _handbone_table

# Found by annealing over the sRGB cube (L* 42-93, chroma > 25). Smallest CIELAB distances: 36 between bones that touch,
# also as protanopes and deuteranopes see them (Machado et al. 2009, doi:10.1109/TVCG.2009.113); 30 between any two in
# normal vision; 6 between any two otherwise, since 29 colours do not fit a dichromat's plane.
COLOURS = tuple(
    "#eeaa99 #bb2299 #995500 #33bbdd #cc0055 #2288ff #66ff33 #55ff88 #dd0011 #55ffff #117777 #ff88ff #9900ff #dddd11 "
    "#007700 #88cc33 #777744 #00ffcc #7755bb #aa7799 #dd33ee #bbeeaa #ffbbff #ff9911 #3355ff #119966 #eedd77 #ff7777 "
    "#88aaee".split()
)
LABELS = LabelSpace(hand.NAMES, exclusive=False, colours=COLOURS)

# A slip of the pen leaves the frame by a little, an outline of another image size by much more.
OVERSHOOT = 0.01


def read_folder(
    root: Path, exclude: tuple[str, ...], missing_class: Literal["warn", "error"], unlabelled: _base.Unlabelled
) -> Dataset:
    """Read a folder of the hand-bone layout.

    Args:
        root: the folder that holds `train`.
        exclude: ids of images to leave out.
        missing_class: level of the finding when an annotation lacks one of the 29 bones.
        unlabelled: what becomes of a training image without JSON.

    Raises:
        DataError: the folder is missing, of another layout, or has no image.
    """
    notes = _base.Notes(exclude)
    _check_layout(root)
    table = _handbone_table.read(root / "meta_data.xlsx", notes)
    train, bare = _part(root / "train" / "DCM", root / "train" / "outputs_json", table, missing_class, notes)
    test: list[Case] = []
    if (root / "test" / "DCM").is_dir():
        truth = root / "test_truth" / "outputs_json"
        labelled, test = _part(root / "test" / "DCM", truth, table, missing_class, notes)
        test = sorted(labelled + test, key=lambda case: case.id)
        if labelled:
            for case in test:
                if case.labels is None:
                    notes.warning(case.id, "test image without truth", case.id, "it is predicted but not scored")
    for case in bare:
        _base.unlabelled(
            case, f"no {case.group}/{Path(case.id).stem}.json in train/outputs_json", unlabelled, notes, test
        )
    _base.check_apart(train, test, notes)
    _base.check_exclude(exclude, [path.name for path in _base.walk(root, _base.SUFFIXES)] if exclude else [], notes)
    return Dataset(LABELS, train, test, notes.findings)


def _check_layout(root: Path) -> None:
    _base.folder(root, "data folder")
    images = root / "train" / "DCM"
    if _base.walk(images, _base.SUFFIXES):
        return
    if images.is_dir():
        seen = f"{root} ({_base.contents(images)})"
        raise DataError("train/DCM holds no image", seen, "expected train/DCM/IDnnn/*.png")
    expected = "expected train/DCM/IDnnn/*.png beside train/outputs_json/IDnnn/*.json"
    if (root / "DCM").is_dir():
        raise DataError("not the hand-bone layout", root, f"{expected}; name the folder above it, {root.parent}")
    deeper = sorted(place.parents[1] for pattern in ("*/train/DCM", "*/*/train/DCM") for place in root.glob(pattern))
    if deeper:
        raise DataError("not the hand-bone layout", root, f"{expected}; did you mean {deeper[0]}?")
    start = root / "train" if (root / "train").is_dir() else root
    found = sorted(item.name for item in start.iterdir() if item.is_dir())[:12]
    seen = f"{start} has the folders {', '.join(found)}" if found else f"{start} has {_base.contents(start)}"
    raise DataError("not the hand-bone layout", seen, expected)


def _part(
    images: Path, jsons: Path, table: Mapping[int, dict[str, Any]], missing_class: str, notes: _base.Notes
) -> tuple[list[Case], list[Case]]:
    """Labelled and unlabelled cases of one half of the set, sorted by id."""
    people = [place for place in sorted(images.iterdir()) if place.is_dir() and not place.name.startswith(".")]
    loose = [path.name for path in sorted(images.iterdir()) if path.suffix.lower() in _base.SUFFIXES]
    if loose:
        seen = f"{len(loose)} in {images.parent.name}/DCM, the first is {loose[0]}"
        notes.error("", "images outside a person's folder", seen, "move each into its IDnnn")
    files = [path for place in people for path in _base.walk(place, _base.SUFFIXES)]
    found = _base.unique(files, notes)
    heads = _base.headers(found, notes)
    outlines = {(path.parent.name, path.stem): path for path in _base.walk(jsons, (".json",))}
    sides = _sides(images, people, found, notes)
    labelled, bare, absent = [], [], set()
    for name, path in sorted(found.items()):
        person = path.relative_to(images).parts[0]
        json_file = outlines.pop((person, path.stem), None)
        number = re.fullmatch(r"ID0*(\d+)", person)
        row = table.get(int(number[1])) if number else None
        if table and row is None:
            absent.add(person)
        metadata = {"side": sides[name], **_base.size_metadata(heads.get(name)), **(row or {})}
        if json_file is None:
            bare.append(Case(name, path, None, person, metadata))
            continue
        size = heads[name].size if name in heads else None
        labels = read_json(json_file, name, size, missing_class, notes)
        if labels:
            labelled.append(Case(name, path, labels, person, metadata))
    for person, stem in sorted(outlines):
        notes.warning(f"{stem}.png", "annotation without image", f"{person}/{stem}.json", "its image is missing")
    for person in sorted(absent):
        notes.warning("", "a person is not in meta_data.xlsx", person, "the row is missing, so age and sex are unknown")
    return labelled, bare


def _sides(images: Path, people: list[Path], found: Mapping[str, Path], notes: _base.Notes) -> dict[str, str]:
    """`right`, `left` or `unknown` by id: a suffix decides, else the first of a person's two images is the right hand.

    Only ID001 of the original data carries suffixes; there the earlier image is the right hand.
    """
    sides = {}
    for place in people:
        if not re.fullmatch(r"ID\d+", place.name):
            seen = f"{images.parent.name}/DCM/{place.name}"
            notes.warning("", "a person's folder is not called IDnnn", seen, "it is taken as a person all the same")
        # Excluded images still count: without its partner the other hand would change sides.
        names = sorted(path.name for path in _base.walk(place, _base.SUFFIXES))
        if len(names) != 2:
            notes.warning("", "a person has not two images", f"{place.name} has {len(names)}", "sides may be unknown")
        marks = [
            {"R": "right", "L": "left"}.get(match[1]) if (match := re.search(r"_([RL])\.", name)) else None
            for name in names
        ]
        if len(names) == 2 and marks == [None, None]:
            marks = ["right", "left"]
        elif len(names) == 2 and None in marks:
            marks = [
                "left" if marks[1 - index] == "right" else "right" if mark is None else mark
                for index, mark in enumerate(marks)
            ]
        sides.update({name: mark or "unknown" for name, mark in zip(names, marks, strict=True) if name in found})
    return sides


def read_json(
    file: Path, case: str, size: tuple[int, int] | None, missing_class: str, notes: _base.Notes
) -> Polygons | None:
    """Outlines of one annotation file; None when it cannot be used.

    Args:
        file: the JSON.
        case: id of its image.
        size: `(height, width)` of the image, None when that is unknown.
        missing_class: level of the finding when a bone is missing.
        notes: takes the findings.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8-sig"))
        annotations = document["annotations"]
        assert isinstance(annotations, list)
    except (OSError, ValueError, RecursionError) as error:
        notes.error(
            case,
            "an annotation file cannot be parsed",
            f"{file.name} ({error})",
            "restore the file, or exclude the image",
        )
        return None
    except (KeyError, TypeError, AssertionError):
        notes.error(
            case, "an annotation file has no list 'annotations'", file.name, "restore the file, or exclude the image"
        )
        return None
    rings = _rings(annotations, case, notes)
    absent = [name for name in hand.NAMES if name not in rings]
    if absent:
        note = notes.error if missing_class == "error" else notes.warning
        some = ", ".join(absent[:6]) + (", ..." if len(absent) > 6 else "")
        note(
            case,
            "classes without an outline",
            f"{len(absent)} of {len(hand.NAMES)} ({some})",
            "they count as empty masks",
            classes=absent,
        )
    claimed = _claimed(document)
    if size:
        _check_frame(rings, case, size, claimed, json_name=file.name, notes=notes)
    return Polygons(rings, claimed or size)


def _rings(annotations: list[Any], case: str, notes: _base.Notes) -> dict[str, list[np.ndarray]]:
    """Usable rings by class in the order of `hand.NAMES`; those of unknown classes come last, for a patch to rename."""
    rings: dict[str, list[np.ndarray]] = {}
    seen: dict[bytes, str] = {}
    for index, item in enumerate(annotations):
        name = item.get("label") if isinstance(item, dict) else None
        if not isinstance(name, str):
            notes.error(case, "unknown class", f"{name!r} in annotation {index}", "every annotation needs a 'label'")
            continue
        if name not in hand.NAMES:
            notes.error(case, "unknown class", f"{name!r} in annotation {index}", nearest(name, hand.NAMES),
                        classes=[name], remedy=_renaming(name, annotations))  # fmt: skip
        for points in _unnest(item.get("points")):
            ring = _ring(points)
            if isinstance(ring, str):
                fix = "redraw the outline, or exclude the image"
                notes.error(case, ring, f"{name}, annotation {index}", fix, classes=[name])
                continue
            twin = seen.setdefault(ring.tobytes(), name)
            if twin == name and any(np.array_equal(ring, other) for other in rings.get(name, [])):
                notes.warning(case, "the same outline twice", name, "the second is dropped", classes=[name])
                continue
            if twin != name:
                both = f"{twin} and {name}"
                notes.warning(
                    case, "two classes share one outline", both, "one of them is mislabelled", classes=[twin, name]
                )
            rings.setdefault(name, []).append(ring)
    return {name: rings[name] for name in dict.fromkeys((*hand.NAMES, *rings)) if name in rings}


def _renaming(name: str, annotations: list[Any]) -> dict[str, Any] | None:
    """The patch that takes an unknown name for a misspelt one, where that class is not there otherwise."""
    there = {item.get("label") for item in annotations if isinstance(item, dict)}
    close = difflib.get_close_matches(name, [bone for bone in hand.NAMES if bone not in there], n=1, cutoff=0.8)
    return {"relabel": {name: close[0]}} if close else None


def _unnest(points: Any) -> list[Any]:
    """The rings of an annotation: `points` is one ring, or a list of rings."""
    deeper = (
        isinstance(points, list)
        and points
        and all(isinstance(ring, list) and ring and isinstance(ring[0], list) for ring in points)
    )
    return points if deeper else [points]


def _ring(points: Any) -> np.ndarray | str:
    """A ring float64 `(points, 2)`, or what is wrong with it."""
    # Sets of types and lengths: the outlines of 300 phantom hands have three million coordinates.
    if not isinstance(points, list) or not set(map(type, points)) <= {list} or not set(map(len, points)) <= {2}:
        return "an outline is not a list of [x, y]"
    if not set(map(type, chain.from_iterable(points))) <= {int, float}:
        return "a coordinate is not a number"
    try:
        ring = np.array(points, np.float64).reshape(-1, 2)
    except OverflowError:
        # An integer of a thousand digits is valid JSON, but no float.
        return "a coordinate is not finite"
    if not np.isfinite(ring).all():
        return "a coordinate is not finite"
    return ring if len(ring) >= 3 else "an outline has fewer than 3 points"


def _claimed(document: Mapping[str, Any]) -> tuple[int, int] | None:
    """The image size an annotation file states under `metadata`, if it does."""
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        return None
    return _base.whole_size(metadata.get("height"), metadata.get("width"))


def _check_frame(
    rings: Mapping[str, list[np.ndarray]],
    case: str,
    size: tuple[int, int],
    claimed: tuple[int, int] | None,
    *,
    json_name: str,
    notes: _base.Notes,
) -> None:
    """Note outlines that contradict the image's size or leave its frame."""
    wrong, fix = "image and JSON of different sizes", "scale the outlines or restore the image"
    if claimed and claimed != size:
        notes.error(case, wrong, f"{case} is {_base.text(size)}, {json_name} says {_base.text(claimed)}", fix)
        return
    every = [ring for parts in rings.values() for ring in parts]
    if not every:
        return
    width_used, height_used = np.concatenate(every).max(axis=0)
    used = (math.ceil(height_used) + 1, math.ceil(width_used) + 1)
    if used[0] > size[0] * (1 + OVERSHOOT) + 1 or used[1] > size[1] * (1 + OVERSHOOT) + 1:
        notes.error(
            case, wrong, f"{case} is {_base.text(size)}, the outlines of {json_name} need {_base.text(used)}", fix
        )
        return
    # A hand fills its picture: 29 bones in a quarter of it were drawn on a smaller one.
    if len(rings) > len(hand.NAMES) // 2 and used[0] < size[0] / 2 and used[1] < size[1] / 2:
        seen = f"{case} is {_base.text(size)}, the outlines of {json_name} end at {_base.text(used)}"
        notes.warning(case, wrong, seen, fix)
    for name, parts in rings.items():
        _base.check_frame(parts, size, case, f"{name} of {case}", notes, name=name)
