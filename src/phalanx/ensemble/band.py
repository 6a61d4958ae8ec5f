"""Band: the pixels of out-of-fold predictions on which a choice of weights or thresholds can make a difference.

Where all members are surer than any threshold that is tried, a mean of them is too: such pixels are only counted. The
rest, a narrow band along each outline, is kept with every member's value at the image's own size. Any weights and any
threshold are then scored exactly in one pass over the band, and their masks made, without a look at the stores.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from phalanx.core import parallel
from phalanx.core.errors import StoreError
from phalanx.core.geometry import Geometry
from phalanx.core.progress import track
from phalanx.ensemble import _tally
from phalanx.ensemble.members import Member
from phalanx.mask import decode, runs
from phalanx.store.predictions import CLIP, restore

Space = Literal["logits", "probability"]

# Whole numbers a unit: logits to 16 and probabilities to 1 fit int16. A logit is off by at most 1/4096.
SCALE: dict[Space, float] = {"logits": 2048.0, "probability": 32767.0}

# Two empty masks agree.
_EPS = 1e-4


@dataclass(frozen=True)
class Strip:
    """The band of one class in all cases.

    Args:
        values: int16 `(n, members)`, what each member says of a pixel, in units of `SCALE`.
        pixels: int64 `(n,)`, row-major, rising within a case.
        truth: uint8 `(n,)`, 1 where the class really is.
        heads: int64 `(cases + 1,)`, where the pixels of each case begin.
        sure: for each case the runs on which all members are surer than any threshold.
        counts: int64 `(cases, 2)`, pixels of `sure`, and those of them that are true.
        true: int64 `(cases,)`, pixels of the truth.
    """

    values: np.ndarray
    pixels: np.ndarray
    truth: np.ndarray
    heads: np.ndarray
    sure: list[np.ndarray]
    counts: np.ndarray
    true: np.ndarray


class Band:
    """Predictions of several members on cases whose truth is known.

    Args:
        cases: ids.
        sizes: `(height, width)` of their images.
        classes: names.
        space: whether values are logits or probabilities.
        thresholds: probabilities that can be tried, rising.
        strips: one a class.
        step: every how many-th pixel of the whole band is there; each counts as many.
    """

    def __init__(
        self, cases: Sequence[str], sizes: Sequence[tuple[int, int]], classes: Sequence[str], *, space: Space,
        thresholds: np.ndarray, strips: Sequence[Strip], step: int = 1,
    ) -> None:  # fmt: skip
        self.cases, self.sizes, self.classes = list(cases), list(sizes), list(classes)
        self.space: Space = space
        self.thresholds, self.strips, self.step = thresholds, list(strips), step

    @property
    def members(self) -> int:
        """How many predictions there are of each case."""
        return self.strips[0].values.shape[1]

    @property
    def pixels(self) -> int:
        """Pixels in the band."""
        return sum(len(strip.pixels) for strip in self.strips)

    def thinned(self, most: int) -> Band:
        """The same with at most about so many pixels, every so many-th of each mask's: close counts, sooner."""
        step = max(1, round(self.pixels / most))
        if step == 1:
            return self
        strips = [_every(strip, step) for strip in self.strips]
        return Band(
            self.cases, self.sizes, self.classes, space=self.space, thresholds=self.thresholds, strips=strips, step=step
        )

    def counts(self, label: int, weights: Sequence[int]) -> np.ndarray:
        """Pixels in both, predicted and true at every threshold: int64 `(cases, thresholds, 3)`.

        Args:
            label: index of the class.
            weights: whole numbers, one a member, not all zero.
        """
        strip = self.strips[label]
        found = _tally.tally(strip.values, strip.truth, strip.heads, np.array(weights), self._bars(weights))
        found = found * self.step + strip.counts[:, None]
        true = np.broadcast_to(strip.true[:, None], found.shape[:2])
        return np.stack([found[..., 1], found[..., 0], true], -1)

    def masks(self, label: int, weights: Sequence[int], threshold: int) -> list[np.ndarray]:
        """Runs of each case at the threshold of this index; not of a band that was thinned."""
        assert self.step == 1, "a thinned band has lost pixels"
        strip = self.strips[label]
        above = strip.values.astype(np.int32) @ np.array(weights, np.int32) > self._bars(weights)[threshold]
        found = []
        for case, sure in enumerate(strip.sure):
            part = slice(strip.heads[case], strip.heads[case + 1])
            found.append(runs.union([sure, _intervals(strip.pixels[part][above[part]])]))
        return found

    def agreement(self) -> np.ndarray:
        """Mean Dice between the masks of every two members at 0.5: float64 `(members, members)`."""
        half = _values(np.array([0.5]), self.space)[0] * SCALE[self.space]
        total = np.zeros((self.members, self.members))
        for strip in self.strips:
            above = (strip.values > half).astype(np.float32)
            for case, (first, end) in enumerate(zip(strip.heads[:-1], strip.heads[1:], strict=True)):
                both = above[first:end].T @ above[first:end] + strip.counts[case, 0]
                areas = both.diagonal()
                total += (2 * both + _EPS) / (areas[:, None] + areas + _EPS)
        return total / (len(self.strips) * len(self.cases))

    def _bars(self, weights: Sequence[int]) -> np.ndarray:
        total = sum(weights)
        if not 0 < total < 2**16 or min(weights) < 0:
            raise ValueError(f"weights must be whole, not negative, their sum below 65,536: {list(weights)}")
        bars = np.round(_values(self.thresholds, self.space) * SCALE[self.space] * total)
        return bars.astype(np.int32)


