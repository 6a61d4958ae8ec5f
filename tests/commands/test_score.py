"""`phalanx score` as it is typed: numbers by hand, what it refuses, and every kind of input."""

import csv
import functools
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

HEAD = "image_name,class,rle\n"
# Dice 6/8 and 1 (both empty), then 1 and 8/9; eps of 1e-4 shows in the sixth digit.
TRUTH = f"{HEAD}a.png,x,1 4\na.png,y,\nb.png,x,3 2\nb.png,y,5 5\n"
PRED = f"{HEAD}b.png,x,3 2\nb.png,y,5 4\na.png,x,2 4\na.png,y,\n"


@pytest.fixture
def call(typed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return functools.partial(typed, "score")


@pytest.fixture
def scores(call):
    """The Dice entry of `scores.json`."""

    def run(*arguments: str) -> dict:
        status, _, error = call(*arguments, "--json", "s.json", "--overwrite")
        assert status == 0, error
        return json.loads(Path("s.json").read_text())[0]

    return run


def table(name: str) -> list[dict[str, str]]:
    with Path(name).open(newline="") as file:
        return list(csv.DictReader(file))


def texts(**files: str) -> None:
    for name, text in files.items():
        Path(f"{name}.csv").write_text(text)


def test_numbers_by_hand_whatever_the_order_of_rows(call):
    texts(pred=PRED, truth=TRUTH)
    status, out, _ = call("pred.csv", "truth.csv", "--json", "s.json", "--csv", "cases.csv")
    assert status == 0
    dice, iou = json.loads(Path("s.json").read_text())
    assert (dice["metric"], dice["cases"], dice["groups"]) == ("dice", 2, 2)
    assert dice["per_class"] == pytest.approx({"x": 0.875, "y": 17 / 18}, abs=1e-5)
    assert dice["mean"] == pytest.approx((0.875 + 17 / 18) / 2, abs=1e-5)
    # Two groups: both ends of the interval are one case alone.
    assert dice["interval"] == pytest.approx([0.875, 17 / 18], abs=1e-5)
    assert iou["per_class"] == pytest.approx({"x": 0.8, "y": 0.9}, abs=1e-5)
    rows = table("cases.csv")
    assert [(row["metric"], row["case"]) for row in rows] == [
        ("dice", "a.png"), ("dice", "b.png"), ("iou", "a.png"), ("iou", "b.png"),
    ]  # fmt: skip
    assert [float(rows[0][name]) for name in ("mean", "x", "y")] == pytest.approx([0.875, 0.75, 1], abs=1e-5)
    assert "mean Dice 0.9097 [0.8750, 0.9444]" in out
    assert "2 cases, 2 classes, each image its own group" in out
    assert [line.split()[0] for line in out.splitlines()[1:3]] == ["x", "y"]


def test_one_metric(call):
    texts(pred=PRED, truth=TRUTH)
    assert call("pred.csv", "truth.csv", "--metric", "iou", "--json", "s.json")[0] == 0
    assert [entry["metric"] for entry in json.loads(Path("s.json").read_text())] == ["iou"]


def test_ids_stay_text_and_names_keep_their_marks(scores):
    images = ["001", "1", "1e5", "100000", "NA", "", "a_b_c.png", "[red]x[/red]", ":smile:"]
    labels = ["x_1", "NA", "<b>"]
    rows = [
        f"{image},{label},{1 + place} 3" for place, (image, label) in enumerate((i, j) for i in images for j in labels)
    ]
    texts(truth=HEAD + "\n".join(rows), pred=HEAD + "\n".join(reversed(rows)))
    found = scores("pred.csv", "truth.csv")
    assert (found["mean"], found["cases"], list(found["per_class"])) == (1.0, len(images), labels)


def test_names_are_shown_as_they_are(call):
    text = f"{HEAD}[red]a,:smile:,1 1\n"
    texts(truth=text, pred=text)
    out = call("pred.csv", "truth.csv")[1]
    assert "[red]a" in out
    assert ":smile:" in out


@pytest.mark.parametrize(
    ("pred", "said"),
    [
        (PRED.replace("a.png,x,2 4\n", ""), "pred.csv lacks 1 row (a.png, x) of truth.csv"),
        (f"{PRED}c.png,x,1 1\n", "pred.csv has 1 row (c.png, x) more than truth.csv"),
        (f"{PRED}b.png,x,1 1\n", "a row comes twice: pred.csv, lines 2 and 6 (b.png, x)"),
        (PRED.replace("2 4", "2 x"), "pred.csv, line 4 (a.png, x)"),
        (PRED.replace("2 4", "2 10"), "pred.csv, line 4 (a.png, x)"),
    ],
)
def test_rows_at_fault_are_refused_and_nothing_is_written(call, pred, said):
    texts(pred=pred, truth=TRUTH)
    status, _, error = call("pred.csv", "truth.csv", "--size", "2x5", "--json", "s.json", "--csv", "cases.csv")
    assert status == 1
    assert said in error
    assert len(error.splitlines()) == 1
    assert sorted(path.name for path in Path().iterdir()) == ["pred.csv", "truth.csv"]


def test_partial_scores_what_both_have_and_says_so(call, scores):
    texts(pred=PRED.replace("a.png,x,2 4\n", "c.png,x,1 1\n"), truth=TRUTH)
    found = scores("pred.csv", "truth.csv", "--partial")
    assert found["per_class"] == pytest.approx({"x": 1, "y": 17 / 18}, abs=1e-5)
    out = call("pred.csv", "truth.csv", "--partial")[1]
    assert "left out: 1 of 4 rows of truth.csv" in out
    assert "left out: 1 of 4 rows of pred.csv" in out


def test_results_never_replace_what_nobody_gave_up(call):
    texts(pred=PRED, truth=TRUTH)
    Path("s.json").write_text("mine")
    status, _, error = call("pred.csv", "truth.csv", "--json", "s.json")
    assert (status, Path("s.json").read_text()) == (1, "mine")
    assert "--overwrite" in error
    assert call("pred.csv", "truth.csv", "--json", "truth.csv", "--overwrite")[0] == 2
    assert call("pred.csv", "truth.csv", "--json", "o", "--csv", "o")[0] == 2
    assert Path("truth.csv").read_text() == TRUTH


def people(count: int) -> tuple[str, str, str]:
    """Truth, a prediction and groups of `count` people of two images, both of them equally good."""
    truth, pred, groups = HEAD, HEAD, "image,group\n"
    for person in range(count):
        for side in "lr":
            truth += f"{person}{side},x,1 40\n"
            pred += f"{person}{side},x,1 {10 + 29 * person // count}\n"
            groups += f"{person}{side},p{person}\n"
    return truth, pred, groups


def test_people_are_one_observation_each(scores, call):
    truth, pred, groups = people(12)
    texts(truth=truth, pred=pred, groups=groups + "stranger,q\n")
    by_image, by_person = scores("pred.csv", "truth.csv"), scores("pred.csv", "truth.csv", "--groups", "groups.csv")
    assert (by_image["groups"], by_person["groups"]) == (24, 12)
    assert by_image["mean"] == by_person["mean"]
    assert np.ptp(by_person["interval"]) > 1.2 * np.ptp(by_image["interval"])
    assert "12 groups of groups.csv" in call("pred.csv", "truth.csv", "--groups", "groups.csv")[1]


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ("image,group\n0l,p\n", "images without a group: 5, first 0r"),
        ("image,group\n0l,p\n0l,q\n", "an image has two groups"),
        ("image,person\n0l,p\n", "'group' is missing"),
    ],
)
def test_groups_at_fault(call, groups, said):
    truth, pred, _ = people(3)
    texts(truth=truth, pred=pred, groups=groups)
    status, _, error = call("pred.csv", "truth.csv", "--groups", "groups.csv")
    assert status == 1
    assert said in error


