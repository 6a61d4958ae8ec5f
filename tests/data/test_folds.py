"""Folds: people stay together, sizes and strata are even, nothing depends on order or platform."""

import hashlib
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from phalanx.core.case import Case
from phalanx.core.errors import DataError
from phalanx.data import folds


def case(name, group="", **metadata):
    return Case(name, Path("x"), None, group, metadata)


def hands(people, **columns):
    """Two images a person; columns: functions of the person's number."""
    return [
        case(f"{person:03d}_{side}", f"ID{person:03d}", **{key: of(person) for key, of in columns.items()})
        for person in range(people)
        for side in "RL"
    ]


def test_people_stay_together_and_folds_are_even():
    cases = hands(23)
    found = folds.assign(cases, 5, 0)
    folds.verify(found, cases)
    assert sorted(Counter(found.values()).values()) == [8, 8, 10, 10, 10]
    assert list(found) == sorted(found)


def test_known_assignment():
    """Equal groups go round the folds in the order of their hashes, the same on every platform and in every release."""
    found = folds.assign(hands(6), 3, 7)
    assert [found[f"{person:03d}_R"] for person in range(6)] == [2, 1, 1, 2, 0, 0]
    order = sorted(range(6), key=lambda person: hashlib.sha256(f"7:ID{person:03d}".encode()).digest())
    assert [found[f"{person:03d}_L"] for person in order] == [0, 1, 2, 0, 1, 2]


def test_order_does_not_matter_and_the_seed_does():
    cases = hands(30, sex=lambda person: "FM"[person % 2])
    shuffled = random.Random(3).sample(cases, len(cases))
    for stratify in (None, "sex"):
        assert folds.assign(cases, 4, 1, stratify) == folds.assign(shuffled, 4, 1, stratify)
    assert folds.assign(cases, 4, 1) != folds.assign(cases, 4, 2)


def test_unequal_groups_are_balanced():
    sizes = [9, 7, 5, 4, 3, 2, 1, 1]
    cases = [case(f"{group}-{index}", f"g{group}") for group, size in enumerate(sizes) for index in range(size)]
    assert sorted(Counter(folds.assign(cases, 4, 0).values()).values()) == [7, 8, 8, 9]


@pytest.mark.parametrize("column", ["sex", "height"])
def test_strata_are_no_less_even_than_sklearns(column):
    generator = np.random.default_rng(0)
    sexes, heights = generator.choice(["F", "M"], 80, p=[0.7, 0.3]), generator.normal(170, 9, 80)
    cases = hands(80, sex=lambda person: str(sexes[person]), height=lambda person: float(heights[person]))
    found = folds.assign(cases, 5, 0, column)
    folds.verify(found, cases)
    bins = np.searchsorted(np.quantile(heights.repeat(2), [0.25, 0.5, 0.75]), heights.repeat(2))
    strata = sexes.repeat(2) if column == "sex" else bins
    ours = np.array([found[item.id] for item in cases])
    theirs = np.empty(len(cases), int)
    splitter = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    for fold, (_, held) in enumerate(splitter.split(cases, strata, [item.group for item in cases])):
        theirs[held] = fold

    def unevenness(fold_of):
        counts = np.array(
            [[(strata[fold_of == fold] == value).sum() for value in np.unique(strata)] for fold in range(5)]
        )
        return counts.std(axis=0).max()

    assert unevenness(ours) <= unevenness(theirs)
    assert unevenness(ours) <= 1.0
    assert max(Counter(ours).values()) - min(Counter(ours).values()) <= 2


def test_absent_values_are_a_stratum():
    cases = hands(20, age=lambda person: None if person % 2 else float("nan") if person % 4 else 30 + person)
    found = folds.assign(cases, 2, 0, "age")
    present = [found[item.id] for item in cases if isinstance(item.metadata["age"], int)]
    assert sorted(Counter(present).values()) in ([4, 6], [5, 5])


def test_refusals():
    cases = hands(3)
    with pytest.raises(DataError, match="fewer groups than folds: 3 groups for 5 folds"):
        folds.assign(cases, 5, 0)
    with pytest.raises(DataError, match="two folds or more: 1"):
        folds.assign(cases, 1, 0)
    with pytest.raises(DataError, match=r"cases with the same id: 000_R"):
        folds.assign([*cases, cases[0]], 2, 0)
    with pytest.raises(DataError, match="no such metadata column.*: sexx. Did you mean sex"):
        folds.assign(hands(3, sex=lambda _: "F"), 2, 0, "sexx")
    with pytest.raises(DataError, match="no such metadata column"):
        folds.assign(cases, 2, 0, "sex")


def test_verify_names_the_person_and_the_folds():
    cases = hands(4)
    found = folds.assign(cases, 2, 0)
    moved = {**found, "002_L": 1 - found["002_L"]}
    with pytest.raises(DataError, match="a group is in two folds: ID002 is in folds 0 and 1"):
        folds.verify(moved, cases)
    with pytest.raises(DataError, match="cases without a fold: 003_L"):
        folds.verify({key: fold for key, fold in found.items() if key != "003_L"}, cases)
    with pytest.raises(DataError, match="folds for unknown cases: ghost"):
        folds.verify({**found, "ghost": 0}, cases)


@pytest.mark.parametrize(("share", "held"), [(0.2, 4), (0.5, 10), (0.01, 2), (0.99, 18)])
def test_hold_out_takes_whole_groups(share, held):
    cases = hands(10)
    train, kept = folds.hold_out(cases, share, 0)
    assert len(kept) == held and len(train) == 20 - held
    assert not {item.group for item in train} & {item.group for item in kept}
    again = folds.hold_out(cases[::-1], share, 0)
    assert [item.id for item in again[1]] == [item.id for item in kept] == sorted(item.id for item in kept)


def test_hold_out_refusals():
    with pytest.raises(DataError, match="two groups or more"):
        folds.hold_out(hands(1), 0.5, 0)
    for share in (0, 1, float("nan")):
        with pytest.raises(DataError, match="share to hold out"):
            folds.hold_out(hands(3), share, 0)


def test_a_rare_stratum_is_spread_although_people_have_unequal_numbers_of_images():
    cases = [
        case(f"{person}-{index}", f"g{person}", implant=person % 10 == 0)
        for person in range(100)
        for index in range(1 + person % 7)
    ]
    found = folds.assign(cases, 5, 0, "implant")
    rare = Counter(found[item.id] for item in cases if item.metadata["implant"])
    # Ten people with 1, 4, 7, 3, 6, 2, 5, 1, 4 and 7 images: 40 in five folds.
    assert sum(rare.values()) == 40 and sorted(rare.values()) == [8, 8, 8, 8, 8]
    sizes = Counter(found.values()).values()
    assert max(sizes) - min(sizes) <= 2
