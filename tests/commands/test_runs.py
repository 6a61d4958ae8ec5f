"""The list of runs: what it says of finished, broken and unfinished ones, and who is behind whom."""

import csv
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from phalanx.commands import _run_folder, _runs_listed, _runs_table, runs
from phalanx.core.errors import RunError, SubmissionError

CLASSES = ["bone", "run"]
CASES = [f"{person}{side}.png" for person in "abcdefgh" for side in "RL"]


def make(
    folder: Path, name: str, table: np.ndarray, *, cases=None, areas=7, groups=True, command="", **changes
) -> Path:
    """A run folder as a run leaves it, without its networks. `table`: Dice, case x class."""
    cases = cases or CASES
    path = folder / name
    path.mkdir(parents=True)
    values = {
        "run": name, "seed": 4, "data": {"folds": {"count": 5, "train": []}}, "members": {},
        "model": {"name": "unet", "encoder": "resnet18"}, **changes,
    }  # fmt: skip
    (path / "config.yaml").write_text(yaml.safe_dump(values))
    mean = float(table.mean())
    entries = [
        {"metric": "dice", "of": of, "mean": mean - less, "interval": [mean - 0.01, mean + 0.01], "cases": len(cases)}
        for of, less in (("out-of-fold", 0), ("test", 0.1))
    ]
    (path / "scores.json").write_text(json.dumps([{**entries[0], "metric": "iou", "mean": 0.1}, *entries]))
    write(path / "scores.csv", [["of", "case", "fold", "mean", *CLASSES]], (
        ["out-of-fold", case, 0, row.mean(), *row] for case, row in zip(cases, table, strict=True)
    ))  # fmt: skip
    if groups:
        heads = ["part", "case", "group", "fold", "height", "width", "bend", "masks", *CLASSES]
        write(path / "cases.csv", [heads], (["train", case, case[0], 0, 3, 5, "", "truth", areas, 2] for case in cases))
    (path / "timings.json").write_text(json.dumps({"check": 60, "train": 30}))
    (path / "memory.json").write_text(json.dumps({"check": {"host": 2**30}, "train": {"host": 3 * 2**29}}))
    (path / "environment.json").write_text(json.dumps([{"command": command}]))
    (path / "report.html").write_text("x")
    return path


