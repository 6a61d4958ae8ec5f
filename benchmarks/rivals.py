"""The other ways: the reference's, re-written from its description, and the best library's, pandas with rlemasklib."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rlemasklib import RLEMask

SIZE = (2048, 2048)


def tables(paths: Iterable[Path]) -> list[pd.DataFrame]:
    """The files, every cell as text."""
    return [pd.read_csv(path, dtype=str, keep_default_na=False) for path in paths]


def vote_by_pixels(texts: Sequence[str]) -> str:
    """A row of the reference: every run expanded to pixel numbers, votes counted, kept pixels scanned for runs.

    The reference keeps a pixel from half of the masks that are not empty on; this keeps it from more than half of all.
    """
    votes: Counter[int] = Counter()
    for text in texts:
        numbers = list(map(int, text.split()))
        for start, length in zip(numbers[::2], numbers[1::2], strict=True):
            votes.update(range(start, start + length))
    kept = sorted(pixel for pixel, count in votes.items() if 2 * count > len(texts))
    words: list[int] = []
    last = None
    for pixel in kept:
        if last is not None and pixel == last + 1:
            words[-1] += 1
        else:
            words += [pixel, 1]
        last = pixel
    return " ".join(map(str, words))


def to_library(text: str) -> RLEMask:
    """The library's mask. Its order is by columns: this is the picture transposed, which no operation here minds."""
    numbers = np.fromstring(text, np.int64, sep=" ")
    starts, lengths = numbers[::2] - 1, numbers[1::2]
    ends = np.concatenate([[0], starts + lengths])
    counts = np.empty(2 * len(starts) + 1, np.uint32)
    counts[:-1:2], counts[1::2], counts[-1] = starts - ends[:-1], lengths, SIZE[0] * SIZE[1] - ends[-1]
    return RLEMask.from_counts(counts, shape=(SIZE[1], SIZE[0]), order="F", validate_sum=False)


def from_library(mask: RLEMask) -> str:
    """The text of the library's mask."""
    counts = np.asarray(mask.counts, np.int64)
    ends = np.cumsum(counts)
    lengths = counts[1::2]
    starts = ends[1::2] - lengths + 1
    return " ".join(map(str, np.stack([starts, lengths], 1).ravel().tolist()))


def vote_by_library(paths: Sequence[Path], output: Path) -> None:
    """The whole vote by pandas and rlemasklib."""
    frames = tables(paths)
    need = len(frames) // 2 + 1
    columns = [frame["rle"].tolist() for frame in frames]
    frames[0]["rle"] = [
        from_library(RLEMask.merge_count(list(map(to_library, texts)), need)) for texts in zip(*columns, strict=True)
    ]
    frames[0].to_csv(output, index=False)


def dice_by_pixels(texts: tuple[str, str]) -> float:
    """Dice of a row by decoding both masks and adding up their pixels."""
    planes = []
    for text in texts:
        plane = np.zeros(SIZE[0] * SIZE[1], np.uint8)
        numbers = list(map(int, text.split()))
        for start, length in zip(numbers[::2], numbers[1::2], strict=True):
            plane[start - 1 : start - 1 + length] = 1
        planes.append(plane)
    both, total = int((planes[0] * planes[1]).sum()), int(planes[0].sum()) + int(planes[1].sum())
    return (2 * both + 1e-4) / (total + 1e-4)


def dice_by_library(paths: Sequence[Path]) -> float:
    """Mean Dice of two files by pandas and rlemasklib."""
    first, second = (frame["rle"].tolist() for frame in tables(paths))
    found = []
    for texts in zip(first, second, strict=True):
        a, b = map(to_library, texts)
        both, total = (a & b).area(), a.area() + b.area()
        found.append((2 * both + 1e-4) / (total + 1e-4))
    return float(np.mean(found))
