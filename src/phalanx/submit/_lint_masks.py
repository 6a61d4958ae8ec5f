"""Lint of masks: malformed text, objects that overlap, masks that are empty or the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from phalanx.core import parallel
from phalanx.core.errors import SubmissionError
from phalanx.mask import pile, rle
from phalanx.mask.dialect import Dialect
from phalanx.mask.pile import Pile
from phalanx.mask.sheet import UNBOUNDED
from phalanx.submit._lint_seen import Seen, name

# Masks of fewer runs may well be the same: a box along the border, a whole image.
_DISTINCT = 3
_SPACE = 32


class Slice(NamedTuple):
    """Some rows of a file.

    Args:
        first: the row it begins with.
        text: uint8.
        spans: int64 `(n, 2)`, where in it each mask begins and ends.
        limits: int64 `(n,)`, pixels of each image.
    """

    first: int
    text: np.ndarray
    spans: np.ndarray
    limits: np.ndarray


class _Parsed(NamedTuple):
    first: int
    masks: Pile
    faults: list[tuple[int, SubmissionError]]
    touching: list[int]
    digests: list[tuple[int, int]]


def read(slices: Iterable[Slice], seen: Seen, threads: int = 0) -> None:
    """Parse slices in order, and keep what they hold; a malformed mask is a problem with the reason of `rle.parse`."""
    for part in parallel.ordered(lambda item: _parse(item, seen.dialect), slices, threads):
        for row, error in part.faults:
            seen.note(seen.numbers[row], name(seen.keys[row]), error)
        unsound = {row for row, _ in part.faults}
        hollow = (np.flatnonzero(part.masks.lengths == 0) + part.first).tolist()
        seen.unsound |= unsound
        seen.empty += [row for row in hollow if row not in unsound]
        seen.touching += part.touching
        seen.digests += part.digests
        seen.runs += int(part.masks.lengths.sum())
        if seen.dialect.unit == "instance":
            seen.piles.append((part.first, part.masks))


def check_hollow(seen: Seen) -> None:
    """In a dialect of objects: an image with some has no empty row, one without has a single one."""
    if seen.dialect.unit != "instance":
        return
    empty = set(seen.empty)
    images = {seen.keys[row] for row in empty}
    wrong = "an empty row beside another row of the image"
    objects: dict[object, int] = {}
    hollow: dict[object, int] = {}
    for row, (key, line) in enumerate(zip(seen.keys, seen.numbers, strict=True)):
        if key not in images or row in seen.unsound:
            continue
        if row not in empty:
            objects.setdefault(key, line)
        if key in hollow:
            fix = "keep it only where the image has no object"
            seen.error(line, name(key), wrong, f"line {hollow[key]}", fix)
        elif row in empty and key in objects:
            seen.error(line, name(key), wrong, f"its first object is in line {objects[key]}", "remove the empty row")
        if row in empty:
            hollow.setdefault(key, line)


def check(seen: Seen) -> None:
    """What shows only once every mask is known."""
    _check_overlap(seen)
    if seen.empty:
        wrong = "some masks are empty" if len(seen.lines) > len(seen.empty) else "every mask is empty"
        seen.warning(0, "", wrong, f"{len(seen.empty)}, first in {seen.where(seen.empty[0])}", "see that this is meant")
    if seen.touching:
        said = f"in {_count(len(seen.touching), 'row')}, first in {seen.where(seen.touching[0])}"
        fix = "make them one, should the server refuse them"
        seen.note(0, "", SubmissionError("some runs touch the one before", said, fix), "note")
    _check_same(seen)


def _parse(part: Slice, dialect: Dialect) -> _Parsed:
    masks, suspects = pile.parse(part.text, part.spans, dialect, part.limits)
    faults: list[tuple[int, SubmissionError]] = []
    mended: dict[int, np.ndarray] = {}
    for index in suspects.tolist():
        try:
            mended[index] = _strictly(part, index, dialect)
        except SubmissionError as error:
            faults.append((part.first + index, error))
    if any(map(len, mended.values())):
        masks = pile.of([mended.get(index, masks.runs(index)) for index in range(masks.count)])
    return _Parsed(part.first, masks, faults, _touching(part, masks), _digests(part, masks))


def _strictly(part: Slice, index: int, dialect: Dialect) -> np.ndarray:
    """The runs of a cell that holds none, or is malformed: the compiled parser only says which, this says why."""
    cell = _cell(part, index).decode("utf-8", "replace")
    limit = int(part.limits[index])
    return rle.parse(cell, dialect, None if limit == UNBOUNDED else limit)


def _cell(part: Slice, index: int) -> bytes:
    return part.text[part.spans[index, 0] : part.spans[index, 1]].tobytes()


def _touching(part: Slice, masks: Pile) -> list[int]:
    """Rows whose text has more runs than their mask: parsing makes one run of two that touch."""
    blank = part.text == _SPACE
    # Start and length of each run, a space between any two numbers.
    wanted = np.maximum(2 * masks.lengths - 1, 0)
    if np.count_nonzero(blank[part.spans[0, 0] : part.spans[-1, 1]]) == wanted.sum():
        return []
    blanks = np.array([np.count_nonzero(blank[start:stop]) for start, stop in part.spans.tolist()])
    suspects = np.flatnonzero((blanks > wanted) & (masks.lengths > 0)).tolist()
    return [part.first + index for index in suspects if len(_cell(part, index).split()) > wanted[index] + 1]


def _digests(part: Slice, masks: Pile) -> list[tuple[int, int]]:
    large = np.flatnonzero(masks.lengths >= _DISTINCT).tolist()
    return [(part.first + index, hash(_cell(part, index))) for index in large]


def _check_overlap(seen: Seen) -> None:
    """Objects of one image that share pixels: one problem for each object that does, naming the one before it."""
    bounds, owner = _runs(seen)
    if not len(bounds):
        return
    place = {key: index for index, key in enumerate(seen.lines)}
    image = np.array([place[key] for key in seen.keys], np.int64)[owner]
    # Images are laid end to end; where no size bounds the numbers, their ranks stand for them.
    if int(bounds.max()) * len(place) >= UNBOUNDED:
        bounds = np.unique(bounds, return_inverse=True)[1].reshape(-1, 2)
    bounds = bounds + (image * (int(bounds.max()) + 1))[:, None]
    order = np.argsort(bounds[:, 0], kind="stable")
    bounds, owner = bounds[order], owner[order]
    reach = np.maximum.accumulate(bounds[:, 1])
    # Whose interval reaches furthest so far: the last at which the running maximum rose.
    rose = np.append(True, bounds[1:, 1] > reach[:-1])
    holder = owner[np.maximum.accumulate(np.where(rose, np.arange(len(bounds)), 0))]
    found: dict[int, int] = {}
    for index in np.flatnonzero(bounds[1:, 0] < reach[:-1]).tolist():
        pair = sorted((int(owner[index + 1]), int(holder[index])))
        found.setdefault(pair[1], pair[0])
    for later, earlier in found.items():
        said = f"with the object in line {seen.numbers[earlier]}"
        key = name(seen.keys[later])
        seen.error(seen.numbers[later], key, "an object overlaps another", said, "give every pixel to one object")


def _runs(seen: Seen) -> tuple[np.ndarray, np.ndarray]:
    """All runs of a file of objects, int64 `(n, 2)`, and the row of each; the piles are given up."""
    parts, owners = [np.empty((0, 2), np.int64)], [np.empty(0, np.int64)]
    for first, masks in seen.piles:
        # Without the end behind each mask, what is left are pairs.
        inner = np.ones(len(masks.bounds), np.bool_)
        inner[masks.heads[1:] - 1] = False
        parts.append(masks.bounds[inner].reshape(-1, 2))
        owners.append(np.repeat(np.arange(masks.count) + first, masks.lengths))
    seen.piles.clear()
    return np.concatenate(parts), np.concatenate(owners)


def _check_same(seen: Seen) -> None:
    """The same mask under two keys: a variable taken twice, or one prediction written for every image."""
    first: dict[int, int] = {}
    classes, images = [], []
    for row, digest in seen.digests:
        other = first.setdefault(digest, row)
        if seen.keys[other] == seen.keys[row]:
            continue
        same_image = seen.keys[other][0] == seen.keys[row][0]
        (classes if same_image else images).append((other, row))
    fix = "see that no mask was written under another's name"
    for what, pairs in (("two classes of an image", classes), ("two images", images)):
        if pairs:
            one, other = pairs[0]
            said = f"in {_count(len(pairs), 'row')}, such as {seen.where(other)} and {seen.where(one)}"
            seen.warning(0, "", f"{what} have the same mask", said, fix)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
