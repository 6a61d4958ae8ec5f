"""The hand-bone layout, and every way a newcomer's copy of it goes wrong."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from openpyxl import Workbook

from phalanx.core import hand
from phalanx.core.errors import DataError
from phalanx.datasets import _handbone, _handbone_table
from phalanx.datasets._base import Notes
from phalanx.datasets.handbone import HandBone

SIZE = (40, 60)  # height, width
SQUARE = [[5, 6], [15, 6], [15, 16], [5, 16]]


def annotation(label, points=None):
    return {"id": "a", "type": "poly_seg", "attributes": {}, "points": points or SQUARE, "label": label}


def every(shift=0):
    """29 annotations, each outline a little further along."""
    return [annotation(name, [[x + shift + index, y] for x, y in SQUARE]) for index, name in enumerate(hand.NAMES)]


def add(root, part, person, name, annotations=None, *, size=SIZE, metadata=None):
    image = root / part / "DCM" / person / name
    image.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(image), np.full((*size, 3), len(name), np.uint8))
    if annotations is not None:
        place = "train" if part == "train" else "test_truth"
        file = root / place / "outputs_json" / person / f"{image.stem}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"annotations": annotations, "metadata": metadata or {}}))
    return image


@pytest.fixture
def hands(tmp_path):
    """Two people to learn from and one to predict."""
    add(tmp_path, "train", "ID001", "image1661130828152_R.png", every())
    add(tmp_path, "train", "ID001", "image1661130891365_L.png", every())
    add(tmp_path, "train", "ID007", "image1661200000001.png", every())
    add(tmp_path, "train", "ID007", "image1661200000002.png", every())
    add(tmp_path, "test", "ID040", "image1661300000001.png")
    add(tmp_path, "test", "ID040", "image1661300000002.png")
    return tmp_path


def read(root, **options):
    return HandBone(HandBone.Config(root=root, **options)).read()


def messages(dataset, level=None):
    return [finding.message for finding in dataset.findings if level in (None, finding.level)]


def test_reads_ids_groups_sides_and_rings(hands):
    dataset = read(hands)
    assert messages(dataset) == []
    assert [case.id for case in dataset.train] == [
        "image1661130828152_R.png",
        "image1661130891365_L.png",
        "image1661200000001.png",
        "image1661200000002.png",
    ]
    assert [case.group for case in dataset.train] == ["ID001", "ID001", "ID007", "ID007"]
    assert [case.metadata["side"] for case in dataset.train] == ["right", "left", "right", "left"]
    assert [case.labels for case in dataset.test] == [None, None]
    first = dataset.train[0]
    assert (first.metadata["image_height"], first.metadata["image_width"]) == SIZE
    assert list(first.labels.rings) == list(hand.NAMES)
    np.testing.assert_array_equal(first.labels.rings["finger-2"][0], [[x + 1, y] for x, y in SQUARE])
    assert first.labels.size == SIZE


def test_label_space_is_the_competitions():
    names = _handbone.LABELS.names
    assert (len(names), names[0], names[18], names[19], names[26], names[27], names[28]) == (
        29, "finger-1", "finger-19", "Trapezium", "Pisiform", "Radius", "Ulna",
    )  # fmt: skip
    assert not _handbone.LABELS.exclusive
    assert len(set(_handbone.COLOURS)) == 29


def test_neighbours_differ_in_colour():
    rgb = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in _handbone.COLOURS], np.float32)
    lab = cv2.cvtColor(rgb[None] / 255, cv2.COLOR_RGB2LAB)[0]
    distance = np.linalg.norm(lab[:, None] - lab[None], axis=-1) + 1000 * np.eye(29)
    assert distance.min() > 25
    triquetrum, pisiform = hand.NAMES.index("Triquetrum"), hand.NAMES.index("Pisiform")
    assert distance[triquetrum, pisiform] > 36


def test_test_truth_labels_the_test_cases(hands):
    add(hands, "test", "ID040", "image1661300000001.png", every())
    dataset = read(hands)
    assert [case.labels is not None for case in dataset.test] == [True, False]
    assert messages(dataset) == ["test image without truth: image1661300000002.png. It is predicted but not scored."]


def test_one_suffix_gives_the_other_side(tmp_path):
    add(tmp_path, "train", "ID002", "image1.png", every())
    add(tmp_path, "train", "ID002", "image2_R.png", every())
    assert [case.metadata["side"] for case in read(tmp_path).train] == ["left", "right"]


def test_excluding_one_hand_does_not_change_the_others_side(hands):
    dataset = read(hands, exclude=("image1661200000001.png",))
    assert [case.metadata["side"] for case in dataset.train if case.group == "ID007"] == ["left"]
    assert messages(dataset) == []


def test_rings_one_level_deeper_and_several_of_a_class(hands):
    parts = [SQUARE, [[30, 20], [35, 20], [35, 30]]]
    found = every()
    found[0] = annotation("finger-1", parts)
    found.append(annotation("finger-2", [[20, 20], [29, 20], [29, 30]]))
    add(hands, "train", "ID007", "image1661200000001.png", found)
    rings = read(hands).train[2].labels.rings
    assert [len(ring) for ring in rings["finger-1"]] == [4, 3]
    assert len(rings["finger-2"]) == 2


def test_same_outline_twice_is_dropped_and_shared_outline_noted(hands):
    found = [*every(), annotation("finger-1")]
    found[5] = annotation("finger-6")
    add(hands, "train", "ID007", "image1661200000001.png", found)
    dataset = read(hands)
    assert len(dataset.train[2].labels.rings["finger-1"]) == 1
    assert messages(dataset, "warning") == [
        "two classes share one outline: finger-1 and finger-6. One of them is mislabelled.",
        "the same outline twice: finger-1. The second is dropped.",
    ]


def test_table_of_people(hands):
    book = Workbook()
    sheet = book.active
    sheet.append(["ID", "나이", "성별", "체중(몸무게)", "키(신장)"])
    sheet.append([1, 31, " 여", 55.5, 160, "네일있음"])
    sheet.append([7, 25, "_x0008_남", 70, 175.5])
    sheet.append([7, 26, "여", 71, 175.5])
    sheet.append([8, 26, "?", 71, 175.5])
    book.save(hands / "meta_data.xlsx")
    dataset = read(hands)
    first, third = dataset.train[0].metadata, dataset.train[2].metadata
    assert {key: first[key] for key in ("age", "sex", "weight", "height", "nail")} == {
        "age": 31, "sex": "F", "weight": 55.5, "height": 160, "nail": True,
    }  # fmt: skip
    assert (third["sex"], third["age"], third["nail"]) == ("M", 25, False)
    assert messages(dataset) == [
        "an ID is twice in the table of people: 7 in row 4. The first counts.",
        "a sex cannot be read: '?' in row 5. Write F or M.",
        "a person is not in meta_data.xlsx: ID040. The row is missing, so age and sex are unknown.",
    ]


@pytest.mark.parametrize("cell", ["여", " 여", "_x0008_여", "여\b"])
def test_spellings_of_a_sex(cell):
    assert _handbone_table.sex(cell) == "F"
    assert _handbone_table.sex(cell.replace("여", "남")) == "M"


def test_real_table_has_two_sexes(shared_data):
    notes = Notes()
    table = _handbone_table.read(shared_data / "hand_metadata" / "meta_data.xlsx", notes)
    assert len(table) > 50 and not notes.findings
    assert {row["sex"] for row in table.values()} == {"F", "M"}
    assert {row["nail"] for row in table.values()} == {False, True}


def test_damaged_table_is_a_warning(hands):
    (hands / "meta_data.xlsx").write_bytes(b"not a workbook")
    assert [finding.level for finding in read(hands).findings] == ["warning"]


# ---- what goes wrong -----------------------------------------------------------------------------------------------


def test_wrong_path_names_the_nearest(hands):
    with pytest.raises(DataError, match=f"the data folder does not exist.*did you mean {hands.name}"):
        read(hands.parent / (hands.name + "s"))


def test_folder_above_below_and_empty(hands, tmp_path_factory):
    with pytest.raises(DataError, match=f"not the hand-bone layout.*name the folder above it, {hands}"):
        read(hands / "train")
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(DataError, match=r"not the hand-bone layout.*has nothing.*Expected train/DCM"):
        read(empty)
    hands.rename(empty / "inner")
    with pytest.raises(DataError, match="did you mean .*inner"):
        read(empty)


def test_folder_without_images(tmp_path):
    (tmp_path / "train" / "DCM" / "ID001").mkdir(parents=True)
    (tmp_path / "train" / "DCM" / "ID001" / "image1.dcm").touch()
    with pytest.raises(DataError, match=r"train/DCM holds no image.*1 folders, 1 \.dcm"):
        read(tmp_path)


def test_images_without_persons_folder(hands):
    (hands / "train" / "DCM" / "ID007" / "image1661200000001.png").rename(hands / "train" / "DCM" / "loose.png")
    assert any("images outside a person's folder: 1 in train/DCM" in message for message in messages(read(hands)))


def test_missing_json(hands):
    (hands / "train" / "outputs_json" / "ID007" / "image1661200000002.json").unlink()
    dataset = read(hands)
    assert len(dataset.train) == 3
    assert messages(dataset, "error") == [
        "image without label: no ID007/image1661200000002.json in train/outputs_json. "
        "Add it, exclude the image, or set unlabelled to skip or test."
    ]
    skipped = read(hands, unlabelled="skip")
    assert [finding.level for finding in skipped.findings] == ["warning"]
    moved = read(hands, unlabelled="test")
    assert "image1661200000002.png" in {case.id for case in moved.test}


def test_missing_image(hands):
    (hands / "train" / "DCM" / "ID007" / "image1661200000002.png").unlink()
    found = [(finding.level, finding.case) for finding in read(hands).findings]
    assert ("warning", "image1661200000002.png") in found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be parsed"),
        ("\xff\xfe", "cannot be parsed"),
        ("[" * 100_000, "cannot be parsed"),
        ("[]", "no list 'annotations'"),
        ('{"annotations": {}}', "no list 'annotations'"),
    ],
)
def test_broken_json(hands, text, says):
    file = hands / "train" / "outputs_json" / "ID007" / "image1661200000002.json"
    file.write_bytes(text.encode("latin-1"))
    dataset = read(hands)
    assert len(dataset.train) == 3
    (message,) = messages(dataset, "error")
    assert says in message and file.name in message and "\n" not in message


def test_unknown_class_names_the_nearest(hands):
    found = every()
    found[0] = annotation("finger1")
    add(hands, "train", "ID007", "image1661200000001.png", found)
    dataset = read(hands)
    (message,) = messages(dataset, "error")
    assert message.startswith("unknown class: 'finger1' in annotation 0. Did you mean finger-1")
    assert messages(dataset, "warning") == [
        "classes without an outline: 1 of 29 (finger-1). They count as empty masks."
    ]


def test_missing_class_may_be_an_error(hands):
    add(hands, "train", "ID007", "image1661200000001.png", every()[3:])
    (finding,) = read(hands).findings
    assert (finding.level, finding.case) == ("warning", "image1661200000001.png")
    assert "3 of 29 (finger-1, finger-2, finger-3)" in finding.message
    (finding,) = read(hands, missing_class="error").findings
    assert finding.level == "error"


@pytest.mark.parametrize(
    ("points", "says"),
    [
        ([[1, 1], [True, 4], [5, 6]], "a coordinate is not a number"),
        ([[1, 1], [float("nan"), 4], [5, 6]], "a coordinate is not finite"),
        ([[1, 1], [float("inf"), 4], [5, 6]], "a coordinate is not finite"),
        ([[1, 1], [10**400, 4], [5, 6]], "a coordinate is not finite"),
        ([[1, 1], ["3", 4], [5, 6]], "a coordinate is not a number"),
        ([[1, 1], [3, None], [5, 6]], "a coordinate is not a number"),
        ([[1, 1], [3], [5, 6]], "an outline is not a list of [x, y]"),
        ("1,1,3,4", "an outline is not a list of [x, y]"),
        ([[1, 1], [3, 4]], "an outline has fewer than 3 points"),
    ],
)
def test_bad_points(hands, points, says):
    found = every()
    found[4] = annotation("finger-5", points)
    add(hands, "train", "ID007", "image1661200000001.png", found)
    assert messages(read(hands), "error") == [
        f"{says}: finger-5, annotation 4. Redraw the outline, or exclude the image."
    ]


def test_image_and_json_of_different_sizes(hands):
    name = "image1661200000001.png"
    add(hands, "train", "ID007", name, every(), size=(20, 30))
    (message,) = messages(read(hands), "error")
    # The last outline ends at x = 15 + 28 = 43, y = 16.
    assert message.startswith(f"image and JSON of different sizes: {name} is 20 x 30, the outlines of")
    assert "need 17 x 44" in message
    add(hands, "train", "ID007", name, every(), metadata={"height": 60, "width": 40})
    (message,) = messages(read(hands), "error")
    assert f"{name} is 40 x 60" in message and "says 60 x 40" in message


def test_outlines_on_a_quarter_of_the_image(hands):
    add(hands, "train", "ID007", "image1661200000001.png", every(), size=(100, 200))
    (message,) = messages(read(hands), "warning")
    assert "is 100 x 200" in message and "end at 17 x 44" in message


@pytest.mark.parametrize(
    ("points", "says"),
    [
        ([[-1, 5], [10, 5], [10, 9]], None),
        ([[-4, 5], [10, 5], [10, 9]], "an outline leaves the image"),
        ([[-9, 5], [-4, 5], [-4, 9]], "an outline lies outside the image"),
    ],
)
def test_outline_outside_the_frame(hands, points, says):
    found = every()
    found[0] = annotation("finger-1", points)
    add(hands, "train", "ID007", "image1661200000001.png", found)
    assert [message.split(": ")[0] for message in messages(read(hands), "error")] == ([says] if says else [])


def test_same_name_twice(hands):
    add(hands, "train", "ID008", "image1661200000001.png", every())
    add(hands, "train", "ID008", "image9.png", every())
    errors = messages(read(hands), "error")
    assert errors == [
        "two images have the same name: ID008/image1661200000001.png and ID007/image1661200000001.png. "
        "Rename one: the name is the image's key."
    ]


def test_person_in_train_and_test(hands):
    add(hands, "test", "ID007", "image5.png")
    add(hands, "test", "ID007", "image6.png")
    assert messages(read(hands)) == ["a group is both in train and in test: ID007. Scores on it would be too good."]


def test_exclude_silences_a_case_and_reports_a_slip(hands):
    add(hands, "train", "ID007", "image1661200000001.png", every()[3:])
    dataset = read(hands, exclude=("image1661200000001.png", "image7.png"))
    assert len(dataset.train) == 3
    assert [message.split(".")[0] for message in messages(dataset)] == ["an excluded id is no image: image7"]


def test_unreadable_image_is_an_error(hands):
    (hands / "train" / "DCM" / "ID007" / "image1661200000001.png").write_bytes(b"no png")
    (message,) = messages(read(hands), "error")
    assert message.startswith("the image cannot be read: image1661200000001.png (not an image file)")


def test_read_does_not_depend_on_the_order_of_the_directory(hands, monkeypatch):
    before = [case.id for case in read(hands).train]
    listing = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: sorted(listing(path), reverse=True))
    assert [case.id for case in read(hands).train] == before
