"""Names: the keys of a sheet's rows; those of a plain file stay bytes until they are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from itertools import repeat


class Names:
    """Image and class of each row.

    Args:
        images: the cell of each row with a line end behind it, ASCII.
        labels: the same of the class; None where there is none.
    """

    def __init__(self, images: bytes, labels: bytes | None) -> None:
        self._cells = images, labels

    @classmethod
    def of(cls, keys: list[tuple[str, str | None]]) -> Names:
        """Names that are known already."""
        names = cls(b"", None)
        names.keys = keys
        return names

    @cached_property
    def keys(self) -> list[tuple[str, str | None]]:
        """Image and class of each row."""
        images, labels = self._cells
        classes: Iterable[str | None] = repeat(None) if labels is None else _texts(labels)
        return list(zip(_texts(images), classes, strict=False))

    @cached_property
    def distinct(self) -> bool:
        """Whether no key comes twice."""
        return len(set(self.keys)) == len(self.keys)

    def same(self, other: Names) -> bool:
        """Whether both are known to have the same keys in the same order; False where only the keys would tell."""
        return bool(self._cells[0]) and self._cells == other._cells


def _texts(cells: bytes) -> list[str]:
    return cells.decode().split("\n")[:-1]
