"""Rules that one hand must keep."""

from pathlib import Path

import numpy as np
import pytest

from phalanx.core import hand
from phalanx.core.case import Case, Polygons
from phalanx.data import _quality_hand
from phalanx.mask import moments, polygon, runs

SIZE = (192, 192)


def findings(rings, size=SIZE):
    """Findings on outlines, one or more a bone."""
    parts = {name: ring if isinstance(ring, list) else [ring] for name, ring in rings.items()}
    masks = {name: polygon.to_runs(ring, size, "opencv") for name, ring in parts.items()}
    measured = {name: moments.of(mask, size) for name, mask in masks.items()}
    return _quality_hand.check(Case("x.png", Path("x.png"), Polygons(parts)), masks, measured, size)


def swapped(rings, one, two):
    return {**rings, one: rings[two], two: rings[one]}


def test_hands_keep_the_rules(hands):
    for drawn in hands:
        assert findings(drawn.rings) == []
        centres = {name: item.centre for name, item in drawn.moments.items()}
        # A right hand lies with the thumb on the left.
        assert set(_quality_hand.chirality(centres).values()) == {1 if drawn.side == "R" else -1}


def test_a_swapped_forearm_is_of_the_other_side(hands):
    (found,) = findings(swapped(hands[0].rings, "Radius", "Ulna"))
    assert found.kind == "bones disagree about the side of the hand"
    assert found.classes == ("Radius", "Ulna")
    assert found.remedy == {"swap": ["Radius", "Ulna"]}
    assert found.evidence == {"pairs_against": 1, "pairs": 5}


@pytest.mark.parametrize("pair", [("finger-1", "finger-2"), ("finger-8", "finger-9"), ("finger-17", "finger-18")])
def test_order_along_a_finger(hands, pair):
    found = [item for item in findings(swapped(hands[3].rings, *pair)) if "finger are" in item.kind]
    assert [item.classes for item in found] == [pair]
    assert found[0].evidence[pair[0]] < found[0].evidence[pair[1]]


@pytest.mark.parametrize("pair", [("finger-4", "finger-8"), ("finger-11", "finger-15"), ("finger-14", "finger-18")])
def test_order_across_the_fingers(hands, pair):
    found = [item for item in findings(swapped(hands[4].rings, *pair)) if item.kind == "fingers are out of order"]
    assert [item.classes for item in found] == [pair]


def test_a_pisiform_over_the_ulna(hands):
    rings = hands[0].rings
    away = rings["Pisiform"] - rings["Pisiform"].mean(0) + rings["Ulna"].mean(0)
    kinds = {item.kind: item for item in findings({**rings, "Pisiform": [rings["Pisiform"], away]})}
    overlap = kinds["bones overlap that have no joint"]
    assert overlap.classes == ("Pisiform", "Ulna")
    assert overlap.evidence["both_px"] > 0.4 * overlap.evidence["smaller_px"]
    assert kinds["a bone is in several parts"].remedy == {"delete": {"class": "Pisiform", "part": 1}}
    # The order of the outlines does not matter.
    kinds = {item.kind: item for item in findings({**rings, "Pisiform": [away, rings["Pisiform"]]})}
    assert kinds["a bone is in several parts"].remedy == {"delete": {"class": "Pisiform", "part": 0}}


def test_overlaps_by_hand():
    size = (60, 80)

    def box(left, top, right, bottom):
        return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)

    # 10 x 10 = 100 px; they share 2 x 10 = 20 px, a fifth, which bones of a bent wrist may.
    for shift, told in ((8, False), (7, True)):
        rings = {"Pisiform": box(0, 0, 9, 9), "Ulna": box(shift, 0, shift + 9, 9)}
        found = [item for item in findings(rings, size) if "no joint" in item.kind]
        assert bool(found) == told
    # The same two masks as neighbours: allowed, unless they are one.
    assert findings({"Triquetrum": box(0, 0, 9, 9), "Pisiform": box(3, 0, 12, 9)}, size) == []
    (found,) = findings({"Triquetrum": box(0, 0, 9, 9), "Pisiform": box(0, 0, 9, 9)}, size)
    assert found.kind == "two bones have the same mask"


def test_mirrored_labels_disagree(hands):
    from phalanx.datasets._phantom.faults import MIRRORED

    wrong = {MIRRORED.get(name, name): ring for name, ring in hands[1].rings.items()}
    kinds = {item.kind for item in findings(wrong)}
    assert {"bones disagree about the side of the hand", "bones of a finger are out of order"} <= kinds


def test_any_bones_may_be_missing(hands):
    rings = hands[0].rings
    for kept in ([], ["finger-1"], list(hand.CARPALS), ["Radius", "Ulna"], list(hand.RAYS[2]), [*hand.RAYS[1], "Ulna"]):
        assert findings({name: rings[name] for name in kept}) == []


def test_a_speck_is_no_second_part(hands):
    masks = dict(hands[0].masks)
    masks["Radius"] = runs.union([masks["Radius"], np.array([[0, 1]])])
    case = Case("x.png", Path("x.png"), Polygons({}))
    area = runs.area(masks["Radius"])
    found = _quality_hand.check(case, masks, hands[0].moments, SIZE)
    assert bool(found) == (area * 0.002 <= 1)
