"""Export: predictions as files that other programs read, one file a case.

NPZ: arrays that `numpy.load` reads without pickle: `logits` or `probability` `(c, h, w)` float32, or `mask` `(c, h, w)`
bool; `classes` (names in channel order), `geometry` (rows original, network, inner; columns height, width) and `case`.

NIfTI: the axes are `(x, y, slice, channel)`: voxel `[x, y, 0, c]` is column x, row y of channel c, rows counted from
the top of the image. The affine is the identity, a voxel is a pixel; what is left and right on a patient is not known
here. SimpleITK reads such a file as `(channel, slice, row, column)`. A comment in the header, JSON, names the classes.

A folder of exports holds `cases.csv`, from case id to file.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import numpy as np

from phalanx.core import files
from phalanx.core.errors import StoreError
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace

Size = Literal["network", "original"]
TABLE = "cases.csv"
# Bytes of a name in most file systems: 255, of which a temporary name and the suffix take some.
_NAME = 150
_RESERVED = {"con", "prn", "aux", "nul"} | {f"{port}{number}" for port in ("com", "lpt") for number in range(10)}
# NIfTI-1 holds its sizes in 16 bits.
_SIDE = 32767


@dataclass(frozen=True)
class Exported:
    """What a file holds.

    Args:
        case: the id.
        what: name of the array: `logits`, `probability` or `mask`.
        values: `(c, h, w)`, float32 or bool.
        classes: names of the channels.
        geometry: of the case; values are of its original or its network size.
    """

    case: str
    what: str
    values: np.ndarray
    classes: Sequence[str]
    geometry: Geometry


def logits(stack: np.ndarray, geometry: Geometry, size: Size) -> np.ndarray:
    """Logits `(c, h, w)` at the network's size, padding included, or restored to the image's own."""
    if size == "network":
        return stack
    restored = np.empty((len(stack), *geometry.original), np.float32)
    for plane, source in zip(restored, stack, strict=True):
        plane[:] = geometry.restore(source)
    return restored


def probability(stack: np.ndarray, labels: LabelSpace) -> np.ndarray:
    """Probabilities of float32 logits `(c, h, w)`, in their place: softmax over the channels, or a sigmoid in each."""
    from scipy import special

    if not labels.exclusive:
        return special.expit(stack, out=stack)
    np.exp(np.subtract(stack, stack.max(0), out=stack), out=stack)
    return np.divide(stack, stack.sum(0), out=stack)


def names(cases: Iterable[str], suffix: str) -> dict[str, str]:
    """A file name for each case id: letters, digits, `_`, `-`, `.` and `~` stay, the rest is percent-encoded.

    Ids that a file system could not hold or tell apart (empty, long, reserved on Windows, equal but for capitals) carry
    a part of their digest.

    >>> names(["hand 1/left.png", "..", "A", "a"], ".npz")["hand 1/left.png"]
    'hand%201%2Fleft.png.npz'
    """
    cases = list(cases)
    plain = {case: _encoded(case) for case in cases}
    counts: dict[str, int] = {}
    for stem in plain.values():
        counts[stem.casefold()] = counts.get(stem.casefold(), 0) + 1
    found = {}
    for case, stem in plain.items():
        reserved = stem.casefold().split(".")[0] in _RESERVED
        if counts[stem.casefold()] > 1 or len(stem) > _NAME or reserved or not stem:
            stem = f"{stem[:_NAME]}~{hashlib.sha256(case.encode()).hexdigest()[:12]}"
            stem = f"_{stem}" if reserved else stem
        found[case] = f"{stem}{suffix}"
    return found


def _encoded(case: str) -> str:
    stem = quote(case, safe="")
    # A leading dot would hide the file, and `..` climb out of the folder.
    return "%2E" + stem[1:] if stem.startswith(".") else stem


def write_npz(path: Path, item: Exported) -> None:
    """One case as NPZ, whole or not at all."""
    geometry = np.array([item.geometry.original, item.geometry.network, item.geometry.inner], np.int64)
    arrays: dict[str, Any] = {
        item.what: item.values, "classes": np.array(list(item.classes)), "geometry": geometry, "case": item.case,
    }  # fmt: skip
    with files.whole(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def write_nifti(path: Path, item: Exported) -> None:
    """One case as NIfTI-1, `.nii` or compressed `.nii.gz`, whole or not at all.

    Raises:
        StoreError: larger than the format can say.
    """
    from nibabel.nifti1 import Nifti1Extension, Nifti1Image

    if max(item.values.shape) > _SIDE:
        raise StoreError("NIfTI cannot hold an image of this size", f"{item.values.shape[1:]}", "export it as npz")
    plain = item.values.astype(np.uint8) if item.values.dtype == np.bool_ else item.values
    # In NIfTI the first axis varies fastest, so these are the bytes of (c, h, w) as they are.
    image: Any = Nifti1Image(plain.transpose(2, 1, 0)[:, :, None, :], np.eye(4))
    image.header["descrip"] = f"Phalanx {item.what}: x, y, slice, channel".encode()
    told = {"case": item.case, "what": item.what, "classes": list(item.classes), **item.geometry.to_dict()}
    image.header.extensions.append(Nifti1Extension("comment", json.dumps(told).encode()))
    with files.whole(path) as temporary, temporary.open("wb") as file:
        if not path.name.lower().endswith(".gz"):
            image.to_stream(file)
            return
        # Without a name and a time in it, equal exports are equal files.
        with gzip.GzipFile("", "wb", 3, file, mtime=0) as packed:
            image.to_stream(packed)


def write_folder(
    path: Path, items: Iterable[Exported], file_names: Mapping[str, str], write: Callable[[Path, Exported], None],
    *, overwrite: bool = False,
) -> None:  # fmt: skip
    """A folder of exports and its `cases.csv`, whole or not at all; one item in memory at a time.

    Args:
        path: the folder.
        items: the cases.
        file_names: see `names`.
        write: `write_npz` or `write_nifti`.
        overwrite: replace an earlier export.

    Raises:
        StoreError: the folder exists, or holds what no export has written.
    """
    check_folder(path, overwrite=overwrite)
    # A link to a folder stays a link.
    path = path.resolve()
    making = path.with_name(f".{path.name}.{os.getpid()}.partial")
    making.mkdir(parents=True)
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["case", "file", "height", "width"])
    try:
        for item in items:
            write(making / file_names[item.case], item)
            rows.writerow([item.case, file_names[item.case], *item.values.shape[1:]])
            del item
        files.write_text(making / TABLE, table.getvalue())
        if path.exists():
            shutil.rmtree(path)
        making.rename(path)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def check_folder(path: Path, *, overwrite: bool) -> None:
    """Refuse a folder that is there and not empty; with `overwrite`, one that holds anything but an export.

    Raises:
        StoreError: as said.
    """
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not path.is_dir():
        raise StoreError("a folder cannot have the name of a file", path, "choose another name")
    if not overwrite:
        raise StoreError("the folder exists already", path, "choose another name, or say --overwrite")
    known = {TABLE}
    if (path / TABLE).is_file():
        with (path / TABLE).open(encoding="utf-8", newline="") as file:
            known |= {str(row.get("file")) for row in csv.DictReader(file)}
    strange = sorted(item.name for item in path.iterdir() if item.name not in known or item.is_dir())
    if strange:
        seen = f"{strange[0]} in {path}" + f" and {len(strange) - 1} more" * (len(strange) > 1)
        raise StoreError("the folder holds what no export has written", seen, "choose another name")
