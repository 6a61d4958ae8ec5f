"""Sources: what `phalanx score` is pointed at, a CSV, a data set, a run or a store, as masks by key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from phalanx.core import parallel

if TYPE_CHECKING:
    import numpy as np

    from phalanx.core.case import Case
    from phalanx.mask.dialect import Dialect
    from phalanx.mask.index import Index
    from phalanx.mask.pile import Pile, Workspace
    from phalanx.mask.sheet import Key

# Decoded cases that are kept: those that the threads work on.
_KEPT = 16


@dataclass(frozen=True)
class Reading:
    """How a folder that is a data set is read; see `phalanx check`.

    Args:
        reader: its name; None: guessed.
        options: of the reader, `key=value`.
        rasteriser: how outlines become pixels.
        patch: corrections of labels that are applied first.
    """

    reader: str | None = None
    options: tuple[str, ...] = ()
    rasteriser: str = "opencv"
    patch: Path | None = None


@dataclass
class Found:
    """What a name on the command line stands for; one of the three is there.

    Args:
        path: the name.
        csv: a CSV, and how it is written.
        stores: stores that are averaged.
        cases: labelled cases, by part of the data set (`train`, `test`), and what decodes them.
    """

    path: Path
    csv: tuple[Path, Dialect] | None = None
    stores: list[Path] = field(default_factory=list)
    cases: tuple[dict[str, list[Case]], tuple[str, ...], Callable[[Case], Masks]] | None = None

    @property
    def dialect(self) -> Dialect | None:
        """How the CSV is written."""
        return self.csv[1] if self.csv else None


# Size of an image, and the runs of its classes.
Masks = tuple[tuple[int, int], "list[np.ndarray]"]


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


def find(path: Path, dialect: Dialect, reading: Reading) -> Found:
    """Tell what a name stands for.

    Args:
        path: the name.
        dialect: how it is written if it is a CSV; a run knows that of its own.
        reading: how it is read if it is a data set.

    Raises:
        PhalanxError: there is nothing of that name, or no reader fits the folder.
    """
    if not path.is_dir():
        return Found(path, csv=(path, dialect))
    if path.suffix == ".zarr" or (path / "manifest.json").is_file():
        return Found(path, stores=[path])
    if (path / "config.yaml").is_file() and (run := _run(path)):
        return run
    return _dataset(path, reading)


def _run(path: Path) -> Found | None:
    """The out-of-fold predictions of a run folder: the CSV made of all members, or else their stores."""
    import yaml

    from phalanx.core.errors import RunError
    from phalanx.mask import dialect as dialects

    if (path / "oof.csv").is_file():
        try:
            values = yaml.safe_load((path / "config.yaml").read_text(encoding="utf-8"))
            name = str(((values or {}).get("submit") or {}).get("dialect", "handbone"))
        except (yaml.YAMLError, UnicodeDecodeError, AttributeError) as error:
            raise RunError("the run's configuration cannot be read", path / "config.yaml", "run it again") from error
        return Found(path, csv=(path / "oof.csv", dialects.named(name)))
    stores = [path / "oof.zarr"] if (path / "oof.zarr").is_dir() else sorted(path.glob("*/oof.zarr"))
    if stores:
        return Found(path, stores=stores)
    if (path / "run.log").is_file():
        raise RunError("the run has no out-of-fold predictions yet", path, "run it again; it goes on where it stopped")
    return None


def _dataset(path: Path, reading: Reading) -> Found:
    from phalanx.commands import check
    from phalanx.core import catalogue
    from phalanx.core.errors import DataError
    from phalanx.data import decode, patch
    from phalanx.datasets import _base

    dataset = catalogue.build("datasets", check.settings(path, reading.reader, list(reading.options))).read()
    if reading.patch is not None:
        dataset = patch.applied(dataset, patch.load(reading.patch), reading.rasteriser)
    errors = [finding for finding in dataset.findings if finding.level == "error"]
    if errors:
        more = f" (and {len(errors) - 1} more errors)" if len(errors) > 1 else ""
        raise DataError(f"the data set has errors{more}", errors[0].message, "run phalanx check on it to see them all")
    parts = {"train": dataset.train, "test": dataset.test}
    labelled = {name: [case for case in cases if case.labels is not None] for name, cases in parts.items()}
    if not any(labelled.values()):
        raise DataError("no case of the data set has labels", path, "name the data set that has the truth")

    def read(case: Case) -> Masks:
        try:
            size = _base.header(case.image).size
        except DataError as error:
            raise DataError(error.wrong, f"{case.id} ({error.seen})", error.fix) from error
        return size, decode.runs(case, dataset.labels, reading.rasteriser, size)

    return Found(path, cases=(labelled, dataset.labels.scored_names, read))


def unpatched(found: Sequence[Found], reading: Reading) -> str | None:
    """What to say when a run had its labels corrected and the data set it is held against has not.

    Raises:
        typer.BadParameter: a patch, and no data set to apply it to.
    """
    if reading.patch is not None and not any(item.cases for item in found):
        raise typer.BadParameter("corrects the labels of a data set, and none is named", param_hint="--patch")
    if reading.patch is not None or not any(item.cases for item in found):
        return None
    patches = (_patch_of(item.path) for item in found if not item.cases)
    name = next((patch for patch in patches if patch), None)
    return name and f"The run learnt from labels corrected by {name}; say --patch {name} to hold it against the same."


def _patch_of(path: Path) -> str | None:
    """The patch of the run that something is or lies in; a CSV that merely lies there says nothing of itself."""
    import yaml

    whole = path.resolve()
    folder = next((above for above in (whole, *whole.parents[:2]) if (above / "config.yaml").is_file()), None)
    if folder is None:
        return None
    try:
        named = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))["data"]["patch"]
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError):
        return None
    return None if named is None else str(named)


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
