"""Folders of masks: grey values, palettes, one class, one file a class."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from phalanx.core.errors import DataError
from phalanx.datasets.mask_folder import MaskFolder

SIZE = (5, 8)  # height, width


def picture(path: Path, values=0, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full(size, values, np.uint8))


def read(root, **options):
    return MaskFolder(MaskFolder.Config(root=root, **options)).read()


def found(dataset):
    return [(finding.level, finding.case, finding.message.split(":")[0]) for finding in dataset.findings]


@pytest.fixture
def pair(tmp_path):
    """Two images with a mask each."""
    for stem in ("a", "b"):
        picture(tmp_path / "images" / f"{stem}.jpg")
        picture(tmp_path / "masks" / f"{stem}.png", 1)
    return tmp_path


def test_index_with_a_list_of_classes(pair):
    dataset = read(pair, classes=("background", "nerve", "vessel"))
    assert dataset.labels.names == ("background", "nerve", "vessel") and dataset.labels.exclusive
    mask = pair / "masks" / "a.png"
    assert dataset.train[0].labels.files == ((mask, 0, "background"), (mask, 1, "nerve"), (mask, 2, "vessel"))
    assert [case.id for case in dataset.train] == ["a.jpg", "b.jpg"] and not dataset.findings


def test_classes_file_names_values_that_need_not_follow_each_other(pair):
    (pair / "classes.json").write_text(json.dumps({"128": "nerve", "0": "nothing", "64": "vessel"}))
    dataset = read(pair)
    assert dataset.labels.names == ("nothing", "vessel", "nerve")
    assert [value for _, value, _ in dataset.train[0].labels.files] == [0, 64, 128]
    assert read(pair, exclusive=False).labels.names == ("vessel", "nerve")
    (pair / "classes.json").write_text(json.dumps({"1": "nerve"}))
    assert read(pair).labels.names == ("background", "nerve")


def test_binary(pair):
    dataset = read(pair, kind="binary", classes=("nerve",))
    assert dataset.labels.names == ("nerve",) and not dataset.labels.exclusive
    assert dataset.train[1].labels.files == ((pair / "masks" / "b.png", None, "nerve"),)
    assert read(pair, kind="binary").labels.names == ("foreground",)
    assert read(pair, kind="binary", exclusive=True).labels.names == ("background", "foreground")
    with pytest.raises(DataError, match="binary masks have one class"):
        read(pair, kind="binary", classes=("a", "b"))


def test_palette_without_palette_is_noted(pair):
    Image.fromarray(np.zeros(SIZE, np.uint8), "L").convert("P").save(pair / "masks" / "a.png")
    dataset = read(pair, kind="palette", classes=("background", "nerve"))
    assert found(dataset) == [("warning", "b.jpg", "a mask has no palette")]


@pytest.mark.parametrize("folders", [True, False])
def test_class_files(tmp_path, folders):
    for stem in ("one", "two_arm"):
        picture(tmp_path / "images" / f"{stem}.png")
        for label in ("arm", "upper_arm"):
            place = f"{label}/{stem}.png" if folders else f"{stem}_{label}.png"
            picture(tmp_path / "masks" / place)
    dataset = read(tmp_path, kind="class_files", classes=() if folders else ("arm", "upper_arm"))
    assert dataset.labels.names == ("arm", "upper_arm") and not dataset.findings
    for case in dataset.train:
        assert {name: path.name for path, _, name in case.labels.files} == {
            label: f"{Path(case.id).stem}{'' if folders else '_' + label}.png" for label in ("arm", "upper_arm")
        }


def test_class_files_missing_class_and_strange_folder(tmp_path):
    picture(tmp_path / "images" / "a.png")
    picture(tmp_path / "masks" / "arm" / "a.png")
    picture(tmp_path / "masks" / "handd" / "a.png")
    dataset = read(tmp_path, kind="class_files", classes=("arm", "hand"))
    assert found(dataset) == [
        ("warning", "", "a mask file is not understood"),
        ("warning", "a.png", "classes without a mask file"),
    ]
    assert "did you mean hand" in dataset.findings[0].message.lower()
    with pytest.raises(DataError, match="the classes are not known"):
        (tmp_path / "masks" / "loose.png").write_bytes((tmp_path / "masks" / "arm" / "a.png").read_bytes())
        for name in ("arm", "handd"):
            (tmp_path / "masks" / name / "a.png").unlink()
            (tmp_path / "masks" / name).rmdir()
        read(tmp_path, kind="class_files")


def test_mask_suffix(pair):
    for stem in ("a", "b"):
        (pair / "masks" / f"{stem}.png").rename(pair / "masks" / f"{stem}_mask.png")
    picture(pair / "masks" / "c.png")
    dataset = read(pair, kind="binary", mask_suffix="_mask")
    assert len(dataset.train) == 2 and found(dataset) == [("warning", "", "a mask file is not understood")]


def test_image_without_mask_and_mask_without_image(pair):
    (pair / "masks" / "b.png").rename(pair / "masks" / "c.png")
    dataset = read(pair, kind="binary")
    assert found(dataset) == [("warning", "", "mask without image"), ("error", "b.jpg", "image without label")]
    assert [case.id for case in dataset.train] == ["a.jpg"]
    assert [case.id for case in read(pair, kind="binary", unlabelled="test").test] == ["b.jpg"]
    assert not [
        finding for finding in read(pair, kind="binary", unlabelled="skip").findings if finding.level == "error"
    ]
    assert found(read(pair, kind="binary", exclude=("b.jpg",))) == [("warning", "", "mask without image")]


def test_image_and_mask_of_different_sizes(pair):
    picture(pair / "masks" / "b.png", size=(8, 5))
    dataset = read(pair, kind="binary")
    assert found(dataset) == [("error", "b.jpg", "image and mask of different sizes")]
    assert "b.jpg is 5 x 8, b.png is 8 x 5" in dataset.findings[0].message


def test_unreadable_mask_jpeg_mask_and_two_masks(pair):
    (pair / "masks" / "a.png").write_bytes(b"")
    picture(pair / "masks" / "b.jpg")
    dataset = read(pair, classes=("background", "nerve"))
    assert found(dataset) == [
        ("error", "b.jpg", "an image has two masks of the same kind"),
        ("error", "a.jpg", "a mask cannot be read"),
        ("warning", "b.jpg", "a mask is a JPEG"),
    ]


def test_test_images_and_groups(pair):
    picture(pair / "new" / "a9.png")
    dataset = read(pair, kind="binary", test="new", group_pattern="^([a-z])")
    assert [(case.id, case.labels, case.group) for case in dataset.test] == [("a9.png", None, "a")]
    assert found(dataset) == [("warning", "", "a group is both in train and in test")]


def test_hopeless(pair):
    with pytest.raises(DataError, match=r"the classes are not known: no classes\.json"):
        read(pair)
    (pair / "classes.json").write_text('{"one": "nerve"}')
    with pytest.raises(DataError, match="the file of classes cannot be read"):
        read(pair)
    (pair / "classes.json").write_text("{}")
    with pytest.raises(DataError, match="does not name classes by value"):
        read(pair)
    with pytest.raises(DataError, match="folder of masks does not exist.*did you mean masks"):
        read(pair, masks="mask", kind="binary")
    (pair / "bare").mkdir()
    with pytest.raises(DataError, match="folder of masks holds no image"):
        read(pair, masks="bare", kind="binary")


def test_real_ultrasound(shared_data):
    dataset = read(shared_data / "ultrasound_nerve", kind="palette")
    assert (len(dataset.train), len(dataset.labels), dataset.findings) == (163, 3, [])
    assert [value for _, value, _ in dataset.train[0].labels.files] == [0, 1, 2]
