"""`phalanx store` as it is typed: what it says, writes and refuses."""

import csv
import functools
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.store.predictions import Writer

CONFIG = {
    "run": "demo", "seed": 7, "data": {"dataset": {"name": "phantom", "root": "data/hands"}},
    "model": {"name": "unet", "encoder": "resnet18", "weights": None}, "submit": {"dialect": "handbone"},
}  # fmt: skip


@pytest.fixture
def call(typed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "150")
    return functools.partial(typed, "store")


def logits() -> np.ndarray:
    """4 rows of 6: class a surely in a box, unsure on one pixel beside it; class b nowhere."""
    stack = np.full((2, 4, 6), -6, np.float32)
    stack[0, 1:3, 2:5] = 6
    stack[0, 0, 0] = -0.2  # probability 0.45
    return stack


def make(name: str = "s.zarr", exclusive: bool = False, dtype="int8", **attributes: object) -> None:
    names = ("background", "a") if exclusive else ("a", "b")
    writer = Writer(Path(name), LabelSpace(names, exclusive), {"kind": "test", "config": CONFIG, **attributes}, dtype)
    same = Geometry.fit((4, 6), (4, 6), keep_aspect=False)
    writer.write("x/1.png", logits()[::-1] if exclusive else logits(), same)
    writer.write("x/2.png", -np.abs(logits()), Geometry.fit((8, 12), (4, 6), keep_aspect=False))
    writer.close()


def words(text: str) -> str:
    return " ".join(text.replace("│", "").split())


def test_a_store_is_listed(call):
    make(member="unet", folds=[0, 1], phalanx="0.1.0")
    status, out, _ = call("s.zarr")
    assert status == 0
    said = words(out)
    for fact in (
        "predicts test, member unet, folds 0, 1, by Phalanx 0.1.0",
        "cases 2 ",
        "classes 2 (may overlap): a, b ",
        "network size 4 x 6 ",
        "image sizes 4 x 6 (1), 8 x 12 (1)",
        "logits int8, 16 levels a unit, clipped at 8",
        "run demo, seed 7",
        "data phantom, root data/hands",
        "network unet, encoder resnet18",
        "float32 (384 bytes)",
    ):
        assert fact in said
    size = sum(path.stat().st_size for path in Path("s.zarr").rglob("*") if path.is_file())
    assert f"on disk {size / 1000:.3g} kB" in said


def test_a_store_without_attributes_is_listed(call):
    writer = Writer(Path("s.zarr"), LabelSpace(("a",)), {}, "float16")
    writer.close()
    status, out, _ = call("s.zarr")
    assert status == 0
    assert "predicts not told" in words(out)
    assert "cases 0" in words(out)


def test_cases_are_listed_whole(call):
    make()
    status, out, _ = call("s.zarr", "--cases")
    assert status == 0
    rows = [line.split() for line in out.splitlines()[1:]]
    assert [(row[:3], row[-1]) for row in rows] == [(["4", "x", "6"], "x/1.png"), (["8", "x", "12"], "x/2.png")]


def test_a_case_is_shown(call):
    make()
    status, out, _ = call("s.zarr", "--case", "x/1.png")
    assert status == 0
    assert "x/1.png: image 4 x 6, predicted at 4 x 6" in out
    rows = [line.split() for line in out.splitlines()[2:]]
    # A pixel of 24 is undecided; the largest logit is 6 and half a level: 1 / (1 + exp(-6.03125)).
    assert rows[0] == ["a", "6", "0.9976", "4.17%", *"x 2 to 4, y 1 to 2".split()]
    assert rows[1][:2] == ["b", "0"] and rows[1][-1] == "none"
    _, out, _ = call("s.zarr", "--case", "x/1.png", "--threshold", "0.4")
    assert out.splitlines()[2].split()[:2] == ["a", "7"]


