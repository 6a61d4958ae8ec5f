from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco_mask

from phalanx.core.errors import SubmissionError
from phalanx.mask import coco, pile, runs
from phalanx.mask.dialect import DIALECTS
from phalanx.mask.rle import decode, encode, parse

BONES, NUCLEI = DIALECTS["handbone"], DIALECTS["dsb2018"]
# Every mixture, so that a dialect added later meets nothing new.
MIXTURES = [
    replace(BONES, name=f"{order}{base}", order=order, base=base, empty=empty, empties=("", empty))
    for order, base, empty in (("row", 0, ""), ("row", 1, "-"), ("column", 0, "-1"), ("column", 1, "1 0"))
] + [replace(BONES, name=f"relative{order}", order=order, relative=True) for order in ("row", "column")]
EVERY = [*DIALECTS.values(), *MIXTURES]
MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9))

MASK = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 1], [0, 1, 1]], bool)


def text_by_pixel(mask, dialect):
    """What the baselines write: flatten, then walk."""
    words: list[int] = []
    open_run, end = False, 0
    for index, value in enumerate(mask.ravel("C" if dialect.order == "row" else "F").tolist()):
        if value and open_run:
            words[-1] += 1
        elif value:
            words += [index - (end if dialect.relative else 0) + dialect.base, 1]
        end = index + 1 if value else end
        open_run = value
    return " ".join(map(str, words)) or dialect.empty


def mask_by_pixel(text, size, dialect):
    """What the baselines read: the flat picture filled number by number."""
    flat = np.zeros(size[0] * size[1], bool)
    numbers = [] if text == dialect.empty else list(map(int, text.split()))
    at = 0
    for start, length in zip(numbers[0::2], numbers[1::2], strict=True):
        at = start - dialect.base + (at if dialect.relative else 0)
        flat[at : at + length] = True
        at += length
    return flat.reshape(size, order="C" if dialect.order == "row" else "F")


def test_golden_row_major():
    # Pixels 1 2 3, 8, 10 11 of 4 rows of 3, written from 1; the first run wraps.
    assert encode(runs.from_mask(MASK), (4, 3), BONES) == "2 3 9 1 11 2"
    assert decode("2 3 9 1 11 2", (4, 3), BONES).tolist() == [[1, 4], [8, 9], [10, 12]]


def test_golden_column_major():
    # Columns are 0100, 1001, 1011: pixels 1, 4, 7 8, 10 11.
    assert encode(runs.from_mask(MASK), (4, 3), NUCLEI) == "2 1 5 1 8 2 11 2"
    assert np.array_equal(decode("2 1 5 1 8 2 11 2", (4, 3), NUCLEI), runs.from_mask(MASK))


@pytest.mark.parametrize("dialect", [BONES, NUCLEI], ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("shape", [(1, 6), (6, 1), (3, 4)])
def test_ends_of_the_image(dialect, shape):
    count = shape[0] * shape[1]
    cases = {"1 1": [0], f"{count} 1": [count - 1], f"1 {count}": range(count), "": []}
    for text, pixels in cases.items():
        mask = np.zeros(shape, bool)
        mask.flat[list(pixels)] = True
        assert encode(runs.from_mask(mask), shape, dialect) == text
        assert np.array_equal(decode(text, shape, dialect), runs.from_mask(mask))


@pytest.mark.parametrize("dialect", EVERY, ids=lambda dialect: dialect.name)
@given(mask=MASKS)
def test_round_trip(dialect, mask):
    check_round_trip(mask, dialect)


# pycocotools' decode has not learnt NumPy 2's copy keyword.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("dialect", EVERY, ids=lambda dialect: dialect.name)
@given(mask=MASKS)
def test_pycocotools_sees_the_same_mask(dialect, mask):
    found = decode(text_by_pixel(mask, dialect), mask.shape, dialect)
    packed = {"size": list(mask.shape), "counts": coco.compressed(coco.to_counts(found, mask.shape))}
    assert np.array_equal(coco_mask.decode(packed), mask)


@pytest.mark.parametrize("dialect", EVERY, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 3), (3, 5)])
def test_first_last_full_empty_and_wrapping(dialect, shape):
    count = shape[0] * shape[1]
    width, height = shape[1], shape[0]
    wrapping = {index for index in (width - 1, width, (height - 1) * width, 1) if index < count}
    for pixels in ([0], [count - 1], range(count), [], sorted(wrapping)):
        mask = np.zeros(shape, bool)
        mask.flat[list(pixels)] = True
        check_round_trip(mask, dialect)


