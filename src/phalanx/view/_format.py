"""How numbers are written, everywhere the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

NONE = "–"


def number(value: object) -> str:
    """A score or a measure: four decimals up to 1, two above; a dash for a missing one."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return NONE
    return f"{value:.4f}" if abs(value) <= 1 else f"{value:,.2f}"


def interval(bounds: Sequence[float | None] | None) -> str:
    """`[low, high]`, or nothing when a bound is missing."""
    if bounds is None or len(bounds) != 2 or any(number(bound) == NONE for bound in bounds):
        return ""
    return f"[{number(bounds[0])}, {number(bounds[1])}]"


def duration(seconds: float) -> str:
    """Seconds as a person says them: `84 ms`, `3.2 s`, `4 min 05 s`, `1 h 02 min`."""
    if not math.isfinite(seconds):
        return NONE
    # The limits are those at which rounding would carry into the next unit: 59.96 s is written 1 min 00 s.
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def count(amount: int, noun: str, plural: str = "") -> str:
    """`1 case`, `1,200 cases`."""
    return f"{amount:,} {noun if amount == 1 else plural or noun + 's'}"


def fact(value: object) -> str:
    """Any value of a summary, as text."""
    if value is None or value == "":
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else f"{value:,.4g}" if math.isfinite(value) else NONE
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {fact(item)}" for key, item in value.items()) or NONE
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(fact(item) for item in value) or NONE
    return str(value)


def short(text: str, length: int = 28) -> str:
    """`text` cut in the middle, because what tells case ids apart stands at their end."""
    if len(text) <= length:
        return text
    tail = length * 2 // 3
    return f"{text[: length - tail - 1]}…{text[-tail:]}"
