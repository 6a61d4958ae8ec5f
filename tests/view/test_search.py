"""The page of a search: its numbers, its words, what it leaves out, and strangers' names as text."""

import copy
import json
import re

import pytest

from phalanx.view import _search_figures, _search_tables, search

HOSTILE = "<script>alert(1)</script>\"'&"
THRESHOLDS = [0.25, 0.5, 0.75]


def gain(mean: float, low: float, high: float, p: float) -> dict:
    return {"mean": mean, "interval": [low, high], "p": p}


def state(of: str, x: float, y: float, over_mean: dict | None, over_single: dict | None) -> dict:
    mean = (x + y) / 2
    return {
        "of": of, "mean": mean, "interval": [mean - 0.01, mean + 0.02], "per_class": {"x": x, "y": y},
        "over_mean": over_mean, "over_single": over_single,
    }  # fmt: skip


def report(**changes) -> dict:
    values = {
        "title": "Search of an ensemble", "metric": "dice", "space": "logits", "cases": 12, "groups": 6,
        "classes": ["x", "y"],
        "members": [
            {"name": "light", "weight": 0.0, "score": 0.8, "lost": None, "temperature": 1.0},
            {"name": "heavy", "weight": 0.7, "score": 0.85, "lost": 0.0123, "temperature": 1.0},
            {"name": "middle", "weight": 0.3, "score": 0.83, "lost": -0.0045, "temperature": 1.25},
        ],
        "agreement": [[1, 0.91, 0.92], [0.91, 1, 0.93], [0.92, 0.93, 1]],
        "stages": [
            {"stage": "members", "gain": 0.01, "interval": [0.004, 0.016], "taken": True, "classes": 2},
            {"stage": "thresholds", "gain": 0.001, "interval": [-0.002, 0.004], "taken": False, "classes": 0},
            {"stage": "steps", "gain": 0.002, "interval": [0.001, 0.003], "taken": True, "classes": 1},
        ],
        "scores": [
            state("best single", 0.86, 0.82, gain(-0.02, -0.03, -0.01, 0.002), None),
            state("plain mean", 0.9, 0.82, None, gain(0.02, 0.01, 0.03, 0.002)),
            state("members", 0.92, 0.84, gain(0.02, 0.01, 0.03, 0.004), gain(0.04, 0.03, 0.05, 0.001)),
            state("thresholds", 0.91, 0.84, gain(0.015, 0.005, 0.025, 0.006), gain(0.035, 0.02, 0.05, 0.001)),
            state("steps", 0.91, 0.85, gain(0.02, -0.001, 0.041, 0.0625), gain(0.04, 0.03, 0.05, 0.001)),
        ],
        "fitted": 0.8925, "thresholds": THRESHOLDS,
        "curves": {"x": [0.8, 0.9, 0.7], "y": [0.84, 0.82, 0.1]}, "chosen": {"x": 0.5, "y": 0.25},
        "weights": {"x": [0.0, 0.7, 0.3], "y": [0.0, 0.7, 0.3]}, "steps": {"x": [], "y": ["keep largest", "fill"]},
        "warnings": ["mind the gap"],
    }  # fmt: skip
    return values | changes


def small(classes: int, members: int) -> dict:
    """A report of any size, every class with its own weights."""
    names = [f"c{number}" for number in range(classes)]
    base = report(classes=names, agreement=[[1.0] * members] * members)
    for row in base["scores"]:
        row["per_class"] = dict.fromkeys(names, row["mean"])
    rows = {name: [float(place == number % members) for place in range(members)] for number, name in enumerate(names)}
    one = base["members"][1]
    return base | {
        "members": [one | {"name": f"m{place}", "weight": 1 / members} for place in range(members)],
        "curves": {name: [0.8 - 0.001 * number, 0.9, 0.7] for number, name in enumerate(names)},
        "chosen": dict.fromkeys(names, 0.5), "weights": rows, "steps": {name: [] for name in names},
    }  # fmt: skip


