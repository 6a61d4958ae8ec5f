from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx.core.errors import SubmissionError
from phalanx.mask import runs
from phalanx.mask.dialect import DIALECTS
from phalanx.mask.repair import masks, repair
from phalanx.mask.rle import parse
from phalanx.mask.sheet import Sheet

BONES, SIIM, CONTRAILS = DIALECTS["handbone"], DIALECTS["siim"], DIALECTS["contrails"]

# Text, intervals that are kept of 12 pixels counted from 0, and words of what was done.
REPAIRS = [
    ("1 2 7", [[0, 2]], ["the last number left out, 7: it has no length"]),
    ("5", [], ["the last number left out, 5: it has no length", "taken for an empty mask"]),
    ("0 4", [[0, 3]], ["run 1 (0 4) cut at the image's begin"]),
    ("-3 6 9 1", [[0, 2], [8, 9]], ["run 1 (-3 6) cut at the image's begin"]),
    ("-3 2 9 1", [[8, 9]], ["run 1 (-3 2) left out: it lies outside the image"]),
    ("3 -4 9 1", [[8, 9]], ["run 1 (3 -4) left out: its length is negative"]),
    ("2 3 7 0", [[1, 4]], ["run 2 (7 0) left out: its length is zero"]),
    ("1 5 3 4", [[0, 6]], ["overlapping runs united, 3 pixels were there more than once"]),
    ("7 2 1 2", [[0, 2], [6, 8]], ["runs sorted by their start"]),
    ("11 5", [[10, 12]], ["run 1 (11 5) cut at the image's end"]),
    ("13 1", [], ["run 1 (13 1) left out: it lies outside the image", "no run is left: an empty mask"]),
    ("0 99", [[0, 12]], ["run 1 (0 99) cut at the image's begin and end"]),
    ("1 2 x 4 9 1", [[0, 2], [8, 9]], ["run 2 (x 4) left out: not a number"]),
    ("1 2 7 2.5", [[0, 2]], ["run 2 (7 2.5) left out: not a number"]),
    ("1 2 \u0663 1", [[0, 2]], ["run 2 ('\u0663' 1) left out: not a number"]),
    ("1.0 2.0", [[0, 2]], ["numbers rewritten"]),
    ("[1, 2]", [[0, 2]], ["stray marks between the numbers taken for spaces"]),
    ("1\t2", [[0, 2]], ["stray marks between the numbers taken for spaces"]),
    ("1 2\0\0", [[0, 2]], ["2 NUL characters left out"]),
    ("4 " + "9" * 5000, [[3, 12]], ["run 1 (4 999999999999999999999...) cut at the image's end"]),
    ("9" * 30 + " 4", [], ["run 1 (999999999999999999999... 4) left out: it lies outside the image", "no run is left"]),
    ("nan", [], ["the last number left out, nan: it has no length", "taken for an empty mask"]),
]


@pytest.mark.parametrize(("text", "kept", "words"), REPAIRS, ids=[repr(text)[:24] for text, _, _ in REPAIRS])
def test_what_is_kept_and_said(text, kept, words):
    with pytest.raises(SubmissionError):
        parse(text, BONES, 12)
    found, done = repair(text, BONES, 12)
    assert found.tolist() == kept
    assert len(done) == len(words)
    assert all(line.startswith(word) for line, word in zip(done, words, strict=True))


def test_relative_starts_after_an_unreadable_number_have_no_place():
    # Pixels 2 to 4; the gap before the third run is lost.
    found, done = repair("2 3 4 0 x 2 1 1", SIIM, 30)
    assert found.tolist() == [[2, 5]]
    assert done == [
        "run 2 (4 0) left out: its length is zero",
        "run 3 (x 2) left out: not a number",
        "1 runs behind it left out: their place depends on it",
    ]
    # A gap of -2 steps back into the run before: pixels 2 to 4, then 3 to 5.
    assert repair("2 3 -2 3", SIIM, 30)[0].tolist() == [[2, 6]]
    # A run of no length still moves the place: 2 3, then 4 + 1 gaps.
    assert repair("2 3 4 0 1 1", SIIM, 30)[0].tolist() == [[2, 5], [10, 11]]


def test_a_blank_cell_where_a_mark_is_wanted():
    assert repair("", CONTRAILS)[1] == ["taken for an empty mask"]
    assert repair(" - ", CONTRAILS)[1] == []


def test_without_a_size_only_the_image_end_is_unknown():
    assert repair("900 7 901 2", BONES)[0].tolist() == [[899, 906]]


DIALECT = st.sampled_from([BONES, SIIM, CONTRAILS, replace(BONES, base=0, order="column")])


@given(st.text(alphabet="0123456789 -+.,x\0\t\n", max_size=30), DIALECT, st.sampled_from([12, 400, None]))
def test_any_text_ends_in_runs_within_the_image(text, dialect, pixels):
    found, done = repair(text, dialect, pixels)
    runs.check(found, (1, pixels or 2**62))
    try:
        assert np.array_equal(parse(text, dialect, pixels), found) and not done
    except SubmissionError:
        assert done
    assert all("\n" not in line and "\0" not in line for line in done)


def test_a_sheet_with_some_bad_rows(tmp_path):
    path = tmp_path / "sub.csv"
    path.write_text("image_name,class,rle\na,x,1 2\na,y,3 4 9\nb,x,\nb,y,11 9\n")
    with Sheet(path, BONES) as sheet:
        pile, done = masks(sheet, np.arange(4), np.full(4, 12))
    assert [pile.runs(index).tolist() for index in range(4)] == [[[0, 2]], [[2, 6]], [], [[10, 12]]]
    assert done == [
        f"{path}, line 3 (a, y): the last number left out, 9: it has no length",
        f"{path}, line 5 (b, y): run 1 (11 9) cut at the image's end",
    ]
