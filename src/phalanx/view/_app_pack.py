"""Packed answers: a JSON header and an array of numbers behind it, as the page's script unpacks them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from phalanx.mask import contour
from phalanx.view.gallery import Gallery, Member


def pack(header: dict[str, Any], numbers: np.ndarray) -> bytes:
    """The length of the header in bytes (uint32), the header, zeros up to a multiple of 4, the numbers; little-endian.

    Args:
        header: plain data.
        numbers: int32 or float32, any shape.
    """
    text = json.dumps(header, ensure_ascii=False, allow_nan=False).encode()
    padding = b"\0" * (-len(text) % 4)
    kind = np.dtype(numbers.dtype).newbyteorder("<")
    return len(text).to_bytes(4, "little") + text + padding + np.ascontiguousarray(numbers, kind).tobytes()


def case(gallery: Gallery, place: int) -> bytes:
    """One case, all sources: runs and outlines of each mask.

    The header's `sources` has, for each source, a list of `[class, begin, middle, end]`: int32 numbers `begin` to
    `middle` are runs, `start, stop` and so on; `middle` to `end` are rings, each the number of its points, then `x, y`
    and so on. Masks without a pixel are left out; `missing` lists the classes without a row.

    Raises:
        PhalanxError: a mask leaves the image.
    """
    parts: list[np.ndarray] = []
    filled = 0
    sources = []
    for member in gallery.sources:
        entries = []
        for label in range(len(gallery.classes)):
            numbers = _mask(gallery, member, place, label)
            if numbers is not None:
                middle = filled + len(numbers[0])
                end = middle + len(numbers[1])
                entries.append([label, filled, middle, end])
                parts += numbers
                filled = end
        missing = np.flatnonzero(~member.present[place]).tolist()
        sources.append({"masks": entries, "missing": missing})
    header = {"case": place, "size": list(gallery.sizes[place]), "sources": sources}
    return pack(header, np.concatenate([np.empty(0, np.int32), *parts]))


def _mask(gallery: Gallery, member: Member, place: int, label: int) -> tuple[np.ndarray, np.ndarray] | None:
    runs = gallery.mask(member, place, label)
    if not len(runs):
        return None
    # An image has at most 90 million pixels, so that their indices fit int32.
    return runs.ravel().astype(np.int32), rings(contour.outlines(runs, gallery.sizes[place]))


def rings(found: Sequence[np.ndarray]) -> np.ndarray:
    """Outlines one after the other, each behind the number of its points, int32."""
    pieces = [piece for ring in found for piece in (np.array([len(ring)]), ring.ravel())]
    return np.concatenate([np.empty(0), *pieces]).astype(np.int32)