def test_the_page_is_well_formed_small_and_fetches_nothing(html):
    source = search.page(report())
    outline = html(source)
    assert outline.well_formed
    assert "default-src 'none'" in source
    assert html(source).fetches == []
    assert re.findall(r'<section id="(\w+)"', source) == [
        "scores", "stages", "members", "agreement", "thresholds", "classes",
    ]  # fmt: skip
    assert len(search.page(small(60, 20))) < 5_000_000


def test_equal_reports_give_equal_pages_and_a_report_is_left_as_it_was():
    given = report()
    kept = copy.deepcopy(given)
    assert search.page(given) == search.page(copy.deepcopy(given))
    assert given == kept


def test_the_result_stands_first_in_words(html):
    said = html(search.page(report())).text
    assert "Nested mean Dice 0.8800 95 % interval [0.8700, 0.9000] 12 cases of 6 groups" in said
    assert "the ensemble scores a mean Dice of 0.8800 [0.8700, 0.9000]." in said
    assert "+0.0200 [-0.0010, +0.0410], p = 0.0625, over the plain mean of all members: not separable" in said
    assert "+0.0400 [+0.0300, +0.0500], p = 0.0010, over the best single member: separable from zero." in said
    assert "the choice scores 0.8925: 0.0125 of it is optimism" in said
    assert said.index("0.0125 of it is optimism") < said.index("warning mind the gap") < said.index("Nested: each case")
    assert "Optimism +0.0125 0.8925 on the searched cases" in said
    assert "Members with weight 2 of 3 mean of logits Stages taken 2 of 3" in said


def test_a_loss_and_no_optimism_are_called_that(html):
    scores = report()["scores"]
    scores[-1]["over_mean"] = gain(-0.02, -0.03, -0.01, 0.002)
    said = html(search.page(report(scores=scores, fitted=0.88, metric="iou", space="probability"))).text
    assert "-0.0200 [-0.0300, -0.0100], p = 0.0020, over the plain mean of all members: a loss separable from" in said
    assert "the choice scores 0.8800: no more than on unseen cases" in said
    assert "mean IoU of" in said and "mean of probabilities" in said


def test_the_figure_of_states_keeps_their_order_and_fades_what_was_not_taken(html):
    source = search.page(report())
    drawn = html(source).figure("scores")
    states = [trace for trace in drawn["data"] if "error_x" in trace]
    assert [trace["x"][0] for trace in states] == pytest.approx([0.84, 0.86, 0.88, 0.875, 0.88])
    assert [trace["y"][0] for trace in states] == [0, 1, 2, 3, 4]
    assert [trace["opacity"] < 1 for trace in states] == [False, False, False, True, False]
    assert states[0]["error_x"]["array"] == pytest.approx([0.02])
    assert states[0]["error_x"]["arrayminus"] == pytest.approx([0.01])
    fitted = drawn["data"][-1]
    assert (fitted["x"], fitted["y"]) == ([0.8925], [4])
    assert drawn["layout"]["yaxis"]["ticktext"][2:] == ["members", "thresholds (not taken)", "<b>steps</b> = ensemble"]
    said = html(source).text
    assert (
        "thresholds not taken 0.8750 [0.8650, 0.8950] +0.0150 [+0.0050,\xa0+0.0250] 0.0060".replace("\xa0", " ") in said
    )


def test_a_last_stage_that_was_not_taken_is_still_the_ensemble():
    drawn = _search_figures.states(report()["scores"], {"steps": False}, "Dice")
    assert drawn.data[-1].opacity == 1
    assert drawn.layout.yaxis.ticktext[-1] == "<b>steps (not taken)</b> = ensemble"


