"""Choices, what they score, the fits that make them, and the objects that steps are tried on."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from phalanx.ensemble import _fits, _objects, calibrate
from phalanx.ensemble import band as bands
from phalanx.ensemble.choice import Choice, Scorer, apply, built_step, simplest, step_of
from phalanx.mask import components, runs

SIZE = (9, 11)


def scorer_of(made, metric="dice"):
    return Scorer(bands.build(made.members, made.truth, limit=0.9), list(made.truth.values()), metric)


def dice(mask, true):
    return (2 * runs.overlap(mask, true) + 1e-4) / (runs.area(mask) + runs.area(true) + 1e-4)


def test_a_table_is_what_its_masks_score(world):
    made = world([0.7, 1.5], cases=6, specks=0.02)
    scorer = scorer_of(made)
    step = step_of("keep_largest", count=1)
    choice = Choice(((2, 1), (0, 1)), (30, 55), ((step,), ()))
    table = scorer.table(choice)
    for label, steps in enumerate(choice.steps):
        masks = scorer.band.masks(label, choice.weights[label], choice.thresholds[label])
        masks = [
            components.largest(mask, size) if steps else mask for mask, size in zip(masks, made.sizes, strict=True)
        ]
        expected = [dice(mask, true[label]) for mask, true in zip(masks, made.truth.values(), strict=True)]
        np.testing.assert_allclose(table[:, label], expected, atol=1e-6)
    assert np.array_equal(scorer.table(choice), table)


def test_iou_is_another_metric(world):
    made = world([0.7], cases=3)
    plain = Choice.plain(scorer_of(made).band)
    found, other = scorer_of(made).table(plain), scorer_of(made, "iou").table(plain)
    np.testing.assert_allclose(other, found / (2 - found), atol=1e-4)


def test_little_is_kept(world, monkeypatch):
    made = world([0.7, 1.5], cases=3)
    plain = scorer_of(made)
    expected = [plain.table(Choice.plain(plain.band, row)) for row in ([1, 0], [0, 1], [1, 1])]
    monkeypatch.setattr("phalanx.ensemble.choice._KEPT", 1)
    forgetful = scorer_of(made)
    for row, table in zip(([1, 0], [0, 1], [1, 1]), expected, strict=True):
        assert np.array_equal(forgetful.table(Choice.plain(forgetful.band, row)), table)
    assert len(forgetful._tables) == 1
    stepped = Choice(((1, 0), (1, 1)), (40, 40), ((step_of("fill_holes"),), (step_of("keep_largest"),)))
    assert np.array_equal(forgetful.table(stepped), plain.table(stepped))


def test_fits_may_look_at_fewer_pixels(world):
    made = world([0.7, 1.5], cases=6, size=(96, 120), network=(48, 60))
    whole = scorer_of(made)
    fewer = Scorer(whole.band, whole.truth, most=whole.band.pixels // 4)
    assert fewer._quick.step == 4 and abs(fewer._quick.pixels - whole.band.pixels / 4) < 12
    close, exact = fewer.curves(1, (2, 1)), whole.curves(1, (2, 1))
    assert not np.array_equal(close, exact)
    # Some dozen pixels a mask are left here; a real band has thousands.
    assert np.abs(close - exact).max() < 0.15 and np.abs((close - exact).mean(0)).max() < 0.03
    # What is reported is counted on all.
    choice = Choice.plain(whole.band, [2, 1])
    assert np.array_equal(fewer.table(choice), whole.table(choice))
    with pytest.raises(AssertionError, match="has lost pixels"):
        fewer._quick.masks(0, (1, 1), 40)


def test_a_two_level_cut_is_applied_to_the_band(world):
    made = world([0.7], cases=4)
    band = scorer_of(made).band
    cut = step_of("two_level", strict=0.8, loose=0.4, area=10**6, scope="mask")
    assert all(len(mask) == 0 for mask in apply(band, 0, (1,), 40, (cut,)))
    cut = step_of("two_level", strict=0.8, loose=0.4, area=1, scope="mask")
    place = int(np.searchsorted(band.thresholds, 0.4))
    found, loose = apply(band, 0, (1,), 40, (cut,)), band.masks(0, (1,), place)
    assert all(np.array_equal(mask, other) for mask, other in zip(found, loose, strict=True))


def test_a_choice_survives_a_file():
    choice = Choice(((1, 2), (0, 1)), (3, 4), ((step_of("fill_holes"), step_of("remove_small", smallest=8)), ()))
    assert Choice.load(choice.to_dict()) == choice
    assert Choice.load(json.loads(json.dumps(choice.to_dict()))) == choice


def test_weights_in_their_simplest_form():
    assert simplest([4, 8, 0]) == (1, 2, 0)
    assert simplest([0, 0]) == (0, 0)


# ---- fits ----------------------------------------------------------------------------------------------------------


def test_the_best_single_member(world):
    made = world([2.0, 0.5, 3.0], cases=6)
    assert _fits.best_single(scorer_of(made), np.arange(6)).weights[0] == (0, 1, 0)


def test_greedy_prefers_members_it_has():
    # The second and third say the same; the first is better with either.
    scores = {(1, 0, 0): 0.8, (0, 1, 0): 0.7, (0, 0, 1): 0.7, (1, 1, 0): 0.9, (1, 0, 1): 0.9}

    def score(weights):
        weights = simplest(weights)
        return scores.get(weights, 0.9 if weights[0] else 0.5)

    assert _fits._greedy(score, 3) == (1, 1, 0)


def test_members_that_add_nothing_are_left_out():
    gains = {(1, 1, 1): 0.9, (1, 1, 0): 0.8999, (1, 0, 0): 0.85, (0, 1, 0): 0.8}
    assert _fits._pruned(lambda weights: gains.get(weights, 0.1), (1, 1, 1)) == (1, 1, 0)
    assert _fits._pruned(lambda weights: 0.5, (0, 3, 0)) == (0, 3, 0)


def test_shares_in_whole_numbers():
    assert _fits._whole([0.5, 0.25, 0.25]) == [12, 6, 6]
    assert sum(_fits._whole([1 / 3, 1 / 3, 1 / 3])) == 24
    assert _fits._between((1, 0), (0, 1), 0.25) == (3, 1)


def test_a_peak_must_be_higher_than_what_stands():
    curve = np.full(21, 0.5)
    assert _fits._peak(curve, 10) == 10
    curve[3:8] = [0.6, 0.7, 0.8, 0.7, 0.6]
    assert _fits._peak(curve, 10) == 5
    # A lone spike is luck.
    spike = 0.8 - 0.002 * np.abs(np.arange(21) - 12.0)
    spike[2] = 0.81
    assert _fits._peak(spike, 12) == 12


# ---- objects -------------------------------------------------------------------------------------------------------

MASKS = arrays(np.bool_, SIZE)


@given(MASKS, MASKS)
@settings(deadline=None, max_examples=60)
def test_counts_of_objects_and_holes_are_those_of_the_steps(mask, true):
    found, truth = runs.from_mask(mask), runs.from_mask(true)
    objects = _objects.measure([found], [truth], [SIZE])
    everything = np.ones(len(objects.area), np.bool_)
    nothing, filled = np.zeros(len(objects.hole_of), np.bool_), np.ones(len(objects.hole_of), np.bool_)

    def counts(kept):
        return [runs.overlap(kept, truth), runs.area(kept), runs.area(truth)]

    assert objects.counts(everything, nothing)[0].tolist() == counts(found)
    assert objects.counts(everything, filled)[0].tolist() == counts(components.fill_holes(found, SIZE))
    small = objects.hole_area <= 2
    assert objects.counts(everything, small)[0].tolist() == counts(components.fill_holes(found, SIZE, 2))
    for smallest in (2, 5):
        kept = components.remove_small(found, SIZE, smallest)
        assert objects.counts(objects.area >= smallest, nothing)[0].tolist() == counts(kept)
    for count in (1, 2):
        kept = components.largest(found, SIZE, count=count)
        assert objects.counts(objects.rank < count, nothing)[0].tolist() == counts(kept)


def test_a_hole_goes_with_the_object_around_it():
    mask = np.zeros(SIZE, bool)
    mask[1:6, 1:6] = True
    mask[3, 3] = False
    mask[7, 8] = True
    objects = _objects.measure([runs.from_mask(mask)], [runs.from_mask(mask)], [SIZE])
    assert objects.area.tolist() == [24, 1] and objects.hole_of.tolist() == [0]
    filled = np.ones(1, np.bool_)
    assert objects.counts(np.array([False, True]), filled)[0].tolist() == [1, 1, 25]
    assert objects.counts(np.array([True, False]), filled)[0].tolist() == [24, 25, 25]


def test_an_empty_mask_has_no_objects():
    objects = _objects.measure([runs.empty()], [np.array([[3, 5]])], [SIZE])
    assert objects.counts(np.ones(0, bool), np.ones(0, bool)).tolist() == [[0, 0, 2]]


def test_specks_are_removed(world):
    made = world([0.4], cases=8, specks=0.03)
    scorer = scorer_of(made)
    bench = _objects.Bench(scorer)
    choice = bench.fit(scorer, np.arange(8), Choice.plain(scorer.band))
    assert scorer.table(choice).mean() > scorer.table(Choice.plain(scorer.band)).mean() + 0.02
    assert all(built_step(step) for row in choice.steps for step in row)


# ---- temperature ---------------------------------------------------------------------------------------------------


@given(st.sampled_from([0.5, 2.0, 3.0]))
@settings(deadline=None, max_examples=3)
def test_a_stretched_member_is_found_out(factor):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 20000)
    true = rng.random(20000) < 1 / (1 + np.exp(-logits))
    codes, place = np.unique(np.round(logits * factor * 100), return_inverse=True)
    count, hits = np.bincount(place), np.bincount(place, true)
    assert calibrate._fitted(codes / 100, count, hits) == pytest.approx(factor, rel=0.05)


def test_temperatures_of_a_band(world):
    made = world([1.0, 1.0], cases=8)
    for stack in made.members[1].stacks.values():
        stack.values = made.members[0].stacks[next(iter(made.truth))].values * 0 + stack.values / 2
    band = bands.build(made.members, made.truth, limit=0.9)
    first, second = calibrate.temperatures(band)
    assert second < first
    with pytest.raises(ValueError, match="fitted on logits"):
        calibrate.temperatures(bands.build(made.members, made.truth, space="probability", limit=0.9))
