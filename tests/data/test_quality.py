"""Integrity: what shows only when the files of a data set are opened."""

import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from phalanx.core.case import Case, Dataset, Finding, MaskFiles, Polygons, Runs
from phalanx.core.labels import LabelSpace
from phalanx.data import quality
from phalanx.datasets.coco import Coco
from phalanx.datasets.kaggle_rle import KaggleRle
from phalanx.datasets.mask_folder import MaskFolder

SIZE = (30, 50)
LABELS = LabelSpace(("a", "b"))
HALF = Runs({"a": np.array([[0, 750]])}, SIZE)
BLANK = Runs({}, SIZE)


@pytest.fixture
def make(tmp_path):
    """A case with an image of its own noise."""

    def case(name, labels=HALF, group="", seed=None, size=SIZE):
        seed = sum(name.encode()) if seed is None else seed
        cv2.imwrite(str(tmp_path / name), np.random.default_rng(seed).integers(0, 256, size, np.uint8))
        return Case(name, tmp_path / name, labels, group)

    return case


def cut(case, share=0.5):
    content = case.image.read_bytes()
    case.image.write_bytes(content[: int(len(content) * share)])
    return case


def found(findings):
    return [(finding.level, finding.case, finding.kind) for finding in findings]


def test_a_sound_set(make):
    cases = [make("x.png"), make("y.jpg", Runs({"b": np.array([[0, 15]])}, SIZE))]
    checked = quality.examine(Dataset(LABELS, cases, [make("z.png", None)]), "opencv")
    assert checked.findings == [] and checked.leave_out == frozenset()
    assert {key: share.tolist() for key, share in checked.shares.items()} == {"x.png": [0.5, 0.0], "y.jpg": [0.0, 0.01]}
    assert quality.integrity(Dataset(LABELS, cases), "opencv") == ([], frozenset())


def test_readers_findings_come_first_and_their_cases_are_not_judged_twice(make):
    bad = make("x.png", size=(9, 9))
    given = Finding("error", "x.png", "image and JSON of different sizes: x.png.")
    findings, _ = quality.integrity(Dataset(LABELS, [bad], [], [given]), "opencv")
    assert findings == [given]


@pytest.mark.parametrize("rule", ["error", "skip"])
def test_truncated_and_unreadable(make, rule, capfd):
    torn, empty, whole = (
        cut(make("t.jpg")),
        make("u.png"),
        make("w.png", Runs({"a": HALF.runs["a"], "b": HALF.runs["a"]}, SIZE)),
    )
    empty.image.write_bytes(b"")
    findings, leave_out = quality.integrity(Dataset(LABELS, [torn, empty, whole]), "opencv", unreadable=rule)
    level = "warning" if rule == "skip" else "error"
    assert found(findings) == [
        (level, "t.jpg", "the image file is truncated"),
        (level, "u.png", "the image cannot be read"),
    ]
    assert leave_out == (frozenset({"t.jpg", "u.png"}) if rule == "skip" else frozenset())


def test_skip_does_not_forgive_other_errors(make):
    findings, leave_out = quality.integrity(
        Dataset(LABELS, [make("x.png", size=(8, 9)), make("y.png", None)]), "opencv", unreadable="skip"
    )
    assert found(findings) == [
        ("error", "y.png", "a training case has no label"),
        ("error", "x.png", "image and annotation of different sizes"),
    ]
    assert not leave_out


def test_reader_s_unreadable_header_can_be_skipped(make):
    given = Finding("error", "gone.png", "the image cannot be read: gone.png (not an image file).")
    findings, leave_out = quality.integrity(Dataset(LABELS, [make("x.png")], [], [given]), "opencv", unreadable="skip")
    assert findings[0].level == "warning" and leave_out == {"gone.png"}


def test_same_bytes_in_different_groups(make):
    cases = [make("a.png", seed=1, group="p"), make("b.png", seed=1, group="q"), make("c.png", seed=2, group="r")]
    same_person = [make("d.png", seed=3, group="s"), make("e.png", seed=3, group="s")]
    findings, _ = quality.integrity(Dataset(LabelSpace(("a",)), cases, same_person), "opencv")
    assert found(findings) == [("warning", "a.png", "the same image in different groups")]
    assert "a.png of p, b.png of q" in findings[0].message


