from dataclasses import replace

import numpy as np
import pytest

from phalanx.core.errors import ConfigError, SubmissionError
from phalanx.mask import dialect as dialects
from phalanx.mask import rle, runs, sheet
from phalanx.mask.dialect import DIALECTS
from phalanx.submit import write

BONES, NUCLEI = DIALECTS["handbone"], DIALECTS["dsb2018"]

# Row-major pixels 1, 5, 7 8: the last run wraps. Column-major pixels 2 3 4, 10: the first run wraps. Pixels 1, 5 and 8
# hold together, by a side and by a corner; 7 is an object of its own.
MASK = np.array([[0, 1, 0, 0], [0, 1, 0, 1], [1, 0, 0, 0]], bool)
SIZE = (3, 4)

# Name: class, and the file of `a_1.jpg` with the mask and `b.jpg` without a pixel.
GOLDEN = {
    "handbone": ("finger-1", "image_name,class,rle\na_1.jpg,finger-1,2 1 6 1 8 2\nb.jpg,finger-1,\n"),
    "uwmadison": ("stomach", "id,class,predicted\na_1,stomach,2 1 6 1 8 2\nb,stomach,\n"),
    "severstal": ("3", "ImageId_ClassId,EncodedPixels\na_1.jpg_3,3 3 11 1\nb.jpg_3,\n"),
    "clouds": ("Fish", "Image_Label,EncodedPixels\na_1.jpg_Fish,3 3 11 1\nb.jpg_Fish,\n"),
    "tgs": (None, "id,rle_mask\na_1,3 3 11 1\nb,\n"),
    "hubmap": (None, "id,predicted\na_1,3 3 11 1\nb,\n"),
    "contrails": (None, "record_id,encoded_pixels\na_1,3 3 11 1\nb,-\n"),
    # Starts are gaps: 2 pixels before the run of 3, 5 between it and the next.
    "siim": (None, "ImageId,EncodedPixels\na_1,2 3 5 1\nb,-1\n"),
    "airbus": (None, "ImageId,EncodedPixels\na_1.jpg,3 3\na_1.jpg,11 1\nb.jpg,\n"),
    "dsb2018": (None, "ImageId,EncodedPixels\na_1,3 3\na_1,11 1\nb,\n"),
}


def test_every_dialect_has_its_golden_file():
    assert set(GOLDEN) == set(DIALECTS)
    assert all(name == dialect.name and dialect.competition for name, dialect in DIALECTS.items())


@pytest.mark.parametrize("name", GOLDEN)
def test_written_as_the_competition_wants_it(tmp_path, name):
    label, text = GOLDEN[name]
    masks = {"a_1.jpg": runs.from_mask(MASK), "b.jpg": runs.empty()}
    rows = [(case, SIZE, {label or "x": mask}) for case, mask in masks.items()]
    write.write(tmp_path / "sub.csv", DIALECTS[name], rows, [label or "x"])
    assert (tmp_path / "sub.csv").read_bytes().decode() == text


@pytest.mark.parametrize("name", GOLDEN)
def test_read_as_the_competition_writes_it(tmp_path, name):
    label, text = GOLDEN[name]
    dialect = DIALECTS[name]
    (tmp_path / "sub.csv").write_bytes(text.encode())
    found: dict[str, list[np.ndarray]] = {}
    for row in sheet.read(tmp_path / "sub.csv", dialect):
        assert row.label == label
        found.setdefault(row.image, []).append(rle.decode(row.rle, SIZE, dialect))
    suffix = ".jpg" if dialect.keep_suffix else ""
    assert list(found) == [f"a_1{suffix}", f"b{suffix}"]
    assert np.array_equal(runs.to_mask(runs.union(found[f"a_1{suffix}"]), SIZE), MASK)
    assert not len(runs.union(found[f"b{suffix}"]))


def test_siim_reads_the_example_of_its_data_page():
    # The first runs of an image of 1024 x 1024 there: one run a column, each 5 pixels above the one before.
    found = rle.parse("387620 23 996 33 986 43", DIALECTS["siim"], 1024 * 1024)
    assert found.tolist() == [[387620, 387643], [388639, 388672], [389658, 389701]]
    assert (found[1:, 0] - found[:-1, 0]).tolist() == [1019, 1019]


def test_keys():
    assert BONES.header == ("image_name", "class", "rle")
    assert NUCLEI.header == ("ImageId", "EncodedPixels")
    assert BONES.key("image1661130828152.png") == "image1661130828152.png"
    assert NUCLEI.key("00ae65.png") == "00ae65"
    assert NUCLEI.key("1.2.840.10008") == "1.2.840.10008"


def test_image_and_class_in_one_cell_are_cut_at_the_last_mark():
    steel = DIALECTS["severstal"]
    assert steel.names("a_b_1.jpg_4") == ("a_b_1.jpg", "4")
    assert steel.cells("a_b_1.jpg", "4") == ("a_b_1.jpg_4",)
    for cell in ("a.jpg", "_4", "a.jpg_", ""):
        with pytest.raises(SubmissionError, match="ImageId_ClassId does not hold image and class"):
            steel.names(cell)


def test_names():
    assert dialects.named("dsb2018") is NUCLEI
    with pytest.raises(ConfigError, match="Choose handbone"):
        dialects.named("hand-bone")


def test_classes_are_told_by_column_or_mark():
    assert [name for name, dialect in DIALECTS.items() if not dialect.classes] == [
        "airbus", "contrails", "dsb2018", "hubmap", "siim", "tgs",
    ]  # fmt: skip
    assert not replace(BONES, columns=dialects.Columns("image", None, "rle")).classes
