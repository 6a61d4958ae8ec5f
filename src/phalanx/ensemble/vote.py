"""Hard vote: a pixel is kept when the members that mark it carry enough of the weight of all members.

An empty mask votes against. Weights and thresholds are exact fractions, so a tie is a tie. Masks stay runs from the
files to the result; rows are worked on slice by slice, whatever the size of the files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import numpy as np

from phalanx.core.errors import SubmissionError
from phalanx.mask import pile, runs, sheet
from phalanx.mask.pile import Pile
from phalanx.mask.sheet import UNBOUNDED, Key, Sheet

Ties = Literal["drop", "keep"]

# Text of one slice over all members, about: large enough to hide the cost of a slice, small enough for the caches.
SLICE_BYTES = 4_000_000

# From here on masks of the same keys cannot come from images of one size: their first pixels differ twofold in the
# median, where an image of half the height and width makes it fourfold.
_RATIO = 2.0
_COMPARED = 20


@dataclass(frozen=True)
class Rule:
    """Who has how much to say, and how much is enough.

    Args:
        weights: one a member, not negative, not all zero.
        threshold: share of all weight, at least 0 and below 1, that must be exceeded.
        ties: whether a share exactly equal to the threshold is kept. A pixel that nobody marks never is.
    """

    weights: tuple[Fraction, ...]
    threshold: Fraction = Fraction(1, 2)
    ties: Ties = "drop"

    def integers(self) -> tuple[list[int], int]:
        """Weights as whole numbers, and the sum from which on a pixel is kept.

        >>> Rule((Fraction(1, 2), Fraction(1)), Fraction(1, 2)).integers()
        ([1, 2], 2)
        """
        scale = math.lcm(*(weight.denominator for weight in self.weights))
        whole = [int(weight * scale) for weight in self.weights]
        bar = self.threshold * sum(whole)
        need = math.ceil(bar) if self.ties == "keep" else math.floor(bar) + 1
        return whole, max(need, 1)


@dataclass
class Vote:
    """Members, each a sheet or a vote of its own, and the rules by class.

    Args:
        members: in the order of the weights.
        rule: for every class that `by_class` does not name.
        by_class: rules of their own.
    """

    members: Sequence[Sheet | Vote]
    rule: Rule
    by_class: Mapping[str, Rule] = field(default_factory=dict)

    def sheets(self) -> list[Sheet]:
        """Every sheet below, in order."""
        nested = [[member] if isinstance(member, Sheet) else member.sheets() for member in self.members]
        return [found for part in nested for found in part]


class Poll:
    """A vote over the keys of its sheets.

    Args:
        vote: the members and rules.
        pixels: of every image, the bound of every run; None when nobody said.

    Raises:
        SubmissionError: sheets of different keys, a row twice, a rule for a class that is not there.
    """

    def __init__(self, vote: Vote, pixels: int | None = None) -> None:
        self.vote, self.sheets = vote, vote.sheets()
        self.limit = UNBOUNDED if pixels is None else pixels
        found = [_rows(sheet) for sheet in self.sheets]
        self.keys: list[Key] = list(found[0])
        for sheet_, rows in zip(self.sheets, found, strict=True):
            _check_keys(self.sheets[0], sheet_, found[0], rows)
        self._rows = {
            id(sheet_): _Index([rows[key] for key in self.keys])
            for sheet_, rows in zip(self.sheets, found, strict=True)
        }
        self._rules = _Rules(vote, self.keys)
        # Whether the result has been equal to each of the outermost members so far.
        self.same = [True] * len(vote.members)

    def slices(self) -> list[tuple[int, int]]:
        """Ranges of keys to be worked on one by one."""
        text = sum(int((sheet_.spans[:, 1] - sheet_.spans[:, 0]).sum()) for sheet_ in self.sheets)
        step = max(1, int(SLICE_BYTES * len(self.keys) / max(text, 1)))
        return [(first, min(first + step, len(self.keys))) for first in range(0, len(self.keys), step)]

    def count(self, part: tuple[int, int]) -> Pile:
        """The masks of a range of keys, in the dialect's own pixel order. Threads may share the ranges.

        Raises:
            SubmissionError: a row that cannot be read.
        """
        members = [self._masks(member, part) for member in self.vote.members]
        kept = self._decide(self.vote, members, part)
        for index, member in enumerate(members):
            self.same[index] = self.same[index] and _equal(member, kept)
        return kept

    def _masks(self, member: Sheet | Vote, part: tuple[int, int]) -> Pile:
        if isinstance(member, Sheet):
            return self._rows[id(member)].masks(member, part, self.limit)
        return self._decide(member, [self._masks(inner, part) for inner in member.members], part)

    def _decide(self, vote: Vote, members: Sequence[Pile], part: tuple[int, int]) -> Pile:
        weights, needs, group = self._rules.of(vote)
        return pile.vote(members, weights, needs, group[part[0] : part[1]])

    def firsts(self, sheet_: Sheet) -> np.ndarray:
        """First pixel of each key's mask in a sheet, int64; -1 for an empty mask. For up to 2000 keys, spread evenly."""
        chosen = np.unique(np.linspace(0, len(self.keys) - 1, 2000).astype(np.int64))
        index = self._rows[id(sheet_)]
        masks = pile.join([index.masks(sheet_, (key, key + 1), self.limit) for key in chosen.tolist()])
        first = masks.bounds[masks.heads[:-1]]
        return np.where(masks.lengths > 0, first, -1)


