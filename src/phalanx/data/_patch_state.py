"""The state of a case, and whether it is the one a patch expects."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from phalanx.core import files
from phalanx.core.case import Case, Labels, Polygons, Runs
from phalanx.core.errors import DataError
from phalanx.core.labels import LabelSpace
from phalanx.data import decode
from phalanx.datasets import _base
from phalanx.mask import components, moments
from phalanx.mask import runs as run_lengths


def digest(labels: Labels) -> str:
    """SHA-256 of everything that labels are made of, in hexadecimal; the order of the classes does not count."""
    total = hashlib.sha256()

    def add(*parts: object) -> None:
        for part in parts:
            # Each with its length, or [ab] [c] would look like [a] [bc].
            content = part if isinstance(part, bytes) else repr(part).encode()
            total.update(len(content).to_bytes(8, "big") + content)

    if isinstance(labels, Polygons):
        for name in sorted(labels.rings):
            add(name, *(np.ascontiguousarray(ring, "<f8").tobytes() for ring in labels.rings[name]))
    elif isinstance(labels, Runs):
        add(tuple(labels.size))
        for name in sorted(labels.runs):
            add(name, np.ascontiguousarray(labels.runs[name], "<i8").tobytes())
    else:
        for path, value, name in labels.files:
            add(value, name, path.read_bytes())
    return total.hexdigest()


def size(case: Case) -> tuple[int, int]:
    """`(height, width)` of a case's image, from its header.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return _base.header(case.image).size
    except DataError as error:
        raise DataError(error.wrong, f"{case.id} ({error.seen})", error.fix) from error


def contradiction(case: Case, expected: Mapping[str, Any], labels: LabelSpace, rasteriser: str) -> str:
    """The first statement that does not hold, and what is so instead; "" when all hold.

    Args:
        case: the case.
        expected: statements of `patch.Expect`.
        labels: the label space.
        rasteriser: how outlines become pixels.

    Raises:
        DataError: the case's image or labels cannot be read.
    """
    return next(_contradictions(case, dict(expected), labels, rasteriser), "")


def _contradictions(case: Case, expected: dict[str, Any], labels: LabelSpace, rasteriser: str) -> Iterator[str]:
    image, wanted = expected.pop("image", None), expected.pop("labels", None)
    if image and not (found := files.digest(case.image)).startswith(image):
        yield f"its image has the digest {found[: len(image)]}, not {image}"
    if (expected or wanted) and case.labels is None:
        yield "it has no labels"
    elif case.labels is not None and wanted and not (found := digest(case.labels)).startswith(wanted):
        yield f"its labels have the digest {found[: len(wanted)]}, not {wanted}"
    elif expected:
        shape = size(case)
        masks = dict(zip(labels.scored_names, decode.runs(case, labels, rasteriser, shape), strict=True))
        unknown = sorted(_named(expected) - set(masks))
        if unknown:
            yield f"there is no class {unknown[0]}"
            return
        yield from _of_parts(case, expected, masks, shape)
        yield from _of_areas(expected, {name: run_lengths.area(mask) for name, mask in masks.items()})
        yield from _of_places(expected, masks, shape)


def _of_parts(
    case: Case, expected: Mapping[str, Any], masks: Mapping[str, np.ndarray], shape: tuple[int, int]
) -> Iterator[str]:
    if "classes" in expected and (count := sum(bool(len(mask)) for mask in masks.values())) != expected["classes"]:
        yield f"{count} classes have a mask, not {expected['classes']}"
    for name, count in expected.get("parts", {}).items():
        if (found := _parts(case, name, masks[name], shape)) != count:
            yield f"{name} has {found} parts, not {count}"


def _of_places(expected: Mapping[str, Any], masks: Mapping[str, np.ndarray], shape: tuple[int, int]) -> Iterator[str]:
    for one, two in expected.get("overlap", ()):
        if not run_lengths.overlap(masks[one], masks[two]):
            yield f"{one} and {two} do not overlap"
    for names in expected.get("nearer", ()):
        found = [item.centre for name in names if (item := moments.of(masks[name], shape)) is not None]
        one, two, third = names
        if len(found) < len(names):
            yield f"{one}, {two} or {third} is not there"
        elif np.linalg.norm(found[0] - found[2]) >= np.linalg.norm(found[1] - found[2]):
            yield f"{one} is not nearer to {third} than {two} is"


def _of_areas(expected: Mapping[str, Any], areas: Mapping[str, int]) -> Iterator[str]:
    for name, (least, most) in expected.get("areas", {}).items():
        if not least <= areas[name] <= most:
            yield f"{name} has {areas[name]} px, not {least:g} to {most:g}"
    for one, two in expected.get("larger", ()):
        if areas[one] <= areas[two]:
            yield f"{one} ({areas[one]} px) is not larger than {two} ({areas[two]} px)"


def _named(expected: Mapping[str, Any]) -> set[str]:
    """Every class that is mentioned."""
    tuples = (expected.get(key, ()) for key in ("larger", "overlap", "nearer"))
    return {
        *expected.get("parts", {}),
        *expected.get("areas", {}),
        *(name for rows in tuples for row in rows for name in row),
    }


def _parts(case: Case, name: str, mask: np.ndarray, shape: tuple[int, int]) -> int:
    if isinstance(case.labels, Polygons):
        return len(case.labels.rings.get(name, []))
    return len(components.split(mask, shape))
