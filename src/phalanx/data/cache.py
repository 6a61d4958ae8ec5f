"""Cache: each case decoded and rasterised once, at the network's size, on disk.

An entry holds the image (uint8), its masks (one bit a pixel and class) and the truth as runs at the original size. 29
masks at 1024 px are 4 MiB of bits before compression, against 116 MiB as float32 planes. Its name is a digest of
everything it was made of: the image's bytes, the labels, the rasteriser, the size and what was done to its pixels;
change one and the entry is made anew.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import cv2
import numpy as np

from phalanx.core.case import Case, Labels, MaskFiles, Polygons, Runs
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.data import decode
from phalanx.data.entry import Entry
from phalanx.data.settings import Mirror
from phalanx.data.views import Views
from phalanx.mask import runs as run_lengths

_VERSION = 4

# Of packed cases that a process keeps in memory.
HELD_BYTES = 256 * 2**20
# Bits of a byte, lowest first: (256, 8).
_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")


@dataclass(frozen=True)
class Item:
    """A cached case.

    Args:
        image: uint8 `(h, w, k)` at the network's size, k 1 or 3.
        bits: uint8 `(h, w, planes)`, masks packed eight a byte, or None when the case is unlabelled: scored class `k`
            is bit `k % 8`, from the lowest, of plane `k // 8`. What moves pixels without mixing them moves all classes
            at once.
        geometry: the way back to the original size.
        truth: one run array a scored class at the original size, or None.
    """

    image: np.ndarray
    bits: np.ndarray | None
    geometry: Geometry
    truth: list[np.ndarray] | None

    def masks(self) -> np.ndarray:
        """Masks at the network's size: uint8 `(h, w, scored)` of zeros and ones."""
        assert self.bits is not None and self.truth is not None, "an unlabelled case has no masks"
        return np.unpackbits(self.bits, axis=2, count=len(self.truth), bitorder="little")


