"""Masks that are far larger or smaller than others of their class, and classes that nearly every case has but one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phalanx.core.case import Finding
from phalanx.core.errors import DataError

# Fewer cases do not tell what is usual.
LEAST = 8
_LEAST_MISSING = 20
# Robust standard deviations from the median, and at least this share larger or smaller. On 300 phantom hands no bone is
# beyond 4.0.
_FAR, _SHARE = 6.0, 0.28
_SCATTER = 0.04
# With this many classes the size of the whole is told from the others, and with few it is not.
_CLASSES = 10
_NEARLY = 0.95


def quantile(table: np.ndarray, share: float = 0.5) -> np.ndarray:
    """Quantiles over the first axis of what is not NaN; NaN where nothing else is."""
    found = np.full(table.shape[1:], np.nan)
    some = ~np.isnan(table).all(0)
    # NumPy warns of a column of NaN, in a way that threads cannot silence for themselves.
    found[some] = np.nanquantile(table[:, some], share, axis=0)
    return found


def check(ids: Sequence[str], areas: np.ndarray, names: Sequence[str], told: set[tuple[str, str]]) -> list[Finding]:
    """Warnings on areas that are outliers of their class.

    Areas are compared as logarithms, by median and median absolute deviation (Rousseeuw & Croux 1993, JASA 88); with
    ten classes or more they are first divided by the size of the whole: the median over its classes of how much larger
    they are than usual.

    Args:
        ids: of the cases.
        areas: pixels, or any unit that all cases share, float64 `(cases, classes)`; 0 where a class is not there.
        names: of the classes.
        told: (case, class) that need no further word.
    """
    if len(ids) < LEAST:
        return []
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(areas > 0, np.log(areas), np.nan)
    known = (~np.isnan(logs)).sum(0) >= LEAST
    logs = logs[:, known]
    if not logs.size:
        return []
    here = [name for name, enough in zip(names, known, strict=True) if enough]
    typical = quantile(logs)
    if len(here) >= _CLASSES:
        logs = logs - np.nan_to_num(quantile((logs - typical).T))[:, None]
        typical = quantile(logs)
    scatter = np.maximum(1.4826 * quantile(np.abs(logs - typical)), _SCATTER)
    away = logs - typical
    far = (np.abs(away) > _FAR * scatter) & (np.abs(away) > np.log1p(_SHARE))
    findings = []
    for row, column in np.argwhere(far).tolist():
        if (ids[row], here[column]) in told:
            continue
        ratio, deviations = float(np.exp(away[row, column])), float(away[row, column] / scatter[column])
        error = DataError(
            "an area unlike the others of its class",
            f"{here[column]}, {ratio:.2f} times the usual, {abs(deviations):.0f} deviations",
            "look at the outline",
        )
        evidence = {"ratio": ratio, "deviations": deviations}
        findings.append(Finding.of("warning", ids[row], error, [here[column]], evidence=evidence))
    return findings


def missing(ids: Sequence[str], areas: np.ndarray, names: Sequence[str], told: set[str]) -> list[Finding]:
    """Warnings on cases that lack a class which nearly every case has.

    Args:
        ids: of the cases.
        areas: as for `check`.
        names: of the classes.
        told: cases of which the reader has said so.
    """
    there = areas > 0
    common = there.mean(0) >= _NEARLY if len(ids) >= _LEAST_MISSING else np.zeros(len(names), bool)
    findings = []
    for row, case in enumerate(ids):
        absent = [name for name, has, usual in zip(names, there[row], common, strict=True) if usual and not has]
        if absent and case not in told:
            seen = f"{', '.join(absent[:6])}{', ...' if absent[6:] else ''}, which {_NEARLY:.0%} of the cases have"
            error = DataError("a class that nearly every case has is missing", seen, "is it there in the picture?")
            findings.append(Finding.of("warning", case, error, absent, evidence={"missing": len(absent)}))
    return findings
