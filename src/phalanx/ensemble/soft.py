"""Soft ensemble: a weighted mean of what members say of each pixel, cut at a threshold, straight to runs.

Members of one geometry are averaged at the network's size and enlarged once, only where something can be positive;
members of different geometry meet at the image's own size. One plane a member and thread is in memory at a time,
whatever the number of cases, classes and members.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from math import gcd, lcm
from types import ModuleType
from typing import Literal

import numpy as np

from phalanx.core import parallel
from phalanx.core.errors import StoreError
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.ensemble.members import Member, Stack, StoreMember
from phalanx.mask import decode, runs
from phalanx.store.predictions import CLIP, LEVELS, Store, restore

Space = Literal["logits", "probability"]
# Top, left, bottom and right, the last two exclusive; four zeros around nothing.
Box = tuple[int, int, int, int]

# Rows of a plane that are summed over all members before the next are looked at: they stay in the fast cache.
_ROWS = 128
# Whole numbers up to here are exact in float32.
_EXACT = 2**24


@dataclass(frozen=True)
class Blend:
    """A weighted mean.

    Args:
        members: of the same classes and cases.
        labels: those classes.
        weights: one row a scored class, one number a member, not negative, not all zero. A number of rows other than
            that is for every class. An exclusive label space has one row.
        temperatures: what each member's logits are divided by; 1 when left out.
        space: whether logits or probabilities are averaged.

    Raises:
        StoreError: members of other classes or cases, naming them.
    """

    members: tuple[Member, ...]
    labels: LabelSpace
    weights: tuple[tuple[Fraction, ...], ...]
    temperatures: tuple[float, ...] = ()
    space: Space = "logits"
    _order: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check(self.members, self.labels)
        # The order of a sum shows in its last bits; it must not depend on how the members were listed.
        object.__setattr__(self, "temperatures", self.temperatures or (1.0,) * len(self.members))
        order = sorted(range(len(self.members)), key=lambda place: self._identity(place))
        object.__setattr__(self, "_order", tuple(order))

    @property
    def cases(self) -> Sequence[str]:
        """Ids of what can be predicted, in the first member's order."""
        return self.members[0].cases

    def open(self, case: str) -> Scene:
        """A case, read class by class as it is asked for.

        Raises:
            StoreError: a member cannot be read, or knows the image in another size.
        """
        stacks = [member.open(case) for member in self.members]
        size = stacks[0].geometry.original
        for member, stack in zip(self.members, stacks, strict=True):
            if stack.geometry.original != size:
                other = stack.geometry.original
                seen = (
                    f"{case} is {other[0]}x{other[1]} in {member.name}, {size[0]}x{size[1]} in {self.members[0].name}"
                )
                raise StoreError("an image has two sizes", seen, "predict the same images")
        return Scene(self, stacks)

    def factors(self, label: int) -> list[tuple[int, np.float32, float]]:
        """Members with weight for a class in the order of their sum: place, weight over temperature, weight.

        Weights are whole numbers, so that those of int8 codes are summed without rounding; members that say the same
        count as one with the weight of all.
        """
        row = self.weights[label if len(self.weights) > 1 else 0]
        scale = lcm(*(weight.denominator for weight in row))
        whole: dict[tuple[str, float], tuple[int, int]] = {}
        for place in self._order:
            _, weight = whole.get(self._identity(place), (place, 0))
            whole[self._identity(place)] = place, weight + int(row[place] * scale)
        divisor = gcd(*(weight for _, weight in whole.values()))
        if max(weight for _, weight in whole.values()) > _EXACT * divisor:
            # No sum of these is exact in float32 anyway, and the largest could be too large for it.
            divisor = max(weight for _, weight in whole.values())
        return [
            (place, np.float32(weight / divisor / self.temperatures[place]), weight / divisor)
            for place, weight in whole.values()
            if weight
        ]

    def _identity(self, place: int) -> tuple[str, float]:
        return self.members[place].digest, self.temperatures[place]


