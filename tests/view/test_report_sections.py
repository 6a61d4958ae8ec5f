"""The sections of a report that sum something up: their numbers, by hand."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from phalanx.core.labels import LabelSpace
from phalanx.metrics import _summary
from phalanx.view import _report_confusion, _report_data, _report_run, _report_wrists, run_figures
from phalanx.view.case_facts import CaseFacts

LABELS = LabelSpace(("a", "b", "c"))


def text(source: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", re.sub(r"(?s)<(script|style).*?</\1>", "", source)))


def figure(source: str, name: str) -> dict:
    return json.loads(re.search(rf'id="figure-{name}">(.*?)</script>', source, re.DOTALL)[1])


def decoded(values: dict | list) -> np.ndarray:
    """Numbers of a figure, which Plotly writes as base64 where they were an array."""
    import base64

    if isinstance(values, dict):
        flat = np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])
        return flat.reshape([int(side) for side in str(values.get("shape", len(flat))).split(",")])
    return np.array(values, float)


def hand(group: str, bend: float | None, fold: str = "0", part: str = "train") -> CaseFacts:
    return CaseFacts(part, group, fold if part == "train" else "", (10, 20), bend, "truth")


# ---- data


def test_folds_and_sizes() -> None:
    cases = {
        "x": hand("p", None), "y": hand("p", None), "z": hand("q", None, fold="1"), "t": hand("r", None, part="test"),
        "big": CaseFacts("test", "s", "", (30, 40), None, "truth"),
    }  # fmt: skip
    table = pd.DataFrame({"a": [0.5, 0.7], "b": [0.9, 0.9]}, index=["x", "y"])
    said = text(_report_data.section({"Reader": "coco"}, cases, None, table, LABELS))
    # Fold 0: two cases of one person, (0.6 + 0.9) / 2; one person has no spread. Fold 1 was not scored.
    assert "Folds fold cases groups Dice 95 % interval 0 2 1 0.7500 [0.7500, 0.7500] 1 1 1 – –" in said
    assert "Image sizes height × width in px cases 10 × 20 4 30 × 40 1" in said


def test_areas() -> None:
    cases = {"x": hand("p", None), "y": hand("q", None), "z": hand("q", None)}
    cases["t"] = CaseFacts("test", "r", "", (10, 20), None, "prediction")
    # 200 pixels an image; c is nowhere, and the predicted areas of t do not count.
    areas = pd.DataFrame({"a": [2, 4, 8, 200], "b": [0, 20, 40, 200], "c": [0, 0, 0, 200]}, index=["x", "y", "z", "t"])
    source = _report_data.section({}, cases, areas, pd.DataFrame(), LABELS)
    said = text(source)
    # Medians of 1, 2 and 4 %; of b's 10 and 20 %.
    assert "a 2 4 2 8 3 b 15 30 20 40 2 c – – – – 0" in said
    shown = figure(source, "areas")
    assert shown["layout"]["yaxis"]["ticktext"] == ["b", "a"]
    assert decoded(shown["data"][1]["x"]).tolist() == [15.0, 2.0]
    assert decoded(shown["data"][0]["base"]).tolist() == [12.5, 1.5]


# ---- confusion


def test_confusion() -> None:
    # a: 90 found, 10 missed, of which b took 4 and c 1; 5 nobody took. b lost nothing. c: 2 of 20 went to a and to b.
    counts = [[90, 4, 1, 5, 10], [0, 50, 0, 0, 0], [2, 2, 18, 0, 2]]
    table = pd.DataFrame(counts, index=list("abc"), columns=[*"abc", "nobody", "missed"])
    source = _report_confusion.section(table)
    said = text(source)
    assert "12 pixels of 170 were missed. Of these 41.7 % were taken by no other class, 58.3 %" in said
    listed = said[said.index("pixels", said.index("Largest")) :]
    assert listed.strip() == "pixels c a 10 % 100.0 % 2 c b 10 % 100.0 % 2 a b 4 % 40.0 % 4 a c 1 % 10.0 % 1"
    heat = figure(source, "confusion")["data"][0]
    assert heat["x"] == heat["y"] == ["a", "b", "c"]
    found = decoded(heat["z"])
    assert np.isnan(found[[0, 1, 1, 1, 2], [0, 0, 1, 2, 2]]).all()
    assert 10 ** found[[0, 0, 2, 2], [1, 2, 0, 1]] == pytest.approx([4, 1, 10, 10], rel=1e-5)


@pytest.mark.parametrize(
    ("shares", "ticks"), [((0.02, 0.5), ["0.03", "0.1", "0.3"]), ((0.0005, 4), ["0.01", "0.1", "1"])]
)
def test_confusion_marks_few_shares(shares: tuple[float, float], ticks: list[str]) -> None:
    table = pd.DataFrame([[0, shares[0]], [shares[1], 0]], index=list("ab"), columns=list("ab"))
    bar = run_figures.confusion(table).data[0].colorbar
    # The scale reaches down to a thousandth of the largest share.
    assert list(bar.ticktext) == ticks
    assert list(10 ** np.array(bar.tickvals)) == pytest.approx([float(mark) for mark in ticks])


def test_nothing_confused() -> None:
    assert _report_confusion.section(None) == ""
    perfect = pd.DataFrame([[7, 0, 0]], index=["a"], columns=["a", "nobody", "missed"])
    assert "No pixel was missed" in _report_confusion.section(perfect)
    alone = pd.DataFrame([[7, 3, 3]], index=["a"], columns=["a", "nobody", "missed"])
    assert "30" not in text(_report_confusion.section(alone)) and "figure-" not in _report_confusion.section(alone)
    assert "3 pixels of 10 were missed. Of these 100.0 %" in text(_report_confusion.section(alone))


# ---- wrists


def people(straight: int, bent: int) -> dict[str, CaseFacts]:
    """Two hands each; a bend to the thumb's side counts as well, and 30 degrees are no longer straight."""
    cases = {}
    for person in range(straight + bent):
        for place in range(2):
            bend = (29.9, -5.0)[place] if person < straight else (45.0, -30.0)[place]
            cases[f"{person}-{place}"] = hand(f"p{person}", bend)
    return cases