def test_padding_is_not_shown(call):
    writer = Writer(Path("s.zarr"), LabelSpace(("a",)), {})
    # 2 x 6 in a frame of 4 x 6: the two lower rows are padding, where the network is sure of class a.
    stack = np.full((1, 4, 6), -3, np.float32)
    stack[0, 2:] = 6
    writer.write("1", stack, Geometry.fit((2, 6), (4, 6), keep_aspect=True))
    writer.close()
    status, out, _ = call("s.zarr", "--case", "1")
    assert (status, "1: image 2 x 6, predicted at 2 x 6" in out) == (0, True)
    # 1 / (1 + exp(3 - 1 / 32))
    assert out.splitlines()[2].split() == ["a", "0", "0.0489", "0.00%", "none"]


def test_an_id_cannot_write_to_the_terminal(call):
    writer = Writer(Path("s.zarr"), LabelSpace(("a", "b")), {})
    writer.write("1\n\x1b[2J", logits(), Geometry.fit((4, 6), (4, 6), keep_aspect=False))
    writer.close()
    for arguments in (("--cases",), ("--case", "1\n\x1b[2J"), ("--case", "1\n\x1b[2J", "--export", "a.npz")):
        status, out, _ = call("s.zarr", *arguments)
        assert status == 0
        assert r"'1\n\x1b[2J'" in out and "\x1b" not in out
    assert "out: 1 case, logits" in call("s.zarr", "--export", "out")[1]
    assert [path.name for path in Path("out").glob("*.npz")] == ["1%0A%1B%5B2J.npz"]


def test_a_picture_over_the_image(call):
    make()
    Path("images").mkdir()
    grey = np.tile(np.arange(0, 240, 40, dtype=np.uint8), (4, 1))
    cv2.imwrite("images/1.png", grey)
    # The id is `x/1.png`, no file's name.
    status, _, error = call("s.zarr", "--case", "x/1.png", "-o", "case.png", "--images", "images")
    assert (status, "the folder has no image of the case" in error) == (1, True)
    writer = Writer(Path("t.zarr"), LabelSpace(("a", "b"), colours=("#ff0000", "#00ff00")), {})
    for case in ("1.png", "1"):
        writer.write(case, logits(), Geometry.fit((4, 6), (4, 6), keep_aspect=False))
    writer.close()
    for case in ("1.png", "1"):
        assert call("t.zarr", "--case", case, "-o", "case.png", "--images", "images", "--overwrite")[0] == 0
    with Image.open("case.png") as drawn:
        picture = np.asarray(drawn, int)
    # 6 x 4 pixels, shown 150 times as large, 16 and 38 pixels from the corner.
    middles = picture[38 + 75 : 38 + 600 : 150, 16 + 75 : 16 + 900 : 150]
    tinted = np.ptp(middles, 2) > 20
    assert np.argwhere(tinted).tolist() == [[y, x] for y in (1, 2) for x in (2, 3, 4)]
    assert (np.diff(middles[0, :, 0]) > 20).all(), "the image shows through"
    doubts = picture[38 + 75 : 38 + 600 : 150, 32 + 900 + 75 : 32 + 1800 : 150]
    assert doubts[0, 0].tolist() == [255, 165, 31]
    assert doubts[1, 2, 0] > 200 > 60 > doubts[3, 3, 0]


def test_a_picture_on_plain_ground(call):
    make()
    status, out, _ = call("s.zarr", "--case", "x/2.png", "-o", "case.png")
    assert (status, "Wrote case.png" in out) == (0, True)
    with Image.open("case.png") as picture:
        assert picture.size[0] > 1500
    assert call("s.zarr", "--case", "x/2.png", "-o", "case.png")[0] == 1


