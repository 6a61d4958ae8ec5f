"""`phalanx search` on made-up predictions of phantom hands, and the ensemble that it leads to."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from phalanx.commands import _searched
from phalanx.commands.phantom import phantom
from phalanx.ensemble.search import Search
from phalanx.store.predictions import Store, Writer


@pytest.fixture(scope="module")
def hands(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hands") / "hands"
    phantom(folder, people=7, test_people=2, size=96, seed=3, stores=3, workers=1)
    return folder


@pytest.fixture
def call(typed, hands, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return typed


def search(call, hands, output="found.yaml", *more, stages="members,threshold"):
    quick = ("--stages", stages, "--folds", "3")
    return call("search", hands / "predictions", "--truth", hands, "-o", output, *quick, *more)


def test_a_recipe_a_page_and_a_score_that_holds(call, hands):
    status, out, _ = search(call, hands)
    assert status == 0
    assert "best single" in out and "plain mean" in out and "Honest dice" in out
    recipe = yaml.safe_load(Path("found.yaml").read_text())
    assert recipe["kind"] == "soft" and recipe["dialect"] == "handbone"
    weights = {Path(member["run"]).name: member["weight"] for member in recipe["members"]}
    assert weights["model1"] > 0 and weights.get("model3", 0) <= weights["model1"]
    assert set(recipe["members"][0]["sha256"]) == {"oof", "test"}
    assert "<html" in Path("found.html").read_text()
    assert list(Path().glob(".*")) == []
    scores = {entry["of"]: entry for entry in recipe["scores"]}
    assert {"nested", "nested, plain mean", "nested, best single", "out-of-fold"} <= set(scores)
    assert scores["nested"]["mean"] >= scores["nested, plain mean"]["mean"]

    # The recipe run on the same cases scores what the search said, to the last digit it kept.
    status, out, _ = call("ensemble", "found.yaml", "-o", "oof.csv", "--part", "oof")
    assert status == 0
    status, out, _ = call("score", "oof.csv", hands, "--partial", "--metric", "dice", "--json", "scores.json")
    assert status == 0
    measured = json.loads(Path("scores.json").read_text())[0]["mean"]
    assert measured == pytest.approx(scores["out-of-fold"]["mean"], abs=2e-5)


def test_the_order_of_the_members_does_not_matter(call, hands):
    folders = [hands / "predictions" / name for name in ("model3", "model1", "model2")]
    quick = ("--truth", hands, "--stages", "members", "--folds", "2")
    assert call("search", *folders, "-o", "a.yaml", *quick)[0] == 0
    assert call("search", *folders[::-1], "-o", "b.yaml", *quick)[0] == 0
    first, second = (yaml.safe_load(Path(name).read_text()) for name in ("a.yaml", "b.yaml"))
    assert first == second


def test_a_copy_changes_nothing(call, hands, tmp_path):
    folders = [hands / "predictions" / name for name in ("model1", "model2")]
    shutil.copytree(folders[0] / "oof.zarr", tmp_path / "copies" / "oof.zarr")
    quick = ("--truth", hands, "--stages", "members", "--folds", "2")
    assert call("search", *folders, "-o", "a.yaml", *quick)[0] == 0
    status, out, _ = call("search", *folders, "copies", "-o", "b.yaml", *quick)
    assert status == 0 and "is a copy of another member and was left out" in out
    first, second = (yaml.safe_load(Path(name).read_text()) for name in ("a.yaml", "b.yaml"))
    assert first["scores"] == second["scores"]
    assert [member["weight"] for member in first["members"]] == [member["weight"] for member in second["members"]]


def test_steps_probability_and_temperatures(call, hands):
    folders = [hands / "predictions" / name for name in ("model1", "model2")]
    told = ("--stages", "steps", "--folds", "2", "--always", "--space", "probability", "--calibrate", "--limit", "0.8")
    status, out, _ = call("search", *folders, "--truth", hands, "-o", "c.yaml", *told)
    assert status == 0 and "temperatures were fitted on all cases" in out
    recipe = yaml.safe_load(Path("c.yaml").read_text())
    assert recipe["space"] == "probability"
    assert all(member["temperature"] > 0 for member in recipe["members"])
    assert any("steps" in own for own in recipe["classes"].values()) or "steps" in recipe
    assert call("ensemble", "c.yaml", "-o", "out.csv")[0] == 0
    assert len(Path("out.csv").read_text().splitlines()) == 1 + 4 * 29


def test_a_killed_search_goes_on(call, hands, monkeypatch):
    procedure, calls = Search.procedure, []

    def dying(self, rows):
        calls.append(rows)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return procedure(self, rows)

    monkeypatch.setattr(Search, "procedure", dying)
    assert search(call, hands, stages="members")[0] == 130
    assert not Path("found.yaml").exists()
    assert len(list(Path().glob(".found.search-*.json"))) == 1
    assert search(call, hands, stages="members")[0] == 0
    # Three folds and the whole: two were done.
    assert len(calls) == 3 + 2
    assert list(Path().glob(".found.search-*.json")) == []


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        (("--stages", "member"), 2, "'member' is no stage"),
        (("-o", "x.csv"), 2, "must end in .yaml"),
    ],
)
def test_wrong_usage(call, hands, more, status, said):
    code, _, error = call("search", hands / "predictions", "--truth", hands, "-o", "x.yaml", *more)
    assert code == status and said in error
    assert list(Path().iterdir()) == []


def test_input_at_fault(call, hands, tmp_path):
    assert "there is no oof.zarr" in call("search", hands / "test", "-o", "x.yaml")[2]
    assert "lies in no run folder" in call("search", hands / "predictions", "-o", "x.yaml")[2]
    Path("x.yaml").write_text("kept")
    code, _, error = search(call, hands, "x.yaml")
    assert code == 1 and "exists already: x.yaml" in error
    assert Path("x.yaml").read_text() == "kept"


def test_other_classes_and_cases(call, hands, tmp_path):
    store = Store(hands / "predictions" / "model1" / "oof.zarr")
    some = sorted(store)[:4]
    writer = Writer(tmp_path / "few.zarr", store.labels, {})
    for case in some:
        writer.write(case, *store.read(case))
    writer.close()
    few = tmp_path / "few.zarr"
    code, _, error = call("search", few, store.path, "--truth", hands, "-o", "x.yaml")
    assert code == 1 and "oof.zarr has 6 that others lack" in error
    code, _, error = call("search", few, store.path, "--truth", hands, "-o", "x.yaml", "--partial")
    assert code == 1 and "at least 4 groups of cases: 2" in error


def test_the_truth_with_the_patch_of_the_run(call, hands):
    shutil.copytree(hands / "predictions" / "model1", "run")
    Path("run/config.yaml").write_text(yaml.safe_dump({"data": {"patch": "fixes.yaml"}}))
    image = sorted(hands.glob("train/DCM/*/*.png"))[2].name
    fix = {"expect": {"classes": 29}, "fixes": [{"swap": ["finger-9", "finger-10"]}]}
    Path("fixes.yaml").write_text(yaml.safe_dump({"format": "phalanx-patch/1", "cases": {image: fix}}))
    told = ("--truth", hands, "--stages", "threshold", "--folds", "2")
    means = []
    for name, more in (("plain", ()), ("patched", ("--patch", "fixes.yaml"))):
        status, out, error = call("search", "run", *told, "-o", f"{name}.yaml", *more)
        assert status == 0, error
        assert ("say --patch fixes.yaml" in out) == (name == "plain")
        entries = yaml.safe_load(Path(f"{name}.yaml").read_text())["scores"]
        means.append(next(entry["mean"] for entry in entries if entry["of"] == "out-of-fold"))
    # The made-up predictions follow the labels as they come: two of 10 x 29 masks no longer fit.
    assert means[0] - means[1] == pytest.approx(2 * 0.9 / 290, abs=0.003)
    # An ensemble is scored against the same.
    for name, more in (("plain", ()), ("patched", ("--patch", "fixes.yaml"))):
        status, out, error = call("ensemble", "run", "-o", f"{name}-oof.csv", "--part", "oof", "--truth", hands, *more)
        assert status == 0, error
        means.append(float(re.search(r"mean Dice (0\.\d{4})", out)[1]))
    assert means[2] - means[3] == pytest.approx(means[0] - means[1], abs=0.001)
    status, _, error = call("search", "run", "-o", "x.yaml", "--patch", "fixes.yaml")
    assert status == 2 and "--truth" in error


def test_no_torch(hands, tmp_path):
    code = "import sys; from phalanx.commands.cli import main\ntry: main()\nfinally: assert 'torch' not in sys.modules"
    told = [
        "search",
        str(hands / "predictions" / "model1"),
        "--truth",
        str(hands),
        "-o",
        "x.yaml",
        "--stages",
        "threshold",
    ]
    done = subprocess.run(
        [sys.executable, "-c", code, *told, "--folds", "2"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_names_tell_stores_apart():
    paths = [Path(f"/a/{run}/{member}/oof.zarr") for run in ("x", "y") for member in ("u", "v")]
    assert _searched._names(paths) == ["x/u", "x/v", "y/u", "y/v"]
    assert _searched._names([Path("/a/x/u/oof.zarr")]) == ["oof"]
    assert _searched._names([Path("/a/u/oof.zarr"), Path("/a/v/oof.zarr")]) == ["u", "v"]
