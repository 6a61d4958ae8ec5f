"""`phalanx convert` as it is typed: from format to format, what it refuses, what reads it again."""

import functools
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from phalanx.core.labels import LabelSpace
from phalanx.data import decode
from phalanx.datasets.coco import Coco
from phalanx.datasets.mask_folder import MaskFolder
from phalanx.mask import rle, runs, sheet
from phalanx.mask.dialect import DIALECTS

# Two classes that share a pixel of a, none of b. Height and width differ.
RADIUS = np.array([[0, 1, 0, 0], [0, 1, 0, 1], [1, 0, 0, 0]], bool)
ULNA = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]], bool)
BONES = "image_name,class,rle\na.png,radius,2 1 6 1 8 2\na.png,ulna,6 2\nb.png,radius,\nb.png,ulna,12 1\n"
APART = BONES.replace("6 2", "7 1")
SHIPS = "ImageId,EncodedPixels\na.jpg,3 3\na.jpg,11 1\nb.jpg,\n"


@pytest.fixture
def call(typed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return functools.partial(typed, "convert")


@pytest.fixture
def good(call):
    """A call that must succeed; returns what it says."""

    def run(given: str, output: str, source: str, target: str, *options: str) -> str:
        status, out, error = call(given, output, "--from", source, "--to", target, *options)
        assert status == 0, error
        return out

    return run


def put(name: str, text: str) -> str:
    Path(name).write_text(text)
    return name


def planes(place: str = "images", names=("a.png", "b.png"), size=(3, 4)) -> str:
    Path(place).mkdir()
    for name in names:
        Image.fromarray(np.zeros(size, np.uint8)).save(f"{place}/{name}")
    return place


def left_over() -> list[str]:
    return [path.name for path in Path().rglob("*") if "partial" in path.name or path.name.endswith(".old")]


# ---- between CSVs


def test_from_rows_to_columns_and_gaps(good):
    text = BONES.replace(",ulna", ",x").replace(",radius", ",x")
    put("in.csv", "\n".join(line for line in text.splitlines() if line not in ("a.png,x,6 2", "b.png,x,12 1")) + "\n")
    good("in.csv", "siim.csv", "handbone", "siim", "--size", "3x4")
    assert Path("siim.csv").read_text() == "ImageId,EncodedPixels\na,2 3 5 1\nb,-1\n"
    good("siim.csv", "tgs.csv", "siim", "tgs")
    assert Path("tgs.csv").read_text() == "id,rle_mask\na,3 3 11 1\nb,\n"
    good("tgs.csv", "contrails.csv", "tgs", "contrails")
    assert Path("contrails.csv").read_text() == "record_id,encoded_pixels\na,3 3 11 1\nb,-\n"
    images = planes()
    good("contrails.csv", "back.csv", "contrails", "handbone", "--images", images, "--classes", "x")
    assert Path("back.csv").read_bytes() == Path("in.csv").read_bytes()


@pytest.mark.parametrize("name", DIALECTS)
def test_there_and_back_through_every_dialect(good, name):
    classes = DIALECTS[name].classes
    text = BONES.replace("radius", "1").replace("ulna", "2")
    if not classes:
        text = "".join(line for line in text.splitlines(True) if ",2," not in line)
    images = planes()
    put("in.csv", text)
    out = good("in.csv", "there.csv", "handbone", name, "--images", images)
    assert out.startswith("there.csv: ")
    named = () if classes else ("--classes", "1")
    good("there.csv", "back.csv", name, "handbone", "--images", images, *named)
    assert Path("back.csv").read_text() == text


def test_objects_stay_objects_and_are_united_for_classes(good):
    put("ships.csv", SHIPS)
    good("ships.csv", "nuclei.csv", "airbus", "dsb2018")
    assert Path("nuclei.csv").read_text() == SHIPS.replace(".jpg", "")
    good("ships.csv", "salt.csv", "airbus", "tgs")
    assert Path("salt.csv").read_text() == "id,rle_mask\na,3 3 11 1\nb,\n"
    good("salt.csv", "objects.csv", "tgs", "dsb2018", "--size", "3x4")
    assert Path("objects.csv").read_text() == SHIPS.replace(".jpg", "")


def test_objects_that_touch_are_not_joined(good):
    put("ships.csv", "ImageId,EncodedPixels\na.jpg,1 2\na.jpg,3 1\n")
    good("ships.csv", "nuclei.csv", "airbus", "dsb2018", "--size", "3x4")
    assert Path("nuclei.csv").read_text() == "ImageId,EncodedPixels\na,1 2\na,3 1\n"


def test_options_of_either_side(good):
    put("in.csv", "mask,id,kind\n0 2,001,NA\n1 0,1e5,NA\n")
    options = ("--from-columns", "id,kind,mask", "--from-base", "0", "--from-empty", "1 0")
    changes = ("--to-columns", "name,part,runs", "--to-order", "column", "--to-empty", "-1", "--to-base", "1")
    good("in.csv", "out.csv", "handbone", "handbone", *options, *changes, "--size", "3x4")
    assert Path("out.csv").read_text() == "name,part,runs\n001,NA,1 1 4 1\n1e5,NA,-1\n"


def test_rows_keep_their_order(good):
    put("in.csv", "image_name,class,rle\nb,y,1 1\na,x,2 1\nb,x,3 1\na,y,4 1\n")
    good("in.csv", "out.csv", "handbone", "uwmadison", "--size", "3x4")
    assert Path("out.csv").read_text() == "id,class,predicted\nb,y,1 1\na,x,2 1\nb,x,3 1\na,y,4 1\n"


def test_slices_and_the_whole_say_the_same(good, monkeypatch):
    from phalanx.submit import recode

    put("in.csv", BONES)
    good("in.csv", "whole.csv", "handbone", "severstal", "--size", "3x4")
    monkeypatch.setattr(recode, "_SLICE", 1)
    good("in.csv", "slices.csv", "handbone", "severstal", "--size", "3x4")
    assert Path("whole.csv").read_bytes() == Path("slices.csv").read_bytes()


ODD_KEYS = ["001", "1e5", "NA", "a_b_c.png", "a,b.png", 'say "hi".png', "two words.png", "\u00e9.png", "1.2.840.10008"]


@pytest.mark.parametrize("key", ODD_KEYS)
@pytest.mark.parametrize("form", ["severstal", "coco", "png", "labelmap"])
def test_keys_survive(good, key, form):
    quoted = '"' + key.replace('"', '""') + '"' if set(key) & set(',"') else key
    text = f"image_name,class,rle\n{quoted},1,2 1 6 1 8 2\n"
    put("in.csv", text)
    good("in.csv", "there", "handbone", form, "--size", "3x4")
    good("there", "back.csv", form, "handbone", "--size", "3x4")
    found = sheet.read(Path("back.csv"), DIALECTS["handbone"])
    suffix = ".png" if form in ("png", "labelmap") and not key.endswith(".png") else ""
    assert [row[1:] for row in found] == [(key + suffix, "1", "2 1 6 1 8 2")]


def test_numbered_classes_get_names_and_names_an_order(good):
    put("in.csv", "ImageId_ClassId,EncodedPixels\na.jpg_2,1 1\na.jpg_1,\n")
    good("in.csv", "out.json", "severstal", "coco", "--size", "3x4", "--classes", "pits,scratches")
    document = json.loads(Path("out.json").read_text())
    assert document["categories"] == [{"id": 1, "name": "pits"}, {"id": 2, "name": "scratches"}]
    assert [item["category_id"] for item in document["annotations"]] == [2]
    put("bones.csv", BONES)
    good("bones.csv", "bones.json", "handbone", "coco", "--size", "3x4", "--classes", "ulna,radius")
    assert [item["name"] for item in json.loads(Path("bones.json").read_text())["categories"]] == ["ulna", "radius"]


# ---- COCO


# pycocotools' decode has not learnt NumPy 2's copy keyword.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("form", ["coco", "coco-uncompressed"])
def test_pycocotools_takes_it(good, form):
    put("in.csv", BONES)
    assert good("in.csv", "out.json", "handbone", form, "--size", "3x4") == "out.json: 3 annotations\n"
    coco = COCO("out.json")
    assert [coco.imgs[number]["file_name"] for number in coco.getImgIds()] == ["a.png", "b.png"]
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == ["radius", "ulna"]
    expected = {(1, 1): RADIUS, (1, 2): ULNA, (2, 2): np.eye(12, dtype=bool)[11].reshape(3, 4)}
    for annotation in coco.loadAnns(coco.getAnnIds()):
        mask = expected.pop((annotation["image_id"], annotation["category_id"]))
        assert np.array_equal(coco.annToMask(annotation), mask)
        packed = coco_mask.encode(np.asfortranarray(mask, np.uint8))
        assert annotation["area"] == coco_mask.area(packed) == mask.sum()
        assert annotation["bbox"] == coco_mask.toBbox(packed).tolist()
        counts = annotation["segmentation"]["counts"]
        assert counts == packed["counts"].decode() if form == "coco" else isinstance(counts, list)
    assert not expected
    good("out.json", "back.csv", form, "handbone")
    assert Path("back.csv").read_text() == BONES


def test_an_annotation_an_object(good):
    put("ships.csv", SHIPS)
    good("ships.csv", "out.json", "airbus", "coco", "--size", "3x4", "--classes", "ship")
    document = json.loads(Path("out.json").read_text())
    assert [(item["id"], item["image_id"], item["area"]) for item in document["annotations"]] == [(1, 1, 3), (2, 1, 1)]
    assert len(document["images"]) == 2
    good("out.json", "back.csv", "coco", "airbus")
    assert Path("back.csv").read_text() == SHIPS


def test_the_reader_reads_it(good, tmp_path):
    put("in.csv", BONES)
    good("in.csv", "out.json", "handbone", "coco", "--images", planes())
    dataset = Coco(Coco.Config(root=tmp_path, annotations="out.json")).read()
    assert dataset.labels.names == ("radius", "ulna") and not dataset.findings
    found = [decode.runs(case, dataset.labels, "coco", (3, 4)) for case in dataset.train]
    assert np.array_equal(runs.to_mask(found[0][0], (3, 4)), RADIUS)
    assert np.array_equal(runs.to_mask(found[0][1], (3, 4)), ULNA)
    assert [len(part) for part in found[1]] == [0, 1]


def test_outlines_and_crowds_of_other_peoples_files(good):
    square = [1, 0, 3, 0, 3, 2, 1, 2]
    document = {
        "images": [{"id": 7, "file_name": "train/a.jpg", "height": 3, "width": 4}, {"id": "x", "file_name": "b.jpg"}],
        "categories": [{"id": 3, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "segmentation": [square]},
            {
                "id": 2,
                "image_id": 7,
                "category_id": 3,
                "segmentation": {"size": [3, 4], "counts": [11, 1]},
                "iscrowd": 1,
            },
            {"id": 3, "image_id": "x", "category_id": 3, "bbox": [0, 0, 1, 1]},
        ],
    }
    put("in.json", json.dumps(document))
    out = good("in.json", "out.csv", "coco", "handbone", "--size", "3x4")
    # Pixels x 1 and 2, y 0 and 1, and the last one.
    assert Path("out.csv").read_text() == "image_name,class,rle\na.jpg,cat,2 2 6 2 12 1\nb.jpg,cat,\n"
    assert "1 crowd annotations are taken like any other" in out
    assert "1 annotations have no mask and are passed over" in out


# ---- folders of PNGs, label maps


def test_png_folders(good, tmp_path):
    put("in.csv", BONES)
    assert good("in.csv", "masks", "handbone", "png", "--images", planes()) == "masks: 4 files\n"
    assert np.array_equal(cv2.imread("masks/radius/a.png", cv2.IMREAD_UNCHANGED), RADIUS * np.uint8(255))
    assert not left_over()
    dataset = MaskFolder(MaskFolder.Config(root=tmp_path, kind="class_files")).read()
    assert dataset.labels.names == ("radius", "ulna") and not dataset.findings
    found = decode.runs(dataset.train[0], dataset.labels, "coco", (3, 4))
    assert np.array_equal(runs.to_mask(found[0], (3, 4)), RADIUS)
    assert np.array_equal(runs.to_mask(found[1], (3, 4)), ULNA)
    good("masks", "back.csv", "png", "handbone")
    assert Path("back.csv").read_text() == BONES


def test_png_of_one_class(good, tmp_path):
    put("ships.csv", SHIPS)
    good("ships.csv", "masks", "airbus", "png", "--images", planes(names=("a.jpg", "b.jpg")))
    assert sorted(path.name for path in Path("masks").iterdir()) == ["a.png", "b.png", "classes.json"]
    dataset = MaskFolder(MaskFolder.Config(root=tmp_path, kind="binary")).read()
    assert not dataset.findings
    assert np.array_equal(
        runs.to_mask(decode.runs(dataset.train[0], LabelSpace(("foreground",)), "coco", (3, 4))[0], (3, 4)), RADIUS
    )
    good("masks", "back.csv", "png", "airbus", "--images", "images")
    assert Path("back.csv").read_text() == SHIPS


def test_label_maps(good, tmp_path):
    put("in.csv", APART)
    good("in.csv", "masks", "handbone", "labelmap", "--images", planes())
    assert np.array_equal(np.asarray(Image.open("masks/a.png")), RADIUS + 2 * (ULNA & ~RADIUS))
    config = MaskFolder.Config(root=tmp_path, classes_file="masks/classes.json")
    dataset = MaskFolder(config).read()
    assert dataset.labels.names == ("background", "radius", "ulna") and dataset.labels.exclusive
    assert not dataset.findings
    found = decode.runs(dataset.train[0], dataset.labels, "coco", (3, 4))
    assert np.array_equal(runs.to_mask(found[0], (3, 4)), RADIUS)
    good("masks", "back.csv", "labelmap", "handbone")
    assert Path("back.csv").read_text() == APART
    Path("masks/classes.json").unlink()
    good("masks", "named.csv", "labelmap", "handbone", "--classes", "thumb,palm")
    assert Path("named.csv").read_text() == APART.replace("radius", "thumb").replace("ulna", "palm")


def test_more_than_255_classes(good):
    put("in.csv", "image_name,class,rle\n" + "".join(f"a.png,c{n},{n} 1\n" for n in range(1, 301)))
    good("in.csv", "maps", "handbone", "labelmap", "--size", "10x30")
    assert np.asarray(Image.open("maps/a.png")).ravel().tolist() == list(range(1, 301))
    good("maps", "back.csv", "labelmap", "handbone")
    assert Path("back.csv").read_bytes() == Path("in.csv").read_bytes()


def test_a_palette_is_read_as_numbers(good):
    picture = Image.fromarray((RADIUS + 2 * (ULNA & ~RADIUS)).astype(np.uint8)).convert("P")
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    Path("maps").mkdir()
    picture.save("maps/a.png")
    good("maps", "out.csv", "labelmap", "handbone", "--classes", "radius,ulna")
    assert Path("out.csv").read_text() == "".join(APART.splitlines(True)[:3])


# ---- repair, refusals


def test_repair_lists_what_it_did(call, good):
    put("bad.csv", "image_name,class,rle\na,x,1 2 7\na,y,9 9\nb,x,5 1\nb,x,5 2\nc,x,1 1\n")
    status, _, error = call("bad.csv", "out.csv", "--from", "handbone", "--to", "uwmadison", "--size", "3x4")
    assert (status, Path("out.csv").exists()) == (1, False)
    assert (
        error == "error: bad.csv, line 5 (b, x): a row comes twice: line 4. Keep one, or say --repair to unite them\n"
    )
    out = good("bad.csv", "out.csv", "handbone", "uwmadison", "--size", "3x4", "--repair")
    assert out.splitlines() == [
        "bad.csv, line 5 (b, x): united with line 4",
        "bad.csv, line 2 (a, x): the last number left out, 7: it has no length",
        "bad.csv, line 3 (a, y): run 1 (9 9) cut at the image's end",
        "out.csv: 4 rows; 3 repairs",
    ]
    assert Path("out.csv").read_text() == "id,class,predicted\na,x,1 2\na,y,9 4\nb,x,5 2\nc,x,1 1\n"
    assert good("bad.csv", "out.json", "handbone", "coco", "--size", "3x4", "--repair").count("\n") == 4


FAULTS = {
    "1 2 3": "an odd count of numbers",
    "0 2": "a start before the first pixel",
    "-1 2": "a negative start",
    "1 -2": "a negative length",
    "1 5 3 2": "overlapping runs",
    "12 2": "a run that leaves the image",
    "7 2 1 2": "starts that descend",
    "1 x": "not a number",
    "1 99999999999999999999": "a number too large",
    "1 2\0": "a NUL character",
}


@pytest.mark.parametrize("target", ["uwmadison", "tgs", "coco", "png", "labelmap"])
@pytest.mark.parametrize("text", FAULTS)
def test_malformed_runs_are_refused(call, text, target):
    put("bad.csv", f"image_name,class,rle\na,x,1 2\nb,x,{text}\n")
    status, out, error = call("bad.csv", "out", "--from", "handbone", "--to", target, "--size", "3x4")
    assert (status, out) == (1, "")
    assert error.startswith(f"error: bad.csv, line 3 (b, x): {FAULTS[text]}: ")
    assert error.count("\n") == 1
    assert not Path("out").exists() and not left_over()


EVIL = ["../evil", "..", ".", "a/b", "/tmp/evil", "..\\evil", ".hidden", "x" * 300]


@pytest.mark.parametrize("key", EVIL)
@pytest.mark.parametrize("target", ["png", "labelmap"])
def test_keys_are_no_paths(call, tmp_path, key, target):
    Path("inner").mkdir()
    put("in.csv", f"image_name,class,rle\nok.png,x,1 2\n{key},x,1 2\n")
    before = sorted(tmp_path.rglob("*"))
    status, _, error = call("in.csv", "inner/out", "--from", "handbone", "--to", target, "--size", "3x4")
    assert status == 1
    assert error.startswith("error: a name cannot be that of a file: image ")
    assert error.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("label", ["../evil", "..", "a/b", "/tmp/evil", ""])
def test_classes_are_no_paths(call, tmp_path, label):
    put("in.csv", f"image_name,class,rle\na,ok,1 2\na,{label},1 2\n")
    status, _, error = call("in.csv", "out", "--from", "handbone", "--to", "png", "--size", "3x4")
    assert (status, error.count("\n"), Path("out").exists()) == (1, 1, False)


@pytest.mark.parametrize("target", ["handbone", "coco", "png", "labelmap"])
@pytest.mark.parametrize("key", ["", "nul\0key"])
def test_keys_that_no_file_can_hold(call, key, target):
    put("in.csv", f"image_name,class,rle\n{key},x,1 2\n")
    status, _, error = call("in.csv", "out", "--from", "handbone", "--to", target, "--size", "3x4")
    assert (status, Path("out").exists()) == (1, False)
    assert "an image has a key that no file can hold" in error


def test_overlapping_classes_are_no_label_map(call):
    put("in.csv", BONES)
    status, _, error = call("in.csv", "out", "--from", "handbone", "--to", "labelmap", "--size", "3x4")
    assert status == 1
    assert error.startswith("error: classes overlap: radius and ulna share 1 pixels of a.png. ")
    assert not Path("out").exists() and not left_over()


REFUSED = [
    ("handbone", "coco", (), 1, "the size of an image is not known: a.png. Give --size HxW or --images DIR"),
    ("handbone", "severstal", (), 1, "the size of an image is not known"),
    ("handbone", "tgs", ("--size", "3x4"), 1, "the dialect has no column for the class: tgs for 2 classes"),
    ("handbone", "coco", ("--size", "3x4", "--classes", "ulna"), 1, "a class of the input is none of --classes"),
    ("handbone", "clouds", ("--size", "3x4", "--classes", "ul_na,ra_dius"), 1, "none of --classes: 'radius'"),
    ("handbone", "coco", ("--images", "nowhere"), 1, "the folder of images does not exist"),
    ("handbone", "uwmadison", ("--size", "2x4"), 1, "a run that leaves the image"),
    ("handbone", "coco", ("--size", "12"), 2, "is not height x width"),
    ("handbone", "coco", ("--size", "3x4", "--images", "x"), 2, "not both"),
    ("handbone", "jpeg", (), 2, "'jpeg' is none of handbone"),
    ("hand", "coco", (), 2, "'hand' is none of handbone"),
    ("handbone", "coco", ("--to-base", "1"), 2, "coco is no run-length CSV"),
    ("handbone", "tgs", ("--to-base", "2"), 2, "2 is neither 0 nor 1"),
    ("handbone", "tgs", ("--from-order", "up"), 2, "'up' is neither row nor column"),
    ("handbone", "tgs", ("--to-columns", "id"), 2, "is not image,class,rle"),
    ("handbone", "tgs", ("--to-empty", "1 1"), 2, "is a mask of 1 pixels"),
    ("coco", "tgs", ("--repair",), 2, "only run-length CSVs can be repaired"),
    ("handbone", "tgs", ("--classes", "a,,b"), 2, "does not name classes"),
    ("coco", "tgs", (), 1, "an annotation file cannot be parsed"),
    ("png", "tgs", (), 1, "the folder of masks is a file"),
]


@pytest.mark.parametrize("case", REFUSED, ids=[case[-1] for case in REFUSED])
def test_refusals(call, case):
    source, target, options, status, words = case
    put("in.csv", BONES)
    found, _, error = call("in.csv", "out", "--from", source, "--to", target, *options)
    flat = " ".join(error.replace("\u2502", " ").split())
    assert (found, words in flat) == (status, True), error
    assert not Path("out").exists() and not left_over()


def test_objects_without_a_name_need_one(call):
    put("in.csv", SHIPS)
    for target in ("handbone", "coco", "labelmap"):
        status, _, error = call("in.csv", "out", "--from", "airbus", "--to", target, "--size", "3x4")
        assert (status, "give --classes NAME" in error.lower().replace("name", "NAME")) == (1, True)


def test_a_class_that_cannot_share_a_cell(call):
    put("in.csv", "image_name,class,rle\na.png,upper_arm,1 2\n")
    status, _, error = call("in.csv", "out.csv", "--from", "handbone", "--to", "clouds", "--size", "3x4")
    assert (status, "a class cannot share a cell with the image: 'upper_arm' behind '_'" in error) == (1, True)


def test_keys_that_become_the_same(call):
    put("in.csv", "image_name,class,rle\na.png,x,1 2\na.jpg,x,1 2\n")
    for target in ("uwmadison", "png", "labelmap"):
        status, _, error = call("in.csv", "out", "--from", "handbone", "--to", target, "--size", "3x4")
        assert (status, "a.png and a.jpg" in error) == (1, True)


def test_nothing_is_replaced_unasked(call, good):
    put("in.csv", APART)
    for target, name in (("uwmadison", "out.csv"), ("coco", "out.json")):
        put(name, "kept")
        arguments = ("in.csv", name, "--from", "handbone", "--to", target, "--size", "3x4")
        status, _, error = call(*arguments)
        assert (status, Path(name).read_text()) == (1, "kept")
        assert "the file exists already" in error
        assert call(*arguments, "--overwrite")[0] == 0
    for target in ("png", "labelmap"):
        arguments = ("in.csv", f"dir{target}", "--from", "handbone", "--to", target, "--size", "3x4")
        assert call(*arguments)[0] == 0
        status, _, error = call(*arguments)
        assert (status, "the folder exists already" in error) == (1, True)
        assert call(*arguments, "--overwrite")[0] == 0
    assert not left_over()


def test_a_folder_of_other_things_is_never_replaced(call):
    put("in.csv", APART)
    images = planes()
    put("images/notes.txt", "kept")
    arguments = ("in.csv", images, "--from", "handbone", "--to", "png", "--size", "3x4", "--overwrite")
    status, _, error = call(*arguments)
    assert (status, "was not written by convert" in error) == (1, True)
    put("images/classes.json", "{}")
    status, _, error = call(*arguments)
    assert (status, "it holds notes.txt" in error) == (1, True)
    assert len(list(Path("images").iterdir())) == 4
    status, _, error = call("in.csv", "in.csv", "--from", "handbone", "--to", "tgs", "--overwrite")
    assert (status, "the output would replace the input" in error) == (1, True)
    status, _, error = call("in.csv", ".", "--from", "handbone", "--to", "png", "--size", "3x4", "--overwrite")
    assert (status, Path("in.csv").read_text()) == (1, APART)


def test_masks_of_another_size_than_the_image(call):
    Path("masks").mkdir()
    Image.fromarray(np.zeros((3, 4), np.uint8)).save("masks/a.png")
    images = planes(size=(4, 3))
    status, _, error = call("masks", "out.csv", "--from", "png", "--to", "tgs", "--images", images)
    assert (status, "masks of another size than their image: a: 3 x 4 and 4 x 3" in error) == (1, True)


def test_a_map_with_a_number_that_is_no_class(call):
    Path("maps").mkdir()
    Image.fromarray(np.full((3, 4), 7, np.uint8)).save("maps/a.png")
    status, _, error = call("maps", "out.csv", "--from", "labelmap", "--to", "handbone", "--classes", "x,y")
    assert (status, "7 in a.png" in error) == (1, True)
    status, _, error = call("maps", "out.csv", "--from", "labelmap", "--to", "handbone")
    assert (status, "the classes are not known" in error) == (1, True)


def test_a_damaged_annotation_is_named(call):
    segmentation = {"size": [3, 4], "counts": [5, 5]}
    document = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 3, "width": 4}],
        "categories": [{"id": 1, "name": "x"}],
        "annotations": [{"id": 9, "image_id": 1, "category_id": 1, "segmentation": segmentation}],
    }
    put("in.json", json.dumps(document))
    status, _, error = call("in.json", "out.csv", "--from", "coco", "--to", "tgs")
    assert (status, "do not add up to the image: 10 of 12 (3 x 4) in annotation 9 of a.jpg" in error) == (1, True)
    document["annotations"][0]["category_id"] = 4
    put("in.json", json.dumps(document))
    status, _, error = call("in.json", "out.csv", "--from", "coco", "--to", "tgs")
    assert (status, "an annotation is of an unknown category: annotation 9 has category 4" in error) == (1, True)


