"""Progress: the clock a method sees, and the bar a person sees."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """How far training has come.

    Args:
        step: optimiser steps taken so far.
        total: optimiser steps of the whole run.
    """

    step: int
    total: int

    @property
    def frac(self) -> float:
        """Share of the run that lies behind, in [0, 1]."""
        return min(self.step / max(self.total, 1), 1.0)

    def ramp(self, weight: float, length: float = 1.0) -> float:
        """`weight` times the Gaussian ramp-up `exp(-5 (1 - x)^2)`, `x` the share of `length` of the run behind us.

        Source: Laine & Aila 2017, https://arxiv.org/abs/1610.02242, section 3.2.
        """
        x = min(self.frac / length, 1.0) if length > 0 else 1.0
        return weight * math.exp(-5.0 * (1.0 - x) ** 2)


def track(items: Iterable[T], title: str, total: int | None = None) -> Iterator[T]:
    """Yield `items` behind a progress bar on standard error; silent when that is not a terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield from bar.track(items, total=total, description=title)