class Scene:
    """One case of a blend.

    Args:
        blend: it.
        stacks: what each member says of the case.
    """

    def __init__(self, blend: Blend, stacks: Sequence[Stack]) -> None:
        self.blend, self._stacks = blend, stacks
        frames = [stack.geometry for stack in stacks]
        self.size = frames[0].original
        self._same = frames[0].crop is None and all(frame == frames[0] for frame in frames)
        self.geometry = frames[0] if self._same else Geometry.fit(self.size, self.size, keep_aspect=False)
        self._shared: np.ndarray | None = None

    def masks(self, probabilities: Sequence[float]) -> list[np.ndarray]:
        """Runs of each scored class above its probability; of an exclusive label space those of the largest class."""
        labels = self.blend.labels
        if labels.exclusive:
            planes = np.stack([self.plane(channel)[0] for channel in range(len(labels))])
            return decode.to_runs(planes, self.geometry, labels)
        return [self.cut(label, [probability])[0] for label, probability in enumerate(probabilities)]

    def cut(self, label: int, probabilities: Sequence[float]) -> list[np.ndarray]:
        """Runs of one class of an overlapping label space above each of several probabilities."""
        factors = self.blend.factors(label)
        weight = float(sum(weight for *_, weight in factors))
        bars = [np.float32(_value(one, self.blend.space) * weight) for one in probabilities]
        if not self._same:
            total, _ = self.plane(label)
            return [self._above(total, bar, self._box(total, bar)) for bar in bars]
        # The box is found while the sum is still in the fast cache; that of the lowest bar holds the others.
        total = np.empty(self.geometry.network, np.float32)
        planes = [self._stacks[place].plane(label) for place, *_ in factors]
        box = _sum(total, planes, factors, self.blend, inner=self.geometry.inner, bar=decode.margin(min(bars)))
        return [self._above(total, bar, box) for bar in bars]

    def plane(self, label: int) -> tuple[np.ndarray, float]:
        """The weighted sum of a class, float32 in the frame of `geometry`, and the sum of the weights."""
        blend, total = self.blend, np.empty(self.geometry.network, np.float32)
        factors = blend.factors(label)
        if blend.labels.exclusive and blend.space == "probability":
            if self._shared is None:
                # A softmax needs all channels, so all are made at once.
                self._shared = np.zeros((len(blend.labels), *self.geometry.network), np.float32)
                for place, _, weight in factors:
                    self._shared += self._softmax(place) * np.float32(weight)
            return self._shared[label], float(sum(weight for *_, weight in factors))
        planes = [self._stacks[place].plane(label) for place, *_ in factors]
        if self._same:
            _sum(total, planes, factors, blend, inner=self.geometry.inner, bar=np.float32(np.inf))
        else:
            total.fill(0)
            for plane, factor in zip(planes, factors, strict=True):
                soft = np.empty(plane.shape, np.float32)
                _sum(soft, [plane], [factor], blend, inner=plane.shape, bar=np.float32(np.inf))
                # Out of its crop a member says no, as surely as a store can.
                outside = np.full((1, 1), -CLIP, np.float32)
                _sum(outside, [outside.copy()], [factor], blend, inner=(1, 1), bar=np.float32(np.inf))
                total += self._stacks[factor[0]].geometry.restore(soft, float(outside[0, 0]))
        return total, float(sum(weight for *_, weight in factors))

    def _box(self, plane: np.ndarray, bar: np.float32) -> Box:
        height, width = self.geometry.inner
        return _engine_box(plane[:height, :width], decode.margin(bar))

    def _above(self, plane: np.ndarray, bar: np.float32, box: Box) -> np.ndarray:
        height, width = self.geometry.inner
        if box[2] == 0:
            return runs.empty()
        place = decode.Place.around(box, self.geometry)
        return runs.from_box(place.enlarge(plane[:height, :width]) > bar, place.corner, self.size)

    def _softmax(self, place: int) -> np.ndarray:
        planes = [_logits(self._stacks[place].plane(channel)) for channel in range(len(self.blend.labels))]
        logits = np.stack(planes) / np.float32(self.blend.temperatures[place])
        logits -= logits.max(0)
        shares = np.exp(logits)
        shares /= shares.sum(0)
        frame = self._stacks[place].geometry
        # Out of a crop there is background.
        return shares if self._same else np.stack([frame.restore(part, float(not n)) for n, part in enumerate(shares)])


def check(members: Sequence[Member], labels: LabelSpace) -> None:
    """Hold members to one label space and one set of cases.

    Raises:
        StoreError: classes or cases differ, and how.
    """
    first = members[0]
    for other in members:
        if other.labels != labels:
            pairs = zip(labels.names, other.labels.names, strict=False)
            differing = next((f"{a} against {b}" for a, b in pairs if a != b), "their number, or whether they exclude")
            seen = f"{other.name} differs in {differing}"
            raise StoreError(
                "members of an ensemble must have the same classes", seen, "predict them with one data set"
            )
        lacking, extra = sorted(set(first.cases) - set(other.cases)), sorted(set(other.cases) - set(first.cases))
        if lacking or extra:
            seen = f"{other.name} lacks {len(lacking)} cases {lacking[:2]} of {first.name} and has {len(extra)} more"
            seen += f" {extra[:2]}" * bool(extra)
            raise StoreError("members of an ensemble must have the same cases", seen, "predict the same images")


