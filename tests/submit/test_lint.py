import numpy as np
import pytest

from phalanx.core.errors import SubmissionError
from phalanx.mask import runs
from phalanx.mask.dialect import DIALECTS
from phalanx.submit import lint, write

BONES, NUCLEI = DIALECTS["handbone"], DIALECTS["dsb2018"]
NAMES = ("Radius", "Ulna")
SIZE = (3, 4)
GOOD = "image_name,class,rle\na.png,Radius,1 2\na.png,Ulna,5 1\nb.png,Radius,1 12\nb.png,Ulna,12 1\n"


@pytest.fixture
def check(tmp_path):
    """Lint a text; gives `(level, line, message)` of each problem."""

    def run(text, dialect=BONES, sizes=SIZE, names=NAMES, sample=None):
        path = tmp_path / "sub.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        if sample is not None:
            (tmp_path / "sample.csv").write_text(sample)
            sample = tmp_path / "sample.csv"
        found = lint.lint(path, dialect, sizes, names, sample)
        return [(problem.level, problem.line, f"{problem.key}: {problem.message}") for problem in found]

    return run


def only(problems, level, line, words):
    assert len(problems) == 1, problems
    assert problems[0][:2] == (level, line)
    assert words in problems[0][2]


@pytest.mark.parametrize("names", [NAMES, None])
@pytest.mark.parametrize("sizes", [SIZE, None, {"a.png": SIZE, "b.png": SIZE}])
@pytest.mark.parametrize("sample", [GOOD, None])
def test_nothing_to_find(check, names, sizes, sample):
    assert check(GOOD, BONES, sizes, names, sample) == []


@pytest.mark.parametrize(
    ("old", "new", "level", "line", "words"),
    [
        ("5 1", "5", "error", 3, "a.png Ulna: an odd count of numbers"),
        ("5 1", "0 1", "error", 3, "a start before the first pixel"),
        ("5 1", "5 0", "error", 3, "a run of length zero"),
        ("5 1", "5 2 6 1", "error", 3, "overlapping runs"),
        ("5 1", "6 1 5 1", "error", 3, "starts that descend"),
        ("5 1", "5 nan", "error", 3, "not a number"),
        ("5 1", "5 99999999999999999999", "error", 3, "a number too large"),
        ("5 1", "5 1\0", "error", 3, "a NUL character"),
        ("12 1", "12 2", "error", 5, "b.png Ulna: a run that leaves the image"),
        ("5 1", "", "warning", 0, "some masks are empty: 1, first in line 3 (a.png Ulna)"),
        ("\nb.png,Radius,1 12", "", "error", 0, "b.png: classes of an image are missing: 1 (Radius)"),
        ("\nb.png,Radius,1 12\nb.png,Ulna,12 1", "", "error", 0, "b.png: an image is missing: 2 rows"),
        ("12 1\n", "12 1\nb.png,Ulna,12 1\n", "error", 6, "b.png Ulna: a row comes twice: first in line 5"),
        ("12 1\n", "12 1\nc.png,Ulna,12 1\n", "error", 6, "c.png: an unknown image: 'c.png' in 1 row"),
        ("12 1\n", "12 1\nb.png,ulna,12 1\n", "error", 6, "Did you mean Ulna?"),
        ("12 1\n", "12 1\ntrain/b.png,Ulna,12 1\n", "error", 6, "Write b.png"),
        ("12 1\n", "12 1\nb,Ulna,12 1\n", "error", 6, "Write b.png"),
        ("class,rle", "class, rle", "error", 1, "a column's name has spaces around it: ' rle'"),
        ("rle", "RLE", "error", 1, "'rle' is missing"),
        ("class,rle", "class,rle,rle", "error", 1, "rle is there 2 times"),
        ("image_name,class,rle", "image_name;class;rle", "error", 1, "Separate the cells by commas"),
    ],
)
def test_one_fault_is_one_problem(check, old, new, level, line, words):  # noqa: PLR0917
    only(check(GOOD.replace(old, new, 1), BONES, {"a.png": SIZE, "b.png": SIZE}), level, line, words)


def test_a_row_of_too_many_cells_is_no_row(check):
    found = check(GOOD.replace("5 1", "5,1"))
    assert [(level, line) for level, line, _ in found] == [("error", 0), ("error", 3)]
    assert "a.png: a wrong number of cells: 4 where the header has 3" in found[1][2]


def test_columns_in_another_order(check):
    turned = "class,image_name,rle\nRadius,a.png,1 2\nUlna,a.png,5 1\n"
    only(check(turned), "error", 1, "the columns are in another order: class,image_name,rle")


def test_a_column_of_row_numbers(check):
    for first, number in (("", 0), ("Unnamed: 0", 0)):
        rows = [f"{first},image_name,class,rle", *(f"{number},{row}" for row in GOOD.split("\n")[1:-1])]
        only(check("\n".join(rows) + "\n"), "error", 1, "there is an index column")
    rows = ["image_name,class,rle,note", *(f"{row},x" for row in GOOD.split("\n")[1:-1])]
    only(check("\n".join(rows) + "\n"), "error", 1, "there are columns too many: ['note']")


@pytest.mark.parametrize(
    ("content", "level", "line", "words"),
    [
        (b"", "error", 0, "the file is empty"),
        (b"\x89PNG\x00\xff", "error", 0, "not UTF-8 text"),
        (b"image_name,class,rle\n", "error", 0, "a header and nothing else"),
        (GOOD.encode()[:-1] + b'\nb.png,"Ulna', "error", 0, "line 6 is not CSV"),
        (b"\xef\xbb\xbf" + GOOD.encode(), "warning", 1, "byte order mark"),
        (GOOD.replace("\n", "\r\n").encode(), "warning", 1, "Windows line ends"),
    ],
)
def test_the_file_as_a_whole(check, content, level, line, words):
    only(check(content), level, line, words)


