"""Sources: what `phalanx score` is pointed at, as masks by key, all in one form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from phalanx.commands._found import Found, Masks
from phalanx.core import parallel

if TYPE_CHECKING:
    from phalanx.mask.dialect import Dialect
    from phalanx.mask.index import Index
    from phalanx.mask.pile import Pile, Workspace
    from phalanx.mask.sheet import Key

# Decoded cases that are kept: those that the threads work on.
_KEPT = 16


class CaseMasks:
    """Masks of cases that know their size, decoded when they are asked for.

    Args:
        name: for error lines.
        cases: image key -> what `read` takes.
        labels: the class of each mask that `read` gives, as keys have it.
        read: the size of an image and the runs of its classes.
        order: `row` or `column`, how pixels are counted.
    """

    def __init__(
        self, name: str, cases: Mapping[str, Any], labels: Sequence[str | None], *, read: Callable[[Any], Masks],
        order: str,
    ) -> None:  # fmt: skip
        self.name, self._order = name, order
        self.keys: list[Key] = [(image, label) for image in cases for label in labels]
        self._place = {label: place for place, label in enumerate(labels)}
        self._read = lru_cache(_KEPT)(lambda image: read(cases[image]))

    @property
    def together(self) -> int:
        """The classes of a case are decoded at once."""
        return len(self._place)

    @property
    def bytes(self) -> int:
        """Not known before they are decoded."""
        return 0

    def follow(self, keys: list[Key]) -> None:
        """Take the order of `keys`."""
        self.keys = keys

    def sizes(self, first: int, end: int) -> list[tuple[int, int]]:
        """`(height, width)` of the image of each key."""
        return [self._read(image)[0] for image, _ in self.keys[first:end]]

    def masks(
        self, first: int, end: int, sizes: Sequence[tuple[int, int]] | None, space: Workspace | None = None
    ) -> Pile:
        """The masks of a range of keys."""
        from phalanx.mask import pile, runs

        found = []
        for image, label in self.keys[first:end]:
            size, masks = self._read(image)
            mask = masks[self._place[label]]
            found.append(mask if self._order == "row" else runs.transpose(mask, size))
        return pile.of(found)


@dataclass(frozen=True)
class Opened:
    """Sources that can be held against each other.

    Args:
        sources: in the order of what was found.
        groups: image key -> group, of the data sets among them.
        label: what a mask is called whose key has no class.
    """

    sources: list[Index | CaseMasks]
    groups: dict[str, str]
    label: str


def open_all(found: Sequence[Found], size: tuple[int, int] | None, stack: ExitStack) -> Opened:
    """Open what was found, its keys and pixels brought to one form: CSVs of one dialect stay as they are.

    Args:
        found: at least two.
        size: `(height, width)` of every image, if it was told.
        stack: closes the files.

    Raises:
        PhalanxError: a file that cannot be read, or classes that a dialect cannot tell apart.
        typer.BadParameter: dialects that count pixels differently, and no size.
    """
    dialects = [item.dialect for item in found if item.dialect is not None]
    orders = {dialect.order for dialect in dialects}
    order = orders.pop() if len(orders) == 1 else "row"
    if orders and len(dialects) == len(found) and size is None:
        raise typer.BadParameter("is needed to compare files along rows with files along columns", param_hint="--size")
    naming = next((dialect for dialect in dialects if not dialect.keep_suffix), None)
    form = _Form(order, naming, all(dialect.classes for dialect in dialects))
    csvs = {place: item.csv for place, item in enumerate(found) if item.csv}
    opened: dict[int, Index | CaseMasks] = dict(zip(csvs, _sheets(list(csvs.values()), form, stack), strict=True))
    opened |= {place: _stored(item, form) for place, item in enumerate(found) if item.stores}
    sets = [item for item in found if item.cases]
    images = {image for source in opened.values() for image, _ in source.keys} if sets else set()
    groups: dict[str, str] = {}
    for place, item in enumerate(found):
        if item.cases:
            opened[place], own = _labelled(item, form, images)
            groups |= own
    return Opened([opened[place] for place in range(len(found))], groups, form.label)


@dataclass
class _Form:
    """What all sources are brought to."""

    order: str
    naming: Dialect | None
    classes: bool
    label: str = "mask"

    def key(self, case: str) -> str:
        return self.naming.key(case) if self.naming else case

    def cases(self, path: Path, cases: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        """Cases by their key."""
        from phalanx.core.errors import SubmissionError

        found: dict[str, Any] = {}
        for name, case in cases:
            if self.key(name) in found:
                seen = f"{self.key(name)} in {path}"
                raise SubmissionError("two images have one key", seen, "rename one, or choose another dialect")
            found[self.key(name)] = case
        return found

    def labels(self, path: Path, names: Sequence[str]) -> Sequence[str | None]:
        """Classes as the keys have them."""
        from phalanx.core.errors import SubmissionError

        if self.classes:
            return names
        if len(names) > 1:
            seen = f"{path} has {len(names)}, {', '.join(names[:3])}, ..."
            raise SubmissionError("the CSV has no column for the class", seen, "name the dialect with --dialect")
        self.label = names[0]
        return [None]


def _sheets(csvs: Sequence[tuple[Path, Dialect]], form: _Form, stack: ExitStack) -> list[Index]:
    from phalanx.mask import sheet
    from phalanx.mask.index import Index

    sheets = list(parallel.ordered(lambda csv: stack.enter_context(sheet.Sheet(*csv)), csvs))
    sheet.share(sheets)
    return [
        Index(
            source,
            naming=form.naming if source.dialect.keep_suffix else None,
            turned=source.dialect.order != form.order,
        )
        for source in sheets
    ]


def _stored(item: Found, form: _Form) -> CaseMasks:
    from phalanx.ensemble import soft
    from phalanx.store.predictions import Store

    stores = [Store(path) for path in item.stores]
    blend = soft.plain(stores)
    names = blend.labels.scored_names

    def read(case: str) -> Masks:
        scene = blend.open(case)
        return scene.size, scene.masks([0.5] * len(names))

    cases = form.cases(item.path, ((case, case) for case in stores[0]))
    return CaseMasks(str(item.path), cases, form.labels(item.path, names), read=read, order=form.order)


def _labelled(item: Found, form: _Form, images: set[str]) -> tuple[CaseMasks, dict[str, str]]:
    """The labelled cases of those parts (train, test) of a data set that the others know, and their groups."""
    assert item.cases
    parts, names, read = item.cases
    known = [cases for cases in parts.values() if any(form.key(case.id) in images for case in cases)]
    chosen = [case for cases in known or parts.values() for case in cases]
    cases = form.cases(item.path, ((case.id, case) for case in chosen))
    source = CaseMasks(str(item.path), cases, form.labels(item.path, names), read=read, order=form.order)
    return source, {key: case.group for key, case in cases.items()}