@pytest.mark.parametrize(
    ("value", "interval", "taken", "why"),
    [
        (0.01, [0.004, 0.016], True, "the gain is separable from zero"),
        (0.01, [-0.004, 0.016], True, "as told to; the gain may be luck"),
        (0.01, [0.004, 0.016], False, "it gains on other groups, but fitted on all cases it changes nothing"),
        (0.01, [-0.004, 0.016], False, "the gain may be luck: its interval holds zero"),
        (-0.01, [-0.02, 0.01], False, "no gain on other groups"),
        (0.0, [0.0, 0.0], False, "nothing better was found"),
    ],
)
def test_a_stage_says_why(value, interval, taken, why, html):
    stage = {"stage": "steps", "gain": value, "interval": interval, "taken": taken, "classes": 7}
    said = html(_search_tables.stages({"stages": [stage]})).text
    assert said.rstrip().endswith(f" {'taken' if taken else 'not taken'} 7 {why}")


def test_members_stand_by_weight_everywhere(html):
    source = search.page(report(weights={"x": [0.0, 0.8, 0.2], "y": [0.0, 0.6, 0.4]}))
    said = html(source).text
    assert "heavy 0.700 0.8500 +0.0123 1.000 middle 0.300 0.8300 -0.0045 1.250 light 0.000 0.8000 – 1.000" in said
    bars, alone, lost = html(source).figure("members")["data"]
    assert (bars["x"], alone["x"], lost["x"]) == ([0.7, 0.3, 0.0], [0.85, 0.83, 0.8], [0.0123, -0.0045, None])
    assert html(source).figure("agreement")["data"][0]["z"] == [
        [None, 0.93, 0.91],
        [0.93, None, 0.92],
        [0.91, 0.92, None],
    ]
    assert html(source).figure("weights")["data"][0]["z"] == [[0.8, 0.2, 0.0], [0.6, 0.4, 0.0]]
    # The first of equally common weights counts as common; the other class has its own.
    assert "y 0.25 60 · 40 · 0 keep largest, fill 0.8200 0.8500 +0.0300 x 0.50 – – 0.9000 0.9100 +0.0100" in said


def test_temperatures_that_are_all_one_are_not_shown(html):
    members = [member | {"temperature": 1.0} for member in report()["members"]]
    assert "temperature" in html(search.page(report())).text
    assert "temperature" not in html(search.page(report(members=members))).text


def test_classes_without_own_weights_or_steps_have_no_columns_for_them(html):
    source = search.page(report(steps={"x": [], "y": []}))
    assert "chart-weights" not in source
    assert "own weights" not in html(source).text
    assert "class threshold plain mean ensemble gain y 0.25 0.8200 0.8500 +0.0300 x 0.50" in html(source).text


def test_few_classes_have_a_line_each_and_a_point(html):
    drawn = html(search.page(report())).figure("thresholds")["data"]
    lines = {trace["name"]: trace for trace in drawn if trace["mode"] == "lines"}
    points = {trace["name"]: (trace["x"], trace["y"]) for trace in drawn if trace["mode"] == "markers"}
    assert lines["y"]["x"] == THRESHOLDS and lines["y"]["y"] == [0.84, 0.82, 0.1]
    assert points == {"x": ([0.5], [0.9]), "y": ([0.25], [0.84])}
    assert all(trace["showlegend"] for trace in lines.values())


def test_of_many_classes_those_that_lose_most_at_half_are_coloured():
    lines = {f"c{number}": [0.9, 0.9 - 0.01 * number, 0.8] for number in range(29)}
    drawn = _search_figures.curves(THRESHOLDS, lines, dict.fromkeys(lines, 0.25), "Dice")
    curves = {trace.name: trace for trace in drawn.data if trace.mode == "lines"}
    assert len(curves) == 29
    assert {name for name, trace in curves.items() if trace.showlegend} == {f"c{number}" for number in range(23, 29)}
    assert curves["c28"].y == pytest.approx([0, -0.28, -0.1])
    assert drawn.layout.yaxis.range[0] < -0.28