def test_against_another_submission(scores, call):
    truth, pred, groups = people(6)
    # The other is worse on every image: of 64 patterns of signs only the seen one and its mirror are as far from 0.
    texts(truth=truth, pred=pred, groups=groups, other=truth.replace("1 40", "1 9"))
    found = scores("pred.csv", "truth.csv", "--against", "other.csv", "--groups", "groups.csv")
    told = found["difference"]
    assert told["p"] == 2 / 64
    assert told["against"] == "other.csv"
    assert told["mean"] == pytest.approx(found["mean"] - 18 / 49, abs=1e-5)
    assert told["interval"][0] > 0
    back = scores("other.csv", "truth.csv", "--against", "pred.csv", "--groups", "groups.csv")["difference"]
    assert (back["mean"], back["p"]) == (pytest.approx(-told["mean"]), told["p"])
    assert "p = 0.0312" in call("pred.csv", "truth.csv", "--against", "other.csv", "--groups", "groups.csv")[1]


def test_dialects_that_count_pixels_differently(scores, call):
    # 2 x 3 pixels, the left column and the pixel right of its top: along rows 0, 1, 3; along columns 0 to 2.
    texts(pred=f"{HEAD}a.png,x,1 2 4 1\n", truth="ImageId_ClassId,EncodedPixels\na.png_x,1 3\n")
    options = ("pred.csv", "truth.csv", "--truth-dialect", "severstal")
    assert scores(*options, "--size", "2x3")["mean"] == 1.0
    assert scores(*options, "--size", "3x2")["mean"] == pytest.approx(2 / 6, abs=1e-4)
    status, _, error = call(*options)
    assert status == 2
    assert "--size" in error


