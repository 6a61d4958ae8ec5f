import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from phalanx.core.errors import SubmissionError
from phalanx.mask import rle, runs, sheet
from phalanx.mask.dialect import DIALECTS
from phalanx.submit import write

BONES, NUCLEI = DIALECTS["handbone"], DIALECTS["dsb2018"]
NAMES = ("Radius", "Ulna")
SIZE = (3, 4)


def masks(radius=((0, 2),), ulna=()):
    return {
        "Ulna": np.array(ulna, np.int64).reshape(-1, 2),
        "Radius": np.array(radius, np.int64).reshape(-1, 2),
    }


def test_a_row_a_class(tmp_path):
    path = tmp_path / "sub.csv"
    rows = [("b.png", SIZE, masks()), ("a.png", SIZE, masks([[3, 5], [11, 12]], [[0, 12]]))]
    assert write.write(path, BONES, rows, NAMES) == 4
    assert path.read_bytes() == (
        b"image_name,class,rle\nb.png,Radius,1 2\nb.png,Ulna,\na.png,Radius,4 2 12 1\na.png,Ulna,1 12\n"
    )


def test_a_row_an_object(tmp_path):
    path = tmp_path / "sub.csv"
    mask = np.array([[1, 0, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0]], bool)
    rows = [
        ("x.png", SIZE, {"nucleus": runs.from_mask(mask)}),
        ("y.tif", SIZE, {"nucleus": runs.empty()}),
        ("z", SIZE, {"nucleus": np.array([[0, 12]])}),
    ]
    assert write.write(path, NUCLEI, rows, ["nucleus"]) == 5
    # Columns of x are 110, 000, 001, 100.
    assert path.read_bytes() == b"ImageId,EncodedPixels\nx,1 2\nx,10 1\nx,9 1\ny,\nz,1 12\n"


ODD = [
    "a,b.png",
    'say "hi".png',
    "two\nlines.png",
    "bare\rreturn.png",
    "=1+1.png",
    " spaced .png",
    "001",
    "NA",
    "é.png",
]


def test_odd_ids_come_back_as_they_were(tmp_path):
    path = tmp_path / "sub.csv"
    write.write(path, BONES, [(name, SIZE, masks()) for name in ODD], NAMES)
    assert [row.image for row in sheet.read(path, BONES)] == [name for name in ODD for _ in NAMES]
    assert b"\n=1+1.png,Radius,1 2\n" in path.read_bytes()
    with path.open(newline="", encoding="utf-8") as file:
        assert [cells[0] for cells in csv.reader(file)][1::2] == ODD


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(planes=arrays(np.bool_, st.tuples(st.just(2), st.integers(1, 7), st.integers(1, 7))))
def test_what_is_written_is_read_back(tmp_path, planes):
    size = planes.shape[1:]
    found = dict(zip(NAMES, map(runs.from_mask, planes), strict=True))
    path = tmp_path / "bones.csv"
    write.write(path, BONES, [("i.png", size, found)], NAMES, overwrite=True)
    for row in sheet.read(path, BONES):
        assert np.array_equal(rle.decode(row.rle, size, BONES), found[row.label or ""])
    path = tmp_path / "nuclei.csv"
    write.write(path, NUCLEI, [("i.png", size, {"nucleus": found["Radius"]})], ["nucleus"], overwrite=True)
    parts = [rle.decode(row.rle, size, NUCLEI) for row in sheet.read(path, NUCLEI)]
    assert np.array_equal(runs.union(parts), found["Radius"])
    assert sum(map(runs.area, parts)) == runs.area(found["Radius"])


def test_nothing_is_overwritten_in_silence(tmp_path):
    path = tmp_path / "sub.csv"
    path.write_text("mine")
    with pytest.raises(SubmissionError, match="exists already"):
        write.write(path, BONES, [("a.png", SIZE, masks())], NAMES)
    assert path.read_text() == "mine"
    assert write.write(path, BONES, [("a.png", SIZE, masks())], NAMES, overwrite=True) == 2
    assert path.read_text().startswith("image_name")


def failing():
    yield "a.png", SIZE, masks()
    raise RuntimeError("the store broke")


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "sub.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="the store broke"):
        write.write(path, BONES, failing(), NAMES, overwrite=True)
    assert [item.name for item in tmp_path.iterdir()] == ["sub.csv"]
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "nothing to submit"),
        ([("a.png", SIZE, masks()), ("a.png", SIZE, masks())], "an image comes twice: a.png"),
        ([("a.png", SIZE, {"Radius": runs.empty()})], r"missing \['Ulna'\]"),
        ([("a.png", SIZE, {**masks(), "Ulma": runs.empty()})], r"unknown \['Ulma'\]"),
        ([("", SIZE, masks())], "no CSV can hold"),
        ([("a\0.png", SIZE, masks())], "no CSV can hold"),
        ([("a\udcff.png", SIZE, masks())], "no CSV can hold"),
    ],
)
def test_refused(tmp_path, rows, words):
    with pytest.raises(SubmissionError, match=words):
        write.write(tmp_path / "sub.csv", BONES, rows, NAMES)
    assert list(tmp_path.iterdir()) == []


def test_two_cases_with_one_key(tmp_path):
    rows = [(name, SIZE, {"nucleus": runs.empty()}) for name in ("a.png", "a.tif")]
    with pytest.raises(SubmissionError, match=r"an image comes twice: a \(case a.tif\)"):
        write.write(tmp_path / "sub.csv", NUCLEI, rows, ["nucleus"])


def test_no_column_for_several_classes():
    with pytest.raises(SubmissionError, match="dsb2018 for 2 classes"):
        write.write(Path("never.csv"), NUCLEI, [], NAMES)


def test_runs_outside_the_image(tmp_path):
    with pytest.raises(ValueError, match="leave the image"):
        write.write(tmp_path / "sub.csv", BONES, [("a.png", SIZE, masks([[11, 13]]))], NAMES)
    assert list(tmp_path.iterdir()) == []
