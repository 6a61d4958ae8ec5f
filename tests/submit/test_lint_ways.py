"""The indexed way and the way by records say the same; what only a whole file shows."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phalanx.core.errors import SubmissionError
from phalanx.mask import runs
from phalanx.mask.dialect import DIALECTS
from phalanx.submit import lint, write

BONES, NUCLEI, SIIM, STEEL = (DIALECTS[name] for name in ("handbone", "dsb2018", "siim", "severstal"))
SIZE = (3, 5)


def lines(*rows):
    return "image_name,class,rle\n" + "".join(f"{row}\n" for row in rows)


@pytest.fixture
def report(tmp_path):
    """Lint a text; gives the report."""

    def run(text, dialect=BONES, sizes=SIZE, names=None, sample=None, **more):
        path, other = tmp_path / "sub.csv", None
        path.write_bytes(text.encode())
        if sample is not None:
            other = tmp_path / "sample.csv"
            other.write_text(sample)
        return lint.examine(path, dialect, sizes, names, other, **more)

    return run


def told(report):
    return [(problem.level, problem.line, problem.key, problem.message) for problem in report.problems]


SIZES = {"a.png": SIZE, "b.png": (2, 4)}
CELLS = st.one_of(
    st.sampled_from(["", "-1", "1 0", "x", " ", "1 2", "2 1 5", "1 1 2 1", "4 2  9 1", "3 2 4 1", "0 2", "15 2"]),
    st.lists(st.integers(0, 17), max_size=6).map(lambda numbers: " ".join(map(str, numbers))),
    st.text(alphabet="0123456789 -.\0x", max_size=6),
)
ROWS = st.lists(st.tuples(st.sampled_from(["a.png", "b.png", "c", "x/a"]), st.sampled_from("RU"), CELLS), max_size=9)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, st.sampled_from([BONES, NUCLEI, SIIM, STEEL]), st.sampled_from([None, SIZE, SIZES]))
def test_both_ways_say_the_same(report, monkeypatch, rows, dialect, sizes):
    text = ",".join(dialect.header) + "\n"
    text += "".join(",".join((*dialect.cells(image, label), cell)) + "\n" for image, label, cell in rows)
    # Slices of a byte put every row into one of its own.
    monkeypatch.setattr(lint, "_SLICE", 1)
    indexed = report(text, dialect, sizes)
    monkeypatch.undo()
    assert told(report(text, dialect, sizes)) == told(indexed)
    for size in (1 << 20, 1):
        monkeypatch.setattr(lint, "Sheet", _refuse)
        monkeypatch.setattr(lint, "_SLICE", size)
        recorded = report(text, dialect, sizes)
        monkeypatch.undo()
        assert told(recorded) == told(indexed)
    assert (recorded.rows, recorded.images, recorded.classes, recorded.runs) == (
        (indexed.rows, indexed.images, indexed.classes, indexed.runs)
    )


def _refuse(*_):
    raise SubmissionError("refused")


def test_every_fault_of_a_file_that_cannot_be_indexed_is_told(report):
    text = lines("a.png,R,1 2", "a.png,U", "b.png,R,1 2 3", "b.png,U,5 0", "a.png,R,2 1", 'b.png,"U')
    found = [(line, message.split(":")[0]) for _, line, _, message in told(report(text))]
    assert found == [
        (0, "line 7 is not CSV"),
        (3, "a wrong number of cells"),
        (4, "an odd count of numbers"),
        (5, "a run of length zero"),
        (6, "a row comes twice"),
    ]


def test_what_was_read(report):
    found = report(lines("a.png,R,1 2 4 1", "a.png,U,", "b.png,R,1 1 2 1 5 1", "b.png,U,7"))
    # The row that cannot be read counts, its run does not; 1 1 2 1 is one run.
    assert (found.rows, found.images, found.classes, found.runs) == (4, 2, 2, 4)
    found = report("ImageId,EncodedPixels\na,1 2\na,4 1\nb,\n", NUCLEI)
    assert (found.rows, found.images, found.classes, found.runs) == (3, 2, 0, 2)


def test_runs_that_touch_are_a_note(report):
    text = lines("a b.png,R,1 2 4 1", "a b.png,U,1 1 2 1", "c.png,R, 1  1 ", "c.png,U,3 1 4 2 9 1")
    assert told(report(text)) == [
        (
            "note",
            0,
            "",
            "some runs touch the one before: in 2 rows, first in line 3 (a b.png U). "
            "Make them one, should the server refuse them",
        )
    ]
    assert told(report("ImageId,EncodedPixels\na,2 2 1 1\nb,2 2 0 1\n", SIIM))[0][3].startswith("some runs touch")
    assert not report("ImageId,EncodedPixels\na,2 2 1 1\nb,3 2 1 1\n", SIIM).problems


def test_the_same_mask_under_two_keys(report):
    text = lines("a.png,R,1 1 3 1 5 1", "a.png,U,1 1 3 1 5 1", "b.png,R,1 1 3 1 5 1", "b.png,U,1 1 3 1 6 1")
    assert told(report(text)) == [
        (
            "warning",
            0,
            "",
            "two classes of an image have the same mask: in 1 row, such as line 3 (a.png U) and line 2 (a.png R). "
            "See that no mask was written under another's name",
        ),
        (
            "warning",
            0,
            "",
            "two images have the same mask: in 1 row, such as line 4 (b.png R) and line 2 (a.png R). "
            "See that no mask was written under another's name",
        ),
    ]
    assert not report(lines("a.png,R,1 1 3 1", "a.png,U,1 1 3 1")).problems
    # The same row twice is told as that.
    found = told(report(lines("a.png,R,1 1 3 1 5 1", "a.png,R,1 1 3 1 5 1")))
    assert [message.split(":")[0] for *_, message in found] == ["a row comes twice"]


def test_the_largest_file_the_server_takes(report):
    text = lines("a.png,R,1 2")
    assert len(text) == 33
    assert not report(text, most_megabytes=33e-6).problems
    assert told(report(text, most_megabytes=32e-6)) == [
        (
            "error",
            0,
            "",
            "the file is larger than the server takes: 3.3e-05 MB where 3.2e-05 are allowed. "
            "Remove specks, or smooth the outlines",
        )
    ]


def test_a_limit_replaces_the_guess(report, monkeypatch):
    monkeypatch.setattr(lint, "LARGE_MB", 0.00001)
    assert not report(lines("a.png,R,1 2"), most_megabytes=1).problems


def test_the_number_of_rows_is_told_when_no_single_problem_does(report):
    rows = [f"{image}.png,{label},{place + 1} 1" for place, image in enumerate("abcd") for label in "RU"]
    found = told(report(lines(*rows[2:6]), sample=lines(*rows)))
    assert [message for *_, message in found][:1] == [
        "a wrong number of rows: 4 where the sample has 8. Write one row for each of the sample"
    ]
    assert [key for _, _, key, _ in found] == ["", "a.png", "d.png"]
    swapped = told(report(lines(*rows[:6], "e.png,R,1 1", "e.png,U,2 1"), sample=lines(*rows)))
    assert [message.split(":")[0] for *_, message in swapped] == ["an image is missing", "an unknown image"]


def test_images_that_are_known_by_their_size(report):
    sizes = {"a.png": SIZE, "b.png": (2, 3), "c.png": SIZE}
    found = told(report(lines("a.png,R,15 1", "b.png,R,7 1", "d.png,R,99 1"), sizes=sizes))
    assert [(level, line, key) for level, line, key, _ in found] == [
        ("error", 0, "c.png"),
        ("error", 3, "b.png R"),
        ("error", 4, "d.png"),
    ]
    assert "leaves the image: run 1 is '7 1'. The image has 6 pixels" in found[1][3]
    sample = lines("a.png,R,", "e.png,R,")
    found = told(report(lines("a.png,R,15 1", "e.png,R,99 1"), sizes=sizes, sample=sample))
    assert [message for *_, message in found] == [
        "some images have no size, their runs were not held to it: 1, the first e.png. Look for their files"
    ]


def test_objects_far_out_of_any_image(report):
    # Laid end to end, six images of so many pixels would not fit int64.
    far = 2**61 - 8
    text = "ImageId,EncodedPixels\n" + "".join(f"{image},{far} 5\n{image},{far + 5} 2\n" for image in "abcdef")
    assert not report(text, NUCLEI, None).problems
    text += f"b,{far + 4} 1\n"
    assert [(line, message.split(":")[0]) for _, line, _, message in told(report(text, NUCLEI, None))] == [
        (14, "an object overlaps another")
    ]


def test_numbers_that_no_image_bounds(report):
    assert not report(lines(f"a.png,R,{2**61 + 1} 1"), sizes=None).problems
    found = told(report(lines(f"a.png,R,{2**62} 1"), sizes=None))
    assert "a number too large" in found[0][3]


def test_a_row_that_cannot_be_read_is_neither_an_object_nor_empty(report):
    for first, second in (("x", ""), ("", "x")):
        found = told(report(f"ImageId,EncodedPixels\na,{first}\na,{second}\nb,1 1\n", NUCLEI))
        assert [(level, message.split(":")[0]) for level, _, _, message in found] == [
            ("warning", "some masks are empty"),
            ("error", "not a number"),
        ]


def test_objects_of_different_images_share_nothing(report):
    text = "ImageId,EncodedPixels\na,14 2\nb,1 2\na,1 2\nb,14 2\n"
    assert not report(text, NUCLEI).problems


def test_many_rows_in_many_slices(tmp_path, monkeypatch):
    generator = np.random.default_rng(5)
    names = ("R", "U", "W")
    planes = {f"i{index}.png": generator.random((3, 6, 7)) > 0.5 for index in range(20)}
    rows = [(key, (6, 7), dict(zip(names, map(runs.from_mask, masks), strict=True))) for key, masks in planes.items()]
    write.write(tmp_path / "sub.csv", BONES, rows, names)
    monkeypatch.setattr(lint, "_SLICE", 100)
    found = lint.examine(tmp_path / "sub.csv", BONES, (6, 7), names)
    assert not found.problems
    assert found.runs == sum(len(part) for _, _, parts in rows for part in parts.values())
