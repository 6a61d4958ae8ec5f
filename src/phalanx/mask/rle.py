"""Run-length text: `start length start length ...` of one mask, written and read strictly.

Decoding is strict: what the usual decoders clip, merge or broadcast in silence is refused here, with its reason.
"""

from __future__ import annotations

import re

import numpy as np

from phalanx.core.errors import SubmissionError
from phalanx.mask import runs as run_lengths
from phalanx.mask.dialect import Dialect

# Sums of two numbers below this stay within int64.
_LARGEST = 2**62


def encode(runs: np.ndarray, size: tuple[int, int], dialect: Dialect) -> str:
    """The text of a mask.

    >>> from phalanx.mask.dialect import DIALECTS
    >>> encode(np.array([[1, 3], [5, 6]]), (2, 3), DIALECTS["handbone"])
    '2 2 6 1'
    """
    if not len(runs):
        return dialect.empty
    if dialect.order == "column":
        runs = run_lengths.transpose(runs, size)
    origin = np.append(0, runs[:-1, 1]) if dialect.relative else 0
    pairs = np.stack([runs[:, 0] - origin + dialect.base, runs[:, 1] - runs[:, 0]], 1)
    return " ".join(map(str, pairs.ravel().tolist()))


def decode(text: str, size: tuple[int, int], dialect: Dialect, where: str = "") -> np.ndarray:
    """The runs a text stands for, int64 `(n, 2)`, row-major. Intervals that touch become one.

    Args:
        text: one cell.
        size: `(height, width)` of the image.
        dialect: how it was written.
        where: file, line and key, put before an error's line.

    Raises:
        SubmissionError: whatever `parse` refuses.
    """
    runs = parse(text, dialect, size[0] * size[1], where)
    return run_lengths.transpose(runs, (size[1], size[0])) if dialect.order == "column" else runs


def parse(text: str, dialect: Dialect, pixels: int | None = None, where: str = "") -> np.ndarray:
    """The intervals of a text in the dialect's own pixel order, counted from 0: int64 `(n, 2)`.

    Args:
        text: one cell.
        dialect: how it was written.
        pixels: of the image, the bound of every interval; None when the size is not known.
        where: file, line and key, put before an error's line.

    Raises:
        SubmissionError: an odd count of numbers, something else than a number, a number too large, a start before the
            first pixel, an empty or negative length, intervals that descend, overlap or leave the image.
    """
    text = text.strip(" ")
    if text in dialect.empties:
        return run_lengths.empty()
    numbers = _numbers(text, dialect, where)
    if len(numbers) % 2:
        raise _refusal(
            where, "an odd count of numbers", f"{len(numbers)} in {_short(text)!r}", "write start and length"
        )
    starts, lengths = numbers[0::2] - dialect.base, numbers[1::2]
    if dialect.relative:
        if numbers.sum(dtype=np.float64) >= _LARGEST:
            raise _refusal(where, "numbers too large", _short(text), "no image has so many pixels")
        starts = np.cumsum(starts) + np.cumsum(lengths) - lengths
    stops = starts + lengths
    end = _LARGEST if pixels is None else pixels
    faults = (
        (starts < 0, "a start before the first pixel", f"pixels are counted from {dialect.base}"),
        (lengths == 0, "a run of length zero", "leave it out"),
        (stops > end, "a run that leaves the image", f"the image has {end} pixels; check its size"),
        (_after(starts, starts), "starts that descend", "sort the runs by their start"),
        (_after(starts, stops), "overlapping runs", "every pixel may be in one run only"),
    )
    for fault, wrong, fix in faults:
        if fault.any():
            index = int(np.argmax(fault))
            before = (
                f" after {_run(numbers, index - 1)}" if wrong in ("starts that descend", "overlapping runs") else ""
            )
            raise _refusal(where, wrong, f"run {index + 1} is {_run(numbers, index)}{before}", fix)
    runs = np.stack([starts, stops], 1)
    return run_lengths.union([runs]) if (starts[1:] == stops[:-1]).any() else runs


def _numbers(text: str, dialect: Dialect, where: str) -> np.ndarray:
    """The whole numbers of a text that holds nothing else, int64."""
    strange = not text or text.translate(_DIGITS)
    # With digits and spaces alone, fromstring cannot fail; it caps what does not fit int64 at the largest value.
    numbers = None if strange else np.fromstring(text, np.int64, sep=" ")
    if numbers is not None and numbers.max() < _LARGEST:
        return numbers
    for index, token in enumerate(token for token in text.split(" ") if token):
        if token.isascii() and token.isdigit():
            if int(token[:20]) >= _LARGEST:
                raise _refusal(where, "a number too large", _short(token), "no image has so many pixels")
        elif re.fullmatch("-[0-9]+", token, re.ASCII):
            what = ("a negative start", "a negative length")[index % 2]
            raise _refusal(where, what, f"number {index + 1} is {_short(token)}", "write start and length")
        elif "\0" in token:
            raise _refusal(where, "a NUL character", repr(_short(token)), "the file is damaged: write it again")
        else:
            fix = f"write whole numbers, and {dialect.empty!r} for an empty mask"
            raise _refusal(where, "not a number", repr(_short(token)), fix)
    raise _refusal(where, "an empty cell", repr(_short(text)), f"write {dialect.empty!r} for an empty mask")


_DIGITS = {ord(character): None for character in "0123456789 "}


def _after(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Which starts lie before the end given for their predecessor."""
    return np.append(False, starts[1:] < ends[:-1])


def _run(numbers: np.ndarray, index: int) -> str:
    return f"'{numbers[2 * index]} {numbers[2 * index + 1]}'"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def _refusal(where: str, wrong: str, seen: str, fix: str) -> SubmissionError:
    return SubmissionError(f"{where}: {wrong}" if where else wrong, seen, fix)
