"""Store: one Zarr v3 group a set of predictions, one array `(c, h, w)` of logits a case.

While it is being written it is called `NAME.partial`; each case's array is made under a temporary name and renamed, so
a killed writer goes on with the cases it lacks. `close` writes the manifest (a digest a case) and gives the store its
name: a folder without a manifest is not a store.

int8 keeps 16 levels a unit and clips at 8, with levels in the middle of their steps so that the sign of a logit, which
is the decision at threshold 0.5, is never lost.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from zarr.codecs import BloscCodec, BloscShuffle

from phalanx.core import files
from phalanx.core.errors import StoreError
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace

LEVELS = 16.0
CLIP = 8.0
_MANIFEST = "manifest.json"
_FORMAT = "phalanx-store/1"

# Rows of a chunk of an array that is written strip by strip.
_STRIP = 512
# Bytes of planes that are read at once.
_BLOCK = 4_000_000


def quantise(logits: np.ndarray) -> np.ndarray:
    """int8 codes of float logits, 16 a unit, clipped at 8: code q stands for `(q + 0.5) / 16`."""
    return np.clip(np.floor(logits * LEVELS), -128, 127).astype(np.int8)


def quantised(logits: np.ndarray) -> np.ndarray:
    """The same of a large stack `(c, h, w)`, class by class: no second stack of floats is made on the way."""
    codes = np.empty(logits.shape, np.int8)
    for plane, source in zip(codes, logits, strict=True):
        plane[:] = quantise(source.astype(np.float32))
    return codes


def restore(codes: np.ndarray) -> np.ndarray:
    """float32 logits of int8 codes."""
    return (codes.astype(np.float32) + 0.5) / LEVELS


class Writer:
    """Writes a store, or goes on with one that was interrupted.

    Args:
        path: the store's final name, ending in `.zarr`.
        labels: the label space.
        attributes: plain data kept with the store (resolved configuration, code version, what it predicts).
        dtype: `int8` or `float16`.

    Raises:
        StoreError: a finished store has this name, or an unfinished one was begun with other settings.
    """

    def __init__(
        self, path: Path, labels: LabelSpace, attributes: Mapping[str, Any], dtype: Literal["int8", "float16"] = "int8"
    ) -> None:
        if path.exists():
            raise StoreError("a store of this name exists", path, "delete it, or choose another name")
        self.path, self.dtype = path, dtype
        self.partial = path.with_name(f"{path.name}.partial")
        described = {
            "format": _FORMAT, "classes": list(labels.names), "exclusive": labels.exclusive, "dtype": dtype,
            "levels": LEVELS, "clip": CLIP, **attributes,
        }  # fmt: skip
        described = json.loads(json.dumps(described, sort_keys=True))
        if (self.partial / "zarr.json").is_file():
            begun = dict(zarr.open_group(self.partial, mode="r").attrs)
            if begun != described:
                raise StoreError(
                    "an unfinished store was begun with other settings", self.partial, "delete it to begin again"
                )
        else:
            self.partial.mkdir(parents=True, exist_ok=True)
            zarr.create_group(self.partial, attributes=described)
        for left in self.partial.glob(".making-*"):
            shutil.rmtree(left)

    def __contains__(self, case: str) -> bool:
        return (self.partial / _key(case)).is_dir()

    def write(self, case: str, logits: np.ndarray, geometry: Geometry) -> None:
        """Keep a case's logits `(c, h, w)`, upright; one that is there already is left as it is."""
        if case in self:
            return
        logits, geometry = geometry.upright(logits)
        codes = quantise(logits) if self.dtype == "int8" else logits.astype(np.float16)
        self._array(case, geometry, data=codes, chunks=(1, *codes.shape[1:]))
        self._making.rename(self.partial / _key(case))

    def write_strips(self, case: str, strips: Iterable[np.ndarray], geometry: Geometry) -> None:
        """The same of logits that come as strips `(c, rows, w)` from top to bottom; no more than one is held."""
        if case in self:
            return
        array: Any = None
        first, upright = 0, replace(geometry, mirrored=False)
        for strip in strips:
            if array is None:
                shape = len(strip), *geometry.network
                chunks = 1, min(_STRIP, shape[1]), shape[2]
                array = self._array(case, upright, shape=shape, chunks=chunks, dtype=self.dtype)
            height, width = max(geometry.inner[0] - first, 0), geometry.inner[1]
            # Class by class: handed over at once, the strip would be copied, and packed by several threads.
            for channel, plane in enumerate(strip):
                codes = quantise(plane.astype(np.float32)) if self.dtype == "int8" else plane.astype(np.float16)
                if geometry.mirrored:
                    codes[:height, :width] = codes[:height, :width][:, ::-1].copy()
                array[channel, first : first + len(codes)] = codes
            first += strip.shape[1]
        assert first == geometry.network[0], "strips must cover the frame"
        self._making.rename(self.partial / _key(case))

    @property
    def _making(self) -> Path:
        return self.partial / f".making-{os.getpid()}"

    def _array(self, case: str, geometry: Geometry, **given: Any) -> Any:
        return zarr.create_array(
            self._making, **given,
            compressors=BloscCodec(cname="zstd", clevel=3, shuffle=BloscShuffle.bitshuffle),
            attributes={"case": case, "geometry": geometry.to_dict()},
        )  # fmt: skip

    def close(self) -> None:
        """Write the manifest and give the store its name."""
        cases = {}
        for folder in sorted(self.partial.glob("case-*")):
            array = zarr.open_array(folder, mode="r")
            cases[str(array.attrs["case"])] = {"array": folder.name, "sha256": _digest(folder)}
        manifest = {"format": _FORMAT, "cases": dict(sorted(cases.items()))}
        files.write_text(self.partial / _MANIFEST, json.dumps(manifest, indent=1) + "\n")
        self.partial.rename(self.path)


