"""The page of all runs: its numbers, and strangers' names as text."""

import pytest

from phalanx.view import runs

HOSTILE = "<script>alert(1)</script>\"'&"


def row(name: str, dice: float | None, **changes: object) -> dict:
    empty = dict.fromkeys(
        ("config", "network", "seed", "folds", "cases", "low", "high", "test_dice", "seconds", "memory_bytes",
         "device_bytes", "behind", "behind_low", "behind_high", "p", "compared_cases"),
    )  # fmt: skip
    return empty | {"run": name, "state": "done", "date": "2026-01-02T03:04:05", "dice": dice, "best": None} | changes


ROWS = [
    row("a", 0.9, low=0.88, high=0.91, test_dice=0.85, seconds=60.0, best="a", device_bytes=2**31, memory_bytes=5),
    row(
        "b", 0.8, best="a", low=0.7, high=0.82, behind=-0.1, behind_low=-0.15, behind_high=-0.02, p=0.01, seconds=6000.0
    ),
    row("c", None, state="begun"),
]


def test_numbers(html):
    source = runs.render(ROWS, ["b is worse"], "phalanx runs")
    outline = html(source)
    assert outline.well_formed
    said = html(source).text
    assert "3 runs" in said and "b is worse" in said
    assert "a done 0.9000 [0.8800, 0.9100] best – 0.8500 1 min 00 s 2.00 GiB" in said
    assert "b done 0.8000 [0.7000, 0.8200] -0.1000 0.010 – 1 h 40 min –" in said
    assert "c begun – – – – – – –" in said
    means, test = html(source).figure("scores")["data"]
    assert means["x"] == [0.9, 0.8] and (test["x"], test["y"]) == ([0.85], [0])
    assert means["error_x"]["arrayminus"] == pytest.approx([0.02, 0.1])
    behind = html(source).figure("behind")["data"][0]
    assert behind["x"] == [-0.1] and behind["error_x"]["array"] == pytest.approx([0.08])
    assert html(source).figure("cost")["layout"]["xaxis"]["type"] == "log"


def test_nothing_scored(html):
    source = runs.render([row("c", None, state="begun")], [], "phalanx runs")
    assert 'id="plotly"' not in source and "c begun" in html(source).text


def test_names_of_strangers_are_text(html):
    hostile = [
        {**one, "run": HOSTILE, "best": HOSTILE, "network": HOSTILE, "state": HOSTILE, "folds": HOSTILE} for one in ROWS
    ]
    source = runs.render(hostile, [HOSTILE], HOSTILE)
    assert "<script>alert" not in source
    assert html(source).counts["script"] == html(runs.render(ROWS, [], "x")).counts["script"]


def test_a_page_is_written_whole(tmp_path):
    runs.write(ROWS, [], "x", tmp_path / "p.html")
    assert (tmp_path / "p.html").read_text(encoding="utf-8") == runs.render(ROWS, [], "x")
    assert [path.name for path in tmp_path.iterdir()] == ["p.html"]
