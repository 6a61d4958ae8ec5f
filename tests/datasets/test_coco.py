"""COCO documents: the three ways to write a mask, and what strangers get wrong."""

import json

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from phalanx.core.case import Polygons, Runs
from phalanx.core.errors import DataError
from phalanx.datasets.coco import Coco
from phalanx.mask import runs as run_lengths

SIZE = (7, 9)  # height, width
TRIANGLE = [1, 1, 6, 1, 6, 5]


def write(root, annotations, images=None, categories=None, files=("a.png", "b.png")):
    for name in files:
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros(SIZE, np.uint8))
    document = {
        "images": images
        or [{"id": index, "file_name": name, "height": SIZE[0], "width": SIZE[1]} for index, name in enumerate(files)],
        "annotations": [{"id": index, **item} for index, item in enumerate(annotations)],
        "categories": categories or [{"id": 7, "name": "late"}, {"id": 2, "name": "early"}],
    }
    (root / "labels.json").write_text(json.dumps(document))
    return root


def polygon(*rings, image=0, category=2, **more):
    return {"image_id": image, "category_id": category, "segmentation": list(rings), "iscrowd": 0, **more}


def read(root, **options):
    return Coco(Coco.Config(**{"root": root, "annotations": "labels.json", **options})).read()


def errors(dataset):
    return [finding.message for finding in dataset.findings if finding.level == "error"]


def test_polygons_categories_and_empty_images(tmp_path):
    dataset = read(write(tmp_path, [polygon(TRIANGLE, [0, 0, 2, 0, 2, 2]), polygon(TRIANGLE, category=7)]))
    assert dataset.labels.names == ("early", "late") and not dataset.labels.exclusive
    first, second = dataset.train
    assert (first.id, first.group, first.metadata) == ("a.png", "a", {"image_height": 7, "image_width": 9})
    assert isinstance(first.labels, Polygons) and first.labels.size == SIZE
    np.testing.assert_array_equal(first.labels.rings["early"][0], [[1, 1], [6, 1], [6, 5]])
    assert {name: len(rings) for name, rings in first.labels.rings.items()} == {"early": 2, "late": 1}
    assert second.labels == Polygons({}, SIZE)
    assert dataset.findings == []


def test_unannotated_can_be_skipped(tmp_path):
    assert [case.id for case in read(write(tmp_path, [polygon(TRIANGLE)]), unannotated="skip").train] == ["a.png"]


def test_exclusive_has_a_background(tmp_path):
    labels = read(write(tmp_path, [polygon(TRIANGLE)]), exclusive=True).labels
    assert labels.names == ("background", "early", "late") and labels.exclusive


@pytest.mark.parametrize("packed", [True, False])
def test_rle_equals_pycocotools(tmp_path, packed):
    mask = np.zeros(SIZE, np.uint8)
    mask[0, :3] = mask[2:7, 8] = mask[3, 4] = 1  # touches three borders
    encoded = coco_mask.encode(np.asfortranarray(mask))
    counts = encoded["counts"].decode()
    if not packed:
        flat = mask.ravel(order="F")
        changes = np.flatnonzero(np.diff(flat)) + 1
        counts = np.diff([0, *changes, flat.size]).tolist()
        counts = [0, *counts] if flat[0] else counts
    item = {"image_id": 0, "category_id": 2, "segmentation": {"size": list(SIZE), "counts": counts}}
    labels = read(write(tmp_path, [item])).train[0].labels
    assert isinstance(labels, Runs) and labels.size == SIZE
    np.testing.assert_array_equal(run_lengths.to_mask(labels.runs["early"], SIZE), mask)


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools.decode under NumPy 2
def test_rle_beside_a_polygon_and_two_of_a_class_are_united(tmp_path):
    counts = [0, 7, 56]  # the first column
    rle = {"image_id": 0, "category_id": 2, "segmentation": {"size": list(SIZE), "counts": counts}}
    labels = read(write(tmp_path, [rle, polygon(TRIANGLE), polygon(TRIANGLE, category=7)])).train[0].labels
    drawn = coco_mask.decode(coco_mask.frPyObjects([TRIANGLE], *SIZE))[..., 0].astype(bool)
    np.testing.assert_array_equal(run_lengths.to_mask(labels.runs["late"], SIZE), drawn)
    drawn[:, 0] = True
    np.testing.assert_array_equal(run_lengths.to_mask(labels.runs["early"], SIZE), drawn)


@pytest.mark.parametrize(
    ("segmentation", "says"),
    [
        ({"size": [7, 9], "counts": [60, 4]}, "do not add up"),
        ({"size": [7, 9], "counts": [10**18, 10**18, 4]}, "do not add up"),
        ({"size": [7, 9], "counts": [10**30]}, "COCO counts"),
        ({"size": [7, 9], "counts": [70, -7]}, "do not add up"),
        ({"size": [7, 9], "counts": [1.5, 61.5]}, "not whole numbers"),
        ({"size": [7, 9], "counts": [1, [62]]}, "not whole numbers"),
        ({"size": [7, 9], "counts": None}, "not whole numbers"),
        ({"size": [7, 9], "counts": "\u00ff!!"}, "damaged"),
        ({"size": [9, 7], "counts": [63]}, "another size than its image"),
        ({"counts": [63]}, "needs a size"),
        ([[1, 1, float("nan"), 1, 6, 5]], "a coordinate is not finite"),
        ([[1, 1, "6", 1, 6, 5]], "a coordinate is not a number"),
        ([[1, 1, 6, 1]], "fewer than 3 points"),
        ([[1, 1, 6, 1, 6]], "x and y in turn"),
        ([[20, 20, 30, 20, 30, 30]], "outside the image"),
        ([[1, 1, 12, 1, 6, 5]], "leaves the image"),
    ],
)
def test_bad_segmentations(tmp_path, segmentation, says):
    (message,) = errors(read(write(tmp_path, [{"image_id": 0, "category_id": 2, "segmentation": segmentation}])))
    assert says in message and "\n" not in message


