"""Facts of a case that a report groups its scores by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CaseFacts:
    """What is known about a case beside its scores.

    Args:
        part: `train` or `test`.
        group: what it belongs to, usually a person.
        fold: in which it was held out; empty for a test case.
        size: `(height, width)` of the image in pixels.
        bend: of the wrist in degrees, positive towards the little finger; None where there is none.
        masks: `truth` or `prediction`: what bend and areas were measured on.
    """

    part: str
    group: str
    fold: str
    size: tuple[int, int]
    bend: float | None
    masks: str