def build(
    members: Sequence[Member],
    truth: Mapping[str, Sequence[np.ndarray]],
    *,
    space: Space = "logits",
    temperatures: Sequence[float] | None = None,
    limit: float = 0.98,
) -> Band:
    """Read every member once and keep what can matter.

    Args:
        members: of the same, overlapping classes and the same cases.
        truth: case -> runs of each class at the original size; the cases of the band.
        space: in which members are averaged.
        temperatures: what each member's logits are divided by.
        limit: the highest threshold that can be tried; the lowest is `1 - limit`.

    Raises:
        StoreError: a member lacks a case, or the classes exclude each other.
    """
    labels = members[0].labels
    if labels.exclusive:
        raise StoreError("a search of thresholds needs classes that may overlap", ", ".join(labels.names[:4]), "")
    steps = max(1, round((limit - 0.5) * 100))
    thresholds = np.round(0.5 + np.arange(-steps, steps + 1) / 100, 2)
    reader = _Reader(members, space, np.ones(len(members)) if temperatures is None else np.array(temperatures))
    edges = _values(thresholds[[0, -1]], space)
    cases = list(truth)
    found = parallel.ordered(lambda case: reader.read(case, truth[case], edges), cases)
    parts = list(track(found, "Reading predictions", len(cases)))
    # A class at a time, whose pieces are then let go: nothing is held twice.
    strips = [_strip([part.pop() for _, part in parts], len(members)) for _ in labels.names][::-1]
    sizes = [size for size, _ in parts]
    return Band(cases, sizes, labels.names, space=space, thresholds=thresholds, strips=strips)


@dataclass(frozen=True)
class _Piece:
    """The band of one class in one case; see `Strip`."""

    values: np.ndarray
    pixels: np.ndarray
    truth: np.ndarray
    sure: np.ndarray
    counts: tuple[int, int, int]


@dataclass(frozen=True)
class _Reader:
    members: Sequence[Member]
    space: Space
    temperatures: np.ndarray

    def read(self, case: str, truth: Sequence[np.ndarray], edges: np.ndarray) -> tuple[tuple[int, int], list[_Piece]]:
        stacks = [member.open(case) for member in self.members]
        frames = [stack.geometry for stack in stacks]
        size = frames[0].original
        for member, frame in zip(self.members, frames, strict=True):
            if frame.original != size:
                seen = f"{case} is {frame.original[0]}x{frame.original[1]} in {member.name}, {size[0]}x{size[1]} before"
                raise StoreError("a case has two image sizes", seen, "predict the same images")
        pieces = []
        outside = [_soften(np.float32(-CLIP / temperature), self.space) for temperature in self.temperatures]
        for label, true in enumerate(truth):
            planes = [self._soft(stack.plane(label), place) for place, stack in enumerate(stacks)]
            pieces.append(_piece(planes, (frames, outside), true, edges, SCALE[self.space]))
        return size, pieces

    def _soft(self, plane: np.ndarray, place: int) -> np.ndarray:
        """float32 values of a member's plane in the space of the mean."""
        logits = restore(plane) if plane.dtype == np.int8 else plane.astype(np.float32)
        return _soften(logits / np.float32(self.temperatures[place]), self.space)


