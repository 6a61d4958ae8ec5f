"""Repair of malformed run-length text: what can be kept is kept, and everything done is said in words.

Nothing repairs unasked: `rle.parse` refuses, and `phalanx convert --repair` comes here with what it refused.
"""

from __future__ import annotations

import re

import numpy as np

from phalanx.core.errors import SubmissionError
from phalanx.mask import pile, rle
from phalanx.mask import runs as run_lengths
from phalanx.mask.dialect import Dialect
from phalanx.mask.pile import Pile
from phalanx.mask.sheet import UNBOUNDED, Sheet

# What writers put between numbers by mistake; pandas and Excel add brackets and quotes of their own.
_STRAY = re.compile(r"[\t\r\n\v\f,;\[\]()'\"\u00a0\ufeff]")
# A whole number, perhaps as a table library writes it: `5.0`.
_WHOLE = re.compile(r"([+-]?)0*([0-9]+)(\.0*)?", re.ASCII)


def masks(sheet: Sheet, rows: np.ndarray, limits: np.ndarray | None = None) -> tuple[Pile, list[str]]:
    """Masks of these rows as `Sheet.masks` gives them, malformed ones repaired.

    Args:
        sheet: the file.
        rows: int64 `(n,)`.
        limits: int64 `(n,)`, pixels of each row's image; not held to its image when left out.

    Returns:
        The masks in the dialect's own pixel order, and a line for each thing done, with file, line and key.
    """
    dialect = sheet.dialect
    bounds = np.full(len(rows), UNBOUNDED) if limits is None else limits
    text, spans = sheet.load(rows)
    parsed, faults = pile.parse(text, spans, dialect, bounds)
    mended, lines = {}, []
    for index in faults.tolist():
        cell = text[spans[index, 0] : spans[index, 1]].tobytes().decode("utf-8", "replace")
        mended[index], done = repair(cell, dialect, None if limits is None else int(limits[index]))
        lines += [f"{sheet.where(int(rows[index]))}: {line}" for line in done]
    if any(map(len, mended.values())):
        parsed = pile.of([mended.get(index, parsed.runs(index)) for index in range(parsed.count)])
    return parsed, lines


def repair(text: str, dialect: Dialect, pixels: int | None = None) -> tuple[np.ndarray, list[str]]:
    """The mask that a text most likely stands for.

    Stray marks between numbers are taken for spaces. A number without a partner, and a run that holds something else
    than numbers or has no length, are left out. What begins before the first pixel or ends behind the last is cut,
    runs are sorted, overlapping ones united. In a dialect of relative starts, what follows an unreadable number has no
    place and is left out.

    Args:
        text: one cell.
        dialect: how it was meant to be written.
        pixels: of the image; None when the size is not known.

    Returns:
        The runs in the dialect's own pixel order, counted from 0, int64 `(n, 2)`, and what was done, a line each:
        none for a text that `rle.parse` takes.
    """
    try:
        return rle.parse(text, dialect, pixels), []
    except SubmissionError:
        pass
    clean = _STRAY.sub(" ", text)
    done = ["stray marks between the numbers taken for spaces"] if clean != text else []
    tokens = [token for token in clean.split(" ") if token.strip("\0")]
    if clean.count("\0"):
        done.append(f"{clean.count(chr(0))} NUL characters left out")
    if len(tokens) % 2 and not (len(tokens) == 1 and tokens[0] in dialect.empties):
        done.append(f"the last number left out, {_short(tokens[-1])}: it has no length")
        tokens.pop()
    if len(tokens) < 2:
        return run_lengths.empty(), [*done, "taken for an empty mask"]
    found = _placed(tokens, dialect, pixels, done)
    if not found:
        return run_lengths.empty(), [*done, "no run is left: an empty mask"]
    pieces = np.array(found, np.int64)
    if (pieces[1:, 0] < pieces[:-1, 0]).any():
        done.append("runs sorted by their start")
    runs = run_lengths.union([pieces])
    shared = sum(stop - start for start, stop in found) - sum((runs[:, 1] - runs[:, 0]).tolist())
    if shared:
        done.append(f"overlapping runs united, {shared} pixels were there more than once")
    return runs, done or ["numbers rewritten"]


def _placed(tokens: list[str], dialect: Dialect, pixels: int | None, done: list[str]) -> list[tuple[int, int]]:
    """The intervals of start and length in turn, each within the image; Python's numbers, which cannot overflow."""
    end, last = UNBOUNDED if pixels is None else pixels, 0
    found: list[tuple[int, int]] = []
    for index in range(0, len(tokens), 2):
        run = f"run {index // 2 + 1} ({_short(tokens[index])} {_short(tokens[index + 1])})"
        first, length = _number(tokens[index]), _number(tokens[index + 1])
        if first is None or length is None:
            done.append(f"{run} left out: not a number")
            if dialect.relative and index + 2 < len(tokens):
                done.append(f"{(len(tokens) - index) // 2 - 1} runs behind it left out: their place depends on it")
                break
            continue
        start = first - dialect.base + (last if dialect.relative else 0)
        stop = start + max(length, 0)
        last = stop
        start, cut = max(start, 0), min(stop, end)
        if length <= 0:
            done.append(f"{run} left out: its length is {'zero' if length == 0 else 'negative'}")
        elif start >= cut:
            done.append(f"{run} left out: it lies outside the image")
        else:
            if cut - start < length:
                where = [word for word, is_so in (("begin", stop - start < length), ("end", cut < stop)) if is_so]
                done.append(f"{run} cut at the image's {' and '.join(where)}")
            found.append((start, cut))
    return found


def _number(token: str) -> int | None:
    match = _WHOLE.fullmatch(token.strip("\0"))
    if match is None:
        return None
    # More digits lie outside every image, and Python reads no number of thousands of them.
    size = int(match[2]) if len(match[2]) <= 18 else UNBOUNDED
    return -size if match[1] == "-" else size


def _short(token: str) -> str:
    # `repr` shows what would not be seen, or would break the line.
    shown = token if token.isascii() and token.isprintable() else repr(token)
    return shown if len(shown) <= 24 else shown[:21] + "..."