def test_straight_and_bent() -> None:
    cases = people(3, 2)
    cases["t0"], cases["t1"], cases["t2"] = (hand("t", bend, part="test") for bend in (50.0, -60.0, 3.0))
    cases["t3"] = hand("u", None, part="test")
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.random((10, 2)), index=[key for key in cases if key[0] != "t"], columns=["a", "b"])
    found = _report_wrists.measure(cases, table)
    scores = table.to_numpy()
    assert (found.counts, found.groups) == ((6, 4), (3, 2))
    assert found.means == pytest.approx((scores[:6].mean(), scores[6:].mean()))
    assert found.per_class["b"] == pytest.approx((scores[:6, 1].mean(), scores[6:, 1].mean()))
    assert found.test_share == pytest.approx(2 / 3)
    assert found.weighted[0] == pytest.approx(scores[:6].mean() / 3 + scores[6:].mean() * 2 / 3)
    # The straight people alone are a bootstrap of their own: about the same interval.
    alone = _summary.interval(scores[:6], [cases[case].group for case in table.index[:6]])
    assert found.bounds[0] == pytest.approx(alone, abs=0.03)


def test_equal_loss_of_everybody_has_no_interval() -> None:
    cases = people(4, 3)
    table = pd.DataFrame(0.9, index=list(cases), columns=["a", "b"])
    table.loc[[case for case, fact in cases.items() if fact.group in ("p4", "p5", "p6")], "a"] = 0.7
    found = _report_wrists.measure(cases, table)
    assert found.gap["a"] == pytest.approx((-0.2, -0.2)) and found.gap["b"] == pytest.approx((0, 0))
    assert found.gap[""] == pytest.approx((-0.1, -0.1))
    assert found.test_share is None and found.weighted is None
    source = _report_wrists.section(cases, table)
    assert "Bent less straight: -0.1000, 95 % interval [-0.1000, -0.1000]." in text(source)
    lines = [trace for trace in figure(source, "wrists")["data"] if trace["mode"] == "lines"]
    # a suffers and stands first, with a whole line; b is dotted.
    assert [(line["line"]["dash"], decoded(line["y"])[0]) for line in lines] == [("solid", 0.0), ("dot", 1.0)]


def test_too_few_or_no_wrists() -> None:
    cases = people(3, 1)
    table = pd.DataFrame(0.9, index=list(cases), columns=["a"])
    assert _report_wrists.measure(cases, table) is None
    source = _report_wrists.section(cases, table)
    assert "not compared" in source and "figure-bends" in source and "figure-wrists" not in source
    assert _report_wrists.section({case: hand("p", None) for case in cases}, table) == ""
    assert _report_wrists.section({}, table) == ""
    assert _report_wrists.section(cases, pd.DataFrame()) == ""


# ---- run


def test_time_and_memory() -> None:
    memory = {"train": {"host": 3 * 2**29, "device": 5 * 2**30}, "predict": {"host": 2**29}}
    source = _report_run.section(
        {"train": 90.0, "predict": 30.0, "odd": 1.0}, memory, {"torch": "2.8"}, {}, config_yaml="a: 1\nb: 2\n"
    )
    said = text(source)
    assert "train 1 min 30 s 1.50 GiB 5.00 GiB predict 30.0 s 512 MiB – odd 1.0 s – –" in said
    assert "Versions package version torch 2.8" in said and "Machine" not in said
    assert "Resolved configuration (2 lines)" in said
    assert _report_run.peak(memory) == "at most 1.50 GiB memory, 5.00 GiB GPU memory"
    assert _report_run.peak({}) == "all stages together"