def test_objects_of_an_image_are_united_and_suffixes_left_aside(scores):
    texts(
        pred="ImageId,EncodedPixels\na,1 2\nb,\na,5 2\n", truth="ImageId,EncodedPixels\nb.png,\na.png,1 2\na.png,6 2\n"
    )
    found = scores("pred.csv", "truth.csv", "--dialect", "dsb2018", "--truth-dialect", "airbus")
    assert found["per_class"] == pytest.approx({"mask": (6 / 8 + 1) / 2}, abs=1e-5)


def test_columns_of_any_name(scores):
    texts(pred=PRED.replace(HEAD, "i,c,r\n"), truth=TRUTH.replace(HEAD, "img,cls,m\n"))
    found = scores("pred.csv", "truth.csv", "--columns", "i,c,r", "--truth-columns", "img,cls,m")
    assert found["per_class"]["x"] == pytest.approx(0.875, abs=1e-5)


@pytest.fixture
def truth_masks(phantom):
    """Masks of the labelled training cases of the phantom: id -> size and runs, and the class names."""
    from phalanx.commands import check
    from phalanx.core import catalogue
    from phalanx.data import decode

    dataset = catalogue.build("datasets", check.settings(phantom, None, [])).read()
    found = {}
    for case in dataset.train:
        size = decode.image(case).shape[:2]
        found[case.id] = size, decode.runs(case, dataset.labels, "opencv", size)
    return dataset, found


