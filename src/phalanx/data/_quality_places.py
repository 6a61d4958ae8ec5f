"""Where each bone lies in a hand, learnt from the data set itself; and the hands in which labels changed places.

Every hand is moved, turned, scaled and, if need be, mirrored onto the middle of all hands, by a fit that the bones of a
few wrong labels cannot pull away. A bone's place is the median of its centres, its area that of its areas. Labels are
interchanged where giving them to each other's places fits far better than leaving them.

Sources: the fit in closed form, Umeyama 1991, IEEE TPAMI 13(4), without its ban on mirror images; weights of
Geman & McClure as in Black & Rangarajan 1996, IJCV 19(1); the assignment, Kuhn 1955.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from phalanx.core import hand
from phalanx.core.case import Case, Finding
from phalanx.core.errors import DataError
from phalanx.data import _quality_areas, _quality_hand
from phalanx.mask.moments import Moments

# Fewer hands do not tell a place from its scatter.
LEAST = 8
_ROUNDS = 6
# Units of the hand, and of the logarithm of the area, below which scatter is not believed.
_LEAST_PLACE, _LEAST_AREA = 0.12, 0.05
# How much better a change of places must fit. Of 300 phantom hands one reaches 4 as it is; the swap of two neighbours
# reaches 35 in all but one.
_GAIN = 20.0
# No single bone weighs more than this: a lone outlier is displaced or of an odd size, not interchanged.
_MOST = 100.0
# How badly a bone may fit its new place: three scatters off and three deviations too large.
_FITS = 18.0
# Scatters from its place, and units of the hand, at which a bone is displaced.
_FAR, _FAR_UNITS = 4.5, 0.45
# Share of the hands that must agree on what a right hand looks like in the picture.
_AGREED = 0.8


@dataclass(frozen=True)
class Hands:
    """Hands laid upon each other.

    Args:
        ids: of the cases.
        centres: float64 `(cases, 29, 2)` in units of the hand, laid onto `places`; NaN where a bone is missing.
        areas: float64 `(cases, 29)`, logarithm of the area over that of the hand as a whole.
        places: `(29, 2)`, medians of the centres.
        scatter: `(29,)` of the centres about their place.
    """

    ids: tuple[str, ...]
    centres: np.ndarray
    areas: np.ndarray
    places: np.ndarray
    scatter: np.ndarray


def check(bones: Mapping[str, Mapping[str, Moments]]) -> list[Finding]:
    """Warnings on hands that are labelled unlike the others; none when there are fewer than `LEAST` hands.

    Args:
        bones: case id -> class name -> moments of the bones that have a pixel.
    """
    known = {case: found for case, found in bones.items() if len(found) > len(hand.NAMES) // 2}
    if len(known) < LEAST:
        return []
    hands = laid(known)
    findings = []
    for row, case in enumerate(hands.ids):
        moved = _interchanged(hands, row)
        findings += [_told(case, *moved)] if moved else []
        findings += list(_displaced(hands, row, set(moved[0]) if moved else set()))
    return findings


def laid(bones: Mapping[str, Mapping[str, Moments]]) -> Hands:
    """Lay hands upon each other.

    Args:
        bones: case id -> class name -> moments; at least one hand.
    """
    centres = np.full((len(bones), len(hand.NAMES), 2), np.nan)
    areas = np.full(centres.shape[:2], np.nan)
    for row, found in enumerate(bones.values()):
        for column, name in enumerate(hand.NAMES):
            if name in found:
                centres[row, column], areas[row, column] = found[name].centre, np.log(found[name].area)
    units = np.exp(_quality_areas.quantile(areas.T) / 2)
    centres = centres / units[:, None, None]
    moved = np.stack([_upright(own, item) for own, item in zip(centres, bones.values(), strict=True)])
    scatter = np.ones(len(hand.NAMES))
    places = _median(moved)
    for _ in range(_ROUNDS):
        moved = _fitted(centres, places, scatter)
        places = _median(moved)
        away = np.linalg.norm(moved - places, axis=2)
        scatter = np.maximum(np.nan_to_num(1.2 * _quality_areas.quantile(away), nan=1.0), _LEAST_PLACE)
    # Bent wrists, a tenth of the hands or more, are no outliers.
    away = np.linalg.norm(moved - places, axis=2)
    scatter = np.maximum(scatter, np.nan_to_num(0.5 * _quality_areas.quantile(away, 0.95)))
    areas = areas - _quality_areas.quantile((areas - _quality_areas.quantile(areas)).T)[:, None]
    return Hands(tuple(bones), moved, areas, places, scatter)


def _median(points: np.ndarray) -> np.ndarray:
    """Medians over the cases; a bone that no hand has lies at the origin and is never compared."""
    return np.nan_to_num(_quality_areas.quantile(points))


def _upright(centres: np.ndarray, bones: Mapping[str, Moments]) -> np.ndarray:
    """A hand turned fingers up, its thumb to the left: a first guess that any labels allow."""
    points = {name: item.centre for name, item in bones.items()}
    around = centres - _mean(centres)
    fingers, arm = (_mean(part) for part in (around[:19], around[19:]))
    up = (fingers - arm) / max(float(np.linalg.norm(fingers - arm)), 1e-9)
    turned = around @ np.column_stack([[-up[1], up[0]], -up])
    return turned * [_quality_hand.side(points) or 1, 1]


def _mean(points: np.ndarray) -> np.ndarray:
    """Mean of the points that are known; the origin when none is."""
    known = points[~np.isnan(points[:, 0])]
    return known.mean(0) if len(known) else np.zeros(2)


def _fitted(centres: np.ndarray, places: np.ndarray, scatter: np.ndarray) -> np.ndarray:
    """Every hand laid onto the places; bones that do not fit lose their weight from round to round."""
    known = ~np.isnan(centres[..., 0])
    # The forearm turns against the hand; with it, a bent hand could be laid onto the others by the wrong end.
    held = known & [name not in ("Radius", "Ulna") for name in hand.NAMES]
    points, weight = np.nan_to_num(centres), held.astype(float)
    moved = points
    for _ in range(_ROUNDS):
        share = weight / weight.sum(1, keepdims=True)
        middle, target = np.einsum("nb,nbi->ni", share, points), share @ places
        around = points - middle[:, None]
        mixed = np.einsum("nb,nbi,nbj->nij", share, around, places[None] - target[:, None])
        left, sizes, right = np.linalg.svd(mixed)
        scale = sizes.sum(1) / np.maximum(np.einsum("nb,nbi,nbi->n", share, around, around), 1e-12)
        moved = np.einsum("nbi,nij->nbj", around, left @ right) * scale[:, None, None] + target[:, None]
        away = np.linalg.norm(moved - places, axis=2) / scatter
        weight = held / (1 + (away / 1.5) ** 2) ** 2
    return np.where(known[..., None], moved, np.nan)


def _interchanged(hands: Hands, row: int) -> tuple[dict[str, str], dict[str, float]] | None:
    """What each interchanged label should be, and by how much the hand fits better; None when none is."""
    from scipy.optimize import linear_sum_assignment

    present = np.flatnonzero(~np.isnan(hands.centres[row, :, 0]))
    typical = _quality_areas.quantile(hands.areas)
    spread = 1.4826 * _quality_areas.quantile(np.abs(hands.areas - typical))
    apart = ((hands.centres[row, present, None] - hands.places[None]) ** 2).sum(2) / hands.scatter**2
    odd = ((hands.areas[row, present, None] - typical) / np.maximum(np.nan_to_num(spread), _LEAST_AREA)) ** 2
    cost = np.minimum(apart, _MOST) + np.minimum(np.nan_to_num(odd), _MOST)
    rows, columns = linear_sum_assignment(cost)
    before, after = cost[rows, present[rows]], cost[rows, columns]
    if before.sum() - after.sum() < _GAIN:
        return None
    chosen = {
        hand.NAMES[present[place]]: hand.NAMES[column]
        for place, column in zip(rows, columns, strict=True)
        if present[place] != column
    }
    gains = {hand.NAMES[present[place]]: float(before[place] - after[place]) for place in rows}
    left = {hand.NAMES[present[place]]: float(after[place]) for place in rows}
    cycles = [
        cycle
        for cycle in _cycles(chosen)
        if sum(gains[name] for name in cycle) >= _GAIN and max(left[name] for name in cycle) < _FITS
    ]
    return ({name: chosen[name] for cycle in cycles for name in cycle}, gains) if cycles else None


def _cycles(chosen: Mapping[str, str]) -> list[list[str]]:
    """Labels that change places among themselves; one that would take a missing bone's is told as displaced."""
    cycles: list[list[str]] = []
    for start in chosen:
        cycle = [start]
        while (following := chosen.get(cycle[-1], "")) and following not in cycle:
            cycle.append(following)
        if following == start and not any(start in other for other in cycles):
            cycles.append(cycle)
    return cycles


