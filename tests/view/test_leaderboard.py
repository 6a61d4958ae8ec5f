"""The page of a log: its numbers, and strangers' names as text."""

import json
import re

import pytest

from phalanx.view import leaderboard
from phalanx.view.leaderboard import Row

HOSTILE = "<script>alert(1)</script>\"'&"
ROWS = [
    Row("2026-01-02", "a.yaml", 0.97, 0.95, (0.94, 0.96), 0.955, 0.945),
    Row("2026-01-03", "b.yaml", 0.90, public=0.88, note="hard vote"),
    Row("2026-01-04", "c.yaml", 0.99),
]
TABLE = [["scores", "entries"], ["oof / public", "2"]]


def test_the_page_is_well_formed_and_fetches_nothing(html):
    source = leaderboard.render(ROWS, TABLE, ["Too few"])
    outline = html(source)
    assert outline.well_formed
    assert "default-src 'none'" in source
    assert html(source).fetches == []
    said = html(source).text
    assert "3 recipes and the leaderboard" in said and "Too few" in said and "oof / public 2" in said
    assert "2026-01-02 a.yaml 0.9700 0.9500 [0.9400, 0.9600] 0.9550 0.9450" in said


def test_the_figures_hold_the_scores(html):
    source = leaderboard.render(ROWS, TABLE, [])
    public, private, equal = html(source).figure("oof")["data"]
    assert (public["name"], public["x"], public["y"]) == ("public", [0.97, 0.9], [0.955, 0.88])
    assert (private["name"], private["x"], private["y"]) == ("private", [0.97], [0.945])
    # The third recipe has no leaderboard score, and the interval is that of the nested score.
    assert equal["x"] == equal["y"] == pytest.approx([0.88 - 0.0135, 0.97 + 0.0135])
    assert not public["error_x"]["visible"]
    nested = html(source).figure("nested")
    assert nested["data"][0]["x"] == [0.95]
    assert nested["data"][0]["error_x"]["arrayminus"] == pytest.approx([0.01])
    # The whisker is within the axes.
    assert nested["data"][-1]["x"] == pytest.approx([0.94 - 0.003, 0.96 + 0.003])
    assert [note["text"] for note in nested["layout"]["annotations"]] == ["a"]


def test_nothing_to_draw(html):
    source = leaderboard.render([Row("2026-01-02", "a.yaml", 0.9)], TABLE[:1], [])
    assert "figure-" not in re.sub(r"(?s)<script>.*?</script>", "", source)
    assert "a.yaml" in html(source).text


def test_names_of_strangers_are_text(html):
    plain = leaderboard.render(ROWS, TABLE, [])
    hostile = [Row(HOSTILE, HOSTILE, 0.9, 0.9, None, 0.8, 0.9, HOSTILE), *ROWS[1:]]
    told = leaderboard.render(hostile, [*TABLE, [HOSTILE, ""]], [HOSTILE])
    assert "<script>alert" not in told
    assert html(told).counts["script"] == html(plain).counts["script"]
    assert "<script" not in json.dumps(html(told).figure("oof"))


def test_a_page_is_written_whole(tmp_path):
    leaderboard.write(ROWS, TABLE, [], tmp_path / "p.html")
    assert (tmp_path / "p.html").read_text(encoding="utf-8") == leaderboard.render(ROWS, TABLE, [])
    assert [path.name for path in tmp_path.iterdir()] == ["p.html"]
