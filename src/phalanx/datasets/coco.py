"""COCO instance annotations: one JSON for all images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from phalanx.core.case import Case, Dataset, Labels, Polygons, Runs
from phalanx.core.catalogue import Strict
from phalanx.core.errors import DataError
from phalanx.core.labels import LabelSpace
from phalanx.datasets import _base, _coco_json
from phalanx.mask import polygon
from phalanx.mask import runs as run_lengths


class Coco:
    """Reader of a COCO JSON: polygons of one or more parts, compressed and uncompressed RLE.

    Ids are the bare file names, instances of one category are united. Where an image has RLE beside polygons, the
    polygons are rasterised as pycocotools does, since both must become one kind of label.
    """

    class Config(Strict):
        """Options.

        Args:
            root: the folder of the data set.
            annotations: the JSON, below `root` or absolute.
            images: folder of the images, below `root`; files in its sub-folders are found by their bare name.
            exclusive: one class a pixel (a later category wins where two overlap) instead of overlapping classes.
            unannotated: a listed image without annotation is an `empty` mask, or left out (`skip`).
            unlisted: an image of the folder that the JSON does not list is left out (`skip`), an `empty` mask, or
                predicted (`test`).
            crowd: annotations marked `iscrowd` are left out (`skip`) or taken like any other (`include`).
            group_pattern: regular expression whose first parentheses catch the group (person) in the file's name.
            test: folder of images to predict, below `root`.
            exclude: file names of images to leave out.
        """

        name: Literal["coco"] = "coco"
        root: Path
        annotations: Path
        images: Path = Path("images")
        exclusive: bool = False
        unannotated: Literal["empty", "skip"] = "empty"
        unlisted: Literal["skip", "empty", "test"] = "skip"
        crowd: Literal["skip", "include"] = "skip"
        group_pattern: _base.GroupPattern = ""
        test: Path | None = None
        exclude: tuple[str, ...] = ()

    def __init__(self, config: Config) -> None:
        self.config = config

    def read(self) -> Dataset:
        """Cases of the JSON.

        Raises:
            DataError: the JSON or the images are missing, or it is not a COCO document.
        """
        config = self.config
        notes = _base.Notes(config.exclude)
        _base.folder(config.root, "data folder")
        document = _coco_json.load(_base.file(config.root / config.annotations, "annotation file"))
        files = _base.images(config.root / config.images, "folder of images", notes)
        heads = _base.headers(files, notes)
        categories = _coco_json.categories(document)
        by_image = _coco_json.by_image(document, categories, notes)
        listed: set[str] = set()
        train: list[Case] = []
        for number, entry in _coco_json.images(document, notes).items():
            name = entry.name
            listed.add(name)
            if name in notes.exclude:
                continue
            if name not in files:
                notes.warning(
                    name, "a listed image is not on disk", entry.file_name, f"it was looked for in {config.images}"
                )
                continue
            items = by_image.get(number, [])
            if not items and config.unannotated == "skip":
                continue
            train.append(self._case(files[name], heads.get(name), entry, items, notes))
        if not train:
            seen = f"{len(listed)} listed, {len(files)} in {config.images}"
            raise DataError("no listed image is on disk", seen, "check images and annotations")
        names = tuple(categories.values())
        test = self._unlisted({name: path for name, path in files.items() if name not in listed}, heads, train, notes)
        test += _base.test_cases(config.root / config.test if config.test else None, config.group_pattern, notes)
        train.sort(key=lambda case: case.id)
        _base.check_apart(train, test, notes)
        _base.check_exclude(config.exclude, [path.name for path in _base.walk(config.root, _base.SUFFIXES)], notes)
        space = LabelSpace(("background", *names) if config.exclusive else names, config.exclusive)
        return Dataset(space, train, sorted(test, key=lambda case: case.id), notes.findings)

    def _case(
        self,
        path: Path,
        head: _base.Header | None,
        entry: _coco_json.Entry,
        items: list[tuple[str, Mapping[str, Any]]],
        notes: _base.Notes,
    ) -> Case:
        name = entry.name
        if head and entry.size and head.size != entry.size:
            seen = f"{name} is {_base.text(head.size)}, the JSON says {_base.text(entry.size)}"
            notes.error(name, "image and annotation of different sizes", seen, "scale one of them")
        size = entry.size or (head.size if head else None)
        kept = [item for item in items if not item[1].get("iscrowd") or self.config.crowd == "include"]
        if len(kept) < len(items):
            seen = f"{len(items) - len(kept)} of {len(items)}"
            notes.warning(name, "crowd annotations left out", seen, "crowd=include takes them")
        labels = _labels(name, size, kept, notes)
        return Case(name, path, labels, _base.group(name, self.config.group_pattern), _base.size_metadata(head))

    def _unlisted(
        self, files: dict[str, Path], heads: dict[str, _base.Header], train: list[Case], notes: _base.Notes
    ) -> list[Case]:
        """Put images the JSON does not list where the option says; returns those to predict."""
        rule = self.config.unlisted
        if files:
            kept = {"skip": "they are left out", "empty": "they count as empty masks", "test": "they are predicted"}
            seen = f"{len(files)}, the first is {next(iter(files))}"
            notes.warning("", "images the JSON does not list", seen, f"{kept[rule]}; see the option unlisted")
        if rule == "skip":
            return []
        cases = []
        for name, path in files.items():
            head = heads.get(name)
            labels = Polygons({}, head.size if head else None) if rule == "empty" else None
            group = _base.group(name, self.config.group_pattern)
            cases.append(Case(name, path, labels, group, _base.size_metadata(head)))
        if rule == "test":
            return cases
        train.extend(cases)
        return []


def _labels(
    name: str, size: tuple[int, int] | None, items: list[tuple[str, Mapping[str, Any]]], notes: _base.Notes
) -> Labels:
    """One kind of label for all annotations of an image."""
    rings: dict[str, list[np.ndarray]] = {}
    masks: dict[str, list[np.ndarray]] = {}
    for category, item in items:
        where = f"annotation {item.get('id', '?')} of {name}"
        segmentation = item.get("segmentation")
        if isinstance(segmentation, dict):
            try:
                masks.setdefault(category, []).append(_coco_json.rle(segmentation, size))
            except DataError as error:
                notes.error(name, error.wrong, f"{error.seen} in {where}", error.fix)
        elif isinstance(segmentation, list) and segmentation:
            for part in segmentation:
                ring = _coco_json.ring(part)
                if isinstance(ring, str):
                    notes.error(name, ring, where, "redraw the outline, or exclude the image")
                    continue
                if size:
                    _base.check_frame([ring], size, name, where, notes)
                rings.setdefault(category, []).append(ring)
        else:
            wrong = "an annotation has a box but no outline" if item.get("bbox") else "an annotation has no outline"
            notes.warning(name, wrong, where, "it is passed over")
    if not masks:
        return Polygons(rings, size)
    assert size is not None, "RLE without a size was refused"
    for category, parts in rings.items():
        masks.setdefault(category, []).append(polygon.to_runs(parts, size, "coco"))
    return Runs({category: run_lengths.union(parts) for category, parts in masks.items()}, size)
