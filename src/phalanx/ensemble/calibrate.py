"""Temperature: one number a member by which its logits are divided, so that its probabilities mean what they say.

Source: Guo et al. 2017, On calibration of modern neural networks, ICML, section 4.2.

Differs: fitted on the pixels of the band only, those on which some member is unsure.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar

from phalanx.ensemble.band import SCALE, Band

_LIMITS = (0.1, 10.0)


def temperatures(band: Band) -> list[float]:
    """The temperature of each member that makes its out-of-fold probabilities likeliest.

    Args:
        band: of logits, at temperature 1.
    """
    if band.space != "logits":
        raise ValueError(f"temperatures are fitted on logits: {band.space}. Build the band in logits first")
    return [_fitted(*_histogram(band, member)) for member in range(band.members)]


def _histogram(band: Band, member: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits that occur, how many pixels have them, and how many of these are true."""
    count, true = np.zeros(2**16), np.zeros(2**16)
    for strip in band.strips:
        place = strip.values[:, member].astype(np.int64) + 2**15
        count += np.bincount(place, minlength=2**16)
        true += np.bincount(place, strip.truth, 2**16)
    known = np.flatnonzero(count)
    return (known - 2**15) / SCALE["logits"], count[known], true[known]


def _fitted(logits: np.ndarray, count: np.ndarray, true: np.ndarray) -> float:
    if not len(logits):
        return 1.0

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float((count * np.logaddexp(0, scaled) - true * scaled).sum() / count.sum())

    found = minimize_scalar(loss, bounds=tuple(np.log(_LIMITS)), method="bounded")
    return float(np.exp(found.x))
