import csv
import hashlib
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from phalanx.core.errors import DataError
from phalanx.datasets._phantom import people as persons
from phalanx.datasets._phantom import write as writer
from phalanx.datasets._phantom.extras import Extras
from phalanx.datasets._phantom.render import render
from phalanx.datasets._phantom.shapes import clip_to_frame, pixels
from phalanx.datasets._phantom.templates import NAMES
from phalanx.datasets._phantom.write import annotation, write


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("phantom") / "hands"
    write(folder, 7, 2, 96, 11, workers=1)
    return folder


def test_the_layout_is_the_competition_s(made):
    assert sorted(path.name for path in made.iterdir()) == [
        "meta_data.xlsx", "phantom.json", "sample_submission.csv", "test", "test_truth", "train",
    ]  # fmt: skip
    assert [path.name for path in (made / "test").iterdir()] == ["DCM"]
    images = sorted(made.glob("*/DCM/*/*.png"))
    assert len(images) == 14
    for image in images:
        assert re.fullmatch(r"image\d{13}(_[RL])?\.png", image.name)
        labels = made / ("test_truth" if "test" in image.parts else "train") / "outputs_json"
        assert (labels / image.parent.name / f"{image.stem}.json").is_file()
    # The seventh person would be ID007, a number without a folder.
    assert {image.parent.name for image in images} == {"ID001", "ID002", "ID003", "ID004", "ID005", "ID006", "ID008"}
    assert {image.parent.name for image in made.glob("test/DCM/*/*.png")} == {"ID004", "ID008"}
    first = sorted(path.stem for path in (made / "train/DCM/ID001").iterdir())
    assert [stem[-2:] for stem in first] == ["_R", "_L"]
    assert sum("_" in image.stem for image in images) == 2


def test_images_are_grey_in_three_channels_and_dark(made):
    for image in made.glob("train/DCM/*/*.png"):
        picture = cv2.imread(str(image), cv2.IMREAD_UNCHANGED)
        assert picture.shape == (96, 96, 3)
        assert picture.dtype == np.uint8
        assert np.array_equal(picture[..., 0], picture[..., 1])
        assert np.array_equal(picture[..., 0], picture[..., 2])
        assert 0.06 < picture.mean() / 255 < 0.2
        assert picture[0, :, 0].max() < 40  # nothing but background above the fingers


def test_label_files_have_the_original_s_keys(made):
    for file in made.glob("*/outputs_json/*/*.json"):
        values = json.loads(file.read_text())
        assert set(values) == {
            "annotations", "attributes", "file_id", "filename", "parent_path", "last_modifier_id", "metadata",
            "last_workers",
        }  # fmt: skip
        assert values["filename"] == f"{file.stem}.png"
        assert [bone["label"] for bone in values["annotations"]] == list(NAMES)
        assert len({bone["id"] for bone in values["annotations"]}) == 29
        for bone in values["annotations"]:
            assert set(bone) == {"id", "type", "attributes", "points", "label"}
            assert bone["type"] == "poly_seg"
            points = np.array(bone["points"])
            assert points.dtype.kind == "i"
            assert points.ndim == 2
            assert points.shape[1] == 2
            assert len(points) >= 3
            assert points.min() >= 0
            assert points.max() <= 95
            assert (points[:, 1] == 95).mean() < 0.5  # cut off at the edge, not pressed against it


def test_metacarpals_are_brighter_than_the_palm_and_overlaps_brighter_still():
    for place in persons.roster(4, 1)[:2]:
        hand, _, picture, _ = persons.draw_hand(2, place, "R")
        plane = render(hand, Extras(), 256, picture).astype(float)
        count = np.zeros(plane.shape, np.uint8)
        masks = {}
        for bone in hand.bones:
            masks[bone.name] = np.zeros(plane.shape, np.uint8)
            cv2.fillPoly(masks[bone.name], [pixels(clip_to_frame(bone.ring), 256)], 1)
            count += masks[bone.name]
        for name in ("finger-7", "finger-11", "finger-15"):
            around = cv2.dilate(masks[name], np.ones((7, 7), np.uint8)) - cv2.dilate(
                masks[name], np.ones((3, 3), np.uint8)
            )
            palm = plane[(around > 0) & (count == 0)].mean()
            assert palm > 30  # flesh, not film
            assert plane[cv2.erode(masks[name], np.ones((3, 3), np.uint8)) > 0].mean() > 1.2 * palm
        both = plane[(masks["Triquetrum"] > 0) & (masks["Pisiform"] > 0)].mean()
        assert both > 1.08 * plane[(masks["Triquetrum"] > 0) & (count == 1)].mean()


def test_the_sample_names_every_test_image_and_class(made):
    with (made / "sample_submission.csv").open(newline="") as lines:
        rows = list(csv.reader(lines))
    images = [path.name for path in sorted(made.glob("test/DCM/*/*.png"))]
    assert rows[0] == ["image_name", "class", "rle"]
    assert rows[1:] == [[image, name, ""] for image in images for name in NAMES]


