"""Which reader fits a folder."""

import json

import cv2
import numpy as np
import pytest

from phalanx.core.errors import DataError
from phalanx.datasets import _guess


def picture(path, values=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((4, 6), values, np.uint8))


def coco(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": [], "annotations": [], "categories": []}))


def test_hand_bones(tmp_path):
    (tmp_path / "train" / "DCM").mkdir(parents=True)
    assert _guess.guess(tmp_path) == {"name": "handbone", "root": tmp_path}


def test_coco_among_other_json(tmp_path):
    picture(tmp_path / "imgs" / "a.png")
    coco(tmp_path / "labels.json")
    (tmp_path / "other.json").write_text("{}")
    found = _guess.guess(tmp_path)
    assert (found["name"], str(found["annotations"]), found["images"]) == ("coco", "labels.json", "imgs")
    coco(tmp_path / "annotations" / "more.json")
    with pytest.raises(DataError, match=r"several COCO documents: .*--option annotations=FILE"):
        _guess.guess(tmp_path)


@pytest.mark.parametrize(
    ("values", "kind"), [((0, 255), "binary"), ((0, 1), "binary"), ((0, 1, 2), "index"), ((0, 3), "index")]
)
def test_masks_by_their_values(tmp_path, values, kind):
    for index, value in enumerate(values):
        picture(tmp_path / "images" / f"{index}.png")
        picture(tmp_path / "masks" / f"{index}.png", value)
    assert _guess.guess(tmp_path) == {
        "name": "mask_folder", "root": tmp_path, "images": "images", "masks": "masks", "kind": kind,
    }  # fmt: skip


def test_one_folder_a_class(tmp_path):
    picture(tmp_path / "images" / "a.png")
    picture(tmp_path / "masks" / "arm" / "a.png")
    assert _guess.guess(tmp_path)["kind"] == "class_files"


@pytest.mark.parametrize(
    ("header", "dialect"),
    [
        ("ImageId,EncodedPixels", "dsb2018"),
        ("image_name,class,rle", "handbone"),
        ("ImageId_ClassId,EncodedPixels", "severstal"),
    ],
)
def test_csv_by_its_header(tmp_path, header, dialect):
    picture(tmp_path / "images" / "a.png")
    (tmp_path / "labels.csv").write_text(header + "\n")
    (tmp_path / "other.csv").write_text("a,b\n")
    found = _guess.guess(tmp_path)
    assert (found["name"], str(found["labels"]), found["dialect"]) == ("kaggle_rle", "labels.csv", dialect)


def test_nothing_fits(tmp_path):
    with pytest.raises(DataError, match="no reader fits the folder.*nothing in it.*[Ee]xpected train/DCM"):
        _guess.guess(tmp_path)
    picture(tmp_path / "deep" / "images" / "a.png")
    with pytest.raises(DataError, match="has deep/. Did you mean .*deep"):
        _guess.guess(tmp_path)


def test_real_folders(shared_data):
    names = {
        folder: _guess.guess(shared_data / folder)["name"] for folder in ("hand_fracture", "nuclei", "ultrasound_nerve")
    }
    assert names == {"hand_fracture": "coco", "nuclei": "kaggle_rle", "ultrasound_nerve": "mask_folder"}
    with pytest.raises(DataError, match="no reader fits"):
        _guess.guess(shared_data)