def _told(case: str, names: Mapping[str, str], gains: Mapping[str, float]) -> Finding:
    """One finding for all labels of a hand that changed places."""
    said = [
        f"{cycle[0]} and {cycle[1]}" if len(cycle) == 2 else " to ".join([*cycle, cycle[0]]) for cycle in _cycles(names)
    ]
    total = sum(gains[name] for name in names)
    error = DataError(
        "labels are interchanged", f"{', '.join(said)} (fit better by {total:.0f})", "relabel them in a patch"
    )
    remedy = {"relabel": dict(names)}
    return Finding.of("warning", case, error, list(names), evidence={"gain": total}, remedy=remedy)


def _displaced(hands: Hands, row: int, apart_from: set[str]) -> Iterator[Finding]:
    away = np.linalg.norm(hands.centres[row] - hands.places, axis=1)
    for column, name in enumerate(hand.NAMES):
        units, scatters = float(away[column]), float(away[column] / hands.scatter[column])
        if name in apart_from or not (units > _FAR_UNITS and scatters > _FAR):
            continue
        error = DataError(
            "a bone lies off its place", f"{name}, by {units:.1f} units of the hand, {scatters:.0f} times the scatter",
            "redraw it",
        )  # fmt: skip
        yield Finding.of("warning", hands.ids[row], error, [name], evidence={"units": units, "scatters": scatters})


