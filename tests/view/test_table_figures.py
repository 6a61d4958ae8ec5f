"""Charts of a table, and the page of cases: their numbers, and strangers' names as text."""

import html
import json
import math
import re

import numpy as np
import pytest

from phalanx.core.labels import LabelSpace
from phalanx.mask import runs
from phalanx.view import cases, table_figures

HOSTILE = "<script>alert(1)</script>\"'&"


def drawn(figure) -> dict:
    """A figure as a page gets it."""
    return json.loads(figure.to_json(engine="json"))


def test_histogram_compares_groups_of_other_sizes() -> None:
    groups = {"few": [20, 24.8, math.nan, None], "none": [], "many": [25, 26, 27, 31]}
    page = drawn(table_figures.histogram(groups, "years", step=5, limits=(22, 28)))
    few, many = page["data"]
    assert (few["name"], many["name"]) == ("few: 2, median 22.4", "many: 4, median 26.5")
    assert few["x"] == many["x"] and few["x"][:3] == [22.5, 27.5, 32.5]
    assert few["y"][:3] == [100, 0, 0] and many["y"][:3] == [0, 75, 25]
    # A row a group on one scale, each with both lines.
    assert (few["yaxis"], many["yaxis"]) == ("y", "y2") and page["layout"]["yaxis2"]["matches"] == "y"
    assert [(line["x0"], line["xref"]) for line in page["layout"]["shapes"]] == [
        (22, "x"), (22, "x2"), (28, "x"), (28, "x2"),
    ]  # fmt: skip


def test_the_largest_value_has_a_bar() -> None:
    (bars,) = drawn(table_figures.histogram({"a": [0, 10, 20]}, "x", step=10))["data"]
    assert sum(bars["y"]) == pytest.approx(100, abs=0.01)


def test_nothing_to_draw_is_said() -> None:
    for figure in (
        table_figures.histogram({"a": [math.nan]}, "x", step=10, limits=(1,)),
        table_figures.shares({}, "x"),
        table_figures.scatter({"a": [("b", 1.0, math.nan)]}, ("x", "y")),
    ):
        page = drawn(figure)
        assert not any(trace["x"] for trace in page["data"]) and page["layout"]["height"] == 80
        assert [note["text"] for note in page["layout"]["annotations"]] == ["no values"]
        assert not page["layout"].get("shapes")


def test_shares() -> None:
    figure = table_figures.shares({"train": {"M": 1, "F": 3}, "test": {"M": 5}}, "sex")
    women, men = drawn(figure)["data"]
    assert (women["name"], men["name"]) == ("F", "M")
    assert women["x"] == [75, 0] and men["x"] == [25, 100]
    assert women["text"] == ["3 (75 %)", ""] and men["text"] == ["1 (25 %)", "5 (100 %)"]


def test_scatter_leaves_out_what_is_missing() -> None:
    rows = [("a", 1.0, 2.0), ("b", math.nan, 3.0), ("c", 4.0, None)]
    (points,) = drawn(table_figures.scatter({"": rows}, ("x", "y")))["data"]
    assert (points["x"], points["y"], points["customdata"]) == ([1.0], [2.0], ["a"])
    assert points["name"] == "not known, 1"


def test_names_of_strangers_are_text() -> None:
    figures = (
        table_figures.histogram({HOSTILE: [1.0]}, HOSTILE, step=1),
        table_figures.shares({HOSTILE: {HOSTILE: 1}}, HOSTILE),
        table_figures.scatter({HOSTILE: [(HOSTILE, 1.0, 2.0)]}, (HOSTILE, HOSTILE)),
    )
    assert not any("<script" in json.dumps(drawn(figure)) for figure in figures)


# ---- the page of cases

LABELS = LabelSpace(("bone", "joint"))
SIZE = (30, 40)


def mask(left: int, right: int) -> np.ndarray:
    plane = np.zeros(SIZE, bool)
    plane[5:15, left:right] = True
    return runs.from_mask(plane)


def shown(case: str = "a.png", **masks: dict[str, np.ndarray]) -> cases.Shown:
    return cases.Shown(case, np.zeros(SIZE, np.uint8), masks)


def test_dice() -> None:
    scores = cases.dice({"bone": mask(0, 10)}, {"bone": mask(5, 15)}, LABELS)
    # Half of each is shared; both lack the joint.
    assert scores == pytest.approx({"bone": 0.5, "joint": 1.0}, abs=1e-6)


def test_every_prediction_is_held_against_the_first() -> None:
    one = shown(truth={"bone": mask(0, 10)}, first={"bone": mask(5, 15)}, second={"bone": mask(0, 10)})
    page = cases.render([one], LABELS, "Two")
    assert page.count('<article class="case-card"') == 2
    assert 'aria-label="truth and first"' in page and 'aria-label="truth and second"' in page
    assert "against truth, mean Dice 0.7500" in page and "against truth, mean Dice 1.0000" in page
    assert "missed (truth only)" in page and "extra (first only)" in page


def test_without_a_truth_the_two_are_held_against_each_other() -> None:
    page = cases.render([shown(a={"bone": mask(0, 10)}, b={"bone": mask(5, 15)})], LABELS, "Two")
    assert 'aria-label="a and b"' in page and "missed (a only)" in page and "extra (b only)" in page


def test_an_inline_page_is_the_page() -> None:
    page = cases.render([shown(a={}, b={"bone": mask(0, 3)})], LABELS, "Two")
    held = cases.inline(page, height=300)
    assert (
        html.unescape(
            re.fullmatch(r'<div><iframe srcdoc="([^"]*)" style="[^"]*height:300px[^"]*"></iframe></div>', held)[1]
        )
        == page
    )


def test_strangers_in_a_page() -> None:
    one = cases.Shown(HOSTILE, np.zeros(SIZE, np.uint8), {HOSTILE: {HOSTILE: mask(0, 4)}, "b": {}})
    page = cases.render([one], LabelSpace((HOSTILE,)), HOSTILE)
    assert "<script>alert" not in page
    assert len(re.findall("<script", page)) == 1


def test_written_whole(tmp_path) -> None:
    one = [shown(a={}, b={})]
    cases.write(one, LABELS, "x", tmp_path / "p.html")
    assert (tmp_path / "p.html").read_text(encoding="utf-8") == cases.render(one, LABELS, "x")
    assert [path.name for path in tmp_path.iterdir()] == ["p.html"]
