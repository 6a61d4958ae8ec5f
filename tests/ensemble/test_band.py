"""Band: its counts and masks are those of the whole planes at every threshold."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx.core.errors import StoreError
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.ensemble import band as bands
from phalanx.ensemble.band import SCALE
from phalanx.ensemble.soft import Blend
from phalanx.mask import runs
from phalanx.store.predictions import quantise


def dense(world, case, label, weights, space):
    """The weighted mean at the original size, float64."""
    total = 0.0
    for member, weight in zip(world.members, weights, strict=True):
        stack = member.open(case)
        plane = stack.plane(label).astype(np.float32)
        soft = plane if space == "logits" else 1 / (1 + np.exp(-plane))
        total = total + weight * stack.geometry.restore(soft).astype(np.float64)
    return total / sum(weights)


@pytest.mark.parametrize("space", ["logits", "probability"])
@given(seed=st.integers(0, 99), weights=st.tuples(*[st.integers(0, 3)] * 3).filter(any))
@settings(max_examples=12, deadline=None)
def test_counts_and_masks_equal_the_whole_planes(world, space, seed, weights):
    made = world([0.5, 1.0, 2.0], cases=3, seed=seed)
    # One case has no pixel of the first class, one all of the second.
    made.truth["case00"][0] = runs.empty()
    made.truth["case01"][1] = np.array([[0, 48 * 60]])
    band = bands.build(made.members, made.truth, space=space, limit=0.9)
    assert band.thresholds[0] == 0.1 and band.thresholds[-1] == 0.9 and len(band.thresholds) == 81
    for label in range(2):
        counts = band.counts(label, weights)
        for at in (0, 40, 63, 80):
            masks = band.masks(label, weights, at)
            level = band.thresholds[at]
            bar = level if space == "probability" else np.log(level / (1 - level))
            for place, case in enumerate(made.truth):
                whole = dense(made, case, label, weights, space)
                true = runs.to_mask(made.truth[case][label], (48, 60))
                mask = runs.to_mask(masks[place], (48, 60))
                # Values are kept in whole numbers; only what lies that close to the bar may differ.
                apart = mask != (whole > bar)
                assert np.abs(whole[apart] - bar).max(initial=0) <= 1.5 / SCALE[space]
                assert counts[place, at].tolist() == [(mask & true).sum(), mask.sum(), true.sum()]
                runs.check(masks[place], (48, 60))


def test_equals_the_ensemble(world):
    made = world([0.5, 1.0, 2.0], cases=4)
    for member in made.members:
        for stack in member.stacks.values():
            stack.values = quantise(stack.values)
    band = bands.build(made.members, made.truth)
    labels = made.members[0].labels
    weights = (Fraction(2), Fraction(1), Fraction(1))
    blend = Blend(tuple(made.members), labels, (weights,))
    for at in (25, 48, 70):
        for label in range(2):
            found = band.masks(label, (2, 1, 1), at)
            for case, mask in zip(made.truth, found, strict=True):
                other = blend.open(case).cut(label, [float(band.thresholds[at])])[0]
                differing = runs.area(mask) + runs.area(other) - 2 * runs.overlap(mask, other)
                assert differing <= 1


def test_members_of_other_frames_meet_at_the_image(world):
    made = world([0.5, 0.5], cases=2)
    for stack in made.members[1].stacks.values():
        stack.geometry = Geometry.fit((48, 60), (30, 30), keep_aspect=True)
        rng = np.random.default_rng(3)
        stack.values = rng.normal(0, 3, (2, 30, 30)).astype(np.float32)
    band = bands.build(made.members, made.truth, limit=0.9)
    whole = dense(made, "case00", 1, (1, 1), "logits")
    mask = runs.to_mask(band.masks(1, (1, 1), 40)[0], (48, 60))
    assert np.abs(whole[mask != (whole > 0)]).max(initial=0) <= 1.5 / SCALE["logits"]
    assert 0 < mask.sum() < mask.size


def test_most_pixels_are_left_out(world):
    made = world([0.5, 0.5], cases=3)
    band = bands.build(made.members, made.truth, limit=0.9)
    assert 0 < band.pixels < 0.2 * 3 * 2 * 48 * 60


def test_a_case_of_two_sizes_is_refused(world):
    made = world([0.5, 0.5], cases=2)
    made.members[1].stacks["case01"].geometry = Geometry.fit((96, 60), (24, 30), keep_aspect=False)
    with pytest.raises(StoreError, match=r"case01 is 96x60 in m1, 48x60 before"):
        bands.build(made.members, made.truth)


def test_classes_that_exclude_each_other_are_refused(world):
    made = world([0.5], cases=1)
    made.members[0].labels = LabelSpace(("background", "liver"), exclusive=True)
    with pytest.raises(StoreError, match="classes that may overlap"):
        bands.build(made.members, made.truth)


def test_agreement_by_hand(world):
    made = world([0.0, 0.0], cases=1, classes=1, size=(4, 6), network=(4, 6))
    left, right = (np.full((1, 4, 6), -1.0, np.float32) for _ in range(2))
    left[0, 1, 1:4], right[0, 1, 2:6] = 1.0, 7.0
    made.members[0].stacks["case00"].values, made.members[1].stacks["case00"].values = left, right
    band = bands.build(made.members, {"case00": [runs.empty()]}, limit=0.9)
    # Masks of 3 and 4 pixels share 2.
    np.testing.assert_allclose(band.agreement(), [[1, 4 / 7], [4 / 7, 1]], atol=1e-4)


@pytest.mark.parametrize("weights", [(0, 0), (1, -1), (2**16, 1)])
def test_weights_that_cannot_be(world, weights):
    made = world([0.5, 0.5], cases=1)
    with pytest.raises(ValueError, match="weights must be whole"):
        bands.build(made.members, made.truth).counts(0, weights)
