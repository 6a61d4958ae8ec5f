"""Members of a soft ensemble: where the planes of a case come from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import numpy as np

from phalanx.core.errors import StoreError, SubmissionError
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.ensemble.vote import Poll
from phalanx.mask import index as mask_index
from phalanx.mask import runs
from phalanx.mask.dialect import Dialect
from phalanx.mask.index import Index
from phalanx.mask.sheet import Key, Sheet
from phalanx.store.predictions import Store


class Stack(Protocol):
    """What a member says of one case."""

    @property
    def geometry(self) -> Geometry:
        """The frame of the planes, and the way back to the image."""
        ...

    def plane(self, channel: int) -> np.ndarray:
        """One class `(h, w)`: int8 codes as in a store, or float logits."""
        ...


class Member(Protocol):
    """Something that predicts cases; of the same digest are those that say the same of every case."""

    name: str
    digest: str
    labels: LabelSpace

    @property
    def cases(self) -> Sequence[str]:
        """Ids of what it predicts."""
        ...

    def open(self, case: str) -> Stack:
        """A case's planes. Threads may share a member."""
        ...


class StoreMember:
    """A prediction store.

    Args:
        store: it.
        labels: the classes of the ensemble, in whose order planes are given; the store's own if left out.

    Raises:
        StoreError: the store has other classes.
    """

    def __init__(self, store: Store, labels: LabelSpace | None = None) -> None:
        self.store, self.name, self.digest = store, str(store.path), store.digest()
        self.labels = store.labels if labels is None else labels
        self._channels = _channels(store, self.labels)

    @property
    def cases(self) -> Sequence[str]:
        """Ids in the store."""
        return list(self.store)

    def open(self, case: str) -> Stack:
        """A case's planes, in the order of the ensemble's classes."""
        stack = self.store.open(case)
        return stack if self._channels is None else _Ordered(stack, self._channels)


class _Ordered:
    """Planes in another order."""

    def __init__(self, stack: Stack, channels: Sequence[int]) -> None:
        self._stack, self._channels = stack, channels
        self.geometry = stack.geometry

    def plane(self, channel: int) -> np.ndarray:
        return self._stack.plane(self._channels[channel])


def _channels(store: Store, labels: LabelSpace) -> list[int] | None:
    """Where the store has each class; None when the order is the same."""
    if store.labels.names == labels.names and store.labels.exclusive == labels.exclusive:
        return None
    lacking = [name for name in labels.names if name not in store.labels.names]
    extra = [name for name in store.labels.names if name not in labels.names]
    if lacking or extra or store.labels.exclusive != labels.exclusive:
        said = [f"lacks {', '.join(lacking[:3])}"] * bool(lacking) + [f"has {', '.join(extra[:3])} more"] * bool(extra)
        seen = f"{store.path} {' and '.join(said) or 'differs in whether classes exclude each other'}"
        raise StoreError("members of an ensemble must have the same classes", seen, "predict them with one data set")
    return [store.labels.names.index(name) for name in labels.names]


class Masks(Protocol):
    """Something that gives masks instead of numbers: a submission, a vote, an ensemble with steps of its own."""

    name: str
    digest: str

    def read(self, case: str) -> tuple[tuple[int, int], list[np.ndarray]]:
        """The image size and the runs of every class of the ensemble."""
        ...


class MaskMember:
    """Masks as a member: `+soft` inside, `-soft` outside, at the image's own size.

    Args:
        source: of the masks.
        labels: overlapping classes.
        cases: ids, all of which the source has.
        soft: the logit that stands for "yes".
    """

    def __init__(self, source: Masks, labels: LabelSpace, cases: Sequence[str], soft: float) -> None:
        if labels.exclusive:
            seen = f"{source.name} among classes that exclude each other"
            raise StoreError("masks cannot be members of such an ensemble", seen, "use stores alone")
        self.name, self.digest = source.name, f"{source.digest} {soft}"
        self.labels, self.cases = labels, cases
        self._source, self._soft = source, np.float32(soft)

    def open(self, case: str) -> Stack:
        """A case's masks, as numbers."""
        size, masks = self._source.read(case)
        return _Painted(size, masks, self._soft)


class _Painted:
    def __init__(self, size: tuple[int, int], masks: Sequence[np.ndarray], soft: np.float32) -> None:
        self.geometry = Geometry.fit(size, size, keep_aspect=False)
        self._masks, self._soft = masks, soft

    def plane(self, channel: int) -> np.ndarray:
        return np.where(runs.to_mask(self._masks[channel], self.geometry.original), self._soft, -self._soft)


