"""What no hand looks like, told from one case alone: its sides disagree, a finger is out of order, bones overlap.

No rule needs to know what a right hand looks like in the picture, nor how large a hand is. Limits were set on 300
phantom hands at 512 and 128 px, a quarter of them with wrists bent by 40 to 60 degrees.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from phalanx.core import hand
from phalanx.core.case import Case, Finding, Polygons
from phalanx.core.errors import DataError
from phalanx.mask import components
from phalanx.mask import runs as run_lengths
from phalanx.mask.moments import Moments

# Pairs from the thumb's side to the little finger's. Each tells the side of the hand by itself: on phantoms by at least
# 1.1 units of the hand (roots of the median area).
SIDES = (
    ("finger-3", "finger-19"), ("finger-7", "finger-15"), ("Trapezium", "Hamate"), ("Scaphoid", "Triquetrum"),
    ("Radius", "Ulna"),
)  # fmt: skip
# Share of the smaller bone that bones without a joint may cover of each other: up to 0.17 on phantoms (the pisiform and
# the ulna of a bent wrist, at 128 px; 0.05 at 512 px).
_COVERED = 0.2
# Masks of neighbours that are one and the same: the pisiform lies on the triquetrum with an IoU of 0.45 (spec 1.9).
_SAME = 0.9
# A part below this share of the bone is a slip of the brush.
_SPECK = 0.002
_MOST_PARTS = 16


def check(
    case: Case, bones: Mapping[str, np.ndarray], moments: Mapping[str, Moments], size: tuple[int, int]
) -> list[Finding]:
    """Warnings on one hand.

    Args:
        case: it names the case.
        bones: class name -> runs of the bones that have a pixel.
        moments: of the same bones.
        size: `(height, width)` of the image.
    """
    centres = {name: item.centre for name, item in moments.items()}
    return [
        *_disagreeing(case.id, centres),
        *_order_along(case.id, centres),
        *_order_across(case.id, centres),
        *_overlaps(case.id, bones, size),
        *_torn(case, bones, centres, size),
    ]


def chirality(centres: Mapping[str, np.ndarray]) -> dict[tuple[str, str], int]:
    """Which way each pair of `SIDES` points, seen with the fingers up: 1 to the right, -1 to the left.

    Args:
        centres: bone -> `(x, y)`; pairs with a missing bone are left out, and so are all without a finger or a forearm.
    """
    fingers = [centres[name] for ray in hand.RAYS for name in ray if name in centres]
    arm = [centres[name] for name in ("Radius", "Ulna") if name in centres]
    if not fingers or not arm:
        return {}
    up = np.mean(fingers, axis=0) - np.mean(arm, axis=0)
    return {
        (one, two): 1 if _cross(up, centres[two] - centres[one]) > 0 else -1
        for one, two in SIDES
        if one in centres and two in centres
    }


def side(centres: Mapping[str, np.ndarray], *, agreed: bool = False) -> int:
    """The side most pairs of `SIDES` tell, or all with `agreed`; 0 when there is none."""
    votes = list(chirality(centres).values())
    return 0 if agreed and len(set(votes)) != 1 else int(np.sign(sum(votes)))


def _disagreeing(case: str, centres: Mapping[str, np.ndarray]) -> Iterator[Finding]:
    votes = chirality(centres)
    most = int(np.sign(sum(votes.values()))) if votes else 0
    against = [pair for pair, vote in votes.items() if vote != most] if most else list(votes)
    if not against:
        return
    others = [pair for pair in votes if pair not in against]
    seen = f"{_said(against)} against {_said(others)}" if others else _said(against)
    error = DataError("bones disagree about the side of the hand", seen, "the labels of some are mirrored")
    evidence = {"pairs_against": len(against), "pairs": len(votes)}
    remedy = {"swap": list(against[0])} if len(against) == 1 else None
    yield Finding.of(
        "warning", case, error, [name for pair in against for name in pair], evidence=evidence, remedy=remedy
    )


def _said(pairs: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{one} to {two}" for one, two in pairs)


def _order_along(case: str, centres: Mapping[str, np.ndarray]) -> Iterator[Finding]:
    """A bone further up its finger lies further from the carpus."""
    root = _root(centres)
    if root is None:
        return
    for ray in hand.RAYS:
        known = [name for name in ray if name in centres]
        away = {name: float(np.linalg.norm(centres[name] - root)) for name in known}
        wrong = [(tip, base) for tip, base in pairwise(known) if away[tip] <= away[base]]
        if not wrong:
            continue
        seen = ", ".join(f"{tip} {away[tip]:.0f} px and {base} {away[base]:.0f} px" for tip, base in wrong)
        error = DataError(
            "bones of a finger are out of order", f"{seen} from the carpus", "the tip should be the furthest"
        )
        yield Finding.of(
            "warning", case, error, sorted({name for pair in wrong for name in pair}, key=ray.index), evidence=away
        )


def _order_across(case: str, centres: Mapping[str, np.ndarray]) -> Iterator[Finding]:
    """Seen from the carpus, index, middle, ring and little finger lie side by side in this order."""
    root, votes = _root(centres), chirality(centres)
    across = [votes[pair] for pair in SIDES[:2] if pair in votes]
    known = [name for ray in hand.RAYS[1:] for name in ray if name in centres]
    if root is None or not across or not known:
        return
    turn = int(np.sign(sum(across))) or 1
    upright = np.mean([centres[name] for name in known], axis=0) - root
    for level in zip(*hand.RAYS[1:], strict=True):
        present = [name for name in level if name in centres]
        angle = {name: turn * _angle(upright, centres[name] - root) for name in present}
        wrong = [(one, two) for one, two in pairwise(present) if angle[one] >= angle[two]]
        if wrong:
            seen = ", ".join(f"{one} at {angle[one]:.0f} and {two} at {angle[two]:.0f} degrees" for one, two in wrong)
            error = DataError("fingers are out of order", seen, "from the thumb outwards the angle should grow")
            names = sorted({name for pair in wrong for name in pair}, key=level.index)
            yield Finding.of("warning", case, error, names, evidence=angle)


def _overlaps(case: str, bones: Mapping[str, np.ndarray], size: tuple[int, int]) -> Iterator[Finding]:
    boxes = {name: run_lengths.box(mask, size) for name, mask in bones.items()}
    areas = {name: run_lengths.area(mask) for name, mask in bones.items()}
    for one, two in combinations(bones, 2):
        if not _meet(boxes[one], boxes[two]):
            continue
        both = run_lengths.overlap(bones[one], bones[two])
        smaller = min(areas[one], areas[two])
        names = [one, two]
        evidence = {"both_px": both, "smaller_px": smaller}
        if two in hand.neighbours(one):
            iou = both / (areas[one] + areas[two] - both)
            if iou > _SAME:
                error = DataError(
                    "two bones have the same mask", f"{one} and {two}, IoU {iou:.2f}", "redraw the wrong one"
                )
                yield Finding.of("warning", case, error, names, evidence=evidence)
        elif both > _COVERED * smaller:
            error = DataError(
                "bones overlap that have no joint",
                f"{one} and {two} share {both} px, {both / smaller:.0%} of the smaller",
                "redraw the wrong one",
            )
            yield Finding.of("warning", case, error, names, evidence=evidence)


def _meet(one: tuple[int, int, int, int], two: tuple[int, int, int, int]) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


def _torn(
    case: Case, bones: Mapping[str, np.ndarray], centres: Mapping[str, np.ndarray], size: tuple[int, int]
) -> Iterator[Finding]:
    for name, mask in bones.items():
        parts = components.split(mask, size)
        if len(parts) == 1:
            continue
        areas = sorted((run_lengths.area(part) for part in parts), reverse=True)
        if areas[1] < max(_SPECK * areas[0], 1) or len(parts) > _MOST_PARTS:
            continue
        error = DataError(
            "a bone is in several parts",
            f"{name}, {len(parts)} of {', '.join(map(str, areas[:4]))} px",
            "delete those that are not the bone",
        )
        evidence = {"parts": len(parts), "second_px": areas[1]}
        yield Finding.of("warning", case.id, error, [name], evidence=evidence, remedy=_stray(case, name, centres))


def _stray(case: Case, name: str, centres: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """The patch that deletes one of two outlines, if it is much further from the bone's neighbours than the other."""
    rings = case.labels.rings.get(name, []) if isinstance(case.labels, Polygons) else []
    beside = [centres[bone] for bone in hand.neighbours(name) if bone in centres]
    if len(rings) != 2 or not beside:
        return None
    away = [float(np.mean([np.linalg.norm(ring.mean(0) - centre) for centre in beside])) for ring in rings]
    part = int(np.argmax(away))
    return {"delete": {"class": name, "part": part}} if away[part] > 2 * away[1 - part] else None


def _root(centres: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """The middle of the carpus."""
    known = [centres[name] for name in hand.CARPALS if name in centres]
    return np.mean(known, axis=0) if known else None


def _cross(one: np.ndarray, two: np.ndarray) -> float:
    return float(one[0] * two[1] - one[1] * two[0])


def _angle(start: np.ndarray, end: np.ndarray) -> float:
    """Degrees from one direction to another, clockwise on the screen."""
    return float(np.degrees(np.arctan2(_cross(start, end), start @ end)))
