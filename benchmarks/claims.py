"""A claim: what was timed, against what, and whether it holds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """One line of the output.

    Args:
        name: of the job.
        ours: seconds, or megabytes where the name says so.
        reference: the same of the reference's way, or the most that is allowed; None: there is none.
        peer: the same of the strongest library; None: there is none.
        aims: smallest ratio wanted to the reference and to the peer.
    """

    name: str
    ours: float
    reference: float | None
    peer: float | None
    aims: tuple[float | None, float | None]

    @staticmethod
    def header() -> str:
        """Names of the columns."""
        return "NAME reference_s peer_s ours_s ratio_reference ratio_peer aim ok|short"

    def line(self) -> str:
        """The claim as it is printed; a dash for what there is not."""
        ratios = [None if other is None else other / self.ours for other in (self.reference, self.peer)]
        held = all(aim is None or (ratio or 0) >= aim for ratio, aim in zip(ratios, self.aims, strict=True))
        times = [_number(value, ".3f") for value in (self.reference, self.peer, self.ours)]
        aim = "/".join(_number(aim, "g") for aim in self.aims)
        return " ".join(
            [self.name, *times, *(_number(ratio, ".1f") for ratio in ratios), aim, "ok" if held else "short"]
        )


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Median wall time of a job, after one run that does not count."""
    work()
    return once(work, repeats)


def once(work: Callable[[], object], repeats: int = 1) -> float:
    """Median wall time of a job that needs no warming up."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)
