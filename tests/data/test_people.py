"""The table of people and the wrists: six spellings of two sexes, a column without a name, angles that are known."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from openpyxl import Workbook

from phalanx.core.case import Case, Runs
from phalanx.core.errors import DataError
from phalanx.core.labels import LabelSpace
from phalanx.data import people, wrists
from phalanx.mask import dialect, rle, runs, wrist
from phalanx.mask.index import Index
from phalanx.mask.sheet import Sheet

HEADS = ["ID", "나이", "성별", "체중(몸무게)", "키(신장)", None]


def table(path: Path, *rows) -> Path:
    """A sheet as the competition's."""
    book = Workbook()
    for row in (HEADS, *rows):
        book.active.append(row)
    book.save(path)
    return path


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    spellings = ["_x0008_여", "_x0008_남", "여", "남", " 여", " 남"]
    # IDs from the last to the first; only the second person has painted nails.
    rows = [[7 - place, 20 + place, word, 50.5 + place, 160 + place, "네일있음" if place == 1 else None]
            for place, word in enumerate(spellings)]  # fmt: skip
    return table(tmp_path / "meta_data.xlsx", *rows)


def test_six_spellings_and_a_column_without_a_name(sheet: Path) -> None:
    found, findings = people.read(sheet)
    assert findings == []
    assert list(found["id"]) == ["ID002", "ID003", "ID004", "ID005", "ID006", "ID007"]
    assert list(found["sex"]) == ["M", "F", "M", "F", "M", "F"]
    assert found.loc[0].tolist() == ["ID002", 25, "M", 55.5, 165, False]
    assert found["nail_art"].tolist() == [False] * 4 + [True, False]


def test_what_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    path = table(
        tmp_path / "m.xlsx", [1, 30, "여", 50, 160, None], [2, None, "?", 51, 161, None], [None, 1, "남", 1, 1, None]
    )
    found, findings = people.read(path)
    assert [("a sex cannot be read" in item.message, "has no ID" in item.message) for item in findings] == [
        (True, False), (False, True),
    ]  # fmt: skip
    assert list(found["sex"]) == ["F", ""] and math.isnan(found["age"][1])


def test_parts_and_images(sheet: Path, tmp_path: Path) -> None:
    for person, part, count in (("ID002", "train", 2), ("ID005", "test", 1), ("ID006", "train", 0)):
        folder = tmp_path / part / "DCM" / person
        folder.mkdir(parents=True)
        for place in range(count):
            (folder / f"image{place}.png").touch()
        (folder / "notes.txt").touch()
    found = people.with_parts(people.read(sheet)[0], tmp_path)
    # ID006 has a folder without images; ID003, ID004 and ID007 have none, and are in no part for that.
    assert dict(zip(found["id"], zip(found["part"], found["images"], strict=True), strict=True)) == {
        "ID002": ("train", 2), "ID003": ("", 0), "ID004": ("", 0), "ID005": ("test", 1), "ID006": ("train", 0),
        "ID007": ("", 0),
    }  # fmt: skip
    (tmp_path / "test" / "DCM" / "ID002").mkdir()
    with pytest.raises(DataError, match="in the training and in the test part: ID002"):
        people.with_parts(found, tmp_path)


def test_written_and_read_again(sheet: Path, tmp_path: Path) -> None:
    found, _ = people.read(sheet)
    people.write(found, tmp_path / "out" / "meta_data.csv")
    with (tmp_path / "out" / "meta_data.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "id": "ID002", "age": "25", "sex": "M", "weight_kg": "55.5", "height_cm": "165", "nail_art": "False",
    }  # fmt: skip
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["meta_data.csv"]


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no table of people"):
        people.read(tmp_path / "meta_data.xlsx")
    (tmp_path / "meta_data.xlsx").write_bytes(b"not a workbook")
    with pytest.raises(DataError, match="cannot be used"):
        people.read(tmp_path / "meta_data.xlsx")


# ---- wrists

SIZE = (90, 80)


def bones(degrees: float) -> dict[str, np.ndarray]:
    """Five sticks: an upright forearm, and a hand that leans by this much to the right, where the little finger is."""
    grid_y, grid_x = np.mgrid[: SIZE[0], : SIZE[1]]

    def stick(x: float, y: float, lean: float, length: float = 12, width: float = 2) -> np.ndarray:
        angle = np.radians(lean)
        along = (grid_x - x) * np.sin(angle) - (grid_y - y) * np.cos(angle)
        across = (grid_x - x) * np.cos(angle) + (grid_y - y) * np.sin(angle)
        return runs.from_mask((abs(along) <= length) & (abs(across) <= width))

    places = {"finger-7": 24.0, "finger-11": 36.0, "finger-19": 50.0}
    hand = {name: stick(x, 30, degrees) for name, x in places.items()}
    return {**hand, "Radius": stick(30, 72, 0), "Ulna": stick(42, 72, 0)}


@pytest.fixture
def hands(tmp_path: Path) -> list[Case]:
    """Two labelled hands, one without its ulna, and one without labels."""
    import cv2

    cases = []
    for name, degrees in (("a.png", 0.0), ("b.png", 25.0), ("c.png", -40.0), ("d.png", None)):
        cv2.imwrite(str(tmp_path / name), np.zeros(SIZE, np.uint8))
        masks = bones(degrees) if degrees is not None else None
        if name == "c.png":
            del masks["Ulna"]
        labels = Runs(masks, SIZE) if masks else None
        cases.append(Case(name, tmp_path / name, labels, group=name[0].upper(), metadata={"side": "left"}))
    return cases


def test_wrists_of_labels(hands: list[Case]) -> None:
    found = wrists.of_labels(hands, LabelSpace(wrist.BONES))
    assert list(found.columns) == ["case", "group", "side", "bend", "hand", "forearm"]
    assert found[["case", "group", "side"]].to_numpy().tolist() == [["a.png", "A", "left"], ["b.png", "B", "left"]]
    assert found["bend"].tolist() == pytest.approx([0, 25], abs=1)
    assert found["hand"].tolist() == pytest.approx([0, 25], abs=1)
    assert found["forearm"].tolist() == pytest.approx([0, 0], abs=0.1)


@pytest.mark.parametrize("written", ["handbone", "column"])
def test_wrists_of_a_submission(hands: list[Case], tmp_path: Path, written: str) -> None:
    import dataclasses

    form = dialect.named("handbone")
    form = dataclasses.replace(form, order="column") if written == "column" else form
    masks = {"b.png": bones(25.0), "d.png": bones(-40.0)}
    with (tmp_path / "s.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image_name", "class", "rle"])
        for name, found in masks.items():
            for bone, mask in found.items():
                writer.writerow([name, bone, rle.encode(mask, SIZE, form)])
    with Sheet(tmp_path / "s.csv", form) as sheet:
        source = Index(sheet, turned=written == "column")
        assert source.of_image("nobody.png", SIZE) == {}
        again = source.of_image("d.png", SIZE)
        table = wrists.of_predictions(hands, source)
    assert {name: mask.tolist() for name, mask in again.items()} == {
        name: mask.tolist() for name, mask in masks["d.png"].items()
    }
    assert list(table["case"]) == ["b.png", "d.png"]
    assert table["bend"].tolist() == pytest.approx([25, -40], abs=1)
