"""The page of a comparison: well formed, its numbers, and strangers' names as text."""

import json

import numpy as np
import pytest

from phalanx.metrics._agreement import Disagreement
from phalanx.view import _agreement, agreement
from phalanx.view.agreement import Page

HOSTILE = "<script>alert(1)</script>\"'&"


def page(**changes) -> Page:
    per_class = np.array([[[1, 0.8, 0.3], [0.8, 1, 0.4], [0.3, 0.4, 1]], [[1, 0.9, 1], [0.9, 1, 0.95], [1, 0.95, 1]]])
    values = {
        "names": ["a.csv", "b.csv", "c.csv"],
        "classes": ["x", "y"],
        "images": 4,
        "keys": 8,
        "matrix": per_class.mean(0),
        "per_class": per_class,
        "of_files": (per_class.sum(-1) - 1) / 2,
        "largest": [Disagreement("1.png", "x", 0.25, 2, 0.0, 0.75), Disagreement("2.png", "y", 0.5, None, None, None)],
    }
    return Page(**(values | changes))


def test_the_page_is_well_formed_and_fetches_nothing(html):
    source = agreement.render(page())
    outline = html(source)
    assert outline.well_formed
    assert {"chart-files", "chart-classes", "plotly"} <= set(outline.ids)
    assert "default-src 'none'" in source
    assert html(source).fetches == []


def test_the_numbers_stand_in_the_tables(html):
    said = html(agreement.render(page())).text
    assert "Mean Dice of all pairs 0.7250 8 masks of 4 images" in said
    assert "Closest pair a.csv and b.csv 0.8500" in said
    assert "Furthest pair a.csv and c.csv 0.6500" in said
    assert "Furthest from the others c.csv 0.6625" in said
    assert "Class most in doubt x 0.5000" in said
    assert "1.png x 0.2500 c.csv 0.0000 0.7500" in said


def test_the_figures_hold_the_numbers_the_class_in_doubt_first(html):
    source = agreement.render(page(classes=["y", "x"], of_files=page().of_files[::-1]))
    matrix, classes = html(source).figure("files")["data"][0], html(source).figure("classes")
    assert matrix["z"] == [[None, 0.85, 0.65], [0.85, None, 0.675], [0.65, 0.675, None]]
    assert (matrix["zmin"], matrix["zmax"]) == pytest.approx((0.65, 0.85))
    assert classes["data"][0]["z"][0] == pytest.approx([0.55, 0.6, 0.35])
    assert classes["layout"]["yaxis"]["ticktext"] == ["x", "y"]
    assert classes["layout"]["xaxis"]["ticktext"] == ["a.csv", "b.csv", "c.csv"]


def test_files_that_agree_are_not_painted_as_if_they_did_not():
    drawn = _agreement.matrix(["a", "b"], np.array([[1, 0.9999], [0.9999, 1]])).data[0]
    assert drawn.zmax - drawn.zmin >= 0.01


def test_names_of_strangers_are_text(html):
    hostile = [Disagreement(HOSTILE, HOSTILE, 0.1, 0, 0.1, 0.1)]
    names = [HOSTILE, HOSTILE + "2", "c"]
    plain, told = (
        agreement.render(made) for made in (page(), page(names=names, classes=[HOSTILE, "y"], largest=hostile))
    )
    assert "<script>alert" not in told
    assert html(told).counts["script"] == html(plain).counts["script"]
    # Text in Plotly is HTML of its own.
    for name in ("files", "classes"):
        assert "<script" not in json.dumps(html(told).figure(name))


def test_two_files_of_one_class():
    matrix = np.array([[1, 0.5], [0.5, 1]])
    one = {"classes": ["mask"], "matrix": matrix, "per_class": matrix[None], "of_files": np.array([[0.5, 0.5]])}
    made = page(names=["a", "b"], largest=[], **one)
    source = agreement.render(made)
    assert "chart-classes" not in source
    assert "Furthest from the others" not in source
    assert "All files say the same." in source


def test_a_page_is_written_whole(tmp_path):
    agreement.write(page(), tmp_path / "p.html")
    assert (tmp_path / "p.html").read_text(encoding="utf-8") == agreement.render(page())
    assert [path.name for path in tmp_path.iterdir()] == ["p.html"]
