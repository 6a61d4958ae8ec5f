"""COCO's run-length counts: column-major, alternately zeros and ones, beginning with zeros.

Source: the format is defined in pycocotools' `common/maskApi.c`, `rleToString` and `rleFrString`; read and
written here without painting the mask, and with bounds checked.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phalanx.core.errors import DataError
from phalanx.mask import runs


def from_counts(counts: Sequence[int] | str | bytes, size: tuple[int, int]) -> np.ndarray:
    """Row-major runs of COCO counts.

    Args:
        counts: a list of counts, or their compressed text.
        size: `(height, width)` of the image.

    Raises:
        DataError: not counts, or counts that do not add up to the image's pixels.
    """
    lengths = _unpacked(counts) if isinstance(counts, str | bytes) else _listed(counts)
    height, width = size
    ends = np.cumsum(lengths)
    if (lengths < 0).any() or (ends < 0).any() or (int(ends[-1]) if len(ends) else 0) != height * width:
        seen = f"{int(ends[-1]) if len(ends) else 0} of {height * width} ({height} x {width})"
        raise DataError("COCO counts do not add up to the image", seen, "check the size the annotation states")
    stops = ends[1::2]
    ones = np.stack([stops - lengths[1::2], stops], 1)
    return runs.transpose(runs.union([ones[ones[:, 0] < ones[:, 1]]]), (width, height))


def to_counts(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """COCO counts of row-major runs: lengths of zeros, ones, zeros ... down the columns, int64.

    Args:
        mask: int64 `(n, 2)`.
        size: `(height, width)` of the image.
    """
    pixels = size[0] * size[1]
    turns = runs.transpose(mask, size).ravel()
    counts = np.diff(turns, prepend=0, append=pixels)
    # pycocotools writes no zeros behind a mask that holds the last pixel.
    return counts[:-1] if len(turns) and turns[-1] == pixels else counts


def compressed(counts: np.ndarray) -> str:
    """The compressed text of counts, as `pycocotools.mask.encode` writes it."""
    values = counts.astype(np.int64)
    values[3:] -= counts[1:-2]
    # Characters a number takes: five bits each, and the last one's highest bit is the sign.
    lengths = np.ones(len(values), np.int64)
    rest = values >> 4
    while (more := (rest != 0) & (rest != -1)).any():
        lengths += more
        rest >>= 5
    digit = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    codes = (np.repeat(values, lengths) >> (5 * digit)) & 0x1F
    codes |= np.where(digit < np.repeat(lengths, lengths) - 1, 0x20, 0)
    return (codes + 48).astype(np.uint8).tobytes().decode("ascii")


def _listed(counts: Sequence[int]) -> np.ndarray:
    array = np.asarray(counts)
    if array.ndim != 1 or not (array.dtype.kind in "iu" or array.size == 0):
        raise DataError("COCO counts are not a list of whole numbers", repr(counts)[:60], "export them again")
    return array.astype(np.int64)


def _unpacked(text: str | bytes) -> np.ndarray:
    """Counts of their compressed text: five bits a character from 48 on, low bits first, the sixth says more follow.

    From the fourth number on, each is the difference to the last but one.
    """
    packed = text.encode("utf-8") if isinstance(text, str) else text
    codes = np.frombuffer(packed, np.uint8).astype(np.int64) - 48
    more = (codes & 0x20) > 0
    if not len(codes) or (codes < 0).any() or (codes > 0x3F).any() or more[-1]:
        raise DataError("COCO counts are damaged", repr(text)[:60], "export them again")
    first = np.flatnonzero(np.append(True, ~more[:-1]))
    digit = np.arange(len(codes)) - np.repeat(first, np.diff(np.append(first, len(codes))))
    if digit.max() > 8:
        raise DataError("a COCO count is too large", repr(text)[:60], "export them again")
    values = np.add.reduceat((codes & 0x1F) << (5 * digit), first)
    last = np.append(first[1:], len(codes)) - 1
    values -= ((codes[last] & 0x10) > 0).astype(np.int64) << (5 * (digit[last] + 1))
    for chain in (slice(1, None, 2), slice(2, None, 2)):
        values[chain] = np.cumsum(values[chain])
    return values
