"""A folder of images and a CSV of run-length encoded masks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from phalanx.core.case import Case, Dataset, Runs
from phalanx.core.catalogue import Strict, nearest
from phalanx.core.errors import ConfigError, DataError, SubmissionError
from phalanx.core.labels import LabelSpace
from phalanx.datasets import _base
from phalanx.mask import dialect as dialects
from phalanx.mask import rle, sheet
from phalanx.mask import runs as run_lengths


class KaggleRle:
    """Reader of images whose masks are rows of a CSV, in any dialect of `mask.dialect`.

    Ids are the file names of the images; the CSV may name them with or without suffix. Rows of one image and class are
    united, so objects (nuclei) become one mask.
    """

    class Config(Strict):
        """Options.

        Args:
            root: the folder of the data set.
            labels: the CSV, below `root` or absolute.
            images: folder of the images, below `root`.
            dialect: how the CSV is written, a name of `mask.dialect.DIALECTS`.
            image_column: column of the image's key, if not the dialect's.
            class_column: column of the class, if not the dialect's.
            rle_column: column of the mask, if not the dialect's.
            suffix: put behind the CSV's keys to make file names; when left out, files are found by stem as well.
            classes: names in channel order; in order of appearance when left out, `foreground` for a CSV without
                classes.
            exclusive: one class a pixel (a later one wins where two overlap) instead of overlapping classes.
            group_pattern: regular expression whose first parentheses catch the group (person) in the file's name.
            unlabelled: an image without row is an error, left out (`skip`), predicted (`test`), or an `empty` mask.
            test: folder of images to predict, below `root`.
            exclude: file names of images to leave out.
        """

        name: Literal["kaggle_rle"] = "kaggle_rle"
        root: Path
        labels: Path
        images: Path = Path("images")
        dialect: str = "dsb2018"
        image_column: str = ""
        class_column: str = ""
        rle_column: str = ""
        suffix: str = Field(default="", pattern=r"^(\.[A-Za-z0-9]+)?$")
        classes: tuple[str, ...] = ()
        exclusive: bool = False
        group_pattern: _base.GroupPattern = ""
        unlabelled: Literal["error", "skip", "test", "empty"] = "error"
        test: Path | None = None
        exclude: tuple[str, ...] = ()

    def __init__(self, config: Config) -> None:
        self.config = config
        known = dialects.named(config.dialect)
        columns = known.columns
        self.dialect = replace(
            known,
            columns=dialects.Columns(
                config.image_column or columns.image,
                config.class_column or columns.label,
                config.rle_column or columns.rle,
            ),
            joint=None if config.class_column else known.joint,
        )
        if not self.dialect.classes and len(config.classes) > 1:
            fix = "name one class, or give class_column"
            raise ConfigError("the dialect has no column of classes", ", ".join(config.classes), fix)

    def read(self) -> Dataset:
        """Cases of the CSV.

        Raises:
            DataError: a file or folder is missing, or no row fits an image.
            SubmissionError: the CSV as a whole cannot be read.
        """
        config = self.config
        notes = _base.Notes(config.exclude)
        _base.folder(config.root, "data folder")
        table = _base.file(config.root / config.labels, "CSV of masks")
        files = _base.images(config.root / config.images, "folder of images", notes)
        heads = _base.headers(files, notes)
        names, rows = self._rows(sheet.read(table, self.dialect), files, table, notes)
        if not rows:
            seen = f"{table} names none of the {len(files)} images in {config.images}"
            raise DataError("no row fits an image", seen, "check labels, images and suffix")
        train, bare = [], []
        for name, path in files.items():
            head = heads.get(name)
            group = _base.group(name, config.group_pattern)
            labels = self._labels(name, head, rows.get(name), names, notes)
            case = Case(name, path, labels, group, _base.size_metadata(head))
            if labels is not None:
                train.append(case)
            elif head is not None and name not in rows:
                bare.append(case)
        test = _base.test_cases(config.root / config.test if config.test else None, config.group_pattern, notes)
        for case in bare:
            _base.unlabelled(case, f"no row in {table.name}", config.unlabelled, notes, test)
        _base.check_apart(train, test, notes)
        _base.check_exclude(config.exclude, [path.name for path in _base.walk(config.root, _base.SUFFIXES)], notes)
        space = LabelSpace(("background", *names) if config.exclusive else names, config.exclusive)
        return Dataset(space, train, test, notes.findings)

    def _rows(
        self, rows: list[sheet.Row], files: dict[str, Path], table: Path, notes: _base.Notes
    ) -> tuple[tuple[str, ...], dict[str, list[sheet.Row]]]:
        """The classes, and the usable rows by case id."""
        config = self.config
        default = config.classes[0] if config.classes else "foreground"
        named = [row._replace(label=default) if row.label is None else row for row in rows]
        names = config.classes or tuple(dict.fromkeys(row.label or "" for row in named))
        if "" in names:
            line = next(row.line for row in named if not row.label)
            raise DataError("a row without a class", f"{table.name}, line {line}", "fill it in")
        stems: dict[str, list[str]] = {}
        for name in (*files, *sorted(notes.exclude)):
            stems.setdefault(Path(name).stem, []).append(name)
        found: dict[str, list[sheet.Row]] = {}
        lost: dict[str, int] = {}
        for row in named:
            key = row.image + config.suffix
            fits = [key] if key in files or key in notes.exclude else stems.get(key, [])
            if not fits:
                lost.setdefault(row.image, row.line)
            elif len(fits) > 1:
                notes.error(fits[0], "a key fits several images", f"{row.image}: {', '.join(fits)}", "give suffix")
            elif row.label not in names:
                seen = f"{row.label!r} in {table.name}, line {row.line}"
                notes.error(fits[0], "unknown class", seen, nearest(str(row.label), names))
            elif fits[0] in files:
                found.setdefault(fits[0], []).append(row)
        for key, line in lost.items():
            notes.warning(key, "rows without image", f"{key}, first in line {line}", "they are passed over")
        return names, found

    def _labels(
        self,
        name: str,
        head: _base.Header | None,
        rows: list[sheet.Row] | None,
        names: tuple[str, ...],
        notes: _base.Notes,
    ) -> Runs | None:
        """Masks of an image; None when it has no row or its size is unknown."""
        if head is None:
            return None
        if rows is None:
            return Runs({}, head.size) if self.config.unlabelled == "empty" else None
        parts: dict[str, list[np.ndarray]] = {}
        for row in rows:
            label = str(row.label)
            try:
                part = rle.decode(row.rle, head.size, self.dialect, f"line {row.line}")
            except SubmissionError as error:
                notes.error(name, "a mask cannot be decoded", f"{error.wrong} ({error.seen})", error.fix)
                continue
            parts.setdefault(label, []).append(part)
        if self.dialect.unit == "class":
            self._check_classes(name, parts, names, notes)
        united = {label: run_lengths.union(pieces) for label, pieces in parts.items()}
        for label, pieces in parts.items():
            shared = sum(map(run_lengths.area, pieces)) - run_lengths.area(united[label])
            if shared and self.dialect.unit == "instance":
                notes.warning(name, "objects of a class overlap", f"{shared} pixels of {label}", "they are united")
        return Runs(united, head.size)

    def _check_classes(
        self, name: str, parts: dict[str, list[np.ndarray]], names: tuple[str, ...], notes: _base.Notes
    ) -> None:
        absent = [label for label in names if label not in parts]
        if absent:
            some = ", ".join(absent[:6]) + (", ..." if len(absent) > 6 else "")
            notes.warning(
                name, "classes without a row", f"{len(absent)} of {len(names)} ({some})", "they count as empty"
            )
        for label, pieces in parts.items():
            if len(pieces) > 1:
                notes.warning(name, "several rows of one class", f"{len(pieces)} of {label}", "they are united")
