from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError
from scipy import ndimage

from phalanx.core import hand
from phalanx.datasets import _handbone
from phalanx.mask import runs
from phalanx.steps import _hand
from phalanx.steps.anatomy import Anatomy

SIZE = (512, 512)


def anatomy(**values):
    return Anatomy(Anatomy.Config(**values))


def moved(mask, down, right):
    """The mask moved by some pixels, what leaves the image cut off."""
    return runs.from_mask(np.roll(runs.to_mask(mask, SIZE), (down, right), (0, 1)))


def shrunk(mask, pixels):
    return runs.from_mask(ndimage.binary_erosion(runs.to_mask(mask, SIZE), iterations=pixels))


def disc(y, x, radius):
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    return runs.from_mask((rows - y) ** 2 + (columns - x) ** 2 <= radius**2)


def centre(mask):
    return ndimage.center_of_mass(runs.to_mask(mask, SIZE))


def test_names_are_those_of_the_data_set():
    assert hand.NAMES == _handbone.LABELS.names


def test_everybody_has_neighbours():
    assert {frozenset(pair) for pair in hand.NEIGHBOURS} == {frozenset(pair) for pair in set(hand.NEIGHBOURS)}
    assert len({frozenset(pair) for pair in hand.NEIGHBOURS}) == len(hand.NEIGHBOURS)
    assert {name for pair in hand.NEIGHBOURS for name in pair} == set(hand.NAMES)
    assert hand.neighbours("finger-1") == ["finger-2"]
    assert hand.neighbours("finger-3") == ["finger-2", "Trapezium"]
    assert hand.neighbours("Pisiform") == ["Triquetrum", "Hamate"]
    assert hand.neighbours("Radius") == ["Scaphoid", "Lunate", "Ulna"]
    assert sum(pair in hand.NEIGHBOURS for ray in hand.RAYS for pair in pairwise(ray)) == 14


def test_gaps_by_hand():
    size = (6, 9)
    plane = np.zeros((4, *size), bool)
    plane[0, :2, :2] = plane[1, :2, 2] = plane[2, 4, 5] = plane[3, 1:3, 1:3] = True
    corner, beside, far, over = (runs.from_mask(mask) for mask in plane)
    assert _hand.gap(corner, beside, size) == 0
    assert _hand.gap(corner, over, size) == 0
    # (1, 1) to (4, 5): a triangle of 3, 4 and 5.
    assert _hand.gap(corner, far, size) == _hand.gap(far, corner, size) == 4
    assert _hand.gap(np.array([[0, 1]]), np.array([[8, 9]]), (1, 9)) == 7
    assert _hand.gap(np.array([[8, 9]]), np.array([[0, 1]]), (9, 1)) == 7


