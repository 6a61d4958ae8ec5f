"""The parts of a COCO document, checked one by one: the file comes from a stranger.

Format: https://cocodataset.org/#format-data.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from phalanx.core.errors import DataError
from phalanx.datasets import _base
from phalanx.mask import coco

KEYS = ("images", "annotations", "categories")


@dataclass(frozen=True)
class Entry:
    """An image the document lists.

    Args:
        file_name: as written, perhaps with folders.
        size: `(height, width)` if stated.
    """

    file_name: str
    size: tuple[int, int] | None

    @property
    def name(self) -> str:
        """The bare file name, the case's id."""
        return PurePosixPath(self.file_name.replace("\\", "/")).name


def load(file: Path) -> dict[str, Any]:
    """The document.

    Raises:
        DataError: not JSON, or without the three lists of a COCO document.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError("an annotation file cannot be parsed", f"{file} ({error})", "restore the file") from error
    if not isinstance(document, dict) or not all(isinstance(document.get(key), list) for key in KEYS):
        keys = ", ".join(list(document)[:6]) if isinstance(document, dict) else type(document).__name__
        fix = f"a COCO document has the lists {', '.join(KEYS)}; is another file meant?"
        raise DataError("not a COCO document", f"{file} has {keys or 'nothing'}", fix)
    return document


def categories(document: Mapping[str, Any]) -> dict[int, str]:
    """Names by category id, sorted by id.

    Raises:
        DataError: none, or one without an integer id and a name, or a repeated id or name.
    """
    pairs = [
        (item.get("id"), item.get("name")) if isinstance(item, dict) else (None, None)
        for item in document["categories"]
    ]
    found: dict[int, str] = {}
    for number, name in sorted(pairs, key=lambda pair: pair[0] if isinstance(pair[0], int) else 0):
        if not isinstance(number, int) or not isinstance(name, str) or not name:
            raise DataError(
                "a category needs an integer id and a name", f"id {number!r}, name {name!r}", "mend the JSON"
            )
        found[number] = name
    if not found or len(found) < len(pairs) or len(set(found.values())) < len(found):
        raise DataError("categories must be distinct", f"{pairs[:8]}", "mend the JSON")
    return found


def images(document: Mapping[str, Any], notes: _base.Notes) -> dict[int | str, Entry]:
    """Listed images by image id, in the document's order."""
    found: dict[int | str, Entry] = {}
    names: set[str] = set()
    for index, item in enumerate(document["images"]):
        number, name = (item.get("id"), item.get("file_name")) if isinstance(item, dict) else (None, None)
        if not isinstance(number, int | str) or not isinstance(name, str) or not name:
            notes.error("", "a listed image needs an id and a file_name", f"images[{index}]", "mend the JSON")
            continue
        size = (item.get("height"), item.get("width"))
        entry = Entry(name, _base.whole_size(*size))
        if number in found or entry.name in names:
            notes.error(entry.name, "an image is listed twice", f"id {number}, {name}", "mend the JSON")
            continue
        names.add(entry.name)
        found[number] = entry
    return found


def by_image(
    document: Mapping[str, Any], names: Mapping[int, str], notes: _base.Notes
) -> dict[int | str, list[tuple[str, Mapping[str, Any]]]]:
    """Annotations as (category name, annotation) by image id."""
    listed = {item.get("id") for item in document["images"] if isinstance(item, dict)}
    found: dict[int | str, list[tuple[str, Mapping[str, Any]]]] = {}
    for index, item in enumerate(document["annotations"]):
        if not isinstance(item, dict):
            notes.error("", "an annotation is not a mapping", f"annotations[{index}]", "mend the JSON")
            continue
        number, category = item.get("image_id"), item.get("category_id")
        if not isinstance(number, int | str) or number not in listed:
            seen = f"annotation {item.get('id', index)} is for image {number!r}"
            notes.error("", "an annotation is for an image that is not listed", seen, "mend the JSON")
        elif not isinstance(category, int) or category not in names:
            known = ", ".join(map(str, list(names)[:12]))
            seen = f"annotation {item.get('id', index)} has category {category!r}"
            notes.error("", "an annotation is of an unknown category", seen, f"categories are {known}")
        else:
            found.setdefault(number, []).append((names[category], item))
    return found


def ring(part: Any) -> np.ndarray | str:
    """A ring float64 `(points, 2)` of a flat list `[x, y, x, y ...]`, or what is wrong with it."""
    if not isinstance(part, list) or len(part) % 2:
        return "an outline is not a list of x and y in turn"
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in part):
        return "a coordinate is not a number"
    if not all(abs(value) < 1e9 if isinstance(value, int) else math.isfinite(value) for value in part):
        return "a coordinate is not finite"
    if len(part) < 6:
        return "an outline has fewer than 3 points"
    return np.asarray(part, np.float64).reshape(-1, 2)


def rle(segmentation: Mapping[str, Any], image_size: tuple[int, int] | None) -> np.ndarray:
    """Row-major runs of a COCO RLE mask `{"size": [h, w], "counts": ...}`.

    Raises:
        DataError: no size or one that is not the image's, or counts that do not add up to it.
    """
    size, counts = segmentation.get("size"), segmentation.get("counts")
    pair = _base.whole_size(*size) if isinstance(size, list) and len(size) == 2 else None
    if pair is None:
        raise DataError("an RLE mask needs a size [height, width]", repr(size), "mend the JSON")
    if image_size and pair != tuple(image_size):
        seen = f"{_base.text(pair)} for an image of {_base.text(image_size)}"
        raise DataError("an RLE mask is of another size than its image", seen, "scale one of them")
    # A nested list would not become an array, and other numbers would be cut to whole ones.
    if (isinstance(counts, list) and all(isinstance(count, int) for count in counts)) or isinstance(counts, str):
        return coco.from_counts(counts, pair)
    raise DataError("the counts of an RLE mask are not whole numbers", type(counts).__name__, "mend the JSON")
