import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pydantic import ValidationError

from phalanx.core.errors import ConfigError
from phalanx.mask import runs
from phalanx.steps import _overlaps
from phalanx.steps.forbid_overlap import ForbidOverlap

SIZE = (3, 5)
# "b" is the largest; all three share pixel 6.
CASE = {name: np.array(pixels) for name, pixels in {"a": [[4, 8]], "b": [[6, 12]], "c": [[0, 2], [6, 7]]}.items()}
STACKS = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=7).flatmap(
    lambda shape: arrays(np.bool_, (4, *shape))
)
PAIRS = [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")]


def forbid(**values):
    return ForbidOverlap(ForbidOverlap.Config(**values))


def pixels(masks):
    return {
        name: [pixel for start, stop in mask.tolist() for pixel in range(start, stop)] for name, mask in masks.items()
    }


@pytest.mark.parametrize(
    ("keep", "a", "b"),
    [
        ("larger", [4, 5], [6, 7, 8, 9, 10, 11]),
        ("smaller", [4, 5, 6, 7], [8, 9, 10, 11]),
        ("first", [4, 5], [6, 7, 8, 9, 10, 11]),
        ("neither", [4, 5], [8, 9, 10, 11]),
    ],
)
def test_one_pair_by_hand(keep, a, b):
    step = forbid(pairs=[["b", "a"]], keep=keep)
    assert pixels(step(CASE, SIZE)) == {"a": a, "b": b, "c": [0, 1, 6]}
    assert step.warnings(CASE, SIZE) == ["b and a share 2 px and may not overlap."]
    assert step.warnings(step(CASE, SIZE), SIZE) == []


def test_everything_but_what_is_allowed():
    step = forbid(allowed=[["c", "b"]], keep="first")
    assert pixels(step(CASE, SIZE)) == {"a": [4, 5, 6, 7], "b": [8, 9, 10, 11], "c": [0, 1]}
    assert step.warnings(CASE, SIZE) == [
        "a and b share 2 px and may not overlap.",
        "a and c share 1 px and may not overlap.",
    ]
    assert pixels(forbid(allowed=[], keep="larger")(CASE, SIZE)) == {
        "a": [4, 5],
        "b": [6, 7, 8, 9, 10, 11],
        "c": [0, 1],
    }


def test_pairs_are_judged_on_the_masks_as_they_came():
    # c loses pixel 6 to a though a loses it to b, whichever pair is named first.
    for pairs in ([["a", "b"], ["a", "c"]], [["a", "c"], ["a", "b"]]):
        assert pixels(forbid(pairs=pairs)(CASE, SIZE)) == {"a": [4, 5], "b": [6, 7, 8, 9, 10, 11], "c": [0, 1]}


@pytest.mark.parametrize("keep", ["larger", "smaller"])
def test_of_equal_masks_the_first_of_the_case_keeps(keep):
    case = {"a": np.array([[0, 4]]), "b": np.array([[2, 6]])}
    for pair in (["a", "b"], ["b", "a"]):
        assert pixels(forbid(pairs=[pair], keep=keep)(case, SIZE)) == {"a": [0, 1, 2, 3], "b": [4, 5]}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "either pairs or allowed is needed: neither given"),
        ({"pairs": [], "allowed": []}, "both given"),
        ({"pairs": [["a", "a"]]}, "a pair has two classes: a, a"),
        ({"pairs": [["a", "b"], ["b", "a"]]}, "a pair is named twice: b, a"),
        ({"pairs": [["a", "b", "c"]]}, "at most 2"),
        ({"pairs": [["a", "b"]], "keep": "both"}, "larger"),
    ],
)
def test_a_config_that_makes_no_sense(values, message):
    with pytest.raises(ValidationError, match=message):
        forbid(**values)