def test_an_image_of_another_size_is_refused(call):
    make()
    Path("images/x").mkdir(parents=True)
    writer = Writer(Path("t.zarr"), LabelSpace(("a", "b")), {})
    writer.write("1.png", logits(), Geometry.fit((4, 6), (4, 6), keep_aspect=False))
    writer.close()
    cv2.imwrite("images/x/1.png", np.zeros((6, 4), np.uint8))
    status, _, error = call("t.zarr", "--case", "1.png", "-o", "case.png", "--images", "images")
    assert status == 1
    assert "is 6 x 4, predicted was 4 x 6" in error
    assert not Path("case.png").exists()


def test_a_submission_at_another_threshold(call):
    make()
    assert call("s.zarr", "-o", "half.csv")[0] == 0
    status, out, _ = call("s.zarr", "--threshold", "0.4", "-o", "low.csv")
    assert status == 0
    assert "4 rows of 2 images as handbone, lint found no error" in out
    half, low = (Path(name).read_text().splitlines() for name in ("half.csv", "low.csv"))
    # Rows of 6 pixels, counted from 1: columns 2 to 4 of rows 1 and 2; at 0.4 the first pixel too.
    assert half[1:3] == ["x/1.png,a,9 3 15 3", "x/1.png,b,"]
    assert low[1] == "x/1.png,a,1 1 9 3 15 3"
    assert len(half) == len(low) == 5
    assert call("s.zarr", "-o", "low.csv")[0] == 1
    assert Path("low.csv").read_text().splitlines() == low


def test_the_submission_is_written_as_the_run_did_or_as_told(call):
    make(config={"submit": {"dialect": "uwmadison"}})
    assert "as uwmadison" in call("s.zarr", "-o", "a.csv")[1]
    assert "as handbone" in call("s.zarr", "-o", "b.csv", "--dialect", "handbone")[1]


def test_exclusive_classes(call):
    make(exclusive=True)
    status, out, _ = call("s.zarr", "--case", "x/1.png")
    assert status == 0
    # Six pixels of the box, and the one where -0.2 is above -6; where both are equal the first, background, wins.
    assert out.splitlines()[2].split()[:2] == ["a", "7"]
    assert "pixels won" in out
    assert call("s.zarr", "-o", "a.csv")[0] == 0
    assert call("s.zarr", "--export", "m.npz", "--case", "x/1.png", "--what", "mask")[0] == 0
    with np.load("m.npz") as found:
        assert found["mask"].shape == (1, 4, 6) and found["mask"].sum() == 7
        assert found["classes"].tolist() == ["a"]
    assert call("s.zarr", "--threshold", "0.4", "-o", "b.csv")[0] == 1


def test_exports_of_all_cases(call):
    make()
    status, out, _ = call("s.zarr", "--export", "out")
    assert status == 0
    assert "out: 2 cases, logits at the network's size; cases.csv says" in out
    with Path("out/cases.csv").open(newline="") as file:
        rows = {row["case"]: row["file"] for row in csv.DictReader(file)}
    assert rows == {"x/1.png": "x%2F1.png.npz", "x/2.png": "x%2F2.png.npz"}
    with np.load("out/x%2F1.png.npz") as found:
        np.testing.assert_allclose(found["logits"], logits(), atol=1 / 16)
        assert found["classes"].tolist() == ["a", "b"]
    assert sorted(path.name for path in Path().iterdir()) == ["out", "s.zarr"]


def test_a_mask_at_the_image_s_size_is_the_submission_s(call):
    make()
    assert call("s.zarr", "-o", "a.csv", "--threshold", "0.001")[0] == 0
    plan = ("--what", "mask", "--size", "original", "--threshold", "0.001")
    assert call("s.zarr", "--export", "m.npz", "--case", "x/2.png", *plan)[0] == 0
    with np.load("m.npz") as found:
        mask = found["mask"]
    assert mask.shape == (2, 8, 12)
    told = next(line for line in Path("a.csv").read_text().splitlines() if line.startswith("x/2.png,a"))
    runs = np.array(told.split(",")[2].split(), int).reshape(-1, 2)
    painted = np.zeros(96, bool)
    for start, length in runs:
        painted[start - 1 : start - 1 + length] = True
    np.testing.assert_array_equal(mask[0].ravel(), painted)
    assert painted.any()


