"""Counts: what every overlap score is made of, from runs, without painting a pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.mask import decode, runs


def of(predicted: Sequence[np.ndarray], truth: Sequence[np.ndarray]) -> np.ndarray:
    """Pixels in both, predicted and true, per class: int64 `(c, 3)`.

    Args:
        predicted: one int64 `(n, 2)` run array a class.
        truth: the same for the truth, at the same image size.
    """
    rows = [(runs.overlap(p, t), runs.area(p), runs.area(t)) for p, t in zip(predicted, truth, strict=True)]
    return np.array(rows, np.int64).reshape(-1, 3)


def of_logits(logits: np.ndarray, geometry: Geometry, labels: LabelSpace, truth: Sequence[np.ndarray]) -> np.ndarray:
    """Counts `(scored, 3)` of one image's logits `(c, h, w)`, brought to the original size class by class."""
    return of(decode.to_runs(logits, geometry, labels), truth)
