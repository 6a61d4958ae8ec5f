"""Which reader a folder is for, judged by its layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from phalanx.core.errors import DataError
from phalanx.datasets import _base, _coco_json
from phalanx.mask.dialect import DIALECTS

IMAGE_FOLDERS = ("images", "image", "imgs", "img")
MASK_FOLDERS = ("masks", "mask", "labels", "label", "annotations")
# Several competitions write ImageId,EncodedPixels; the others' headers are their own.
CSV_DIALECTS = {dialect.header: name for name, dialect in DIALECTS.items()} | {("ImageId", "EncodedPixels"): "dsb2018"}


def guess(root: Path) -> dict[str, Any]:
    """Configuration of the reader that fits a folder, `name` and `root` included.

    Raises:
        DataError: the folder is missing, fits no layout, or fits several files of one.
    """
    _base.folder(root, "data folder")
    if (root / "train" / "DCM").is_dir():
        return {"name": "handbone", "root": root}
    folders = {item.name.lower(): item.name for item in sorted(root.iterdir()) if item.is_dir()}
    images = next((folders[name] for name in IMAGE_FOLDERS if name in folders), None)
    masks = next((folders[name] for name in MASK_FOLDERS if name in folders), None)
    documents = [path for path in _shallow(root, ".json") if _is_coco(path)]
    if documents:
        only = _only(documents, root, "COCO documents", "annotations")
        return {"name": "coco", "root": root, "annotations": only.relative_to(root), "images": images or "."}
    if images and masks and _base.walk(root / masks, _base.SUFFIXES):
        return {"name": "mask_folder", "root": root, "images": images, "masks": masks, "kind": _mask_kind(root / masks)}
    tables = {path: dialect for path in _shallow(root, ".csv") if (dialect := _dialect(path))}
    if tables:
        only = _only(list(tables), root, "CSVs of runs", "labels")
        return {
            "name": "kaggle_rle",
            "root": root,
            "labels": only.relative_to(root),
            "images": images or ".",
            "dialect": tables[only],
        }
    if (root / "train").is_dir() or (root / "DCM").is_dir():
        # Its own message says what of the layout is missing.
        return {"name": "handbone", "root": root}
    raise DataError("no reader fits the folder", f"{root} has {_inventory(root)}", _advice(root))


def _shallow(root: Path, suffix: str) -> list[Path]:
    """Files of a suffix in the folder, or in one of its folders that is named for labels."""
    found = [*root.glob(f"*{suffix}"), *(path for name in MASK_FOLDERS for path in (root / name).glob(f"*{suffix}"))]
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))[:200]


def _is_coco(path: Path) -> bool:
    try:
        _coco_json.load(path)
    except DataError:
        return False
    return True


def _dialect(path: Path) -> str | None:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        head = tuple(word.strip().strip('"') for word in file.readline(1000).split(","))
    return CSV_DIALECTS.get(head)


def _only(files: list[Path], root: Path, what: str, option: str) -> Path:
    if len(files) > 1:
        names = ", ".join(str(path.relative_to(root)) for path in files[:6])
        raise DataError(f"the folder holds several {what}", names, f"choose one with --option {option}=FILE")
    return files[0]


def _mask_kind(masks: Path) -> str:
    """Kind of the masks, from where they lie and the values of the first few."""
    from PIL import Image

    files = _base.walk(masks, _base.SUFFIXES)
    if all(path.parent != masks for path in files):
        return "class_files"
    named = (masks.parent / "classes.json").is_file()
    values: set[int] = set()
    for path in files[:8]:
        try:
            if _base.header(path).mode == "P":
                return "palette"
            with Image.open(path) as picture:
                values.update(np.unique(np.asarray(picture)).tolist())
        except (OSError, ValueError, DataError):
            continue
    return "binary" if not named and len(values - {0}) == 1 and values - {0} <= {1, 255} else "index"


def _inventory(root: Path) -> str:
    names = sorted(item.name + "/" * item.is_dir() for item in root.iterdir() if not item.name.startswith("."))
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more if names else "nothing in it"


def _advice(root: Path) -> str:
    for place in sorted(item for item in root.iterdir() if item.is_dir()):
        if (place / "train" / "DCM").is_dir() or any((place / name).is_dir() for name in IMAGE_FOLDERS):
            return f"did you mean {place}? Otherwise say which with --reader and --option"
    return (
        "expected train/DCM (hand bones), a COCO JSON, images/ and masks/, or images/ and a CSV of runs; "
        "otherwise say which with --reader and --option"
    )