def _soften(logits: Any, space: Space) -> Any:
    return logits if space == "logits" else 1 / (1 + np.exp(-logits))


def _values(probability: np.ndarray, space: Space) -> np.ndarray:
    """Thresholds in the space of the mean."""
    return probability if space == "probability" else np.log(probability / (1 - probability))


def _piece(
    planes: Sequence[np.ndarray],
    ways: tuple[Sequence[Geometry], Sequence[Any]],
    truth: np.ndarray,
    edges: np.ndarray,
    scale: float,
) -> _Piece:
    size = ways[0][0].original
    crop, (top, left) = _enlarged(planes, *ways, float(edges[0]))
    codes = np.clip(np.round(crop * scale), -32767, 32767).astype(np.int16)
    low, high = np.round(edges * scale)
    positive = codes.max(0, initial=-32767) > low
    sure = positive & (codes.min(0, initial=32767) > high)
    certain = runs.from_box(sure, (top, left), size)
    y, x = np.nonzero(positive & ~sure)
    pixels = (y + top) * size[1] + x + left
    inside = np.searchsorted(truth.ravel(), pixels, "right") % 2
    counts = (runs.area(certain), runs.overlap(certain, truth), runs.area(truth))
    return _Piece(codes[:, y, x].T, pixels, inside.astype(np.uint8), certain, counts)


def _enlarged(
    planes: Sequence[np.ndarray], frames: Sequence[Geometry], outside: Sequence[Any], low: float
) -> tuple[np.ndarray, tuple[int, int]]:
    """Members' planes `(m, h, w)` at the original size, cut to where one of them is above `low`, and its corner."""
    if frames[0].crop is None and all(frame == frames[0] for frame in frames):
        place = decode.Place.of(np.maximum.reduce(planes) > low, frames[0])
        if place is None:
            return np.empty((len(planes), 0, 0), np.float32), (0, 0)
        return np.stack([place.enlarge(plane) for plane in planes]), place.corner
    parts = zip(frames, planes, outside, strict=True)
    whole = np.stack([frame.restore(plane, float(unseen)) for frame, plane, unseen in parts])
    top, left, bottom, right = runs.box(runs.from_mask(whole.max(0) > low), frames[0].original)
    return whole[:, top:bottom, left:right], (top, left)


def _strip(pieces: Iterable[_Piece], members: int) -> Strip:
    pieces = list(pieces)
    values = np.concatenate([np.empty((0, members), np.int16), *(piece.values for piece in pieces)])
    counts = np.array([piece.counts for piece in pieces], np.int64)
    return Strip(
        np.ascontiguousarray(values),
        np.concatenate([np.empty(0, np.int64), *(piece.pixels for piece in pieces)]),
        np.concatenate([np.empty(0, np.uint8), *(piece.truth for piece in pieces)]),
        np.append(0, np.cumsum([len(piece.pixels) for piece in pieces])),
        [piece.sure for piece in pieces],
        counts[:, :2],
        counts[:, 2],
    )


def _every(strip: Strip, step: int) -> Strip:
    """Every so many-th pixel of each case, from the middle of the first step on."""
    spans = zip(strip.heads[:-1].tolist(), strip.heads[1:].tolist(), strict=True)
    places = [np.arange(first + step // 2, end, step) for first, end in spans]
    chosen = np.concatenate(places)
    return Strip(
        strip.values[chosen], strip.pixels[chosen], strip.truth[chosen],
        np.append(0, np.cumsum([len(part) for part in places])), strip.sure, strip.counts, strip.true,
    )  # fmt: skip


def _intervals(pixels: np.ndarray) -> np.ndarray:
    """Runs of rising pixel indices."""
    if not len(pixels):
        return runs.empty()
    first = np.flatnonzero(np.append(True, np.diff(pixels) != 1))
    last = np.append(first[1:], len(pixels)) - 1
    return np.stack([pixels[first], pixels[last] + 1], 1)