def check_round_trip(mask, dialect):
    """Text, mask and runs agree with the brute force, and with the compiled parser."""
    found = runs.from_mask(mask)
    text = encode(found, mask.shape, dialect)
    assert text == text_by_pixel(mask, dialect)
    back = decode(text, mask.shape, dialect)
    assert np.array_equal(back, found)
    assert back.dtype == np.int64
    assert np.array_equal(mask_by_pixel(text, mask.shape, dialect), mask)
    cell = np.frombuffer(text.encode(), np.uint8)
    parsed, faults = pile.parse(cell, np.array([[0, len(cell)]]), dialect, np.array([mask.size]))
    assert faults.tolist() == ([] if mask.any() else [0])
    assert np.array_equal(parsed.runs(0), parse(text, dialect, mask.size))


def test_touching_runs_are_one_mask():
    assert decode("1 2 3 4 9 1", (3, 4), BONES).tolist() == [[0, 6], [8, 9]]


def test_spaces_around_numbers_are_no_fault():
    assert decode("  2  3 9 1 ", (4, 3), BONES).tolist() == [[1, 4], [8, 9]]
    assert decode("   ", (4, 3), BONES).shape == (0, 2)


MALFORMED = [
    ("5", "an odd count of numbers: 1"),
    ("1 2 3", "an odd count of numbers: 3"),
    ("0 4", "a start before the first pixel: run 1 is '0 4'"),
    ("-3 4", "a negative start: number 1 is -3"),
    ("3 -4", "a negative length: number 2 is -4"),
    ("2 3 7 0", "a run of length zero: run 2 is '7 0'"),
    ("1 5 3 2", "overlapping runs: run 2 is '3 2' after '1 5'"),
    ("4 2 4 2", "overlapping runs"),
    ("7 2 1 2", "starts that descend: run 2 is '1 2' after '7 2'"),
    ("12 2", "a run that leaves the image: run 1 is '12 2'"),
    ("13 1", "a run that leaves the image"),
    ("1 13", "a run that leaves the image"),
    ("1 2.0", "not a number: '2.0'"),
    ("nan", "not a number: 'nan'"),
    ("1 2 x 4", "not a number: 'x'"),
    ("1\t2", "not a number"),
    ("1,2", "not a number"),
    ("1 +2", "not a number"),
    ("1_0 2", "not a number"),
    ("1e1 2", "not a number"),
    ("--1 2", "not a number"),
    ("\u0663 2", "not a number"),
    ("\u00b2 2", "not a number"),
    ("1\u00a02", "not a number"),
    ("1\n2", "not a number"),
    ("1 2\0", "a NUL character"),
    ("1 99999999999999999999999", "a number too large: 99999999999999999999999"),
    ("9223372036854775807 1", "a number too large"),
    ("1 4611686018427387904", "a number too large"),
    ("4611686018427387903 4611686018427387903", "leaves the image"),
    ("-", "not a number: '-'"),
]


@pytest.mark.parametrize(("text", "words"), MALFORMED, ids=[repr(text) for text, _ in MALFORMED])
def test_each_fault_has_its_name(text, words):
    with pytest.raises(SubmissionError) as caught:
        decode(text, (4, 3), BONES, "sub.csv, line 7, a.png finger-1")
    assert str(caught.value).startswith("sub.csv, line 7, a.png finger-1: ")
    assert words in str(caught.value)
    assert caught.value.fix


def test_dialects_decide_what_is_first_and_what_is_empty():
    counted_from_0 = replace(BONES, base=0, empties=("-1",))
    assert decode("0 2", (4, 3), counted_from_0).tolist() == [[0, 2]]
    assert len(decode("-1", (4, 3), counted_from_0)) == 0
    with pytest.raises(SubmissionError, match="an empty cell"):
        decode("", (4, 3), counted_from_0)
    with pytest.raises(SubmissionError, match="a negative start"):
        decode("-1", (4, 3), BONES)


def test_without_a_size_only_the_bound_is_unknown():
    assert parse("900 7", BONES).tolist() == [[899, 906]]
    with pytest.raises(SubmissionError, match="overlapping"):
        parse("900 7 901 2", BONES)


@given(st.text(alphabet="0123456789 -.\t\0e", max_size=24))
def test_any_text_gives_runs_or_one_clear_error(text):
    try:
        found = decode(text, (4, 3), BONES)
    except SubmissionError as error:
        assert error.fix
        return
    runs.check(found, (4, 3))
