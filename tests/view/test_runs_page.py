"""The page of all runs: its numbers, and strangers' names as text."""

import html.parser
import json
import re

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


class Outline(html.parser.HTMLParser):
    def __init__(self, source):
        super().__init__()
        self.open, self.wrong, self.scripts = [], [], 0
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.scripts += tag == "script"
        if tag not in {"meta", "input", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append((tag, self.getpos()))


def figure(source: str, name: str) -> dict:
    return json.loads(re.search(rf'id="figure-{name}">(.*?)</script>', source, re.DOTALL)[1])


def text(source: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", re.sub(r"(?s)<(script|style).*?</\1>", "", source)))


def test_numbers():
    source = runs.render(ROWS, ["b is worse"], "phalanx runs")
    outline = Outline(source)
    assert outline.wrong == [] and outline.open == []
    said = text(source)
    assert "3 runs" in said and "b is worse" in said
    assert "a done 0.9000 [0.8800, 0.9100] best – 0.8500 1 min 00 s 2.00 GiB" in said
    assert "b done 0.8000 [0.7000, 0.8200] -0.1000 0.010 – 1 h 40 min –" in said
    assert "c begun – – – – – – –" in said
    means, test = figure(source, "scores")["data"]
    assert means["x"] == [0.9, 0.8] and (test["x"], test["y"]) == ([0.85], [0])
    assert means["error_x"]["arrayminus"] == pytest.approx([0.02, 0.1])
    behind = figure(source, "behind")["data"][0]
    assert behind["x"] == [-0.1] and behind["error_x"]["array"] == pytest.approx([0.08])
    assert figure(source, "cost")["layout"]["xaxis"]["type"] == "log"


def test_nothing_scored():
    source = runs.render([row("c", None, state="begun")], [], "phalanx runs")
    assert 'id="plotly"' not in source and "c begun" in text(source)


def test_names_of_strangers_are_text():
    hostile = [
        {**one, "run": HOSTILE, "best": HOSTILE, "network": HOSTILE, "state": HOSTILE, "folds": HOSTILE} for one in ROWS
    ]
    source = runs.render(hostile, [HOSTILE], HOSTILE)
    assert "<script>alert" not in source
    assert Outline(source).scripts == Outline(runs.render(ROWS, [], "x")).scripts


def test_a_page_is_written_whole(tmp_path):
    runs.write(ROWS, [], "x", tmp_path / "p.html")
    assert (tmp_path / "p.html").read_text(encoding="utf-8") == runs.render(ROWS, [], "x")
    assert [path.name for path in tmp_path.iterdir()] == ["p.html"]
