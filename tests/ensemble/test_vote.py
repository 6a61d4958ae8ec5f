"""Votes: weights by hand, the reference's faults as tests, and a dense count of pixels."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from phalanx.core.errors import SubmissionError
from phalanx.ensemble import vote as votes
from phalanx.ensemble.vote import Poll, Rule, Vote, check_sizes
from phalanx.mask import runs
from phalanx.mask.dialect import DIALECTS
from phalanx.mask.rle import encode
from phalanx.mask.sheet import Sheet

BONES, NUCLEI = DIALECTS["handbone"], DIALECTS["dsb2018"]
SIZE = (5, 7)


def sheet(folder: Path, rows: dict[tuple[str, str], str], name: str = "") -> Sheet:
    path = folder / f"{name or len(list(folder.iterdir()))}.csv"
    lines = [f"{image},{label},{text}" for (image, label), text in rows.items()]
    path.write_text("\n".join(["image_name,class,rle", *lines]) + "\n")
    return Sheet(path, BONES)


def one(folder: Path, text: str) -> Sheet:
    return sheet(folder, {("a.png", "x"): text})


def equal(count: int, threshold: str = "1/2", ties: votes.Ties = "drop") -> Rule:
    return Rule((Fraction(1),) * count, Fraction(threshold), ties)


def result(poll: Poll) -> dict[tuple[str, str | None], list[list[int]]]:
    masks = poll.count((0, len(poll.keys)))
    found = {key: masks.runs(index).tolist() for index, key in enumerate(poll.keys)}
    for source in poll.sheets:
        source.__exit__()
    return found


def kept(folder: Path, texts: list[str], rule: Rule | None = None) -> list[list[int]]:
    return result(Poll(Vote([one(folder, text) for text in texts], rule or equal(len(texts)))))["a.png", "x"]


def test_three_disjoint_masks_give_nothing(tmp_path):
    assert kept(tmp_path, ["1 3", "5 3", "9 3"]) == []


def test_two_voters_are_no_union(tmp_path):
    # Pixels 2 and 3 are in both; one of two votes is exactly one half, a tie.
    assert kept(tmp_path, ["1 4", "3 4"]) == [[2, 4]]


def test_two_voters_are_a_union_when_ties_are_kept(tmp_path):
    assert kept(tmp_path, ["1 4", "3 4"], equal(2, ties="keep")) == [[0, 6]]


def test_an_empty_mask_votes_against(tmp_path):
    # Two of five mark the pixels: the reference, which counts those that are not empty, keeps them.
    assert kept(tmp_path, ["1 3", "1 3", "", "", ""]) == []
    assert kept(tmp_path, ["1 3", "1 3", "1 3", "", ""]) == [[0, 3]]


def test_weights_by_hand(tmp_path):
    # 2 of 4 is a tie, 3 of 4 is enough.
    rule = Rule((Fraction(2), Fraction(1), Fraction(1)), Fraction(1, 2))
    assert kept(tmp_path, ["1 4", "3 4", "20 1"], rule) == [[2, 4]]


def test_tenths_are_exact():
    # In floating point 0.1 + 0.2 > 0.3.
    weights = (Fraction("0.1"), Fraction("0.2"), Fraction("0.3"))
    assert Rule(weights, Fraction("0.5")).integers() == ([1, 2, 3], 4)
    assert Rule(weights, Fraction("0.5"), "keep").integers() == ([1, 2, 3], 3)
    assert Rule(weights, Fraction(0), "keep").integers()[1] == 1


def test_a_class_has_rules_of_its_own(tmp_path):
    rows = [{("a", "x"): "1 2", ("a", "y"): "1 2"}, {("a", "x"): "2 2", ("a", "y"): "2 2"}]
    vote = Vote([sheet(tmp_path, item) for item in rows], equal(2), {"y": Rule((Fraction(3), Fraction(1)))})
    assert result(Poll(vote)) == {("a", "x"): [[1, 2]], ("a", "y"): [[0, 2]]}


def test_a_rule_for_a_class_that_is_not_there_is_refused(tmp_path):
    with one(tmp_path, "1 2") as first, pytest.raises(SubmissionError, match="class that is not there: 'z', .* have x"):
        Poll(Vote([first], equal(1), {"z": equal(1)}))


def test_a_vote_within_a_vote(tmp_path):
    # The inner majority of three is pixels 2 to 3; with the fourth file it takes both.
    inner = Vote([one(tmp_path, text) for text in ("1 3", "2 3", "3 3")], equal(3))
    assert result(Poll(Vote([inner, one(tmp_path, "3 9")], equal(2))))["a.png", "x"] == [[2, 4]]


def test_reordered_rows_still_match(tmp_path):
    first = {("a", "x"): "1 2", ("a", "y"): "5 2", ("b", "x"): "", ("b", "y"): "7 1"}
    second = dict(reversed(first.items()))
    poll = Poll(Vote([sheet(tmp_path, first), sheet(tmp_path, second)], equal(2)))
    assert poll.keys == list(first)
    assert result(poll) == {("a", "x"): [[0, 2]], ("a", "y"): [[4, 6]], ("b", "x"): [], ("b", "y"): [[6, 7]]}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({("a", "x"): "1 2"}, r"lacks 1 rows of .*first\.csv, first a, y"),
        ({("a", "x"): "", ("a", "y"): "", ("b", "x"): ""}, r"has 1 rows more than .*first\.csv, first b, x"),
    ],
)
def test_other_rows_are_refused(tmp_path, rows, words):
    first = sheet(tmp_path, {("a", "x"): "1 2", ("a", "y"): "1 2"}, "first")
    with first, sheet(tmp_path, rows) as other, pytest.raises(SubmissionError, match=words):
        Poll(Vote([first, other], equal(2)))


def test_a_row_that_comes_twice_is_refused(tmp_path):
    path = tmp_path / "twice.csv"
    path.write_text("image_name,class,rle\na,x,1 2\nb,x,1 2\na,x,3 4\n")
    with Sheet(path, BONES) as source, pytest.raises(SubmissionError, match=r"comes twice: .*lines 2 and 4 \(a, x\)"):
        Poll(Vote([source], equal(1)))


def test_odd_names_stay_text(tmp_path):
    rows = {(name, label): "1 1" for name in ("001", "1e5", "NA", "a_b_c.png") for label in ("finger_1", "NA")}
    poll = Poll(Vote([sheet(tmp_path, rows), sheet(tmp_path, rows)], equal(2)))
    assert result(poll) == {key: [[0, 1]] for key in rows}


def test_a_malformed_row_is_named(tmp_path):
    first = sheet(tmp_path, {("a", "x"): "1 2", ("a", "y"): "5 2 6 1"}, "first")
    with first, pytest.raises(SubmissionError, match=r"first\.csv, line 3 \(a, y\): overlapping runs"):
        Poll(Vote([first], equal(1))).count((0, 2))


def test_a_run_outside_the_image_is_refused(tmp_path):
    with one(tmp_path, "34 3") as first, pytest.raises(SubmissionError, match="a run that leaves the image"):
        Poll(Vote([first], equal(1)), SIZE).count((0, 1))


def test_objects_of_a_key_vote_as_their_union(tmp_path):
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    paths[0].write_text("ImageId,EncodedPixels\ni,1 2\nj,\ni,6 2\n")
    paths[1].write_text("ImageId,EncodedPixels\nj,\ni,2 5\n")
    poll = Poll(Vote([Sheet(path, NUCLEI) for path in paths], equal(2)))
    assert result(poll) == {("i", None): [[1, 2], [5, 6]], ("j", None): []}


def in_slices(poll: Poll) -> list[list[list[int]]]:
    """Key by key, as a large file is worked on."""
    return [poll.count((key, key + 1)).runs(0).tolist() for key in range(len(poll.keys))]


def test_slices_give_what_the_whole_gives(tmp_path):
    texts = ["i,1 2\ni,6 2\n", "j,\n", "k,4 2\nk,9 1\n", "l,3 3\n"]
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path, rows in zip(paths, (texts, texts[::-1]), strict=True):
        path.write_text("ImageId,EncodedPixels\n" + "".join(rows))
    poll = Poll(Vote([Sheet(path, NUCLEI) for path in paths], equal(2)))
    assert in_slices(poll) == [[[0, 2], [5, 7]], [], [[3, 5], [8, 9]], [[2, 5]]]
    assert list(result(poll).values()) == [[[0, 2], [5, 7]], [], [[3, 5], [8, 9]], [[2, 5]]]


def test_rules_of_classes_hold_in_every_slice(tmp_path):
    rows = [{("a", label): "1 2" for label in "xyz"}, {("a", label): "2 2" for label in "xyz"}]
    vote = Vote([sheet(tmp_path, item) for item in rows], equal(2), {"z": Rule((Fraction(3), Fraction(1)))})
    poll = Poll(vote)
    assert in_slices(poll) == [[[1, 2]], [[1, 2]], [[0, 2]]]
    result(poll)


def test_tallies_say_who_was_empty_and_who_equals_the_result(tmp_path):
    rows = [{("a", "x"): "1 2", ("a", "y"): ""}, {("a", "x"): "1 2", ("a", "y"): "3 1"}]
    poll = Poll(Vote([sheet(tmp_path, item) for item in rows], equal(2)))
    result(poll)
    assert [(tally.empty, tally.same) for tally in poll.tallies] == [(1, True), (0, False)]


def shifted(folder: Path, scale: int, name: str) -> Sheet:
    return sheet(folder, {(f"{image}", "x"): f"{scale * (100 + 7 * image)} 3" for image in range(30)}, name)


def test_images_of_other_sizes_are_refused(tmp_path):
    with shifted(tmp_path, 1, "full") as full, shifted(tmp_path, 4, "double") as double:
        with pytest.raises(SubmissionError, match=r"double\.csv are 4\.0. times those of .*full\.csv"):
            check_sizes(Poll(Vote([full, double], equal(2))))
        check_sizes(Poll(Vote([full, full], equal(2))))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    planes=st.integers(1, 6).flatmap(lambda count: arrays(np.bool_, (count, 3, *SIZE))),
    data=st.data(),
    ties=st.sampled_from(["drop", "keep"]),
)
def test_a_dense_count_of_pixels(tmp_path, planes, data, ties):
    weights = data.draw(st.lists(st.integers(0, 5), min_size=len(planes), max_size=len(planes)).filter(any))
    threshold = data.draw(st.fractions(0, Fraction(9, 10), max_denominator=10))
    members = [
        sheet(
            tmp_path, {(f"{case}", "x"): encode(runs.from_mask(plane), SIZE, BONES) for case, plane in enumerate(item)}
        )
        for item in planes
    ]
    found = result(Poll(Vote(members, Rule(tuple(map(Fraction, weights)), threshold, ties)), SIZE))
    total = np.tensordot(np.array(weights), planes.astype(int), 1) * threshold.denominator
    bar = sum(weights) * threshold.numerator
    dense = (total > bar) if ties == "drop" else (total >= bar) & (total > 0)
    for case, mask in enumerate(dense):
        assert found[str(case), "x"] == runs.from_mask(mask).tolist()