def halves(path: Path, truth_masks) -> dict[str, float]:
    """Write a CSV of the truth without its lower half; returns the mean Dice of each case, from painted masks."""
    from phalanx.mask import runs
    from phalanx.mask.dialect import named
    from phalanx.submit import write

    dataset, found = truth_masks
    names, expected, rows = dataset.labels.scored_names, {}, []
    for key, (size, masks) in found.items():
        painted = np.stack([runs.to_mask(mask, size) for mask in masks])
        cut = painted.copy()
        cut[:, size[0] // 2 :] = False
        both, areas = (painted & cut).sum((1, 2)), painted.sum((1, 2)) + cut.sum((1, 2))
        expected[key] = float(((2 * both + 1e-4) / (areas + 1e-4)).mean())
        rows.append((key, size, dict(zip(names, map(runs.from_mask, cut), strict=True))))
    write.write(path, named("handbone"), rows, names)
    return expected


def test_a_data_set_is_the_truth_with_its_people(call, phantom, truth_masks):
    expected = halves(Path("pred.csv"), truth_masks)
    status, out, error = call("pred.csv", str(phantom), "--json", "s.json", "--csv", "cases.csv")
    assert status == 0, error
    dice = json.loads(Path("s.json").read_text())[0]
    dataset, _ = truth_masks
    assert dice["mean"] == pytest.approx(np.mean(list(expected.values())), abs=1e-12)
    assert (dice["cases"], dice["groups"]) == (8, len({case.group for case in dataset.train}))
    assert dice["groups"] < 8
    rows = [row for row in table("cases.csv") if row["metric"] == "dice"]
    assert {row["case"]: float(row["mean"]) for row in rows} == pytest.approx(expected, abs=1e-6)
    assert {row["case"]: row["group"] for row in rows} == {case.id: case.group for case in dataset.train}
    assert "4 groups of the data set" in out


def test_a_case_of_the_data_set_that_is_not_predicted_is_missing(call, phantom, truth_masks):
    dataset, found = truth_masks
    halves(Path("pred.csv"), (dataset, dict(list(found.items())[1:])))
    status, _, error = call("pred.csv", str(phantom))
    assert status == 1
    assert f"pred.csv lacks 29 rows ({next(iter(found))}, finger-1, ...)" in error
    assert call("pred.csv", str(phantom), "--partial")[0] == 0


def test_runs_outside_of_the_data_sets_image_are_refused(call, phantom, truth_masks):
    halves(Path("pred.csv"), truth_masks)
    lines = Path("pred.csv").read_text().splitlines()
    lines[3] = f"{lines[3].rpartition(',')[0]},{128 * 128} 2"
    Path("pred.csv").write_text("\n".join(lines))
    status, _, error = call("pred.csv", str(phantom))
    assert status == 1
    assert "pred.csv, line 4" in error


@pytest.fixture
def store(tmp_path, truth_masks) -> Path:
    """A store whose masks are the truth of each case moved down by two pixels."""
    from phalanx.core.geometry import Geometry
    from phalanx.mask import runs
    from phalanx.store.predictions import Writer

    dataset, found = truth_masks
    writer = Writer(tmp_path / "oof.zarr", dataset.labels, {})
    for key, (size, masks) in found.items():
        moved = [np.roll(runs.to_mask(mask, size), 2, axis=0) for mask in masks]
        writer.write(key, np.where(moved, 4.0, -4.0).astype(np.float32), Geometry.fit(size, size, keep_aspect=False))
    writer.close()
    return tmp_path / "oof.zarr"


def expected_of_store(truth_masks) -> float:
    from phalanx.mask import runs

    values = []
    for size, masks in truth_masks[1].values():
        for mask in masks:
            painted = runs.to_mask(mask, size)
            moved = np.roll(painted, 2, axis=0)
            values.append((2 * (painted & moved).sum() + 1e-4) / (painted.sum() + moved.sum() + 1e-4))
    return float(np.mean(values))


def test_a_store_and_runs_of_it(scores, phantom, truth_masks, store, tmp_path):
    wanted = pytest.approx(expected_of_store(truth_masks), abs=1e-12)
    assert scores("oof.zarr", str(phantom))["mean"] == wanted
    assert scores(str(phantom), "oof.zarr")["mean"] == wanted
    # A run of one member, and one of two that predict the same.
    for name in ("run", "pair/first", "pair/second"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "oof.zarr").symlink_to(store)
    for name in ("run", "pair"):
        (tmp_path / name / "config.yaml").write_text("run: it\n")
        assert scores(name, str(phantom))["mean"] == wanted
    # A CSV counted along columns meets a store.
    halves(Path("row.csv"), truth_masks)
    by_row = scores("row.csv", "oof.zarr")["mean"]
    _by_columns(Path("row.csv"), Path("column.csv"))
    assert scores("column.csv", "oof.zarr", "--order", "column")["mean"] == pytest.approx(by_row, abs=1e-12)


def _by_columns(source: Path, target: Path) -> None:
    from dataclasses import replace

    from phalanx.mask import rle
    from phalanx.mask.dialect import named

    dialect = named("handbone")
    lines = source.read_text().splitlines()
    out = [lines[0]]
    for line in lines[1:]:
        key, _, text = line.rpartition(",")
        out.append(
            f"{key},{rle.encode(rle.decode(text, (128, 128), dialect), (128, 128), replace(dialect, order='column'))}"
        )
    target.write_text("\n".join(out) + "\n")


def test_a_run_folder_by_its_csv_in_its_own_dialect(scores, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump({"submit": {"dialect": "uwmadison"}}))
    (tmp_path / "run" / "oof.csv").write_text("id,class,predicted\na,x,1 4\n")
    texts(truth=f"{HEAD}a.png,x,1 4\n")
    assert scores("run", "truth.csv")["mean"] == 1.0


def test_a_run_that_learnt_from_patched_labels(scores, call, phantom, truth_masks):
    from phalanx.mask import runs
    from phalanx.mask.dialect import named
    from phalanx.submit import write

    dataset, found = truth_masks
    names, key = dataset.labels.scored_names, next(iter(found))
    rows = [(case, size, dict(zip(names, masks, strict=True))) for case, (size, masks) in found.items()]
    masks, two = rows[0][2], ("finger-9", "finger-10")
    masks.update(zip(two, (masks["finger-10"], masks["finger-9"]), strict=True))
    Path("run").mkdir()
    write.write(Path("run/oof.csv"), named("handbone"), rows, names)
    Path("run/config.yaml").write_text(yaml.safe_dump({"data": {"patch": "fixes.yaml"}}))
    fix = {"expect": {"classes": 29}, "fixes": [{"swap": list(two)}]}
    Path("fixes.yaml").write_text(yaml.safe_dump({"format": "phalanx-patch/1", "cases": {key: fix}}))
    # It predicts what it learnt; by the labels as they come, two of 8 x 29 masks lie elsewhere.
    assert scores("run", str(phantom), "--patch", "fixes.yaml")["mean"] == 1.0
    shared = [runs.overlap(masks[two[0]], masks[two[1]]), runs.area(masks[two[0]]), runs.area(masks[two[1]])]
    dice = 2 * shared[0] / (shared[1] + shared[2])
    assert scores("run", str(phantom))["mean"] == pytest.approx(1 - 2 * (1 - dice) / (8 * 29), abs=1e-6)
    said = "labels corrected by fixes.yaml; say --patch fixes.yaml"
    assert said in call("run", str(phantom))[1]
    assert said not in call("run", str(phantom), "--patch", "fixes.yaml")[1]
    assert call("run", str(phantom), "--patch", "none.yaml")[0] == 1
    status, _, error = call("run/oof.csv", "run/oof.csv", "--patch", "fixes.yaml")
    assert status == 2 and "--patch" in error


def test_an_unfinished_run_is_refused(call, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("run: it\n")
    (tmp_path / "run" / "run.log").write_text("")
    texts(truth=TRUTH)
    status, _, error = call("run", "truth.csv")
    assert status == 1
    assert "no out-of-fold predictions yet" in error


@pytest.mark.parametrize("name", ["nowhere.csv", "nowhere", "empty"])
def test_what_is_not_there(call, tmp_path, name):
    (tmp_path / "empty").mkdir()
    texts(truth=TRUTH)
    status, _, error = call(name, "truth.csv")
    assert status == 1
    assert name in error
    assert len(error.splitlines()) == 1


def test_torch_and_its_like_stay_outside(tmp_path):
    import subprocess

    (tmp_path / "a.csv").write_text(PRED)
    code = (
        "import sys; from phalanx.commands import cli\n"
        "sys.argv = ['phalanx', 'score', 'a.csv', 'a.csv']\n"
        "try:\n    cli.main()\nfinally:\n"
        "    print([name for name in ('torch', 'pandas', 'zarr', 'plotly', 'cv2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_number_fits_a_terminal_of_80_columns(call):
    truth, pred, _ = people(3)
    texts(truth=truth, pred=pred, other=truth)
    for more in ((), ("--against", "other.csv")):
        out = call("pred.csv", "truth.csv", *more)[1]
        assert "\u2026" not in out
        assert max(map(len, out.splitlines()[:12])) <= 80