class _Index:
    """The rows of a sheet that belong to each key."""

    def __init__(self, rows: Sequence[Sequence[int]]) -> None:
        self.heads = np.append(0, np.cumsum([len(part) for part in rows]))
        self.rows = np.array([row for part in rows for row in part], np.int64)

    def masks(self, source: Sheet, part: tuple[int, int], limit: int) -> Pile:
        heads = self.heads[part[0] : part[1] + 1]
        rows = self.rows[heads[0] : heads[-1]]
        masks = source.masks(rows, np.full(len(rows), limit))
        if len(rows) == part[1] - part[0]:
            return masks
        # Several objects a key: the voters' masks are their unions.
        bounds = (heads - heads[0]).tolist()
        united = [
            runs.union([masks.runs(row) for row in range(first, end)])
            for first, end in zip(bounds[:-1], bounds[1:], strict=True)
        ]
        return pile.of(united)


class _Rules:
    """Weights and needs of each vote as the kernels take them."""

    def __init__(self, vote: Vote, keys: Sequence[Key]) -> None:
        labels = {label for _, label in keys}
        self._found: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
        self._add(vote, keys, labels)

    def of(self, vote: Vote) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self._found[id(vote)]

    def _add(self, vote: Vote, keys: Sequence[Key], labels: set[str | None]) -> None:
        strange = sorted(set(vote.by_class) - labels)
        if strange:
            known = sorted(str(label) for label in labels)
            seen = f"{strange[0]!r}, the files have {', '.join(known[:6])}" + ", ..." * (len(known) > 6)
            raise SubmissionError("weights for a class that is not there", seen, "write the class as the files do")
        names = [None, *vote.by_class]
        numbers = [rule.integers() for rule in (vote.rule, *vote.by_class.values())]
        place = {name: index for index, name in enumerate(names)}
        group = np.array([place.get(label, 0) for _, label in keys], np.int64)
        weights = np.array([whole for whole, _ in numbers], np.int64)
        self._found[id(vote)] = weights, np.array([need for _, need in numbers], np.int64), group
        for member in vote.members:
            if isinstance(member, Vote):
                self._add(member, keys, labels)


def check_sizes(poll: Poll) -> None:
    """Refuse sheets whose masks seem to lie in images of different sizes.

    A CSV does not tell the size of its images. Masks of one key lie at about the same place, so their first pixels
    agree; the median of their ratio over at least 20 keys is held to less than 2.

    Raises:
        SubmissionError: two sheets differ.
    """
    firsts = [poll.firsts(source) for source in poll.sheets]
    for source, other in zip(poll.sheets[1:], firsts[1:], strict=True):
        both = (firsts[0] > 0) & (other > 0)
        if both.sum() < _COMPARED:
            continue
        ratio = float(np.exp(np.median(np.log(other[both] / firsts[0][both]))))
        if not 1 / _RATIO < ratio < _RATIO:
            seen = f"pixel numbers of {source.path} are {ratio:.2f} times those of {poll.sheets[0].path}"
            fix = "predict at one size; if the masks are right, say --any-size"
            raise SubmissionError("the files seem to be of images of different sizes", seen, fix)


def _rows(source: Sheet) -> dict[Key, list[int]]:
    rows = sheet.places(source.keys)
    twice = next((key for key, found in rows.items() if len(found) > 1), None)
    if twice is not None and source.dialect.unit == "class":
        lines = " and ".join(str(source.lines[row]) for row in rows[twice][:2])
        raise SubmissionError("a row comes twice", f"{source.path}, lines {lines} ({_name(twice)})", "keep one")
    return rows


def _check_keys(first: Sheet, other: Sheet, wanted: Mapping[Key, object], found: Mapping[Key, object]) -> None:
    if wanted.keys() == found.keys():
        return
    missing, extra = [key for key in wanted if key not in found], [key for key in found if key not in wanted]
    parts = []
    if missing:
        parts.append(f"{other.path} lacks {len(missing)} rows of {first.path}, first {_name(missing[0])}")
    if extra:
        parts.append(f"{other.path} has {len(extra)} rows more than {first.path}, first {_name(extra[0])}")
    raise SubmissionError("the files have different rows", "; ".join(parts), "vote on files of the same images")


def _name(key: Key) -> str:
    return key[0] if key[1] is None else f"{key[0]}, {key[1]}"


def _equal(a: Pile, b: Pile) -> bool:
    return np.array_equal(np.diff(a.heads), np.diff(b.heads)) and np.array_equal(
        a.bounds[a.heads[0] : a.heads[-1]], b.bounds[b.heads[0] : b.heads[-1]]
    )