def test_blank_cases_and_classes(make):
    findings, _ = quality.integrity(Dataset(LABELS, [make("x.png"), make("y.png", BLANK)]), "opencv")
    assert [finding.message for finding in findings] == [
        "training cases without any foreground: 1 of 2.",
        "a class that no training case has: b. It cannot be learnt.",
    ]


def test_masks_and_outlines_are_opened(make, tmp_path):
    cv2.imwrite(str(tmp_path / "m.png"), np.ones((50, 30), np.uint8))
    turned = make("x.png", MaskFiles(((tmp_path / "m.png", 1, "a"),)))
    broken = make("y.png", Polygons({"b": [np.array([[1, np.nan], [3, 4], [9, 9]])]}))
    findings, _ = quality.integrity(Dataset(LABELS, [turned, broken]), "opencv")
    assert [(level, case) for level, case, _ in found(findings)] == [("error", "x.png"), ("error", "y.png")]
    assert "x.png is 30 x 50, m.png is 50 x 30" in findings[0].message


def test_headers_only(make, monkeypatch):
    torn, empty = cut(make("t.png")), make("u.png")
    empty.image.write_bytes(b"")
    monkeypatch.setattr(cv2, "imdecode", None)
    checked = quality.examine(Dataset(LABELS, [torn, empty]), "opencv", decode=False)
    assert found(checked.findings) == [("error", "u.png", "the image cannot be read")]
    assert checked.shares == {}


def test_jpeg_without_its_end_mark_is_usable(make):
    case = make("x.jpg", size=(31, 53), labels=Runs({"a": np.array([[0, 9]]), "b": np.array([[0, 9]])}, (31, 53)))
    content = case.image.read_bytes()
    case.image.write_bytes(content[:-2] + b"\x00")
    (finding,), _ = quality.integrity(Dataset(LABELS, [case]), "opencv")
    assert found([finding]) in (
        [("warning", "x.jpg", "a JPEG lacks its end mark")],
        [("error", "x.jpg", "the image file is truncated")],
    )


def test_order_does_not_depend_on_workers(make):
    cases = [make(f"{index}.png", size=(8, 9 + index)) for index in range(12)]
    one = quality.integrity(Dataset(LABELS, cases), "opencv", workers=1)
    assert one == quality.integrity(Dataset(LABELS, cases), "opencv", workers=5)
    assert [finding.case for finding in one[0]] == [case.id for case in cases]


# ---- real data -----------------------------------------------------------------------------------------------------


def test_real_fractures(shared_data: Path, capfd):
    config = Coco.Config(
        root=shared_data / "hand_fracture", annotations=Path("COCO_fracture_masks.json"), unlisted="empty"
    )
    checked = quality.examine(Coco(config).read(), "opencv", unreadable="skip")
    assert len(checked.leave_out) == 6
    kinds = {finding.kind for finding in checked.findings}
    assert {"the image file is truncated", "the same image in different groups"} <= kinds
    assert not [finding for finding in checked.findings if finding.level == "error"]
    shares = np.concatenate(list(checked.shares.values()))
    assert (shares > 0).sum() == 288
    assert shares[shares > 0].mean() == pytest.approx(0.00355, abs=1e-5)


def test_real_nuclei_and_ultrasound(shared_data: Path):
    nuclei = KaggleRle(KaggleRle.Config(root=shared_data / "nuclei", labels=Path("stage1_train_labels.csv"))).read()
    nuclei = replace(nuclei, train=nuclei.train[:60])
    checked = quality.examine(nuclei, "opencv")
    held = {case.id: set() for case in nuclei.train}
    with (shared_data / "nuclei" / "stage1_train_labels.csv").open() as file:
        for row in csv.DictReader(file):
            if (name := row["ImageId"] + ".png") in held:
                numbers = list(map(int, row["EncodedPixels"].split()))
                for start, length in zip(numbers[::2], numbers[1::2], strict=True):
                    held[name].update(range(start, start + length))
    for case in nuclei.train:
        pixels = case.metadata["image_height"] * case.metadata["image_width"]
        assert checked.shares[case.id][0] == pytest.approx(len(held[case.id]) / pixels)
    nerves = MaskFolder(MaskFolder.Config(root=shared_data / "ultrasound_nerve", kind="palette")).read()
    checked = quality.examine(nerves, "opencv")
    assert [int(count) for count in (np.stack(list(checked.shares.values())) > 0).sum(0)] == [163, 150]
    assert found(checked.findings) == [("warning", "0043.png", "the same image in different groups")]