def test_torch_is_not_imported(tmp_path):
    import subprocess

    (tmp_path / "in.csv").write_text(APART)
    code = (
        "import sys; from phalanx.commands.cli import main\n"
        "sys.argv = 'phalanx convert in.csv maps --from handbone --to labelmap --size 3x4'.split()\n"
        "try: main()\nfinally: print('torch' in sys.modules, 'albumentations' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert out.splitlines() == ["maps: 2 files", "False False"]


def test_rows_of_many_images_agree_with_the_text_of_one(good):
    """Random masks of images of different sizes through COCO and back, against `rle.encode`."""
    rng = np.random.default_rng(3)
    sizes = {f"{number}.png": (int(rng.integers(1, 30)), int(rng.integers(1, 30))) for number in range(20)}
    Path("images").mkdir()
    lines = ["image_name,class,rle"]
    for name, size in sizes.items():
        Image.fromarray(np.zeros(size, np.uint8)).save(f"images/{name}")
        for label in ("x", "y"):
            mask = runs.from_mask(rng.random(size) > rng.random())
            lines.append(f"{name},{label},{rle.encode(mask, size, DIALECTS['handbone'])}")
    put("in.csv", "\n".join(lines) + "\n")
    good("in.csv", "there.json", "handbone", "coco", "--images", "images")
    good("there.json", "masks", "coco", "png")
    good("masks", "gaps.csv", "png", "siim", "--to-columns", "id,class,rle")
    good("gaps.csv", "back.csv", "siim", "handbone", "--from-columns", "id,class,rle", "--images", "images")
    found = {row[1:] for row in sheet.read(Path("back.csv"), DIALECTS["handbone"])}
    assert found == {tuple(line.split(",")) for line in lines[1:]}