def test_boxes_and_crowds(tmp_path):
    box = {"image_id": 0, "category_id": 2, "segmentation": [], "bbox": [1, 1, 2, 2]}
    crowd = {"image_id": 1, "category_id": 2, "iscrowd": 1, "segmentation": {"size": list(SIZE), "counts": [0, 63]}}
    dataset = read(write(tmp_path, [box, crowd]))
    assert [(finding.level, finding.case, finding.message.split(":")[0]) for finding in dataset.findings] == [
        ("warning", "a.png", "an annotation has a box but no outline"),
        ("warning", "b.png", "crowd annotations left out"),
    ]
    taken = read(tmp_path, crowd="include").train[1].labels
    np.testing.assert_array_equal(taken.runs["early"], [[0, 63]])


def test_missing_and_unlisted_images(tmp_path):
    write(tmp_path, [polygon(TRIANGLE)], files=("a.png", "b.png", "sub/c.png"))
    listed = [{"id": 0, "file_name": "a.png"}, {"id": 5, "file_name": "gone.png"}]
    write(tmp_path, [polygon(TRIANGLE), polygon(TRIANGLE, image=5)], images=listed)
    dataset = read(tmp_path)
    assert [case.id for case in dataset.train] == ["a.png"] and not dataset.test
    assert [finding.message.split(".")[0] for finding in dataset.findings] == [
        "a listed image is not on disk: gone",
        "images the JSON does not list: 2, the first is b",
    ]
    assert [case.id for case in read(tmp_path, unlisted="empty").train] == ["a.png", "b.png", "c.png"]
    assert [case.id for case in read(tmp_path, unlisted="test").test] == ["b.png", "c.png"]


def test_sizes_that_contradict(tmp_path):
    listed = [{"id": 0, "file_name": "a.png", "height": 9, "width": 7}]
    (message,) = errors(read(write(tmp_path, [], images=listed, files=("a.png",))))
    assert message.startswith("image and annotation of different sizes: a.png is 7 x 9, the JSON says 9 x 7")


def test_annotations_for_nothing(tmp_path):
    found = errors(read(write(tmp_path, [polygon(TRIANGLE, image=9), polygon(TRIANGLE, category=3)])))
    assert [message.split(":")[0] for message in found] == [
        "an annotation is for an image that is not listed",
        "an annotation is of an unknown category",
    ]


def test_group_pattern(tmp_path):
    write(tmp_path, [polygon(TRIANGLE)], files=("p1_x.png", "p1_y.png", "other.png"))
    cases = read(tmp_path, group_pattern="^(p[0-9]+)_").train
    assert [case.group for case in cases] == ["other", "p1", "p1"]
    with pytest.raises(ValueError, match="parentheses"):
        Coco.Config(root=tmp_path, annotations="labels.json", group_pattern="p[0-9]+")


def test_a_file_name_cannot_leave_the_folder(tmp_path):
    write(tmp_path, [], files=("images/a.png",))
    listed = [{"id": 0, "file_name": "../../etc/passwd"}, {"id": 1, "file_name": "a.png"}]
    write(tmp_path, [], images=listed, files=("a.png",))
    assert [case.id for case in read(tmp_path).train] == ["a.png"]


@pytest.mark.parametrize(
    ("text", "says"),
    [("{", "cannot be parsed"), ('{"images": []}', "not a COCO document"), ("[1]", "not a COCO document")],
)
def test_hopeless_documents(tmp_path, text, says):
    write(tmp_path, [])
    (tmp_path / "labels.json").write_text(text)
    with pytest.raises(DataError, match=says):
        read(tmp_path)


def test_hopeless_folders(tmp_path):
    write(tmp_path, [])
    with pytest.raises(DataError, match=r"Did you mean labels\.json"):
        read(tmp_path, annotations="label.json")
    with pytest.raises(DataError, match="folder of images does not exist.*did you mean images"):
        read(tmp_path, images="imags")
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="holds no image.*found nothing"):
        read(tmp_path, images="none")
    write(tmp_path, [], images=[{"id": 1, "file_name": "z.png"}])
    with pytest.raises(DataError, match="no listed image is on disk: 1 listed, 2 in images"):
        read(tmp_path)
    write(tmp_path, [], categories=[{"id": 1, "name": "a"}, {"id": 1, "name": "b"}])
    with pytest.raises(DataError, match="distinct"):
        read(tmp_path)
    write(tmp_path, [], categories=[{"id": "1", "name": "a"}])
    with pytest.raises(DataError, match="integer id"):
        read(tmp_path)


def test_real_fractures(shared_data):
    root = shared_data / "hand_fracture"
    dataset = read(root, annotations="COCO_fracture_masks.json", unlisted="empty")
    assert (len(dataset.train), dataset.labels.names) == (440, ("fractured",))
    assert sum(bool(case.labels.rings) for case in dataset.train) == 288
    assert sum(len(case.labels.rings.get("fractured", [])) for case in dataset.train) == 364
    assert errors(dataset) == []
