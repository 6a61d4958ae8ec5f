"""Folds that keep a person's images together.

The order in which groups are dealt out comes from a hash of seed and group name, so folds depend neither on the order
of the cases, nor on the platform, nor on a library's random generator.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from phalanx.core.case import Case
from phalanx.core.catalogue import nearest
from phalanx.core.errors import DataError

# Numeric columns are cut at their quartiles: finer strata hold too few people to balance (400 people, 5 folds).
BINS = 4


def assign(cases: Sequence[Case], folds: int, seed: int, stratify: str | None = None) -> dict[str, int]:
    """Group k-fold: the fold of each case, by id.

    Groups are dealt out from the largest to the smallest, each to the fold where it raises the sum of squared shares
    least: shares of all cases, and, when stratified, shares of each stratum.

    Args:
        cases: all cases, in any order.
        folds: number of folds, at least 2.
        seed: picks one of the possible assignments.
        stratify: a metadata column; numbers are cut into quartiles, an absent value is a stratum of its own.

    Returns:
        case id -> fold in `range(folds)`, sorted by id.

    Raises:
        DataError: fewer groups than folds, a repeated id, or no such column.
    """
    _check_ids(cases)
    groups = _groups(cases)
    if folds < 2:
        raise DataError("cross-validation needs two folds or more", folds, "set folds to 5")
    if len(groups) < folds:
        seen = f"{len(groups)} groups for {folds} folds"
        raise DataError("fewer groups than folds", seen, "lower the number of folds or add data")
    strata = _strata(cases, stratify) if stratify else dict.fromkeys((case.id for case in cases), 0)
    count = max(strata.values()) + 1
    # Column 0 counts cases, the others the cases of each stratum.
    sizes = {
        name: np.concatenate([[len(ids)], np.bincount([strata[case] for case in ids], minlength=count)])
        for name, ids in groups.items()
    }
    totals = np.sum(list(sizes.values()), axis=0)
    filled = np.zeros((folds, count + 1))
    fold_of: dict[str, int] = {}
    for name in sorted(groups, key=lambda name: (-len(groups[name]), _rank(seed, name))):
        cost = ((2 * filled + sizes[name]) * sizes[name] / totals**2).sum(axis=1)
        # Rounding hides differences in the last bits, which are not the same on every platform.
        fold = int(np.argmin(np.round(cost, 12)))
        filled[fold] += sizes[name]
        fold_of.update(dict.fromkeys(groups[name], fold))
    return dict(sorted(fold_of.items()))


def verify(assignment: Mapping[str, int], cases: Sequence[Case]) -> None:
    """Refuse an assignment that would let a person be learnt from and scored on.

    Raises:
        DataError: a group in two folds, a case without a fold, or a fold for an unknown case.
    """
    _check_ids(cases)
    ids = {case.id for case in cases}
    missing = sorted(ids - assignment.keys())
    if missing:
        raise DataError("cases without a fold", _some(missing), "make the folds anew")
    extra = sorted(assignment.keys() - ids)
    if extra:
        raise DataError(
            "folds for unknown cases", _some(extra), "make the folds anew, or point to the data they are for"
        )
    for name, members in _groups(cases).items():
        found = sorted({assignment[case] for case in members})
        if len(found) > 1:
            seen = f"{name} is in folds {' and '.join(map(str, found))}"
            raise DataError("a group is in two folds", seen, "keep all images of a person in one fold")


def hold_out(cases: Sequence[Case], share: float, seed: int) -> tuple[list[Case], list[Case]]:
    """Split off whole groups until about `share` of the cases is held out.

    Args:
        cases: all cases, in any order.
        share: share of the cases to hold out, above 0 and below 1; at least one group stays on either side.
        seed: picks the groups.

    Returns:
        (train, held), each sorted by id.

    Raises:
        DataError: fewer than two groups, or a share out of range.
    """
    _check_ids(cases)
    if not 0 < share < 1:
        raise DataError("the share to hold out must be above 0 and below 1", share, "use for example 0.2")
    groups = _groups(cases)
    if len(groups) < 2:
        raise DataError("holding out needs two groups or more", f"{len(groups)} group", "check how groups are named")
    order = sorted(groups, key=lambda name: _rank(seed, name))
    sums = np.cumsum([len(groups[name]) for name in order[:-1]])
    taken = int(np.argmin(np.abs(sums - share * len(cases)))) + 1
    chosen = set(order[:taken])
    ordered = sorted(cases, key=lambda case: case.id)
    return [case for case in ordered if case.group not in chosen], [case for case in ordered if case.group in chosen]


def _groups(cases: Sequence[Case]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for case in sorted(cases, key=lambda case: (case.group, case.id)):
        groups.setdefault(case.group, []).append(case.id)
    return groups


def _check_ids(cases: Sequence[Case]) -> None:
    ids = sorted(case.id for case in cases)
    twins = sorted({first for first, second in itertools.pairwise(ids) if first == second})
    if twins:
        raise DataError("cases with the same id", _some(twins), "ids must be unique over the data set")


def _rank(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def _strata(cases: Sequence[Case], column: str) -> dict[str, int]:
    """Stratum of each case: a number's quartile, or the index of a word among the sorted words."""
    columns = sorted({name for case in cases for name in case.metadata})
    if column not in columns:
        raise DataError(
            "no such metadata column to stratify by",
            column,
            nearest(column, columns) if columns else "the data set has no metadata",
        )
    values = {case.id: _value(case.metadata.get(column)) for case in cases}
    present = [value for value in values.values() if value is not None]
    numbers = [value for value in present if isinstance(value, float)]
    if present and len(numbers) == len(present):
        edges = np.unique(np.quantile(numbers, np.linspace(0, 1, BINS + 1)[1:-1]))
        return {case: BINS if value is None else int(np.searchsorted(edges, value)) for case, value in values.items()}
    words = {value: index for index, value in enumerate(sorted({str(value) for value in values.values()}))}
    return {case: words[str(value)] for case, value in values.items()}


def _value(value: object) -> float | str | None:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return None if value is None else str(value)
    return float(value) if math.isfinite(value) else None


def _some(words: Sequence[str]) -> str:
    return ", ".join(words[:5]) + (f" and {len(words) - 5} more" if len(words) > 5 else "")