@pytest.mark.parametrize("values", [{"pairs": [["a", "finger-11"]]}, {"allowed": [["finger-11", "a"]]}])
def test_a_class_that_the_case_has_not(values):
    step = forbid(**values)
    case = {"a": runs.empty(), "finger-1": runs.empty()}
    with pytest.raises(ConfigError, match="a class that the case has not: finger-11. Did you mean finger-1"):
        step(case, SIZE)
    with pytest.raises(ConfigError, match="finger-11"):
        step.warnings(case, SIZE)


def test_what_never_overlaps_by_hand():
    apart = {"a": np.array([[0, 2]]), "b": np.array([[2, 4]]), "c": np.array([[3, 5]]), "d": runs.empty()}
    later = {"d": np.array([[7, 9]]), "b": np.array([[1, 3]]), "a": np.array([[0, 2]])}
    # b and c overlap in the first, a and b in the second; c and d never meet in one case.
    assert _overlaps.never_overlapping([apart, later]) == (("a", "c"), ("a", "d"), ("b", "d"))
    # The one overlap of a and b may be a slip, as they are apart once; all others were seen together only once.
    assert _overlaps.never_overlapping([apart, later], slips=1) == (("a", "b"),)
    assert _overlaps.never_overlapping([]) == ()


def test_runs_whose_ends_touch_share_nothing():
    case = {"a": np.array([[0, 2], [6, 7]]), "b": np.array([[2, 6]])}
    assert _overlaps.never_overlapping([case]) == (("a", "b"),)


def test_what_is_learnt_from_labels_holds_for_them(hands):
    never = _overlaps.never_overlapping(hands)
    step = forbid(pairs=never)
    for masks in hands:
        assert step.warnings(masks, (512, 512)) == []
    assert ("finger-1", "finger-5") in never
    assert ("Triquetrum", "Pisiform") not in never  # overlap in 799 of 800 images of the data set
    known = [set(masks) for masks in hands]
    assert all(set(pair) <= known[0] for pair in never)


@given(STACKS, st.sampled_from(["larger", "smaller", "first", "neither"]), st.sets(st.sampled_from(PAIRS)))
def test_equals_planes(planes, keep, forbidden):
    size = planes.shape[1:]
    case = {name: runs.from_mask(plane) for name, plane in zip("abcd", planes, strict=True)}
    expected = planes.copy()
    area = planes.sum((1, 2))
    for one, two in (("abcd".index(a), "abcd".index(b)) for a, b in forbidden):
        both = planes[one] & planes[two]
        sign = {"larger": 1, "smaller": -1}.get(keep, 0)
        loser = one if sign * (int(area[two]) - int(area[one])) > 0 else two
        for lost in (one, two) if keep == "neither" else (loser,):
            expected[lost] &= ~both
    wanted = {name: runs.from_mask(plane).tolist() for name, plane in zip("abcd", expected, strict=True)}
    allowed = [pair for pair in PAIRS if pair not in forbidden]
    for step in (forbid(pairs=sorted(forbidden), keep=keep), forbid(allowed=allowed, keep=keep)):
        assert {name: mask.tolist() for name, mask in step(case, size).items()} == wanted
        assert len(step.warnings(case, size)) == sum(
            (planes["abcd".index(a)] & planes["abcd".index(b)]).any() for a, b in forbidden
        )


@given(STACKS)
def test_subtraction_equals_planes(planes):
    size = planes.shape[1:]
    found = _overlaps.subtract(runs.from_mask(planes[0]), runs.from_mask(planes[1]), size)
    runs.check(found, size)
    assert found.tolist() == runs.from_mask(planes[0] & ~planes[1]).tolist()


@given(STACKS)
def test_never_overlapping_equals_planes(planes):
    # Two cases of two classes.
    cases = [{"a": runs.from_mask(planes[0]), "b": runs.from_mask(planes[1])}]
    cases += [{"a": runs.from_mask(planes[2]), "b": runs.from_mask(planes[3])}]
    never = not (planes[0] & planes[1]).any() and not (planes[2] & planes[3]).any()
    met = (planes[0].any() and planes[1].any()) or (planes[2].any() and planes[3].any())
    assert _overlaps.never_overlapping(cases) == ((("a", "b"),) if never and met else ())