@dataclass(frozen=True)
class Cache:
    """Makes and finds entries.

    Args:
        folder: where they lie.
        labels: the label space.
        size: `(height, width)` of the network's frame; None: each image keeps its own.
        keep_aspect: letterbox instead of stretch.
        channels: 1 (grey) or 3 (colour).
        rasteriser: how polygons become pixels.
        mirror: which cases are shown mirrored; none when None.
        prepare: what is done to the pixels of every whole image; nothing when None.
    """

    folder: Path
    labels: LabelSpace
    size: tuple[int, int] | None
    keep_aspect: bool
    channels: int
    rasteriser: str
    mirror: Mirror | None = None
    prepare: Views | None = None

    def item(self, case: Case) -> Item:
        """The case as the network sees it, from disk if it was made before."""
        entry = self.entry(case)
        return Item(*entry.rows(0, entry.geometry.network[0]), entry.geometry, entry.truth)

    def entry(self, case: Case) -> Entry:
        """The same, packed."""
        path = self.path(case)
        try:
            entry = Entry.read(path)
        except (OSError, ValueError, KeyError, BadZipFile, EOFError, RuntimeError):
            # Absent, or damaged by something outside: both are mended by making it.
            entry = self._make(case)
            entry.write(path)
        if self.mirror is None or not self.mirror.of(case.metadata):
            return entry
        return replace(entry, geometry=replace(entry.geometry, mirrored=True))

    def path(self, case: Case) -> Path:
        """Where the entry of a case lies."""
        digest = hashlib.sha256()
        for part in (_VERSION, self.size, self.keep_aspect, self.channels, self.rasteriser, self.labels.names):
            digest.update(repr(part).encode())
        if self.prepare is not None:
            digest.update(repr(self.prepare.transforms).encode())
        digest.update(case.image.read_bytes())
        for part in _content(case.labels):
            digest.update(part)
        return self.folder / digest.hexdigest()[:2] / f"{digest.hexdigest()[2:34]}.npz"

    def _make(self, case: Case) -> Entry:
        image = _channels(decode.image(case), self.channels)
        original = (image.shape[0], image.shape[1])
        size = self.size or original
        geometry = Geometry.fit(original, size, self.keep_aspect)
        shown = geometry.shrink(image).reshape(*size, self.channels)
        if self.prepare is not None:
            inner = tuple(map(slice, geometry.inner))
            shown[inner] = self.prepare.pixels(np.ascontiguousarray(shown[inner]))
        if case.labels is None:
            return Entry.of(shown, None, geometry, None)
        truth = decode.runs(case, self.labels, self.rasteriser, original)
        bits = np.zeros((*size, -(-len(truth) // 8)), np.uint8)
        for channel, run in enumerate(truth):
            if len(run):
                bits[..., channel // 8] |= _shrink(run, geometry).astype(np.uint8) << channel % 8
        return Entry.of(shown, bits, geometry, truth)


class Held:
    """Entries of a cache that stay in memory, packed: those used last, up to a number of bytes.

    Args:
        cache: where the others are found.
        most: bytes, roughly.
    """

    def __init__(self, cache: Cache, most: int = HELD_BYTES) -> None:
        self.cache, self.most = cache, most
        self._kept: OrderedDict[str, Entry] = OrderedDict()
        self._bytes = 0

    def entry(self, case: Case) -> Entry:
        """The entry of a case."""
        if case.id in self._kept:
            self._kept.move_to_end(case.id)
            return self._kept[case.id]
        entry = self._kept[case.id] = self.cache.entry(case)
        self._bytes += entry.nbytes
        while self._bytes > self.most and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return entry

    def item(self, case: Case) -> Item:
        """The whole case, unpacked."""
        entry = self.entry(case)
        return Item(*entry.rows(0, entry.geometry.network[0]), entry.geometry, entry.truth)

    def __getstate__(self) -> dict[str, Any]:
        # A worker started by spawn builds its own memory.
        return {**self.__dict__, "_kept": OrderedDict(), "_bytes": 0}


def prior(items: Iterable[Item], labels: LabelSpace) -> tuple[np.ndarray, np.ndarray]:
    """Mean share of the pixels and number of pixels of each channel over labelled items, both float64 `(c,)`."""
    counts, pixels = np.zeros(len(labels)), 0
    for item in items:
        assert item.bits is not None, "an unlabelled case has no masks"
        target = labels.packed_target(item.bits.transpose(2, 0, 1))
        if labels.exclusive:
            counts += np.bincount(target.ravel(), minlength=len(labels))
        else:
            values = (np.bincount(plane.ravel(), minlength=256) for plane in target)
            counts += np.concatenate([value @ _BITS for value in values])[: len(labels)]
        pixels += item.geometry.network[0] * item.geometry.network[1]
    return counts / max(pixels, 1), counts


def _shrink(run: np.ndarray, geometry: Geometry) -> np.ndarray:
    """A mask at the network's size: a pixel belongs to it when more than half of what it covers does.

    Of the pixels that are covered by exactly half, every second one does, as on a chessboard. At half size every other
    pixel of an outline is one of these; counting them all made bones of 256 px images 7 % too large at 128 px.
    """
    covered = geometry.shrink(run_lengths.to_mask(run, geometry.original).astype(np.uint8) * 255)
    height, width = covered.shape
    even = (np.arange(height)[:, None] + np.arange(width)) % 2 == 0
    return (covered > 128) | ((covered >= 127) & even)


def _channels(image: np.ndarray, channels: int) -> np.ndarray:
    if channels == 1:
        return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)


def _content(labels: Labels | None) -> Iterable[bytes]:
    """Everything a case's labels are made of, in a fixed order."""
    if isinstance(labels, Polygons):
        for name in sorted(labels.rings):
            yield name.encode()
            yield from (np.ascontiguousarray(ring, np.float64).tobytes() for ring in labels.rings[name])
    elif isinstance(labels, Runs):
        yield repr(labels.size).encode()
        for name in sorted(labels.runs):
            yield name.encode()
            yield np.ascontiguousarray(labels.runs[name], np.int64).tobytes()
    elif isinstance(labels, MaskFiles):
        for path, value, name in labels.files:
            yield f"{value} {name}".encode()
            yield path.read_bytes()