def test_the_table_reads_as_the_original(made):
    import pandas

    table = pandas.read_excel(made / "meta_data.xlsx")
    assert list(table.columns) == ["ID", "나이", "성별", "체중(몸무게)", "키(신장)", "Unnamed: 5"]
    assert list(table["ID"]) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert table["나이"].between(18, 70).all()
    assert table["키(신장)"].between(140, 200).all()
    assert table["Unnamed: 5"][1] == "네일있음"
    assert set(table["성별"]) <= {"_x0008_여", "_x0008_남", "여", "남", " 여", " 남"}


def test_all_spellings_of_the_sexes_occur():
    seen = {persons.draw_traits(0, person)[0].sex for person in range(1, 80)}
    assert seen == {"_x0008_여", "_x0008_남", "여", "남", " 여", " 남"}


def test_the_same_arguments_give_the_same_bytes_on_any_number_of_workers(made, tmp_path):
    write(tmp_path / "again", 7, 2, 96, 11, workers=2)
    assert digests(tmp_path / "again") == digests(made)


def test_another_seed_gives_other_hands(made, tmp_path):
    write(tmp_path / "other", 2, 0, 96, 12, workers=1)
    one, other = (sorted((root / "train/outputs_json/ID001").iterdir())[0] for root in (made, tmp_path / "other"))
    assert json.loads(one.read_text())["annotations"][0] != json.loads(other.read_text())["annotations"][0]


def test_a_person_does_not_depend_on_how_many_there_are(made, tmp_path):
    write(tmp_path / "fewer", 3, 0, 96, 11, workers=1)
    all_of_them = digests(made)
    for name, digest in digests(tmp_path / "fewer").items():
        if name.startswith("train"):
            assert all_of_them[name] == digest


def test_sizes_only_sample_the_same_hand():
    for place in persons.roster(5, 2):
        outlines, pictures = [], []
        for size in (64, 512):
            hand, things, picture, identifiers = persons.draw_hand(3, place, "L")
            values = annotation(hand, "a.png", place, size, identifiers)
            outlines.append([(np.array(bone["points"]) + 0.5) / size for bone in values["annotations"]])
            pictures.append(cv2.resize(render(hand, things, size, picture), (64, 64), interpolation=cv2.INTER_AREA))
        for small, large in zip(*outlines, strict=True):
            # Every point of the coarse outline lies within a coarse pixel's diagonal of the fine one.
            apart = np.linalg.norm(small[:, None] - large[None], axis=2).min(1)
            assert apart.max() < 1.0 / 64
        assert np.corrcoef(pictures[0].ravel(), pictures[1].ravel())[0, 1] > 0.999


def test_bent_wrists_are_commoner_among_test_people():
    places = persons.roster(544, 144)
    shares, bends = {}, []
    for split in ("train", "test"):
        chosen = [place for place in places if place.split == split]
        shares[split] = np.mean([place.bent for place in chosen])
    assert shares["train"] == pytest.approx(0.11, abs=0.005)
    assert shares["test"] == pytest.approx(0.57, abs=0.005)
    assert sum(place.split == "test" for place in places) == 144
    assert len({place.number for place in places}) == 544
    for place in places[:60]:
        for side in "RL":
            angle = persons.draw_hand(0, place, side)[0].deviation
            assert 40 <= angle <= 60 if place.bent else abs(angle) < 20
            bends.append(angle)
    assert len(set(bends)) > 100


def test_height_and_sex_show_in_the_size_of_the_hand():
    rows = [persons.draw_traits(1, person) for person in range(1, 200)]
    height = np.array([traits.height for traits, _ in rows])
    stature = np.array([build.stature for _, build in rows])
    female = np.array([traits.sex.endswith(persons.FEMALE) for traits, _ in rows])
    assert np.corrcoef(height, stature)[0, 1] > 0.8
    assert stature[female].mean() < stature[~female].mean()


def test_a_full_folder_and_odd_numbers_are_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(DataError, match="not empty"):
        write(tmp_path, 4, 2, 64, 0, workers=1)
    for people, test_people, size, seed in ((1, 0, 64, 0), (4, 4, 64, 0), (4, 2, 4096, 0), (4, 2, 64, -1)):
        with pytest.raises(DataError):
            write(tmp_path / "new", people, test_people, size, seed, workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fails(*_):
        raise OSError("disk full")

    monkeypatch.setattr(writer, "_write_sample", fails)
    with pytest.raises(OSError, match="disk full"):
        write(tmp_path / "hands", 2, 1, 64, 0, workers=1)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "hands").mkdir()
    write(tmp_path / "hands", 2, 1, 64, 0, workers=1)
    assert len(list((tmp_path / "hands").glob("*/DCM/*/*.png"))) == 4
