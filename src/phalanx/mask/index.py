"""Index: which rows of a sheet belong to which key, so that several sheets are joined by key and never by position."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from phalanx.core.errors import SubmissionError
from phalanx.mask import pile, runs, sheet
from phalanx.mask.dialect import Dialect
from phalanx.mask.pile import Cells, Pile, Workspace
from phalanx.mask.sheet import Key, Sheet


def text(key: Key) -> str:
    """A key as an error's line shows it."""
    return key[0] if key[1] is None else f"{key[0]}, {key[1]}"


class Index:
    """The masks of a sheet by key, in the dialect's own pixel order or turned to the other.

    Args:
        source: the sheet.
        naming: a dialect whose way of naming images, with or without suffix, the keys take; the sheet's own if None.
        turned: whether masks are turned from columns to rows, or from rows to columns; needs sizes.

    Raises:
        SubmissionError: a key has two rows in a dialect whose rows are classes.
    """

    def __init__(self, source: Sheet, *, naming: Dialect | None = None, turned: bool = False) -> None:
        self.source, self.turned = source, turned
        self.name = str(source.path)
        self.keys: list[Key] = [(naming.key(image), label) for image, label in source.keys] if naming else source.keys
        self._rows, self._heads = np.arange(len(source)), np.arange(len(source) + 1)
        distinct = source.names.distinct if naming is None else len(set(self.keys)) == len(source)
        if not distinct:
            self._unite()

    @property
    def together(self) -> int:
        """How many keys are cheaper read at once: any number."""
        return 1

    @property
    def bytes(self) -> int:
        """Size of the masks' text."""
        return int((self.source.spans[:, 1] - self.source.spans[:, 0]).sum())

    @property
    def first_rows(self) -> np.ndarray:
        """The first row of each key in the sheet, int64 `(n,)`."""
        return self._rows[self._heads[:-1]]

    def follow(self, keys: list[Key]) -> None:
        """Bring the masks in the order of `keys`, all of which must be there; others are left out."""
        if keys is self.keys or keys == self.keys:
            return
        place = {key: index for index, key in enumerate(self.keys)}
        chosen = np.array([place[key] for key in keys], np.int64)
        counts = np.diff(self._heads)[chosen]
        heads = np.append(0, np.cumsum(counts))
        self._rows = self._rows[np.repeat(self._heads[chosen] - heads[:-1], counts) + np.arange(heads[-1])]
        self._heads, self.keys = heads, keys

    def sizes(self, first: int, end: int) -> None:
        """A CSV does not say how large its images are."""

    def masks(
        self, first: int, end: int, sizes: Sequence[tuple[int, int]] | None, space: Workspace | None = None
    ) -> Pile:
        """The masks of the keys `first` to `end`; several rows of a key are united. Threads may share an index.

        Args:
            first: the first key.
            end: behind the last one.
            sizes: `(height, width)` of each key's image; without them runs are not held to their image.
            space: where they are laid out; in memory of their own if left out.

        Raises:
            SubmissionError: a row that cannot be read.
        """
        heads = self._heads[first : end + 1]
        rows = self._rows[heads[0] : heads[-1]]
        limits = None
        if sizes is not None:
            pixels = np.array([height * width for height, width in sizes], np.int64)
            limits = np.repeat(pixels, np.diff(heads))
        masks = self.source.masks(rows, limits, space)
        if len(rows) > end - first:
            spans = pairwise((heads - heads[0]).tolist())
            masks = pile.of([runs.union([masks.runs(row) for row in range(*span)]) for span in spans])
        return self._turn(masks, sizes) if self.turned else masks

    def of_image(self, image: str, size: tuple[int, int]) -> dict[str, np.ndarray]:
        """Class -> runs of one image; of a dialect without classes the class is "". Empty where the sheet lacks it.

        Args:
            image: the name that keys have.
            size: `(height, width)` of the image.

        Raises:
            SubmissionError: a row that cannot be read.
        """
        places = [place for place, key in enumerate(self.keys) if key[0] == image]
        return {self.keys[place][1] or "": self.masks(place, place + 1, [size]).runs(0) for place in places}

    def cells(self, first: int, end: int, space: Workspace) -> Cells | None:
        """The masks of these keys as they are written; None where they are turned or have several rows."""
        rows = self._rows[self._heads[first] : self._heads[end]]
        if self.turned or len(rows) > end - first:
            return None
        return Cells(*self.source.load(rows, space), self.source.dialect)

    def _turn(self, masks: Pile, sizes: Sequence[tuple[int, int]] | None) -> Pile:
        if sizes is None:
            raise ValueError("masks cannot be turned without the size of their images. Give sizes")
        by_columns = self.source.dialect.order == "column"
        own = [(width, height) if by_columns else (height, width) for height, width in sizes]
        return pile.of([runs.transpose(masks.runs(place), size) for place, size in enumerate(own)])

    def _unite(self) -> None:
        found = sheet.places(self.keys)
        if self.source.dialect.unit == "class":
            key, rows = next((key, rows) for key, rows in found.items() if len(rows) > 1)
            lines = " and ".join(str(self.source.lines[row]) for row in rows[:2])
            raise SubmissionError("a row comes twice", f"{self.name}, lines {lines} ({text(key)})", "keep one")
        self.keys = list(found)
        self._heads = np.append(0, np.cumsum([len(rows) for rows in found.values()]))
        self._rows = np.array([row for rows in found.values() for row in rows], np.int64)
