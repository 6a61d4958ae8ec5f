"""What every step keeps to, whatever it does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pydantic import ValidationError

from phalanx.core import catalogue
from phalanx.mask import runs
from phalanx.steps._base import Cut, Joint, Step

EXAMPLES = {
    "anatomy": [{}, {"mode": "repair"}],
    "clip": [{}, {"margin": 1}, {"margin": 40}],
    "fill_holes": [{}, {"largest": 2}],
    "forbid_overlap": [
        *({"allowed": [], "keep": keep} for keep in ("larger", "smaller", "first", "neither")),
        {"pairs": [["Ulna", "finger-1"]]},
        {"allowed": [["Ulna", "finger-1"]]},
    ],
    "keep_largest": [{}, {"count": 2, "connectivity": 4}],
    "remove_small": [{"smallest": 3}, {"smallest": 4, "connectivity": 4, "keep_one": True}],
    "smooth": [
        {"operation": operation, "radius": radius, "shape": shape}
        for operation in ("opening", "closing")
        for radius in (1, 3)
        for shape in ("ellipse", "rectangle")
    ],
    "threshold": [{}, {"at": 0.3}],
    "two_level": [{"area": 2}, {"area": 2, "scope": "object"}, {"area": 1, "scope": "object", "connectivity": 4}],
}
CASES = [(name, values) for name, examples in EXAMPLES.items() for values in examples]
STEPS = pytest.mark.parametrize(("name", "values"), CASES)
CLASSES = ("finger-1", "Ulna", "a nail")
# Every axis another size, one row, one column; many runs of these wrap from row to row.
STACKS = st.one_of(
    array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=9).filter(lambda shape: shape[0] != shape[1]),
    st.tuples(st.just(1), st.integers(1, 17)),
    st.tuples(st.integers(1, 17), st.just(1)),
).flatmap(lambda shape: arrays(np.bool_, (3, *shape)))


def built(name, values):
    entry = catalogue.entry("steps", name)
    return catalogue.build("steps", entry.Config.model_validate(values))


def seen(step, masks):
    """What a step of each kind is given, from masks of three classes; a Cut sees ever smaller masks."""
    if isinstance(step, Joint):
        return dict(zip(CLASSES, masks, strict=True))
    if isinstance(step, Cut):
        levels = [masks[0]]
        for _ in step.levels[1:]:
            levels.append(runs.intersect(levels[-1], masks[1]))
        return levels
    return masks[0]


def again(step, outcome):
    """The outcome as the input of the same step."""
    return [outcome] * len(step.levels) if isinstance(step, Cut) else outcome


def listed(outcome):
    """Masks of any kind of outcome."""
    return list(outcome.values()) if isinstance(outcome, dict) else [outcome]


def test_every_entry_has_an_example():
    assert set(EXAMPLES) == set(catalogue.names("steps"))


@STEPS
def test_entries_are_one_of_the_three_kinds(name, values):
    step = built(name, values)
    assert sum(isinstance(step, kind) for kind in (Step, Cut, Joint)) == 1
    assert step.config.name == name
    assert catalogue.entry("steps", name).Config.model_validate(step.config.model_dump()) == step.config
    with pytest.raises(ValidationError, match="Extra inputs"):
        built(name, {**values, "smalest": 3})


@STEPS
def test_levels_are_ascending_probabilities(name, values):
    step = built(name, values)
    levels = step.levels if isinstance(step, Cut) else (0.5,)
    assert list(levels) == sorted(levels)
    assert 0 < levels[0] <= levels[-1] < 1


@STEPS
@pytest.mark.parametrize("size", [(5, 7), (1, 6), (4, 1)])
def test_an_empty_mask_stays_empty(name, values, size):
    step = built(name, values)
    for mask in listed(step(seen(step, [runs.empty()] * 3), size)):
        runs.check(mask, size)
        assert not len(mask)


@STEPS
@given(masks=STACKS)
def test_runs_in_and_runs_out_twice_the_same_and_the_input_unchanged(name, values, masks):
    size = masks.shape[1:]
    step = built(name, values)
    found = [runs.from_mask(mask) for mask in masks]
    before = [mask.copy() for mask in found]
    for mask in found:
        mask.flags.writeable = False
    outcome = step(seen(step, found), size)
    for mask in listed(outcome):
        runs.check(mask, size)
    for mask, old in zip(found, before, strict=True):
        assert np.array_equal(mask, old)
    if isinstance(step, Joint):
        assert tuple(outcome) == CLASSES
        assert all(isinstance(sentence, str) for sentence in step.warnings(seen(step, found), size))
    for mask, repeated in zip(listed(outcome), listed(step(again(step, outcome), size)), strict=True):
        assert mask.tolist() == repeated.tolist()


@STEPS
def test_a_full_mask(name, values):
    step, size = built(name, values), (3, 5)
    full = np.array([[0, 15]])
    outcome = listed(step(seen(step, [full] * 3), size))
    for mask in outcome:
        runs.check(mask, size)
    # An opening takes away what is narrower than its brush, here the whole image.
    if name not in ("clip", "forbid_overlap") and values.get("operation") != "opening":
        assert [mask.tolist() for mask in outcome] == [[[0, 15]]] * len(outcome)