class SheetMasks:
    """A submission's masks.

    Args:
        sheet: the CSV, open.
        digest: of the file.
        labels: the ensemble's classes.
        cases: its cases.
        size_of: the image size of a case.

    Raises:
        SubmissionError: the CSV lacks a case or class, or has more of them.
    """

    def __init__(
        self, sheet: Sheet, digest: str, labels: LabelSpace, cases: Sequence[str],
        size_of: Callable[[str], tuple[int, int]],
    ) -> None:  # fmt: skip
        # The same bytes are other masks in another dialect.
        self.name, self.digest = str(sheet.path), f"{sheet.dialect.name} {digest}"
        self._index = Index(sheet, turned=sheet.dialect.order == "column")
        self._size_of, self._count = size_of, len(labels.scored)
        self._place = follow(self._index, sheet.dialect, labels, cases)

    def read(self, case: str) -> tuple[tuple[int, int], list[np.ndarray]]:
        """The image size and the runs of every class."""
        size, first = self._size_of(case), self._place[case]
        masks = self._index.masks(first, first + self._count, [size] * self._count)
        return size, [masks.runs(label) for label in range(self._count)]


class VoteMasks:
    """The masks of a hard vote.

    Args:
        poll: the vote over its sheets.
        digest: of all that votes.
        labels: the ensemble's classes.
        cases: its cases.
        size_of: the image size of a case.

    Raises:
        SubmissionError: the sheets lack a case or class, or have more of them.
    """

    def __init__(
        self, poll: Poll, digest: str, labels: LabelSpace, cases: Sequence[str],
        size_of: Callable[[str], tuple[int, int]],
    ) -> None:  # fmt: skip
        self.name, self.digest = f"vote of {len(poll.sheets)} files", digest
        self._poll, self._size_of = poll, size_of
        dialect = poll.sheets[0].dialect
        self._turned = dialect.order == "column"
        place = {key: index for index, key in enumerate(poll.keys)}
        wanted = {case: keys_of(case, dialect, labels) for case in cases}
        _check_keys(self.name, [key for keys in wanted.values() for key in keys], place)
        self._places = {case: [place[key] for key in keys] for case, keys in wanted.items()}

    def read(self, case: str) -> tuple[tuple[int, int], list[np.ndarray]]:
        """The image size and the runs of every class."""
        size = self._size_of(case)
        found = [self._poll.count((place, place + 1)).runs(0).copy() for place in self._places[case]]
        if any(len(mask) and mask[-1, 1] > size[0] * size[1] for mask in found):
            seen = f"{self.name}, {case} of {size[0]}x{size[1]}"
            raise SubmissionError("a run that leaves the image", seen, "vote on files of the same images")
        own = (size[1], size[0])
        return size, [runs.transpose(mask, own) for mask in found] if self._turned else found


def keys_of(case: str, dialect: Dialect, labels: LabelSpace) -> list[Key]:
    """The keys of a case's masks in a CSV.

    Raises:
        SubmissionError: several classes in a dialect that has no column for them.
    """
    if not dialect.classes and len(labels.scored) != 1:
        seen = f"{dialect.name} for {len(labels.scored)} classes"
        raise SubmissionError("the dialect has no column for the class", seen, "choose another dialect")
    image = dialect.key(case)
    return [(image, name if dialect.classes else None) for name in labels.scored_names]


def follow(index: Index, dialect: Dialect, labels: LabelSpace, cases: Sequence[str]) -> dict[str, int]:
    """Bring an index in the order of cases and classes; returns where each case begins.

    Raises:
        SubmissionError: rows are missing or too many.
    """
    wanted = [key for case in cases for key in keys_of(case, dialect, labels)]
    _check_keys(index.name, wanted, set(index.keys))
    index.follow(wanted)
    return {case: place * len(labels.scored) for place, case in enumerate(cases)}


def _check_keys(name: str, wanted: Sequence[Key], known: Collection[Key]) -> None:
    missing, more = [key for key in wanted if key not in known], sorted(set(known) - set(wanted), key=str)
    parts = [
        f"{name} {how} {len(keys)} rows, first {mask_index.text(keys[0])}"
        for how, keys in (("lacks", missing), ("has too many:", more))
        if keys
    ]
    if parts:
        seen = "; ".join(parts)
        raise SubmissionError("members of an ensemble must have the same cases", seen, "predict the same images")
