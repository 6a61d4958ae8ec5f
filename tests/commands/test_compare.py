"""`phalanx compare` as it is typed: numbers by hand, what it refuses, and its files."""

import csv
import functools
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

HEAD = "image_name,class,rle\n"


@pytest.fixture
def call(typed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return functools.partial(typed, "compare")


def three() -> None:
    """Files a and b differ by a pixel of four; c misses the object of the second image, in another order of rows."""
    Path("a.csv").write_text(f"{HEAD}1.png,x,1 4\n2.png,x,5 4\n1.png,y,\n2.png,y,9 2\n")
    Path("b.csv").write_text(f"{HEAD}1.png,x,2 4\n2.png,x,5 4\n1.png,y,\n2.png,y,9 2\n")
    Path("c.csv").write_text(f"{HEAD}2.png,y,9 2\n2.png,x,\n1.png,y,\n1.png,x,1 4\n")


def test_numbers_by_hand(call):
    three()
    assert call("a.csv", "b.csv", "c.csv", "--json", "all.json")[0] == 0
    found = json.loads(Path("all.json").read_text())
    assert (found["files"], found["images"], found["masks"]) == (["a.csv", "b.csv", "c.csv"], 2, 4)
    # Class x: a with b (6/8 + 1) / 2, a with c (1 + 0) / 2, b with c (6/8 + 0) / 2; class y: all the same.
    x = [[1, 0.875, 0.5], [0.875, 1, 0.375], [0.5, 0.375, 1]]
    np.testing.assert_allclose(found["per_class"]["x"], x, atol=1e-4)
    np.testing.assert_allclose(found["per_class"]["y"], np.ones((3, 3)), atol=1e-12)
    np.testing.assert_allclose(found["matrix"], (np.array(x) + 1) / 2, atol=1e-4)
    first, second = found["largest"]
    assert (first["image"], first["class"], first["odd"]) == ("2.png", "x", "c.csv")
    assert (first["mean"], first["odd_mean"], first["rest"]) == pytest.approx((1 / 3, 0, 1), abs=1e-4)
    assert (second["image"], second["odd"], second["mean"]) == ("1.png", "b.csv", pytest.approx(2.5 / 3, abs=1e-4))


def test_the_terminal_and_the_csv(call):
    three()
    status, out, _ = call("a.csv", "b.csv", "c.csv", "--csv", "m.csv", "--classes")
    assert status == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[1] == ["1", "a.csv", "0.8438", "1.0000", "0.9375", "0.7500"]
    assert ["2.png", "x", "0.3333", "c.csv", "0.0000", "1.0000"] in lines
    assert lines.index(["x", "0.6875", "0.6250", "0.4375"]) < lines.index(["y", "1.0000", "1.0000", "1.0000"])
    with Path("m.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["class", "file", "a.csv", "b.csv", "c.csv"]
    assert [row[:2] for row in rows[1:]] == [[label, name] for label in ("", "x", "y") for name in rows[0][2:]]
    assert [float(cell) for cell in rows[4][2:]] == pytest.approx([1, 0.875, 0.5], abs=1e-4)
    assert call("a.csv", "b.csv", "--csv", "m.csv", "--overwrite")[0] == 0
    assert Path("m.csv").read_text().splitlines()[0] == "file,a.csv,b.csv"


def test_every_pair_is_what_score_says(call, typed):
    rng = np.random.default_rng(0)
    for name in "abcd":
        rows = []
        for image in range(5):
            for label in "xy":
                starts = np.cumsum(rng.integers(2, 5, 6))
                rows.append(f"{image},{label},{' '.join(f'{start} 1' for start in starts.tolist())}")
        Path(f"{name}.csv").write_text(HEAD + "\n".join(rng.permutation(rows)))
    assert call("a.csv", "b.csv", "c.csv", "d.csv", "--json", "all.json")[0] == 0
    matrix = json.loads(Path("all.json").read_text())["matrix"]
    for (i, a), (j, b) in combinations(enumerate("abcd"), 2):
        typed("score", f"{a}.csv", f"{b}.csv", "--json", "s.json", "--overwrite")
        assert json.loads(Path("s.json").read_text())[0]["mean"] == pytest.approx(matrix[i][j], abs=1e-12)
        assert matrix[i][j] == matrix[j][i] < 1


def test_equal_files_are_told(call):
    three()
    Path("copy.csv").write_text(Path("c.csv").read_text())
    status, out, _ = call("c.csv", "copy.csv")
    assert status == 0
    assert "copy.csv equals c.csv" in out
    assert "furthest" not in out


def test_more_files_than_the_terminal_has_room_for(call):
    three()
    names = []
    for place in range(12):
        names.append(f"file-of-a-long-name-{place}.csv")
        Path(names[-1]).write_text(Path("abc"[place % 3] + ".csv").read_text())
    status, out, _ = call(*names)
    assert status == 0
    assert "nearest" in out
    assert all(name in out for name in names)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HEAD}1.png,x,1 4\n", "bad.csv lacks 3 rows (2.png, x, ...) of a.csv"),
        (f"{HEAD}1.png,x,1 4\n1.png,x,1 4\n", "a row comes twice: bad.csv, lines 2 and 3"),
        (f"{HEAD}1.png,x,1 4\n2.png,x,5 4\n1.png,y,3\n2.png,y,9 2\n", "bad.csv, line 4 (1.png, y)"),
    ],
)
def test_files_at_fault_are_refused_and_nothing_is_written(call, text, said):
    three()
    Path("bad.csv").write_text(text)
    status, _, error = call("a.csv", "bad.csv", "b.csv", "-o", "p.html", "--json", "all.json", "--csv", "m.csv")
    assert status == 1
    assert said in error
    assert len(error.splitlines()) == 1
    assert sorted(path.name for path in Path().iterdir()) == ["a.csv", "b.csv", "bad.csv", "c.csv"]


def test_wrong_usage(call):
    three()
    assert call("a.csv")[0] == 2
    assert call("a.csv", "./a.csv")[0] == 2
    assert call("a.csv", "b.csv", "-o", "b.csv", "--overwrite")[0] == 2
    assert call("a.csv", "b.csv", "--dialect", "martian")[0] == 2


def test_a_page_is_never_replaced_unasked(call):
    three()
    Path("p.html").write_text("mine")
    assert call("a.csv", "b.csv", "-o", "p.html")[0] == 1
    assert Path("p.html").read_text() == "mine"
    assert call("a.csv", "b.csv", "-o", "p.html", "--overwrite")[0] == 0
    assert "1.png" in Path("p.html").read_text()


def test_files_of_one_name_are_told_apart_by_their_folder(call):
    three()
    for name in ("one", "two"):
        Path(name).mkdir()
        Path(name, "sub.csv").write_text(Path("a.csv").read_text())
    assert call("one/sub.csv", "two/sub.csv", "--json", "all.json")[0] == 0
    assert json.loads(Path("all.json").read_text())["files"] == ["one/sub.csv", "two/sub.csv"]