@given(arrays(np.bool_, (2, 9, 13)), st.integers(0, 12))
def test_gaps_equal_scipy(planes, blank):
    # Columns are blanked, so that not every pair of masks touches.
    planes[0, :, blank:] = False
    planes[1, :, : blank // 2] = False
    if not planes.any((1, 2)).all():
        return
    expected = max(ndimage.distance_transform_edt(~planes[1])[planes[0]].min() - 1, 0)
    one, two = (runs.from_mask(plane) for plane in planes)
    assert _hand.gap(one, two, (9, 13)) == pytest.approx(expected, abs=1e-5)
    assert _hand.gap(two, one, (9, 13)) == pytest.approx(expected, abs=1e-5)


def test_the_measure_of_a_hand_is_a_median():
    bones = {"Radius": np.array([[0, 400]]), "Ulna": np.array([[0, 100]]), "Lunate": np.array([[0, 1], [5, 8]])}
    assert _hand.unit(bones) == 10


def test_phantom_hands_are_not_odd(hands):
    for masks in hands:
        assert anatomy().warnings(masks, SIZE) == []
        repaired = anatomy(mode="repair")(masks, SIZE)
        assert list(repaired) == list(masks)
        assert all(np.array_equal(repaired[name], masks[name]) for name in masks)


def test_the_limit_has_room_on_phantoms(hands):
    apart = [
        _hand.gap(masks[one], masks[two], SIZE) / _hand.unit(masks) for masks in hands for one, two in hand.NEIGHBOURS
    ]
    # 0.21 is the most among 240 hands.
    assert 0.05 < max(apart) < 0.2
    assert Anatomy.Config().farthest == 0.3
    fingers = [_hand.gap(masks["finger-9"], masks["finger-13"], SIZE) / _hand.unit(masks) for masks in hands]
    assert np.median(fingers) > 0.5


def test_a_wrong_limit():
    for farthest in (0, 11):
        with pytest.raises(ValidationError):
            Anatomy.Config(farthest=farthest)
    with pytest.raises(ValidationError):
        Anatomy.Config(mode="mend")


def test_missing_bones(hands):
    masks = {**hands[0], "finger-5": runs.empty(), "Pisiform": runs.empty()}
    expected = ["finger-5 is missing.", "Pisiform is missing."]
    for mode in ("warn", "repair"):
        assert anatomy(mode=mode).warnings(masks, SIZE) == expected
        assert not len(anatomy(mode=mode)(masks, SIZE)["finger-5"])
    assert anatomy().warnings(dict.fromkeys(masks, runs.empty()), SIZE) == ["No bone was found."]
    # A class that the label space has not is not missing.
    assert anatomy().warnings({name: hands[0][name] for name in ("finger-1", "finger-2", "Ulna")}, SIZE) == []


def test_other_classes_are_left_alone(hands):
    scattered = runs.union([disc(40, 40, 5), disc(400, 90, 9)])
    organs = {"spleen": scattered, "liver": runs.empty()}
    for mode in ("warn", "repair"):
        assert anatomy(mode=mode).warnings(organs, SIZE) == []
        mixed = {"spleen": scattered, **hands[0]}
        outcome = anatomy(mode=mode)(mixed, SIZE)
        assert list(outcome) == list(mixed)
        assert outcome["spleen"].tolist() == scattered.tolist()
        assert anatomy(mode=mode).warnings(mixed, SIZE) == []


def test_a_torn_bone_is_told_and_left_or_repaired(hands):
    masks = hands[0]
    speck = disc(20, 20, 4)
    assert runs.area(speck) == 49
    torn = {**masks, "Lunate": runs.union([masks["Lunate"], speck])}
    area = runs.area(masks["Lunate"])
    sentence = f"Lunate is in 2 parts, the two largest of {area:,} and 49 px."
    assert anatomy().warnings(torn, SIZE) == [sentence]
    assert anatomy()(torn, SIZE)["Lunate"].tolist() == torn["Lunate"].tolist()
    assert anatomy(mode="repair").warnings(torn, SIZE) == [sentence]
    assert anatomy(mode="repair")(torn, SIZE)["Lunate"].tolist() == masks["Lunate"].tolist()


@pytest.mark.parametrize(
    ("bone", "place"),
    [("finger-5", "finger-9"), ("finger-6", "finger-10"), ("Pisiform", "Ulna"), ("Pisiform", "Radius")],
)
def test_the_part_that_lies_well_stays_and_not_the_larger_one(hands, bone, place):
    """A bone is drawn a little too small, and once more, larger, at the place of another bone.

    A pisiform over the ulna is in the labels of the data set, image ID547.
    """
    for masks in hands:
        right, wrong = shrunk(masks[bone], 2), masks[place]
        assert runs.area(right) < runs.area(wrong)
        torn = {**masks, bone: runs.union([right, wrong])}
        repaired = anatomy(mode="repair")(torn, SIZE)
        assert repaired[bone].tolist() == right.tolist()
        assert all(repaired[name].tolist() == masks[name].tolist() for name in masks if name != bone)


def test_a_speck_beside_the_neighbours_does_not_win(hands):
    masks = hands[0]
    # The bone has lost its base and is further from its neighbour than allowed; two pixels of the base are left.
    plane = runs.to_mask(masks["finger-16"], SIZE)
    top = runs.box(masks["finger-16"], SIZE)[0]
    plane[top + 12 :] = False
    bone, speck = runs.from_mask(plane), masks["finger-16"][-1:]
    speck = np.stack([speck[:, 0], speck[:, 0] + 2], 1)
    limit = 0.3 * _hand.unit(masks)
    assert _hand.gap(speck, masks["finger-17"], SIZE) < limit < _hand.gap(bone, masks["finger-17"], SIZE)
    assert runs.area(speck) < 0.02 * runs.area(bone)
    torn = {**masks, "finger-16": runs.union([bone, speck])}
    assert anatomy(mode="repair")(torn, SIZE)["finger-16"].tolist() == bone.tolist()


def test_among_parts_that_lie_well_the_largest_stays(hands):
    masks = hands[0]
    y = int(centre(masks["finger-10"])[0])
    plane = runs.to_mask(masks["finger-10"], SIZE)
    # The bone torn across, above its middle: both parts lie beside the neighbours, the lower one is larger.
    plane[y - 8 : y - 5] = False
    parts = {**masks, "finger-10": runs.from_mask(plane)}
    upper, lower = plane.copy(), plane.copy()
    upper[y - 6 :] = lower[: y - 6] = False
    assert upper.sum() < lower.sum()
    step = anatomy(mode="repair")
    assert step(parts, SIZE)["finger-10"].tolist() == runs.from_mask(lower).tolist()


def block(top, bottom, left, right):
    plane = np.zeros((90, 60), bool)
    plane[top:bottom, left:right] = True
    return runs.from_mask(plane)


def test_a_part_that_is_hardly_nearer_does_not_win():
    near = block(30, 40, 25, 40)
    neighbour = block(40, 80, 0, 40)
    for bottom, stays in ((37, True), (36, False)):
        large = block(10, bottom, 0, 20)
        bones = {"finger-1": runs.union([large, near]), "finger-2": neighbour}
        # Areas are 1600 and about 690, the unit is 33 px: 3 px of background are less than a tenth of it, 4 are not.
        assert _hand.gap(large, neighbour, (90, 60)) == 40 - bottom
        kept = anatomy(mode="repair")(bones, (90, 60))["finger-1"]
        assert kept.tolist() == (large if stays else near).tolist()


def test_without_neighbours_the_largest_part_stays():
    parts = [block(0, 3, 0, 4), block(10, 14, 0, 5), block(20, 22, 0, 2)]
    bones = {"finger-1": runs.union(parts), "Ulna": runs.empty()}
    assert anatomy(mode="repair")(bones, (90, 60))["finger-1"].tolist() == parts[1].tolist()
    expected = ["Ulna is missing.", "finger-1 is in 3 parts, the two largest of 20 and 12 px."]
    assert anatomy().warnings(bones, (90, 60)) == expected


def test_the_limit_by_hand():
    # Two bones of 20 x 20 px, 10 px apart: half a unit.
    bones = {"finger-1": block(10, 30, 0, 20), "finger-2": block(40, 60, 0, 20)}
    assert anatomy(farthest=0.5).warnings(bones, (90, 60)) == []
    sentence = "finger-1 lies 10 px from its nearest neighbour, more than the 8 px expected."
    assert anatomy(farthest=0.4).warnings(bones, (90, 60)) == [sentence]


def test_torn_neighbours_wait_for_those_that_are_whole(hands):
    """Two bones of a finger are drawn again, larger, a finger further.

    The tip's one neighbour is torn too: decided first, the tip would be the larger part.
    """
    masks = dict(hands[0])
    for right, wrong in (("finger-4", "finger-8"), ("finger-5", "finger-9")):
        masks[right] = runs.union([shrunk(hands[0][right], 1), hands[0][wrong]])
    repaired = anatomy(mode="repair")(masks, SIZE)
    for bone in ("finger-4", "finger-5"):
        assert repaired[bone].tolist() == shrunk(hands[0][bone], 1).tolist()
    assert anatomy(mode="repair").warnings(repaired, SIZE) == []


def test_a_hand_whose_bones_are_all_torn_keeps_the_largest_parts(hands):
    speck = disc(500, 8, 3)
    masks = {name: runs.union([mask, speck]) for name, mask in hands[0].items()}
    repaired = anatomy(mode="repair")(masks, SIZE)
    assert all(repaired[name].tolist() == hands[0][name].tolist() for name in masks if name not in ("Radius", "Ulna"))


def test_a_misplaced_bone_is_told_once(hands):
    masks = hands[0]
    limit = 0.3 * _hand.unit(masks)
    away = {**masks, "Capitate": moved(masks["finger-12"], 0, 0)}
    found = anatomy().warnings(away, SIZE)
    gap = min(_hand.gap(away["Capitate"], masks[name], SIZE) for name in hand.neighbours("Capitate"))
    assert found == [f"Capitate lies {gap:.0f} px from its nearest neighbour, more than the {limit:.0f} px expected."]
    assert anatomy(mode="repair")(away, SIZE)["Capitate"].tolist() == away["Capitate"].tolist()


def test_mirrored_labels_are_told(hands):
    """ID058 of the data set: thumb tip and metacarpal changed places. Both still lie beside finger-2."""
    masks = hands[0]
    swapped = {**masks, "finger-1": masks["finger-3"], "finger-3": masks["finger-1"]}
    gap = _hand.gap(masks["finger-1"], masks["Trapezium"], SIZE)
    limit = 0.3 * _hand.unit(masks)
    expected = f"finger-3 and Trapezium lie {gap:.0f} px apart, more than the {limit:.0f} px expected."
    assert anatomy().warnings(swapped, SIZE) == [expected]