class Store:
    """A finished store, for reading.

    Raises:
        StoreError: the folder is no store, unfinished, or of a later format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            manifest = json.loads((path / _MANIFEST).read_text())
            attributes = dict(zarr.open_group(path, mode="r").attrs)
        except (OSError, ValueError) as error:
            partial = path.with_name(f"{path.name}.partial").exists()
            fix = (
                "finish it by running its command again"
                if partial
                else "name a folder that ends in .zarr and has a manifest"
            )
            raise StoreError("this is not a finished store", f"{path} ({type(error).__name__})", fix) from None
        if manifest.get("format") != _FORMAT:
            raise StoreError(
                "the store has a format this version cannot read", manifest.get("format"), "update Phalanx"
            )
        self.attributes = attributes
        self.cases: dict[str, dict[str, str]] = manifest["cases"]
        self.labels = LabelSpace(tuple(attributes["classes"]), bool(attributes["exclusive"]))  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.cases)

    def __iter__(self) -> Iterator[str]:
        return iter(self.cases)

    def read(self, case: str) -> tuple[np.ndarray, Geometry]:
        """float32 logits `(c, h, w)` of a case, and the geometry back to its image.

        Raises:
            StoreError: see `open`.
        """
        stack = self.open(case)
        codes = stack.planes()
        return (restore(codes) if codes.dtype == np.int8 else codes.astype(np.float32)), stack.geometry

    def open(self, case: str) -> Stack:
        """A case's planes, read when they are asked for.

        The digest is compared first: Zarr reads a missing chunk as zeros without a word.

        Raises:
            StoreError: the case is not in the store, or its array is damaged.
        """
        if case not in self.cases:
            raise StoreError("the store has no such case", f"{case} in {self.path}", "list the store's cases")
        folder = self.path / self.cases[case]["array"]
        if not folder.is_dir() or _digest(folder) != self.cases[case]["sha256"]:
            raise StoreError(
                "a stored case was changed after it was written", f"{case} in {self.path}", "predict again"
            )
        return Stack(zarr.open_array(folder, mode="r"))

    def digest(self) -> str:
        """SHA-256 of the manifest, which holds a digest of every case."""
        return files.digest(self.path / _MANIFEST)


class Stack:
    """The planes of one case.

    Args:
        array: `(c, h, w)` on disk, a chunk a class.
    """

    def __init__(self, array: Any) -> None:
        self._array = array
        self._block: tuple[int, np.ndarray] = 0, np.empty((0, 0, 0), np.int8)
        self.geometry = Geometry.from_dict(array.attrs["geometry"])

    def plane(self, channel: int) -> np.ndarray:
        """One class `(h, w)`: int8 codes (see `restore`) or float logits. Threads may share a stack."""
        first, planes = self._block
        if not first <= channel < first + len(planes):
            # A read costs Zarr half a millisecond, however small: neighbours are asked for next, and come along.
            step = max(1, _BLOCK // (int(np.prod(self._array.shape[1:])) * self._array.dtype.itemsize))
            first = channel // step * step
            planes = np.asarray(self._array[first : first + step])
            self._block = first, planes
        return planes[channel - first]

    def planes(self) -> np.ndarray:
        """All classes `(c, h, w)`."""
        return np.asarray(self._array[:])


def _key(case: str) -> str:
    """An array name for a case id, which may hold anything."""
    return f"case-{hashlib.sha256(case.encode()).hexdigest()[:20]}"


def _digest(folder: Path) -> str:
    """SHA-256 over the names and contents of a folder's files."""
    total = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(file.relative_to(folder).as_posix().encode() + b"\0" + bytes.fromhex(files.digest(file)))
    return total.hexdigest()
