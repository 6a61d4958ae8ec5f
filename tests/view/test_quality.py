"""The page of label quality: what is on it, and that nothing on it can run."""

import re

import numpy as np
import pytest

from phalanx.core.case import Finding
from phalanx.core.labels import LabelSpace
from phalanx.mask import runs
from phalanx.view import _quality_picture, quality

SIZE = (90, 120)
EVIL = "<script>alert(1)</script>"
LABELS = LabelSpace(("a", EVIL))


def mask(top, left, height, width):
    plane = np.zeros(SIZE, bool)
    plane[top : top + height, left : left + width] = True
    return runs.from_mask(plane)


IMAGE = np.random.default_rng(0).integers(0, 200, SIZE, np.uint8)
MASKS = {"a": mask(40, 60, 10, 16), EVIL: mask(5, 5, 20, 30)}


def box_of(svg):
    return float(re.search(r'viewBox="0 0 ([\d.]+) ', svg)[1])


def points_of(svg, kind):
    paths = re.findall(rf'class="{kind}"[^>]* d="M([^"]+)z"', svg)
    return [np.array(path.split(), float).reshape(-1, 2) for path in paths]


def test_a_picture_is_cut_round_its_class():
    svg = _quality_picture.drawing(IMAGE, MASKS, ["a"], LABELS)
    # 16 px wide, 60 % more is 25.6, and no less than 18 % of the image: 25 px.
    assert box_of(svg) == 25
    (outline,) = points_of(svg, "about")
    corner = outline.min(0)
    # The mask's middle (68, 45) is the picture's, and its outline runs through the middle of its border pixels.
    assert outline.mean(0) == pytest.approx([12.5, 12.5], abs=1)
    assert outline.max(0) - corner == pytest.approx([15, 9])
    assert LABELS.colours[0] in svg
    (beside,) = points_of(svg, "beside")
    assert len(beside) >= 4


def test_without_a_class_all_of_the_image_is_shown():
    svg = _quality_picture.drawing(IMAGE, MASKS, [], LABELS)
    assert box_of(svg) == max(SIZE)
    assert "<path" not in svg
    assert box_of(_quality_picture.drawing(np.zeros((900, 700, 3), np.uint8), {}, ["a"], LABELS)) == 360
    # A mask at the border: the picture stays inside the image.
    svg = _quality_picture.drawing(IMAGE, {"a": mask(80, 110, 10, 10)}, ["a"], LABELS)
    assert points_of(svg, "about")[0].max() == pytest.approx(box_of(svg) - 0.5, abs=0.1)


@pytest.fixture
def content():
    findings = [
        Finding("warning", "x.png", f"odd: {EVIL}.", ("a", EVIL), remedy={"swap": ["a", EVIL]}),
        Finding("warning", "y.png", "odd: again.", ("a",)),
        Finding("error", EVIL, "worse: it is.", ()),
        Finding("warning", "", "of the whole: set."),
    ]
    picture = _quality_picture.drawing(IMAGE, MASKS, ["a", EVIL], LABELS)
    return quality.Quality(
        title=EVIL, command="phalanx check x", labels=LABELS, facts={"Cases": 3, EVIL: EVIL}, findings=findings,
        pictures=[(findings[0], [picture]), (findings[2], [picture, picture])],
        classes={"a": [0.1, 0.3], EVIL: []},
        wrists=quality.Wrists([1.0, 5.0, 40.0], [50.0], {"Bent": "33 %"}),
    )  # fmt: skip


def test_everything_is_said_and_nothing_can_run(content):
    page = quality.page(content)
    assert page == quality.page(content)
    assert EVIL not in page
    assert page.count("<figure>") == 2 and page.count('class="pair"') == 1
    assert "2 findings; the first 1 are shown." in page
    row = re.search(r"<tr><td[^>]*>[^/]*</span></td><td[^>]*>odd</td>(.*?)</tr>", page)[1]
    assert re.findall(r">(\d+)<", row) == ["2", "2", "1"]
    assert "20.000 %" in page and "Bent" in page and 'id="figure-wrists"' in page
    assert [word in page for word in ("Errors", "Cases with findings")] == [True, True]


def test_an_empty_page():
    empty = quality.Quality("t", "c", LABELS, {}, [], [])
    assert "noticed nothing odd" in quality.page(empty)


def test_bends_are_shares_of_their_set():
    figure = quality.bends([0.0, 3.0, 41.0], [])
    (bars,) = figure.data
    assert bars.name == "labelled: 3, median 3"
    assert {x: y for x, y in zip(bars.x, bars.y, strict=True) if y} == pytest.approx({2.5: 66.667, 42.5: 33.333})
    assert sorted(line.x0 for line in figure.layout.shapes) == [-30, 30]
    assert len(quality.bends([0.0], [1.0]).data) == 2
