"""Search: honest estimates, decisions that noise cannot make, and a search that goes on."""

import json
from dataclasses import replace

import numpy as np
import pytest

from phalanx.core.errors import PhalanxError
from phalanx.ensemble import band as bands
from phalanx.ensemble import search as searches
from phalanx.ensemble.choice import Choice, Scorer
from phalanx.ensemble.search import Search, divide, leave_one_out
from phalanx.mask import runs


def scorer_of(made, **options):
    return Scorer(bands.build(made.members, made.truth, limit=0.9, **options), list(made.truth.values()))


def test_groups_stay_together_and_folds_are_even():
    groups = [f"p{place // 3}" for place in range(30)]
    fold_of = divide(groups, 4, seed=1)
    assert all(len(set(fold_of[3 * place : 3 * place + 3])) == 1 for place in range(10))
    assert sorted(np.bincount(fold_of) // 3) == [2, 2, 3, 3]
    assert not np.array_equal(fold_of, divide(groups, 4, seed=2))


def test_a_useless_member_gets_no_weight(world):
    made = world([0.6, 0.7, 9.0], cases=16)
    found = Search(scorer_of(made), made.groups, stages=("members",)).run()
    assert found.verdicts[0].taken
    assert all(row[2] == 0 and row[0] > 0 and row[1] > 0 for row in found.choice.weights)
    assert found.nested["members"].mean() > found.nested["plain mean"].mean() + 0.05


def test_a_shift_of_the_logits_is_found(world):
    made = world([0.6, 0.7], cases=16, shift=[-0.8, -0.8])
    found = Search(scorer_of(made), made.groups, stages=("members", "threshold")).run()
    assert found.verdicts[1].taken
    # Logits were lowered by 0.8: probability 0.31.
    level = scorer_of(made).band.thresholds[found.choice.thresholds[0]]
    assert 0.2 < level < 0.42
    nested = {name: table.mean() for name, table in found.nested.items()}
    assert nested["threshold"] > nested["members"] + 0.01
    assert nested["threshold"] > nested["best single"]


def test_what_luck_gives_is_not_taken(world):
    made = world([1.0, 1.0, 1.0], cases=16, seed=5)
    plain = Choice.plain(scorer_of(made).band)
    found = Search(scorer_of(made), made.groups, stages=("members", "class weights", "thresholds")).run()
    taken = [verdict.stage for verdict in found.verdicts if verdict.taken]
    assert taken == []
    assert found.choice == plain
    assert np.array_equal(found.nested["plain mean"][:, 0], found.fitted[:, 0])


def test_the_held_groups_have_no_say(world):
    made = world([0.8, 1.2], cases=16, seed=2)
    search = Search(scorer_of(made), made.groups, folds=4, stages=("members", "thresholds", "steps"), always=True)
    fold_of = divide(made.groups, 4, 0)
    held = np.flatnonzero(fold_of == 1)
    before = search.procedure(np.flatnonzero(fold_of != 1)).choices
    for place in held:
        made.truth[list(made.truth)[place]] = [np.array([[0, 7]]), runs.empty()]
    poisoned = Search(scorer_of(made), made.groups, folds=4, stages=search.stages, always=True)
    assert poisoned.procedure(np.flatnonzero(fold_of != 1)).choices == before
    # The others have: were the second member the truth, it would get all the weight.
    second = scorer_of(made).band
    for label in range(2):
        for case, mask in zip(made.truth, second.masks(label, [0, 1], 40), strict=True):
            made.truth[case][label] = mask
    convinced = Search(scorer_of(made), made.groups, folds=4, stages=("members",), always=True)
    assert convinced.procedure(np.flatnonzero(fold_of != 1)).choices[-1].weights == ((0, 1), (0, 1))


def test_nested_scores_are_those_of_the_choices_made_without(world):
    made = world([0.8, 2.5], cases=12)
    scorer = scorer_of(made)
    search = Search(scorer, made.groups, folds=3, stages=("members",))
    found = search.run()
    fold_of = divide(made.groups, 3, 0)
    for fold in range(3):
        choice = search.procedure(np.flatnonzero(fold_of != fold)).choices[-1]
        held = fold_of == fold
        assert np.array_equal(found.nested["members"][held], scorer.table(choice)[held])


def test_members_in_any_order_and_copies(world):
    made = world([0.7, 1.5, 3.0], cases=12, seed=4)
    stages = ("members", "threshold")
    found = Search(scorer_of(made), made.groups, stages=stages).run()
    turned = replace(made, members=made.members[::-1])
    other = Search(scorer_of(turned), made.groups, stages=stages).run()
    assert [row[::-1] for row in other.choice.weights] == list(found.choice.weights)
    assert np.array_equal(other.fitted, found.fitted)
    doubled = replace(made, members=[*made.members, *made.members])
    twice = Search(scorer_of(doubled), made.groups, stages=stages).run()
    assert np.array_equal(twice.fitted, found.fitted)
    # A copy of the best member is no other member.
    copied = replace(made, members=[*made.members, made.members[0]])
    copy = Search(scorer_of(copied), made.groups, stages=stages).run()
    assert copy.fitted.mean() == pytest.approx(found.fitted.mean(), abs=2e-3)


def test_one_member_is_itself(world):
    made = world([1.0], cases=8)
    found = Search(scorer_of(made), made.groups, stages=("members", "class weights")).run()
    assert found.choice == Choice.plain(scorer_of(made).band)
    assert np.array_equal(found.nested["best single"], found.nested["class weights"])


def test_steps_that_help_are_taken_and_really_done(world):
    made = world([0.5], cases=16, specks=0.03)
    scorer = scorer_of(made)
    found = Search(scorer, made.groups, stages=("steps",)).run()
    assert found.verdicts[0].taken and found.verdicts[0].classes == 2
    names = {dict(step)["name"] for row in found.choice.steps for step in row}
    assert names & {"keep_largest", "remove_small"}
    assert found.nested["steps"].mean() > found.nested["plain mean"].mean() + 0.02


def test_the_same_seed_gives_the_same(world):
    made = world([0.7, 1.5], cases=12)
    first, second = (Search(scorer_of(made), made.groups, seed=3).run() for _ in range(2))
    assert first.choice == second.choice
    assert all(np.array_equal(first.nested[name], second.nested[name]) for name in first.nested)


def test_a_search_goes_on_where_it_stopped(world, tmp_path, monkeypatch):
    made = world([0.7, 1.5], cases=12)
    kept = tmp_path / "kept.json"
    whole = Search(scorer_of(made), made.groups, folds=3).run()
    calls = []
    procedure = Search.procedure

    def counted(self, rows):
        calls.append(len(rows))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return procedure(self, rows)

    monkeypatch.setattr(Search, "procedure", counted)
    with pytest.raises(KeyboardInterrupt):
        Search(scorer_of(made), made.groups, folds=3).run(kept)
    assert len(json.loads(kept.read_text())["paths"]) == 2
    resumed = Search(scorer_of(made), made.groups, folds=3).run(kept)
    assert len(calls) == 5
    assert resumed.choice == whole.choice and resumed.verdicts == whole.verdicts
    assert all(np.array_equal(resumed.nested[name], whole.nested[name]) for name in whole.nested)
    # Other settings begin anew.
    Search(scorer_of(made), made.groups, folds=3, seed=9).run(kept)
    assert len(calls) == 9


def test_too_few_groups(world):
    made = world([1.0], cases=6)
    with pytest.raises(PhalanxError, match="at least 4 groups of cases: 3"):
        Search(scorer_of(made), made.groups)


def test_leave_one_out(world):
    made = world([0.6, 0.6, 6.0], cases=8)
    scorer = scorer_of(made)
    lost = leave_one_out(scorer, Choice.plain(scorer.band))
    assert lost[0] > 0 > lost[2]
    whole = scorer.table(Choice.plain(scorer.band)).mean()
    without = scorer.table(Choice.plain(scorer.band, [1, 1, 0])).mean()
    assert lost[2] == pytest.approx(whole - without)
    alone = leave_one_out(scorer, Choice.plain(scorer.band, [0, 1, 0]))
    assert np.isnan(alone).all()


def test_stages_are_known():
    assert searches.STAGES == ("members", "threshold", "class weights", "thresholds", "steps")
