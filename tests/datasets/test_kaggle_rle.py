"""CSVs of runs as label source."""

import cv2
import numpy as np
import pytest

from phalanx.core.errors import ConfigError, DataError, SubmissionError
from phalanx.datasets.kaggle_rle import KaggleRle
from phalanx.mask import runs as run_lengths

SIZE = (3, 4)  # height, width


def write(root, rows, header="ImageId,EncodedPixels", files=("a.png", "b.png")):
    for name in files:
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros(SIZE, np.uint8))
    (root / "train.csv").write_text("\n".join([header, *rows, ""]))
    return root


def read(root, **options):
    return KaggleRle(KaggleRle.Config(**{"root": root, "labels": "train.csv", **options})).read()


def found(dataset):
    return [(finding.level, finding.case, finding.message.split(":")[0]) for finding in dataset.findings]


def test_objects_are_united_down_the_columns(tmp_path):
    # 1-based, column-major in 3 x 4: pixels 1 2 are (0, 0) (1, 0); 6 7 are (2, 1) (0, 2).
    dataset = read(write(tmp_path, ["a,1 2", "a,6 2", "b,"]))
    assert dataset.labels.names == ("foreground",) and not dataset.labels.exclusive
    mask = run_lengths.to_mask(dataset.train[0].labels.runs["foreground"], SIZE)
    np.testing.assert_array_equal(mask, [[1, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]])
    assert dataset.train[1].labels.size == SIZE and len(dataset.train[1].labels.runs["foreground"]) == 0
    assert [case.id for case in dataset.train] == ["a.png", "b.png"] and dataset.findings == []


def test_image_and_class_in_one_cell(tmp_path):
    rows = ["a.png_1,1 2", "a.png_2,", "b.png_1,", "b.png_2,6 2"]
    dataset = read(write(tmp_path, rows, "ImageId_ClassId,EncodedPixels"), dialect="severstal", classes=["1", "2"])
    assert dataset.labels.names == ("1", "2")
    first, second = (case.labels.runs for case in dataset.train)
    np.testing.assert_array_equal(run_lengths.to_mask(first["1"], SIZE)[:, 0], [1, 1, 0])
    assert len(first["2"]) == len(second["1"]) == 0
    assert run_lengths.area(second["2"]) == 2 and dataset.findings == []


def test_overlapping_objects_are_noted(tmp_path):
    dataset = read(write(tmp_path, ["a,1 3", "a,2 3", "b,1 1"]))
    assert dataset.findings[0].message == "objects of a class overlap: 2 pixels of foreground. They are united."


def test_classes_along_the_rows(tmp_path):
    rows = ["a.png,Ulna,1 2", "a.png,Radius,12 1", "b.png,Ulna,", "b.png,Ulna,3 1"]
    dataset = read(write(tmp_path, rows, "image_name,class,rle"), dialect="handbone")
    assert dataset.labels.names == ("Ulna", "Radius")
    np.testing.assert_array_equal(dataset.train[0].labels.runs["Ulna"], [[0, 2]])
    np.testing.assert_array_equal(dataset.train[0].labels.runs["Radius"], [[11, 12]])
    assert found(dataset) == [
        ("warning", "b.png", "classes without a row"),
        ("warning", "b.png", "several rows of one class"),
    ]
    ordered = read(tmp_path, dialect="handbone", classes=("Radius", "Ulna"), exclusive=True)
    assert ordered.labels.names == ("background", "Radius", "Ulna")


def test_other_columns_and_suffix(tmp_path):
    write(tmp_path, ["1 2,left,a", "1 2,right,b"], "mask,side,file", files=("a.jpg", "b.jpg", "b.png", "a.png"))
    options = {"image_column": "file", "class_column": "side", "rle_column": "mask", "unlabelled": "skip"}
    dataset = read(tmp_path, suffix=".jpg", **options)
    assert [case.id for case in dataset.train] == ["a.jpg", "b.jpg"]
    assert dataset.labels.names == ("left", "right")
    with pytest.raises(DataError, match="no row fits an image"):
        read(tmp_path, suffix=".tif", **options)
    with pytest.raises(DataError, match="no row fits an image"):
        read(tmp_path, **options)  # two images for each key
    (tmp_path / "images" / "a.png").unlink()
    assert ("error", "b.jpg", "a key fits several images") in found(read(tmp_path, **options))


def test_rows_without_image_and_image_without_row(tmp_path):
    write(tmp_path, ["a,1 2", "gone,1 2", "gone,5 1"])
    dataset = read(tmp_path)
    assert found(dataset) == [("warning", "gone", "rows without image"), ("error", "b.png", "image without label")]
    assert "gone, first in line 3" in dataset.findings[0].message
    assert read(tmp_path, unlabelled="empty").train[1].labels.runs == {}
    assert [case.id for case in read(tmp_path, unlabelled="test").test] == ["b.png"]
    assert found(read(tmp_path, exclude=("b.png",))) == [("warning", "gone", "rows without image")]


@pytest.mark.parametrize("text", ["1", "0 2", "11 3", "5 1 2 1", "1 nan", "1 1.5", "a b"])
def test_bad_runs_name_the_line(tmp_path, text):
    dataset = read(write(tmp_path, [f"a,{text}", "b,1 1"]))
    ((level, case, kind),) = found(dataset)
    assert (level, case, kind) == ("error", "a.png", "a mask cannot be decoded")
    assert "line 2" in dataset.findings[0].message and "\n" not in dataset.findings[0].message


def test_unknown_class(tmp_path):
    dataset = read(
        write(tmp_path, ["a.png,Ulna,1 2", "b.png,Una,1 2", "b.png,Ulna,1 2"], "image_name,class,rle"),
        dialect="handbone",
        classes=("Radius", "Ulna"),
    )
    assert ("error", "b.png", "unknown class") in found(dataset)
    assert any("line 3" in finding.message and "id you mean Ulna" in finding.message for finding in dataset.findings)


def test_hopeless(tmp_path):
    write(tmp_path, ["a,1 2", "b,1 2"])
    with pytest.raises(DataError, match=r"Did you mean train\.csv"):
        read(tmp_path, labels="trian.csv")
    with pytest.raises(ConfigError, match="no dialect has this name: dsb"):
        read(tmp_path, dialect="dsb")
    with pytest.raises(ConfigError, match="no column of classes"):
        read(tmp_path, classes=("a", "b"))
    with pytest.raises(SubmissionError, match="image_name"):
        read(tmp_path, dialect="handbone")
    write(tmp_path, ["a,,1 2"], "image_name,class,rle")
    with pytest.raises(DataError, match="a row without a class"):
        read(tmp_path, dialect="handbone")


def test_real_nuclei(shared_data):
    dataset = read(shared_data / "nuclei", labels="stage1_train_labels.csv")
    assert (len(dataset.train), len(dataset.test)) == (194, 0)
    assert not [finding for finding in dataset.findings if finding.level == "error"]
    for case in dataset.train:
        run_lengths.check(case.labels.runs["foreground"], case.labels.size)