def test_a_large_file(check, monkeypatch):
    monkeypatch.setattr(lint, "LARGE_MB", 0.00001)
    only(check(GOOD), "warning", 0, "the file is very large")


def test_the_sample_decides_which_rows_there_must_be(check):
    header, *rows = GOOD.splitlines()
    fewer = "\n".join([header, *rows[:3]]) + "\n"
    only(check(fewer, names=None, sample=GOOD), "error", 0, "b.png: classes of an image are missing")
    only(check(GOOD, names=None, sample=fewer), "error", 5, "b.png Ulna: a row that the sample does not have")
    only(check(GOOD, names=None, sample="\n".join([header, *rows[:2]])), "error", 4, "an unknown image")
    turned = "\n".join([header, rows[1], rows[0], *rows[2:]]) + "\n"
    only(check(turned, names=None, sample=GOOD), "warning", 2, "a.png Ulna where the sample has a.png Radius")
    with pytest.raises(SubmissionError, match="'image_name' is missing"):
        check(GOOD, sample="ImageId,EncodedPixels\na,1 1\n")


def test_without_sizes_or_names_rows_are_held_to_one_another(check):
    text = GOOD + "c.png,Radius,1 1\nc.png,Ulnar,90 1\nd.png,Radius,\nd.png,Ulna,1 1\n"
    found = check(text, BONES, None, None)
    assert [(level, line) for level, line, _ in found] == [("warning", 0), ("error", 0), ("error", 7)]
    assert "c.png: classes of an image are missing: 1 (Ulna)" in found[1][2]
    assert "'Ulnar' in 1 row. Did you mean Ulna?" in found[2][2]


def test_keys_when_nobody_says_which_images_there_are(check):
    text = "image_name,class,rle\na,Radius,1 1\na,Ulna,1 1\nx/b.png,Radius,1 1\nx/b.png,Ulna,1 1\n"
    found = check(text)
    assert [(level, line) for level, line, _ in found] == [("warning", 3), ("error", 4)]
    assert "a file suffix missing in the key" in found[0][2]
    assert "Write the bare file name" in found[1][2]


def test_every_mask_empty(check):
    text = "image_name,class,rle\na.png,Radius,\na.png,Ulna,\n"
    only(check(text), "warning", 0, "every mask is empty: 2")


def test_objects(check):
    good = "ImageId,EncodedPixels\na,1 2 4 1\na,6 1\nb,\n"
    sizes = {"a.png": SIZE, "b.png": SIZE}
    only(check(good, NUCLEI, sizes, ["nucleus"]), "warning", 0, "some masks are empty: 1")
    text = "ImageId,EncodedPixels\na,1 5\nb,1 3\na,2 1\na,9 2\na,10 1\nb,12 2\n"
    found = check(text, NUCLEI, sizes, None)
    assert [(level, line) for level, line, _ in found] == [("error", 4), ("error", 6), ("error", 7)]
    assert "an object overlaps another: with the object in line 2" in found[0][2]
    assert "with the object in line 5" in found[1][2]
    assert "leaves the image" in found[2][2]


def test_small_objects_inside_a_large_one(check):
    text = "ImageId,EncodedPixels\na,5 1\na,2 1\na,1 10\na,11 1\na,8 1\n"
    found = check(text, NUCLEI, SIZE, None)
    # The large one covers both before it and is itself covered by the last; each pair is told by its later line.
    assert [line for _, line, _ in found] == [4, 6]
    assert all("an object overlaps another" in message for _, _, message in found)


@pytest.mark.parametrize("rows", ["a,\na,1 2\n", "a,1 2\na,\n", "a,\na,\n"])
def test_an_empty_row_stands_alone(check, rows):
    found = check("ImageId,EncodedPixels\n" + rows, NUCLEI, SIZE, None)
    assert [(level, line) for level, line, _ in found if level == "error"] == [("error", 3)]
    assert "an empty row beside another row" in found[-1][2]


def test_objects_without_an_image(check):
    text = "ImageId,EncodedPixels\na.png,1 2\n"
    found = check(text, NUCLEI, {"a.png": SIZE}, None)
    assert [(level, line) for level, line, _ in found] == [("error", 0), ("error", 2)]
    assert "a: an image is missing: 1 row of the data" in found[0][2]
    assert "an unknown image: 'a.png' in 1 row. Did you mean a?" in found[1][2]
    only(check(text, NUCLEI, SIZE, None), "warning", 2, "a file suffix too many in the key")


def test_what_the_house_writes_passes(tmp_path):
    rng = np.random.default_rng(1)
    masks = {f"i{index}.png": rng.random((2, 9, 7)) > 0.6 for index in range(4)}
    rows = [(key, (9, 7), dict(zip(NAMES, map(runs.from_mask, planes), strict=True))) for key, planes in masks.items()]
    write.write(tmp_path / "bones.csv", BONES, rows, NAMES)
    sizes = dict.fromkeys(masks, (9, 7))
    assert lint.lint(tmp_path / "bones.csv", BONES, sizes, NAMES, tmp_path / "bones.csv") == []
    one = [(key, size, {"nucleus": parts["Radius"]}) for key, size, parts in rows]
    write.write(tmp_path / "nuclei.csv", NUCLEI, one, ["nucleus"])
    assert lint.lint(tmp_path / "nuclei.csv", NUCLEI, sizes, ["nucleus"], tmp_path / "nuclei.csv") == []


def test_no_such_file(tmp_path):
    with pytest.raises(SubmissionError, match="no such submission"):
        lint.lint(tmp_path / "absent.csv", BONES)
