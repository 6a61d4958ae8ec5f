"""What every reader owes the rest of the house.

An entry without a builder below is held to the rules that need no data of its own.
"""

import json
import typing
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from phalanx.core import catalogue
from phalanx.core.case import Dataset
from phalanx.core.errors import PhalanxError

SIZE = (12, 17)


def picture(path: Path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full(SIZE, value, np.uint8))


def build_handbone(root):
    for number, person in enumerate(("ID001", "ID001", "ID002", "ID002")):
        picture(root / "train" / "DCM" / person / f"image{number}.png", number)
        file = root / "train" / "outputs_json" / person / f"image{number}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        points = [[1, 2], [9, 2], [9, 11]]
        file.write_text(json.dumps({"annotations": [{"label": "Ulna", "points": points}]}))
    return {"root": root}


def build_coco(root):
    for name in ("x.png", "y.png"):
        picture(root / "images" / name)
    images = [{"id": index, "file_name": name} for index, name in enumerate(("y.png", "x.png"))]
    (root / "a.json").write_text(
        json.dumps({"images": images, "annotations": [], "categories": [{"id": 0, "name": "c"}]})
    )
    return {"root": root, "annotations": "a.json"}


def build_mask_folder(root):
    for name in ("x.png", "y.png"):
        picture(root / "images" / name)
        picture(root / "masks" / name, 255)
    return {"root": root, "kind": "binary"}


def build_kaggle_rle(root):
    for name in ("x.png", "y.png"):
        picture(root / "images" / name)
    (root / "a.csv").write_text("ImageId,EncodedPixels\ny,1 3\nx,2 2\nx,9 1\n")
    return {"root": root, "labels": "a.csv"}


def build_phantom(root):
    return {"root": root / "hands", "people": 2, "test_people": 1, "size": 32}


BUILDERS = {name.removeprefix("build_"): value for name, value in list(globals().items()) if name.startswith("build_")}
NEEDS_DATA = ("handbone", "coco", "mask_folder", "kaggle_rle")


def read(name, values):
    entry = catalogue.entry("datasets", name)
    return entry(entry.Config.model_validate({"name": name, **values})).read()


@pytest.mark.parametrize("name", catalogue.names("datasets"))
def test_config_names_its_entry(name):
    config = catalogue.entry("datasets", name).Config
    assert issubclass(config, catalogue.Strict)
    assert next(iter(config.model_fields)) == "name"
    assert typing.get_args(config.model_fields["name"].annotation) == (name,)
    assert "root" in config.model_fields


@pytest.mark.parametrize("name", BUILDERS)
def test_dataset_is_sound(name, tmp_path):
    dataset = read(name, BUILDERS[name](tmp_path))
    assert isinstance(dataset, Dataset)
    assert dataset.train and all(case.labels is not None for case in dataset.train)
    ids = [case.id for case in (*dataset.train, *dataset.test)]
    assert len(set(ids)) == len(ids)
    assert [case.id for case in dataset.train] == sorted(case.id for case in dataset.train)
    for case in (*dataset.train, *dataset.test):
        assert case.group and case.image.is_file() and "/" not in case.id
        json.dumps(dict(case.metadata))
    assert {finding.level for finding in dataset.findings} <= {"warning"}
    assert read(name, BUILDERS[name](tmp_path)).train[0].id == ids[0]


@pytest.mark.parametrize("name", BUILDERS)
def test_reading_decodes_no_image(name, tmp_path, monkeypatch):
    values = BUILDERS[name](tmp_path)
    read(name, values)  # phantoms are made on the first call

    def refuse(*_arguments, **_keywords):
        raise AssertionError("a pixel was decoded")

    for library, function in ((cv2, "imread"), (cv2, "imdecode"), (Image.Image, "load"), (Image.Image, "tobytes")):
        monkeypatch.setattr(library, function, refuse)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", refuse)
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", refuse, raising=False)
    assert read(name, values).train


@pytest.mark.parametrize("name", NEEDS_DATA)
def test_hopeless_folders_are_one_line(name, tmp_path):
    values = BUILDERS[name](tmp_path / "data")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for root, says in (("dara", "did you mean data"), ("empty", "empty"), ("file", "is a file")):
        with pytest.raises(PhalanxError) as caught:
            read(name, {**values, "root": tmp_path / root})
        line = str(caught.value)
        assert "\n" not in line and says.lower() in line.lower(), line
        assert caught.value.fix


@pytest.mark.parametrize("name", NEEDS_DATA)
def test_exclude_leaves_out_and_reports_slips(name, tmp_path):
    values = BUILDERS[name](tmp_path)
    first = read(name, values).train[0].id
    dataset = read(name, {**values, "exclude": (first, "slip.png")})
    assert first not in {case.id for case in dataset.train}
    assert first not in {finding.case for finding in dataset.findings}
    assert any("slip.png" in finding.message for finding in dataset.findings)


@pytest.mark.parametrize("name", NEEDS_DATA)
def test_unreadable_image_is_an_error_finding(name, tmp_path):
    values = BUILDERS[name](tmp_path)
    broken = read(name, values).train[0]
    broken.image.write_bytes(b"\x89PNG\r\n\x1a\nnothing behind it")
    dataset = read(name, values)
    assert ("error", broken.id) in {(finding.level, finding.case) for finding in dataset.findings}
