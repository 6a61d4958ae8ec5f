"""`phalanx log` as it is typed: what it notes, says and refuses."""

import csv
import datetime
import functools
import hashlib
from pathlib import Path

import pytest


@pytest.fixture
def call(typed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "150")
    return functools.partial(typed, "log")


def recipe(number: int, score: float = 0.9) -> str:
    path = Path(f"ensembles/r{number}.yaml")
    path.parent.mkdir(exist_ok=True)
    nested = f"{{metric: dice, mean: {score}, interval: [{score - 0.01:.4f}, {score + 0.01:.4f}], of: nested}}"
    path.write_text(
        f"kind: soft\nscores:\n- {nested}\n- {{metric: dice, mean: {score + 0.005:.4f}, of: out-of-fold}}\n"
    )
    return str(path)


def rows(path: str = "ensembles/log.csv") -> list[dict[str, str]]:
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_recipe_is_noted_and_completed(call):
    path = recipe(1)
    status, out, _ = call(path, "--public", "0.91", "--note", "two\nnets, [bold]")
    assert status == 0
    assert "Added r1.yaml to ensembles/log.csv" in out
    (row,) = rows()
    assert row == {
        "date": datetime.date.today().isoformat(), "recipe": "r1.yaml",
        "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest(), "metric": "dice", "oof": "0.905",
        "nested": "0.9", "low": "0.89", "high": "0.91", "public": "0.91", "private": "", "note": "two nets, [bold]",
    }  # fmt: skip
    status, out, _ = call(path, "--private", "0.902", "--public", "0.92")
    assert status == 0
    assert "r1.yaml in ensembles/log.csv: public 0.91 -> 0.92, private 0.902" in out
    assert rows() == [{**row, "public": "0.92", "private": "0.902"}]
    assert "nothing new" in call(path)[1]
    assert rows() == [{**row, "public": "0.92", "private": "0.902"}]


def test_the_table_and_the_agreement(call):
    for number, (score, public) in enumerate([(0.90, "0.91"), (0.92, "0.93"), (0.94, "0.92")], 1):
        status, out, _ = call(recipe(number, score), "--public", public)
        assert status == 0
        few = {1: "1 entry has both", 2: "2 entries have both", 3: ""}[number]
        assert few in out and ("Too few to judge" in out) == bool(few)
    before = Path("ensembles/log.csv").read_bytes()
    status, out, _ = call()
    assert status == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[2][1:] == ["r2.yaml", "0.9250", "0.9200", "0.9100-0.9300", "0.9300"]
    # Ranks 1 2 3 against 1 3 2; differences +0.01, +0.01, -0.02 to the nested scores.
    assert ["nested", "/", "public", "3", "+0.50", "+0.50", "+0.0000", "0.0173", "2", "of", "3"] in lines
    assert ["oof", "/", "public", "3", "+0.50", "+0.50", "-0.0050", "0.0173", "2", "of", "3"] in lines
    assert "The public score lies within the 95 % interval of 2 of 3 entries" in out
    assert Path("ensembles/log.csv").read_bytes() == before


def test_scores_outside_their_interval_are_counted(call):
    # Intervals are 0.01 to either side of 0.90.
    for number, public in enumerate(("0.885", "0.91", "0.915"), 1):
        path = Path(recipe(number))
        path.write_text(path.read_text() + f"# {number}\n")
        _, out, _ = call(str(path), "--public", public)
    assert "The public score lies within the 95 % interval of 1 of 3 entries" in out


def test_few_entries_are_said_to_be_too_few(call):
    _, out, _ = call(recipe(1), "--public", "0.9")
    assert "too few" in out and "Too few to judge: 1 entry has both" in out
    _, out, _ = call(recipe(2))
    assert "r2.yaml" in out


def test_another_log(call):
    Path("deep").mkdir()
    assert call(recipe(1), "--file", "deep/l.csv")[0] == 0
    assert rows("deep/l.csv")[0]["recipe"] == "../ensembles/r1.yaml"
    assert not Path("ensembles/log.csv").exists()


def test_a_recipe_without_scores_takes_one(call):
    Path("hard.yaml").write_text("members: [a.csv]\n")
    status, _, error = call("hard.yaml", "--public", "0.9")
    assert status == 1
    assert error == "error: the recipe holds no out-of-fold score: hard.yaml. Give it with --oof\n"
    assert not Path("ensembles").exists()
    assert call("hard.yaml", "--public", "0.9", "--oof", "0.89")[0] == 0
    assert rows()[0]["oof"] == "0.89"


def test_scores_of_different_metrics_are_warned_of(call):
    call(recipe(1))
    Path("iou.yaml").write_text("scores: [{metric: iou, mean: 0.8}]\n")
    assert "different metrics (dice, iou)" in call("iou.yaml")[1]


def test_a_page(call):
    call(recipe(1), "--public", "0.9")
    status, out, _ = call("--html", "p.html")
    assert (status, "Wrote p.html" in out) == (0, True)
    source = Path("p.html").read_text(encoding="utf-8")
    assert "r1.yaml" in source and 'id="figure-nested"' in source
    status, _, error = call("--html", "p.html")
    assert (status, "the file exists already: p.html" in error) == (1, True)
    assert call("--html", "p.html", "--overwrite")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 1, "there is no log yet: ensembles/log.csv"),
        (("none.yaml",), 1, "the recipe cannot be read: none.yaml (No such file or directory)"),
        (("ensembles",), 1, "the recipe cannot be read: ensembles (Is a directory)"),
        (
            ("ensembles/r1.yaml", "--public", "97"),
            1,
            "a score is not between 0 and 1: public: 97.0. Write 0.97 for 97 %",
        ),
        (("ensembles/r1.yaml", "--private", "-0.1"), 1, "a score is not between 0 and 1: private: -0.1"),
        (("--public", "0.9"), 2, "needs the RECIPE.yaml"),
        (("ensembles/r1.yaml", "--file", "ensembles/r1.yaml"), 2, "is the log itself"),
        (("ensembles/r1.yaml", "--html", "ensembles/r1.yaml"), 2, "is named twice"),
        (("--file", "ensembles"), 1, "the log cannot be read: ensembles"),
        (("--file", "ensembles/r1.yaml"), 1, "the log has other columns"),
    ],
)
def test_refusals(call, arguments, status, said):
    recipe(1)
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    found, _, error = call(*arguments)
    assert found == status
    assert said in " ".join(error.replace("│", "").split())
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before
