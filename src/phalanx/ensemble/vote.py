"""Hard vote: a pixel is kept when the members that mark it carry enough of the weight of all members.

An empty mask votes against. Weights and thresholds are exact fractions, so a tie is a tie. Masks stay runs from the
files to the result; rows are worked on slice by slice, whatever the size of the files.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import numpy as np

from phalanx.core.errors import SubmissionError
from phalanx.mask import index, pile, sheet
from phalanx.mask.index import Index
from phalanx.mask.pile import Pile, Workspace
from phalanx.mask.sheet import Key, Sheet

Ties = Literal["drop", "keep"]

# Text of one slice over all members, about: large enough to hide the cost of a slice, small enough for the caches.
SLICE_BYTES = 4_000_000

# From here on masks of the same keys cannot come from images of one size: their first pixels differ twofold in the
# median, where an image of half the height and width makes it fourfold.
_RATIO = 2.0
_COMPARED, _SAMPLE = 20, 400


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


@dataclass
class Tally:
    """What became of a member's masks.

    Args:
        empty: how many have no pixel.
        same: whether every mask is that of the result.
    """

    empty: int = 0
    same: bool = True


class Poll:
    """A vote over the keys of its sheets.

    Args:
        vote: the members and rules.
        size: `(height, width)` of every image, the bound of every run; None when nobody said.

    Raises:
        SubmissionError: sheets of different keys, a row twice, a rule for a class that is not there.
    """

    def __init__(self, vote: Vote, size: tuple[int, int] | None = None) -> None:
        self.vote, self.sheets = vote, vote.sheets()
        self.size = size
        sheet.share(self.sheets)
        found = [Index(source) for source in self.sheets]
        self.keys = found[0].keys
        for other in found[1:]:
            _check_keys(found[0], other)
            other.follow(self.keys)
        self._indices = {id(source): index for source, index in zip(self.sheets, found, strict=True)}
        self._rules = _Rules(vote, self.keys)
        self.tallies = [Tally() for _ in vote.members]
        self._lock, self._of_thread = threading.Lock(), threading.local()

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
        space = self._space()
        members = [self._masks(member, part, space) for member in self.vote.members]
        kept = self._decide(self.vote, members, part, space)
        found = [Tally(int((masks.lengths == 0).sum()), _equal(masks, kept)) for masks in members]
        with self._lock:
            for tally, of_part in zip(self.tallies, found, strict=True):
                tally.empty += of_part.empty
                tally.same = tally.same and of_part.same
        return kept

    def _space(self) -> Workspace:
        """That of this thread, empty."""
        if not hasattr(self._of_thread, "space"):
            self._of_thread.space = Workspace()
        self._of_thread.space.clear()
        return self._of_thread.space

    def _masks(self, member: Sheet | Vote, part: tuple[int, int], space: Workspace) -> Pile:
        if isinstance(member, Sheet):
            sizes = None if self.size is None else [self.size] * (part[1] - part[0])
            return self._indices[id(member)].masks(*part, sizes, space)
        return self._decide(member, [self._masks(inner, part, space) for inner in member.members], part, space)

    def _decide(self, vote: Vote, members: Sequence[Pile], part: tuple[int, int], space: Workspace) -> Pile:
        weights, needs, group = self._rules.of(vote)
        return pile.vote(members, weights, needs, group[part[0] : part[1]], space)

    def firsts(self, source: Sheet) -> np.ndarray:
        """First pixel of each key's mask in a sheet, int64, -1 for an empty one; of 400 keys spread evenly."""
        chosen = np.unique(np.linspace(0, len(self.keys) - 1, _SAMPLE).astype(np.int64))
        masks = source.masks(self._indices[id(source)].first_rows[chosen])
        return np.where(masks.lengths > 0, masks.bounds[masks.heads[:-1]], -1)


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
        place = {name: number for number, name in enumerate(names)}
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
    if poll.sheets[0].dialect.unit == "instance":
        # Objects stand in any order, and such competitions mix sizes anyway.
        return
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


def _check_keys(first: Index, other: Index) -> None:
    if other.keys == first.keys:
        return
    wanted, found = set(first.keys), set(other.keys)
    missing, extra = [key for key in first.keys if key not in found], [key for key in other.keys if key not in wanted]
    parts = [
        f"{other.name} {how}, first {index.text(keys[0])}"
        for keys, how in (
            (missing, f"lacks {len(missing)} rows of {first.name}"),
            (extra, f"has {len(extra)} rows more than {first.name}"),
        )
        if keys
    ]
    if parts:
        raise SubmissionError("the files have different rows", "; ".join(parts), "vote on files of the same images")


def _equal(a: Pile, b: Pile) -> bool:
    parts = [(pile_.heads - pile_.heads[0], pile_.bounds[pile_.heads[0] : pile_.heads[-1]]) for pile_ in (a, b)]
    return all(np.array_equal(mine, other) for mine, other in zip(*parts, strict=True))
