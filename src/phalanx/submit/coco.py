"""Masks as a COCO JSON: one annotation an object, run-length encoded.

Format: https://cocodataset.org/#format-data. Annotations go to the file as they come; only the list of images waits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from phalanx.core import files
from phalanx.core.errors import SubmissionError
from phalanx.mask import coco, runs
from phalanx.submit import convert
from phalanx.submit.convert import Picture, Source


def to_coco(path: Path, source: Source, compressed: bool = True) -> int:
    """Write a source as COCO; returns the number of annotations.

    An object is an annotation, and so is a class's mask where the source knows no objects; a mask without a pixel is
    none. Ids count from 1: evaluation with pycocotools takes an annotation 0 for no match.

    Args:
        path: the JSON.
        source: what to write.
        compressed: counts as pycocotools' text, else as lists of numbers.

    Raises:
        SubmissionError: a source without class names, an image twice, or no image at all.
    """
    convert.check_names(source.labels, "COCO")
    numbers = {label: index + 1 for index, label in enumerate(source.labels)}
    images: dict[str, dict[str, Any]] = {}
    count = 0
    with files.whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write('{"annotations": [')
        for picture in source.pictures:
            name = convert.check_key(picture.name)
            if name in images:
                raise SubmissionError("two images have the same name", name, "rename one of them")
            height, width = picture.size
            images[name] = {"id": len(images) + 1, "file_name": name, "height": height, "width": width}
            for label, mask in _masks(picture, source.objects):
                entry = _annotation(mask, picture.size, compressed)
                entry |= {"id": count + 1, "image_id": images[name]["id"], "category_id": numbers[label]}
                file.write(f"{',' if count else ''}\n{json.dumps(entry)}")
                count += 1
        if not images:
            raise SubmissionError("there is nothing to write", path, "name an input that holds masks")
        categories = [{"id": number, "name": label} for label, number in numbers.items()]
        listed = ",\n".join(map(json.dumps, images.values()))
        file.write(f'\n],\n"categories": {json.dumps(categories)},\n"images": [\n{listed}\n]}}\n')
    return count


def _masks(picture: Picture, objects: bool) -> Iterator[tuple[str | None, np.ndarray]]:
    masks = picture.masks if objects else picture.united().items()
    return ((label, mask) for label, mask in masks if len(mask))


def _annotation(mask: np.ndarray, size: tuple[int, int], compressed: bool) -> dict[str, Any]:
    counts = coco.to_counts(mask, size)
    top, left, bottom, right = runs.box(mask, size)
    return {
        "segmentation": {
            "size": list(size),
            "counts": coco.compressed(counts) if compressed else counts.tolist(),
        },
        "area": runs.area(mask),
        "bbox": [left, top, right - left, bottom - top],
        "iscrowd": 0,
    }
