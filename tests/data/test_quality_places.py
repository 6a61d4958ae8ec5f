"""Places learnt from the hands themselves: labels that changed them, bones that left them."""

from pathlib import Path

import numpy as np
import pytest

from phalanx.core import hand
from phalanx.core.case import Case
from phalanx.data import _quality_joints, _quality_places
from phalanx.datasets._phantom.faults import MIRRORED


def bones(hands):
    return {f"{place}.png": dict(drawn.moments) for place, drawn in enumerate(hands)}


def renamed(own, names):
    return {names.get(name, name): item for name, item in own.items()}


def moved(item, step):
    return item._replace(centre=item.centre + step)


def test_sound_hands_say_nothing(hands):
    known = bones(hands)
    assert _quality_places.check(known) == []
    assert _quality_joints.check(known, set()) == []


@pytest.mark.parametrize(
    "cycle",
    [
        ("Scaphoid", "Lunate"), ("Radius", "Ulna"), ("Trapezium", "Trapezoid"), ("finger-9", "finger-13"),
        ("finger-16", "finger-17"), ("Capitate", "Hamate", "Lunate"),
        ("finger-6", "finger-10", "finger-14", "finger-18"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 7, 13])
def test_a_cycle_is_found_and_turned_back(hands, cycle, place):
    known = bones(hands)
    # What is the first bone is called the second, and so on.
    called = dict(zip(cycle, (*cycle[1:], cycle[0]), strict=True))
    known[f"{place}.png"] = renamed(known[f"{place}.png"], called)
    (found,) = _quality_places.check(known)
    assert (found.case, found.kind) == (f"{place}.png", "labels are interchanged")
    assert found.remedy == {"relabel": {name: bone for bone, name in called.items()}}
    assert renamed(known[found.case], found.remedy["relabel"]).keys() == set(hand.NAMES)


def test_the_mirrored_person_of_the_real_data(hands):
    known = bones(hands)
    known["2.png"] = renamed(known["2.png"], MIRRORED)
    (found,) = _quality_places.check(known)
    assert found.remedy == {"relabel": {called: bone for bone, called in MIRRORED.items()}}


def test_a_bone_off_its_place(hands):
    known = bones(hands)
    unit = np.median([np.sqrt(item.area) for item in known["5.png"].values()])
    known["5.png"]["Hamate"] = moved(known["5.png"]["Hamate"], unit * np.array([0.8, -0.6]))
    (found,) = _quality_places.check(known)
    assert (found.case, found.classes) == ("5.png", ("Hamate",))
    assert found.evidence["units"] == pytest.approx(1, abs=0.25)


def test_a_fingertip_off_its_finger(hands):
    known = bones(hands)
    own = known["6.png"]
    unit = np.median([np.sqrt(item.area) for item in own.values()])
    own["finger-1"] = moved(own["finger-1"], unit * np.array([0.8, 0.6]))
    (found,) = _quality_joints.check(known, set())
    assert (found.case, found.classes) == ("6.png", ("finger-1", "finger-2"))
    assert found.evidence["units"] == pytest.approx(1, abs=0.35)
    assert _quality_joints.check(known, {("6.png", "finger-2")}) == []


def test_turning_scaling_and_mirroring_a_picture_changes_nothing(hands):
    known = bones(hands)
    turned = {}
    for place, (case, own) in enumerate(known.items()):
        angle = 0.7 * place
        matrix = (0.5 + place / 10) * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        if place % 3 == 0:
            matrix = matrix @ np.diag([-1, 1])
        factor = abs(np.linalg.det(matrix))
        turned[case] = {
            name: item._replace(
                area=item.area * factor,
                centre=matrix @ item.centre + 50,
                covariance=matrix @ item.covariance @ matrix.T,
            )
            for name, item in own.items()
        }
    assert _quality_places.check(turned) == []
    assert _quality_joints.check(turned, set()) == []
    for case, own in known.items():
        np.testing.assert_allclose(_quality_joints._steps(turned[case]), _quality_joints._steps(own), atol=1e-6)
    one, other = _quality_places.laid(known), _quality_places.laid(turned)
    away = np.linalg.norm(one.centres - one.places, axis=2)
    assert np.linalg.norm(other.centres - other.places, axis=2) == pytest.approx(away, abs=0.02)


def test_missing_bones_and_few_hands(hands):
    known = bones(hands)
    for case in known:
        del known[case]["Pisiform"]
    del known["3.png"]["finger-2"], known["4.png"]["Radius"], known["4.png"]["Ulna"]
    known["5.png"] = {"Radius": known["5.png"]["Radius"]}
    assert _quality_places.check(known) == []
    assert _quality_joints.check(known, set()) == []
    few = dict(list(bones(hands).items())[:7])
    few["0.png"] = renamed(few["0.png"], {"Radius": "Ulna", "Ulna": "Radius"})
    assert _quality_places.check(few) == []


def case(name, side):
    return Case(name, Path(name), None, "ID", {"side": side})


def test_a_hand_of_the_other_side():
    ways = {f"{n}.png": (1 if n % 2 else -1, case(f"{n}.png", "right" if n % 2 else "left")) for n in range(10)}
    assert _quality_places.mirrored(ways) == []
    ways["3.png"] = (-1, case("3.png", "right"))
    (found,) = _quality_places.mirrored(ways)
    assert (found.case, found.evidence) == ("3.png", {"agree": 9, "hands": 10})
    # The other convention, thumbs to the other side, is as good.
    assert [item.case for item in _quality_places.mirrored({k: (-way, c) for k, (way, c) in ways.items()})] == ["3.png"]
    # No convention, no finding.
    assert _quality_places.mirrored({k: (1, c) for k, (_, c) in ways.items()}) == []
    unknown = {k: (way, case(k, "unknown")) for k, (way, _) in ways.items()}
    assert _quality_places.mirrored(unknown) == []