def write(path: Path, *rows) -> None:
    with path.open("w", newline="") as file:
        for part in rows:
            csv.writer(file).writerows(part)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three runs: `worse` loses 0.02 on every case, `noisy` as much in the mean of very different cases."""
    rng = np.random.default_rng(0)
    best = rng.uniform(0.8, 0.9, (16, 2))
    noise = rng.normal(0, 0.2, (16, 1)) + np.zeros((1, 2))
    root = tmp_path / "runs"
    make(root, "best", best, command="config=first run=best")
    make(root, "worse", best - 0.02)
    make(root, "noisy", best - 0.02 + noise - noise.mean())
    return root


def test_what_is_read(folder: Path) -> None:
    found = _runs_listed.read(folder / "best")
    assert (found.state, found.config, found.network, found.seed, found.folds) == (
        "done", "first", "unet resnet18", 4, "all 5",
    )  # fmt: skip
    assert (found.seconds, found.memory, found.device, found.cases) == (90, 3 * 2**29, None, 16)
    assert found.test == pytest.approx(found.dice - 0.1)
    assert found.interval == pytest.approx((found.dice - 0.01, found.dice + 0.01))


def test_networks_of_members_and_chosen_folds(tmp_path: Path) -> None:
    members = {
        "a": {"seed": 1},
        "b": {"model": {"encoder": "resnet34"}},
        "c": {"model": {"name": "fpn", "encoder": None}},
        "d": {"seed": 2},
    }
    path = make(tmp_path, "r", np.zeros((16, 2)), members=members, data={"folds": {"count": 5, "train": [0, 2]}})
    found = _runs_listed.read(path)
    assert found.network == "unet resnet18, unet resnet34, fpn"
    assert found.folds == "0,2 of 5"


def test_behind_the_best(folder: Path) -> None:
    best, gaps = _runs_listed.gaps(_runs_listed.find(folder))
    assert [run.name for run in best] == ["best"]
    worse, noisy = (gaps[folder / name] for name in ("worse", "noisy"))
    # The same loss on every case is beyond chance: of 2^8 patterns of signs two are as extreme.
    assert worse.mean == pytest.approx(-0.02) and worse.interval == pytest.approx((-0.02, -0.02))
    assert worse.p == pytest.approx(2 / 2**8)
    assert noisy.mean == pytest.approx(-0.02) and noisy.p > 0.05 and noisy.interval[1] > 0
    assert worse.cases == 16


def test_only_cases_of_the_same_truth_are_compared(folder: Path) -> None:
    table = np.full((6, 2), 0.5)
    make(folder, "part", table, cases=[*CASES[:4], "x.png", "y.png"])
    make(folder, "relabelled", np.full((16, 2), 0.5), areas=8)
    make(folder, "old", np.full((16, 2), 0.5), groups=False)
    make(folder, "alone", np.full((2, 2), 0.5), cases=CASES[:2])
    make(folder, "relabelled_too", np.full((16, 2), 0.4), areas=8)
    best, gaps = _runs_listed.gaps(_runs_listed.find(folder))
    assert gaps[folder / "part"].cases == 4
    # Other areas are another data set; one person is too few; without groups nothing can be said.
    assert [run.name for run in best] == ["best", "alone", "relabelled"]
    assert {path.name: gap.best for path, gap in gaps.items()} == {
        "worse": "best", "noisy": "best", "part": "best", "relabelled_too": "relabelled",
    }  # fmt: skip
    said = list(_runs_table.sentences(_runs_listed.find(folder), best, gaps))
    assert said[-2:] == [
        "Compared on the cases that the best has scored too: part (4 of 6)",
        "Not compared, for want of a cases.csv (phalanx report RUN writes it): old",
    ]


def test_order(folder: Path) -> None:
    make(folder, "unscored", np.zeros((16, 2)))
    (folder / "unscored" / "scores.json").unlink()
    (folder / "worse" / "timings.json").write_text('{"a": 5}')
    os.utime(folder / "noisy" / "scores.json", (2e9, 2e9))
    found = _runs_listed.find(folder)
    names = {key: [run.name for run in _runs_listed.ordered(found, key)] for key in _runs_listed.SORTS}
    assert names["dice"][0] == names["test"][0] == "best" and names["dice"][-1] == "unscored"
    assert names["time"][0] == "worse" and names["date"][0] == "noisy"
    assert names["name"] == ["best", "noisy", "unscored", "worse"]


def test_states(folder: Path) -> None:
    (folder / "worse" / "report.html").unlink()
    (folder / "noisy" / "scores.json").write_text("{")
    lock = _run_folder._lock(folder / "best" / ".lock")
    try:
        assert {run.name: run.state for run in _runs_listed.find(folder)} == {
            "best": "running", "worse": "begun", "noisy": "damaged",
        }  # fmt: skip
    finally:
        os.close(lock)
    assert _runs_listed.read(folder / "best").state == "done"


def test_a_narrow_terminal_keeps_names_and_scores(folder: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setenv("FORCE_COLOR", "1")
    runs.runs(folder)
    said = capsys.readouterr().out
    assert re.search(r"^worse +0\.\d{4} +\[.*\] +-0\.0200 +0\.008 +0\.\d{4}", said, re.MULTILINE)
    assert "Not shown for want of room: date, folds" in said


def test_what_is_said_and_written(folder: Path, tmp_path: Path, capsys) -> None:
    runs.runs(folder, sort="name", csv=tmp_path / "r.csv", json=tmp_path / "r.json", html=tmp_path / "r.html")
    said = capsys.readouterr().out
    assert re.search(r"^worse +0\.\d{4} +\[.*\] +-0\.0200 +\[-0\.0200, -0\.0200\] +0\.008 ", said, re.MULTILINE)
    assert re.search(r"^best +0\.\d{4} +\[.*\] +best .* 1\.5 +1\.50 GiB +all 5 ", said, re.MULTILINE)
    assert "Not behind best by more than chance (p > 0.05, permutation test over people): noisy" in said
    rows = json.loads((tmp_path / "r.json").read_text())
    assert [row["run"] for row in rows] == ["best", "noisy", "worse"]
    assert rows[2]["behind"] == pytest.approx(-0.02) and rows[0]["behind"] is None
    assert {row["best"] for row in rows} == {"best"}
    with (tmp_path / "r.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["run"] for row in table] == ["best", "noisy", "worse"]
    assert float(table[2]["p"]) == rows[2]["p"] and table[0]["p"] == ""
    page = (tmp_path / "r.html").read_text()
    assert all(f'id="figure-{name}"' in page for name in ("scores", "behind", "cost"))
    with pytest.raises(SubmissionError, match="exists already"):
        runs.runs(folder, csv=tmp_path / "r.csv")


def test_one_run_by_its_own_folder(folder: Path, capsys) -> None:
    runs.runs(folder / "best")
    assert capsys.readouterr().out.count("best") >= 1


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such folder"):
        runs.runs(tmp_path / "rnus")
    with pytest.raises(RunError, match="no run is in this folder"):
        runs.runs(tmp_path)
