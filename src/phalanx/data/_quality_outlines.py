"""Outlines that are no plain closed line: crossed, drawn twice, of hardly any area."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from phalanx.core.case import Case, Finding, Polygons
from phalanx.core.errors import DataError

# A loop that rounding to whole pixels ties is a few pixels large; phantoms of 128 px have none above this.
_LOOP_PX = 4.0
_LOOP_SHARE = 0.005
# A click that was taken for an outline.
_TINY_PX = 4.0


def check(case: Case, labels: Polygons) -> Iterator[Finding]:
    """Warnings on the rings of a case.

    Args:
        case: it names the case.
        labels: its outlines.
    """
    for name, rings in labels.rings.items():
        for place, ring in enumerate(rings):
            yield from _of_ring(case.id, name, place, ring, lone=len(rings) == 1)
        yield from _repeated(case.id, name, rings)


def _of_ring(case: str, name: str, place: int, ring: np.ndarray, *, lone: bool) -> Iterator[Finding]:
    area = abs(signed_area(ring))
    crossing = crossed(ring)
    if crossing is not None and crossing[2] >= max(_LOOP_PX, _LOOP_SHARE * area):
        x, y, loop = crossing
        error = DataError(
            "an outline crosses itself",
            f"{name} at ({x:.0f}, {y:.0f}), a loop of {loop:.0f} px",
            "redraw it: rasterisers disagree about what is inside",
        )
        yield Finding.of("warning", case, error, [name], evidence={"x": x, "y": y, "loop_px": loop})
    elif area < _TINY_PX:
        error = DataError("an outline of hardly any area", f"{name}, {area:g} px", "redraw it, or delete it")
        # Without it the class would be gone, which is no repair.
        remedy = None if lone else {"delete": {"class": name, "part": place}}
        yield Finding.of("warning", case, error, [name], evidence={"area_px": area}, remedy=remedy)


def _repeated(case: str, name: str, rings: list[np.ndarray]) -> Iterator[Finding]:
    """Rings of one class that have the same points, wherever they begin and whichever way they go."""
    for (one, ring), (two, other) in combinations(enumerate(rings), 2):
        if ring.shape == other.shape and np.array_equal(_sorted(ring), _sorted(other)):
            error = DataError("the same outline twice", f"{name}, outlines {one} and {two}", "delete one")
            remedy = {"delete": {"class": name, "part": two}}
            yield Finding.of("warning", case, error, [name], evidence={"points": len(ring)}, remedy=remedy)
            return


def _sorted(ring: np.ndarray) -> np.ndarray:
    return ring[np.lexsort(ring.T)]


def signed_area(ring: np.ndarray) -> float:
    """Enclosed area of a ring `(points, 2)` in square pixels (shoelace formula); the sign tells its sense."""
    x, y = ring.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def crossed(ring: np.ndarray) -> tuple[float, float, float] | None:
    """Where a ring crosses itself: `(x, y, loop)`, the crossing whose smaller loop is the largest, in square pixels.

    Lines that only touch do not cross; None when there is no crossing.

    Args:
        ring: float64 `(points, 2)`.
    """
    start, end = ring, np.roll(ring, -1, axis=0)
    low, high = np.minimum(start, end), np.maximum(start, end)
    near = (low[:, None] <= high[None]).all(2)
    one, two = np.nonzero(np.triu(near & near.T, 2))
    crossing = _straddle(start, end, one, two) & _straddle(start, end, two, one)
    largest: tuple[float, float, float] | None = None
    whole = signed_area(ring)
    for first, second in zip(one[crossing].tolist(), two[crossing].tolist(), strict=True):
        point = _meeting(start[first], end[first], start[second], end[second])
        loop = signed_area(np.vstack([point, ring[first + 1 : second + 1]]))
        smaller = min(abs(loop), abs(whole - loop))
        if largest is None or smaller > largest[2]:
            largest = float(point[0]), float(point[1]), smaller
    return largest


def _straddle(start: np.ndarray, end: np.ndarray, line: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Whether the ends of the segments `other` lie strictly on either side of the segments `line`."""
    along = end[line] - start[line]

    def side(points: np.ndarray) -> np.ndarray:
        away = points - start[line]
        return along[:, 0] * away[:, 1] - along[:, 1] * away[:, 0]

    return side(start[other]) * side(end[other]) < 0


def _meeting(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """The point where the lines through a, b and c, d meet."""
    one, two, gap = b - a, d - c, c - a
    share = (gap[0] * two[1] - gap[1] * two[0]) / (one[0] * two[1] - one[1] * two[0])
    return a + share * one