def plain(stores: Sequence[Store]) -> Blend:
    """The mean of the logits of several stores."""
    labels = stores[0].labels
    members = tuple(StoreMember(store, labels) for store in stores)
    return Blend(members, labels, ((Fraction(1),) * len(members),))


def mean(
    stores: Sequence[Store], cases: Sequence[str] | None = None
) -> Iterator[tuple[str, tuple[int, int], list[np.ndarray]]]:
    """Each case's id, image size and runs: mean of logits, threshold 0.5 (or the largest channel), on all cores.

    Args:
        stores: the members; all must have the same classes and cases.
        cases: which cases, in which order; all of them, in the order of the first store, when left out.
    """
    blend = plain(stores)
    halves = [0.5] * len(blend.labels.scored)

    def work(case: str) -> tuple[str, tuple[int, int], list[np.ndarray]]:
        scene = blend.open(case)
        return case, scene.size, scene.masks(halves)

    return parallel.ordered(work, blend.cases if cases is None else cases)


def _value(probability: float, space: Space) -> float:
    """A threshold in the space of the mean."""
    if space == "probability":
        return probability
    return 0.0 if probability == 0.5 else float(np.log(probability / (1 - probability)))


def _logits(plane: np.ndarray) -> np.ndarray:
    return restore(plane) if plane.dtype == np.int8 else np.asarray(plane, np.float32)


@cache
def _engine() -> ModuleType | None:
    try:
        from phalanx.ensemble import _fuse
    except ImportError:
        return None
    return _fuse


def _engine_box(plane: np.ndarray, bar: np.float32) -> Box:
    fuse = _engine()
    if fuse is not None:
        return fuse.box(plane, bar)
    return runs.box(runs.from_mask(plane > bar), (plane.shape[0], plane.shape[1]))


def _sum(
    total: np.ndarray, planes: Sequence[np.ndarray], factors: Sequence[tuple[int, np.float32, float]], blend: Blend,
    *, inner: tuple[int, ...], bar: np.float32,
) -> Box:  # fmt: skip
    """Add the members' planes, each with its factor, in the space of the blend; the box of what is above `bar`."""
    softened = [_terms(plane, factor, blend) for plane, factor in zip(planes, factors, strict=True)]
    fuse, boxes = _engine(), []
    for first in range(0, len(total), _ROWS):
        part = slice(first, first + _ROWS)
        for index, (plane, factor, shift, table) in enumerate(softened):
            if fuse is None:
                if table is None:
                    values = factor * (plane[part].astype(np.float32) + shift)
                else:
                    values = table[plane[part].astype(np.int64) + 128]
                total[part] = values if index == 0 else total[part] + values
            elif table is None:
                fuse.add(total[part], plane[part], factor, shift, index == 0)
            else:
                fuse.look_up(total[part], plane[part], table, index == 0)
        if bar < np.inf:
            top, left, bottom, right = _engine_box(total[part][: max(0, inner[0] - first), : inner[1]], bar)
            boxes += [(top + first, left, bottom + first, right)] * (bottom > 0)
    if not boxes:
        return 0, 0, 0, 0
    tops, lefts, bottoms, rights = zip(*boxes, strict=True)
    return min(tops), min(lefts), max(bottoms), max(rights)


def _terms(
    plane: np.ndarray, factors: tuple[int, np.float32, float], blend: Blend
) -> tuple[np.ndarray, np.float32, np.float32, np.ndarray | None]:
    """How a plane enters a sum: `factor * (plane + shift)`, or a table for its int8 codes."""
    place, factor, weight = factors
    if blend.space == "logits":
        if plane.dtype == np.int8:
            return plane, np.float32(factor / LEVELS), np.float32(0.5), None
        return np.asarray(plane, np.float32), factor, np.float32(0), None
    temperature = np.float32(blend.temperatures[place])
    if plane.dtype == np.int8:
        codes = restore(np.arange(-128, 128)) / temperature
        return plane, factor, np.float32(0), (np.float32(weight) * _sigmoid(codes)).astype(np.float32)
    return _sigmoid(np.asarray(plane, np.float32) / temperature), np.float32(weight), np.float32(0), None


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    # What overflows is a probability of 0.
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-logits))