def mirrored(sides: Mapping[str, tuple[int, Case]]) -> list[Finding]:
    """Hands whose bones show the other side than their file says, where most hands agree on what that looks like.

    Args:
        sides: case id -> (what its bones tell: 1, -1, or 0 for nothing; the case, its metadata `side` may be `right` or
            `left`).
    """
    signed = {
        key: way if case.metadata["side"] == "right" else -way
        for key, (way, case) in sides.items()
        if way and case.metadata.get("side") in ("right", "left")
    }
    usual = int(np.sign(sum(signed.values())))
    agree = sum(way == usual for way in signed.values())
    if len(signed) < LEAST or agree < _AGREED * len(signed):
        return []
    findings = []
    for key in (key for key, way in signed.items() if way != usual):
        case = sides[key][1]
        seen = f"{key} of {case.group}, a {case.metadata['side']} hand, unlike {agree} of {len(signed)}"
        error = DataError("the bones show the other hand", seen, "is the picture flipped, or misnamed?")
        findings.append(Finding.of("warning", key, error, evidence={"agree": agree, "hands": len(signed)}))
    return findings


def cases_of(findings: Sequence[Finding]) -> set[tuple[str, str]]:
    """(case, class) of every finding of interchanged labels."""
    return {(item.case, name) for item in findings if item.kind == "labels are interchanged" for name in item.classes}
