"""What a patch does to the labels of one case; a new case comes out, the old one stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from phalanx.core import catalogue
from phalanx.core.case import Case, Labels, MaskFiles, Polygons, Runs
from phalanx.core.errors import DataError
from phalanx.core.labels import LabelSpace
from phalanx.data import _patch_state, decode
from phalanx.mask import components, polygon
from phalanx.mask import runs as run_lengths

# Rings of a class, or its runs.
Part = TypeVar("Part", list[np.ndarray], np.ndarray)


@dataclass(frozen=True)
class Drawn:
    """A new outline: of which class, which part it replaces (all when None), its points `(x, y)`."""

    label: str
    part: int | None
    points: Sequence[tuple[float, float]]


def relabelled(case: Case, names: Mapping[str, str], labels: LabelSpace) -> Case:
    """The case with classes called by other names, all at once, so that cycles work.

    Raises:
        DataError: a class that is not there, a name that is no class, or two classes of one name.
    """
    found = _labels(case)
    there = _present(found)
    for name in names:
        if name not in there:
            raise DataError("no such class in the case", name, catalogue.nearest(name, sorted(there)))
    _known(names.values(), labels)
    after = [names.get(name, name) for name in there]
    twice = sorted({name for name in after if after.count(name) > 1})
    if twice:
        raise DataError("two classes would have one name", twice[0], "rename or delete the other one too")
    if isinstance(found, Polygons):
        changed: Labels = replace(found, rings={names.get(name, name): rings for name, rings in found.rings.items()})
    elif isinstance(found, Runs):
        changed = replace(found, runs={names.get(name, name): mask for name, mask in found.runs.items()})
    else:
        changed = MaskFiles(tuple((path, value, names.get(name, name)) for path, value, name in found.files))
    return replace(case, labels=changed)


def deleted(case: Case, name: str, part: int, labels: LabelSpace, rasteriser: str) -> Case:
    """The case without one outline, or connected object, of a class.

    Raises:
        DataError: the class has no such part.
    """
    found = _parted(case, labels, rasteriser)
    if isinstance(found, Polygons):
        rings = list(_ask(found.rings, name, part, "outlines"))
        del rings[part]
        return replace(case, labels=replace(found, rings=_with(found.rings, name, rings)))
    parts = components.split(found.runs.get(name, run_lengths.empty()), found.size)
    _ask({name: parts}, name, part, "connected objects")
    rest = run_lengths.union([mask for place, mask in enumerate(parts) if place != part])
    return replace(case, labels=replace(found, runs=_with(found.runs, name, rest)))


def redrawn(case: Case, drawn: Drawn, labels: LabelSpace, rasteriser: str) -> Case:
    """The case with an outline drawn anew; in an exclusive label space it takes its pixels from the other classes.

    Raises:
        DataError: no such class or part, or an outline that leaves the image.
    """
    _known([drawn.label], labels)
    found, ring = _parted(case, labels, rasteriser), np.array(drawn.points, np.float64)
    mask = polygon.to_runs([ring], _patch_state.size(case), rasteriser)
    if isinstance(found, Polygons):
        rings = [ring]
        if drawn.part is not None:
            rings = list(_ask(found.rings, drawn.label, drawn.part, "outlines"))
            rings[drawn.part] = ring
        return replace(case, labels=replace(found, rings=_with(found.rings, drawn.label, rings)))
    if drawn.part is not None:
        parts = components.split(found.runs.get(drawn.label, run_lengths.empty()), found.size)
        _ask({drawn.label: parts}, drawn.label, drawn.part, "connected objects")
        mask = run_lengths.union([*(item for place, item in enumerate(parts) if place != drawn.part), mask])
    others = found.runs
    if labels.exclusive:
        others = {name: _without(item, mask, found.size) for name, item in found.runs.items()}
    return replace(case, labels=replace(found, runs=_with(others, drawn.label, mask)))


def _labels(case: Case) -> Labels:
    if case.labels is None:
        raise DataError("the case has no labels", case.id, "take the entry out of the patch")
    return case.labels


def _present(found: Labels) -> list[str]:
    if isinstance(found, MaskFiles):
        return list(dict.fromkeys(name for _, _, name in found.files))
    return list(found.rings if isinstance(found, Polygons) else found.runs)


def _known(names: Iterable[str], labels: LabelSpace) -> None:
    for name in names:
        if name not in labels.scored_names:
            raise DataError("no such class", name, catalogue.nearest(name, labels.scored_names))


def _parted(case: Case, labels: LabelSpace, rasteriser: str) -> Polygons | Runs:
    """Labels that have parts: files are decoded."""
    found = _labels(case)
    if not isinstance(found, MaskFiles):
        return found
    size = _patch_state.size(case)
    masks = decode.runs(case, labels, rasteriser, size)
    return Runs(dict(zip(labels.scored_names, masks, strict=True)), size)


def _ask(parts: Mapping[str, Sequence[np.ndarray]], name: str, part: int, what: str) -> Sequence[np.ndarray]:
    """The parts of a class, which has the one that is asked for."""
    found = parts.get(name, ())
    if part >= len(found):
        raise DataError("no such part", f"{name} has {len(found)} {what}, not part {part}", "parts count from 0")
    return found


def _with(parts: Mapping[str, Part], name: str, value: Part) -> dict[str, Part]:
    """Labels with one class replaced; a class without anything is left out."""
    return {key: item for key, item in {**parts, name: value}.items() if key != name or len(item)}


def _without(mask: np.ndarray, other: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if not run_lengths.overlap(mask, other):
        return mask
    return run_lengths.from_mask(run_lengths.to_mask(mask, size) & ~run_lengths.to_mask(other, size))
