"""Pipeline: the cut comes first, steps in their order, joint steps last, and what cannot stand where."""

from fractions import Fraction

import numpy as np
import pytest

from phalanx.core import catalogue
from phalanx.core.errors import ConfigError
from phalanx.core.labels import LabelSpace
from phalanx.ensemble import pipeline
from phalanx.ensemble.members import StoreMember
from phalanx.ensemble.pipeline import Pipeline
from phalanx.ensemble.soft import Blend
from phalanx.mask import runs

BONES = LabelSpace(("radius", "ulna", "lunate"))
ORGANS = LabelSpace(("background", "liver", "spleen"), exclusive=True)
SIZE = (24, 40)


def steps(*configs: dict) -> list:
    return pipeline.build([catalogue.entry("steps", one["name"]).Config.model_validate(one) for one in configs])


@pytest.fixture
def make(store):
    def made(*rows: list, joint: list | None = None, thresholds=(0.5, 0.5, 0.5), labels=BONES, planes=None) -> Pipeline:
        frame = {} if planes is None else {"planes": {"a": planes}, "network": SIZE}
        member = StoreMember(store("0.zarr", labels=labels, cases=("a",), dtype="float16", **frame))
        blend = Blend((member,), labels, ((Fraction(1),),))
        empty = [[]] * (len(labels.scored) - len(rows))
        return Pipeline(blend, thresholds[: len(labels.scored)], [*rows, *empty], joint or [])

    return made


def painted(*boxes: tuple[slice, slice]) -> np.ndarray:
    """Logits of three classes, one box each; pixels inside have probability 0.73, a frame around the first 0.38."""
    planes = np.full((3, *SIZE), -4, np.float16)
    planes[0, 4:16, 4:16] = -0.5
    for plane, box in zip(planes, boxes, strict=True):
        plane[box] = 1.0
    return planes


BOXES = (np.s_[6:12, 6:12], np.s_[8:20, 10:20], np.s_[2:4, 30:36])


def masks(found: Pipeline) -> list[np.ndarray]:
    return [runs.to_mask(mask, SIZE) for mask in next(found.run(threads=1)).masks.values()]


def test_nothing_but_a_cut(make):
    plain = make(planes=painted(*BOXES))
    assert plain.bare
    done = next(plain.run())
    assert (done.case, done.size, done.warnings, tuple(done.masks)) == ("a", SIZE, [], BONES.names)
    for mask, box in zip(masks(plain), BOXES, strict=True):
        expected = np.zeros(SIZE, bool)
        expected[box] = True
        assert np.array_equal(mask, expected)


def test_a_threshold_is_a_probability(make):
    found = make(planes=painted(*BOXES), thresholds=(0.3, 0.7, 0.8))
    assert not found.bare
    assert [int(mask.sum()) for mask in masks(found)] == [144, 120, 0]


def test_a_cut_among_the_steps_replaces_the_threshold(make):
    found = make(steps({"name": "threshold", "at": 0.3}), planes=painted(*BOXES), thresholds=(0.9, 0.5, 0.5))
    assert [int(mask.sum()) for mask in masks(found)] == [144, 120, 12]
    assert not found.bare


def test_steps_follow_a_cut(make):
    row = steps({"name": "threshold", "at": 0.3}, {"name": "remove_small", "smallest": 145})
    assert [int(mask.sum()) for mask in masks(make(row, planes=painted(*BOXES)))] == [0, 120, 12]


def test_a_cut_may_want_several_levels(make):
    two = steps({"name": "two_level", "strict": 0.7, "loose": 0.3, "area": 36})
    assert int(masks(make(two, planes=painted(*BOXES)))[0].sum()) == 144


def test_steps_run_in_their_order(make):
    planes = np.full((3, *SIZE), -4, np.float16)
    # A ring of 20 pixels around 16, and a block of 25.
    planes[0, 2:8, 2:8], planes[0, 3:7, 3:7], planes[0, 12:17, 12:17] = 2, -2, 2
    fill, keep = {"name": "fill_holes"}, {"name": "keep_largest"}
    assert int(masks(make(steps(fill, keep), planes=planes))[0].sum()) == 36


def test_steps_run_in_the_other_order(make):
    planes = np.full((3, *SIZE), -4, np.float16)
    planes[0, 2:8, 2:8], planes[0, 3:7, 3:7], planes[0, 12:17, 12:17] = 2, -2, 2
    assert int(masks(make(steps({"name": "keep_largest"}, {"name": "fill_holes"}), planes=planes))[0].sum()) == 25


def test_joint_steps_see_what_the_others_left_and_say_what_is_odd(make):
    forbid = steps({"name": "forbid_overlap", "pairs": [["radius", "ulna"]]})
    found = make(joint=forbid, planes=painted(*BOXES))
    done = next(found.run())
    assert done.warnings == ["radius and ulna share 8 px and may not overlap."]
    assert [runs.area(mask) for mask in done.masks.values()] == [28, 120, 12]
    assert not found.bare


def test_the_steps_of_a_class_come_before_joint_ones(make):
    forbid = steps({"name": "forbid_overlap", "pairs": [["radius", "ulna"]]})
    gone = steps({"name": "remove_small", "smallest": 37})
    assert next(make(gone, joint=forbid, planes=painted(*BOXES)).run()).warnings == []


@pytest.mark.parametrize(
    ("rows", "joint", "words"),
    [
        ([["fill_holes", "threshold"]], [], "a step cannot stand here: threshold"),
        ([["anatomy"]], [], "a step cannot stand here: anatomy"),
        ([], ["fill_holes"], "a step of one class cannot stand among joint ones: fill_holes"),
        ([], ["threshold"], "a step of one class cannot stand among joint ones: threshold"),
    ],
)
def test_steps_out_of_place_are_refused(make, rows, joint, words):
    with pytest.raises(ConfigError) as found:
        make(
            *(steps(*({"name": name} for name in row)) for row in rows),
            joint=steps(*({"name": name} for name in joint)),
        )
    assert words in str(found.value)


def test_exclusive_classes_have_steps_but_no_thresholds(make):
    found = make(steps({"name": "keep_largest"}), labels=ORGANS)
    done = next(found.run())
    assert tuple(done.masks) == ("liver", "spleen")
    assert runs.overlap(*done.masks.values()) == 0
    assert not found.bare


def test_exclusive_classes_refuse_thresholds(make):
    with pytest.raises(ConfigError, match="exclude each other have no thresholds: 0.4"):
        make(labels=ORGANS, thresholds=(0.4, 0.4))


def test_exclusive_classes_refuse_cuts(make):
    with pytest.raises(ConfigError, match="a step cannot stand here: threshold"):
        make(steps({"name": "threshold"}), labels=ORGANS)


def test_values_by_class():
    assert pipeline.by_class(BONES, 1, {"ulna": 2}) == [1, 2, 1]
    assert pipeline.by_class(ORGANS, 1, {"spleen": 2}) == [1, 2]