def test_a_probability_as_nifti(call):
    import nibabel

    make(dtype="float16")
    plan = ("--what", "probability", "--size", "original")
    assert call("s.zarr", "--case", "x/1.png", "--export", "one.nii.gz", *plan)[0] == 0
    voxels = np.asarray(nibabel.load("one.nii.gz").dataobj)
    assert voxels.shape == (6, 4, 1, 2)
    np.testing.assert_allclose(voxels[4, 1, 0, 0], 1 / (1 + np.exp(-6)), atol=1e-5)
    np.testing.assert_allclose(voxels[0, 0, 0, 0], 0.45, atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("nowhere.zarr",), 1, "there is no such store: nowhere.zarr"),
        (("run",), 1, "this folder is no store: run. Name one of run/s.zarr"),
        (("begun.zarr",), 1, "not a finished store"),
        (
            ("s.zarr", "--case", "x/3.png"),
            1,
            "the store has no such case: x/3.png in s.zarr. See --cases; did you mean",
        ),
        (("s.zarr", "--case", "x/1.png", "--case", "x/2.png"), 2, "one case at a time"),
        (("s.zarr", "--case", "x/1.png", "-o", "case.csv"), 2, "must end in .png"),
        (("s.zarr", "--case", "x/1.png", "--images", "s.zarr"), 2, "needs -o PICTURE.png"),
        (("s.zarr", "-o", "case.png"), 2, "must end in .csv"),
        (("s.zarr", "--threshold", "0.4"), 2, "needs -o SUB.csv"),
        (("s.zarr", "--threshold", "1.0", "-o", "out"), 2, "1 is not a probability between 0 and 1"),
        (("s.zarr", "--threshold", "nan", "-o", "out"), 2, "nan is not a probability"),
        (("s.zarr", "--threshold", "0.9999", "-o", "out"), 1, "cannot tell such probabilities apart: 0.9999"),
        (("s.zarr", "--dialect", "handbones", "-o", "out.csv"), 2, "is none of handbone"),
        (("s.zarr", "--dialect", "airbus", "-o", "out.csv"), 1, "no column for the class"),
        (("s.zarr", "--cases", "--case", "x/1.png"), 2, "does not go with --case"),
        (("s.zarr", "--export", "out.npz"), 2, "holds one case, not 2"),
        (("s.zarr", "--export", "out.npz", "--format", "nifti"), 2, "is no nifti file"),
        (("s.zarr", "--export", "out.tar"), 2, "neither .npz"),
        (("s.zarr", "--export", "s.zarr/out"), 2, "is no place for an export"),
        (("s.zarr", "--export", "out", "--threshold", "0.4"), 2, "belongs to --what mask"),
        (("s.zarr", "--export", "run"), 1, "the folder exists already: run"),
        (("s.zarr", "--export", "run", "--overwrite"), 1, "no export has written: s.zarr in run"),
        (("s.zarr", "--what", "mask"), 2, "needs -o or --export"),
    ],
)
def test_refusals(call, arguments, status, said):
    make()
    Path("run").mkdir()
    make("run/s.zarr")
    Writer(Path("begun.zarr"), LabelSpace(("a",)), {})
    before = sorted(Path().rglob("*"))
    found, _, error = call(*arguments)
    assert found == status
    assert said in words(error)
    assert sorted(Path().rglob("*")) == before


def test_a_damaged_case_stops_an_export_and_leaves_nothing(call):
    make()
    next(Path("s.zarr").rglob("c/0/0/0")).unlink()
    status, _, error = call("s.zarr", "--export", "out")
    assert status == 1
    assert "changed after it was written" in error
    assert [path.name for path in Path().iterdir()] == ["s.zarr"]