def test_the_threshold_axis_does_not_follow_curves_to_their_ends():
    drawn = _search_figures.curves([0.05, 0.4, 0.6, 0.95], {"x": [0.0, 0.9, 0.88, 0.1]}, {"x": 0.4}, "Dice")
    assert 0.87 < drawn.layout.yaxis.range[0] < 0.88
    # A chosen threshold is seen, wherever it is.
    drawn = _search_figures.curves([0.05, 0.4, 0.6, 0.95], {"x": [0.0, 0.9, 0.88, 0.1]}, {"x": 0.95}, "Dice")
    assert drawn.layout.yaxis.range[0] < 0.1


def test_the_numbers_of_long_curves_are_thinned():
    assert _search_figures.some(3) == [0, 1, 2]
    assert _search_figures.some(97) == [*range(0, 97, 6)]


def test_one_member(html):
    one = {
        "members": [{"name": "only", "weight": 1.0, "score": 0.85, "lost": None, "temperature": 1.0}],
        "agreement": [[1.0]], "weights": {"x": [1.0], "y": [1.0]}, "warnings": [],
    }  # fmt: skip
    source = search.page(report(**one))
    said = html(source).text
    assert not {"chart-agreement", "chart-weights"} & set(html(source).ids)
    assert "over the member as it is: not separable from zero." in said
    assert "over the best single member" not in said
    assert "badge warning" not in re.sub(r"(?s)<style.*?</style>", "", source)
    assert len(html(source).figure("members")["data"]) == 2


def test_two_members_and_one_class_need_no_maps(html):
    given = small(1, 2)
    given["agreement"] = [[1, 0.97], [0.97, 1]]
    source = search.page(given)
    assert "m0 and m1: 0.9700" in html(source).text
    assert not {"chart-agreement", "chart-weights"} & set(html(source).ids)


def test_scores_on_test_cases_have_a_section_of_their_own(html):
    rows = copy.deepcopy(report()["scores"])
    rows[-1] |= {"mean": 0.7777, "interval": [0.77, 0.78], "over_mean": None, "over_single": None}
    source = search.page(report(test=rows))
    assert "On the test cases it scores 0.7777 [0.7700, 0.7800]." in html(source).text
    drawn = html(source).figure("test")["data"]
    assert len(drawn) == 5 and drawn[-1]["x"] == [0.7777]


def test_differences_have_a_sign_and_zero_has_none():
    assert [_search_tables.signed(value) for value in (0.00123, -0.5, 0.00001, -0.00001, None, float("nan"))] == [
        "+0.0012", "-0.5000", "0.0000", "0.0000", "–", "–",
    ]  # fmt: skip


def test_names_of_strangers_are_text(html):
    given = small(7, 3)
    members = [member | {"name": HOSTILE + member["name"]} for member in given["members"]]
    told = json.loads(json.dumps(given).replace('"c1"', json.dumps(HOSTILE)))
    told |= {"members": members, "title": HOSTILE, "warnings": [HOSTILE]}
    told["steps"]["c2"] = [HOSTILE]
    for row in (told["stages"][1], told["scores"][3]):
        row["stage" if "stage" in row else "of"] = HOSTILE
    plain, source = search.page(given), search.page(told)
    assert "<script>alert" not in source
    assert html(source).counts["script"] == html(plain).counts["script"]
    # Text in Plotly is HTML of its own.
    for name in ("scores", "members", "agreement", "weights", "thresholds"):
        assert "<script" not in json.dumps(html(source).figure(name))


@pytest.mark.parametrize(("members", "angle"), [(4, 0), (8, -40), (9, -90)])
def test_many_names_above_a_map_stand_upright(members, angle, html):
    source = search.page(small(3, members))
    for name in ("agreement", "weights"):
        assert html(source).figure(name)["layout"]["xaxis"]["tickangle"] == angle
