"""The page of a search: what the ensemble gains on cases the search did not see; one HTML file that opens anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from phalanx import __version__
from phalanx.view import _agreement, _format, _html, _scores, _search_figures, _search_tables
from phalanx.view._html import escape
from phalanx.view._search_tables import signed

_NOTES = {
    "scores": "Nested: each case is scored by a search that saw neither the case nor its group, decisions included. A "
    "row is the state after that stage, the last one the ensemble. Whiskers and brackets are 95 % intervals, the "
    "dotted line is the plain mean, the diamond the final choice on the very cases it was found on. A grey stage was "
    "not taken on all cases; a fold may have taken it, so its score can still move.",
    "test": "Cases that no part of the search saw.",
    "stages": "Each stage was fitted on some groups and tried on the others, against what stood before it. It is taken "
    "when its gain there is separable from zero.",
    "agreement": "Mean Dice between the masks of two members. An ensemble gains from members that are good and differ; "
    "two that agree almost everywhere count as one.",
    "weights": "The share of each member in the mean, class by class.",
}


def page(report: dict[str, Any]) -> str:
    """The whole page. Equal reports give equal pages, byte for byte.

    Args:
        report: plain data.

            - `title`, `metric`, `space`, `cases`, `groups`, `classes`, `warnings`, `thresholds`: as they say.
            - `members`: `name`, `weight` (share of all, mean over classes), `score` (alone), `lost` (what the score
              loses without it, or None) and `temperature` of each.
            - `agreement`: mean Dice between the masks of each two members.
            - `stages`: `stage`, `gain`, `interval`, `taken` and `classes` (how many it changed) of each.
            - `scores`: nested scores, `of`, `mean`, `interval`, `per_class`, `over_mean` and `over_single`; first
              `best single` and `plain mean`, then the state after each stage, the last of them the searched ensemble.
            - `fitted`: score of the choice on the cases it was found on.
            - `curves`: class -> mean score at each of `thresholds`.
            - `chosen`, `weights`, `steps`: class -> its threshold, share of each member, and steps in words.
            - `test`: optional; like `scores`, of other cases.
    """
    report = _heaviest_first(report)
    parts = (
        ("scores", "Nested scores", _nested(report), ""),
        ("test", "Test scores", _test(report), ""),
        ("stages", "Stages", _search_tables.stages(report), ""),
        ("members", "Members", _members(report), _about_members(report)),
        ("agreement", "Agreement", _agreement_of(report), ""),
        ("weights", "Weights", _weights(report), ""),
        ("thresholds", "Thresholds", _thresholds(report), _about_thresholds(report)),
        ("classes", "Classes", _search_tables.classes(report), _about_classes(report)),
    )
    shown = [
        (name, title, _html.section(name, title, body, note or _NOTES[name]))
        for name, title, body, note in parts
        if body
    ]
    titles = (report["title"], "phalanx search RUN ... -o NAME.yaml")
    return _html.page("Phalanx search", titles, _headline(report), shown, __version__)


def _heaviest_first(report: dict[str, Any]) -> dict[str, Any]:
    """The same report with its members in the order of their weights, wherever they stand."""
    members = report["members"]
    order = sorted(range(len(members)), key=lambda place: -members[place]["weight"])
    return report | {
        "members": [members[place] for place in order],
        "agreement": [[report["agreement"][row][column] for column in order] for row in order],
        "weights": {name: [row[place] for place in order] for name, row in report["weights"].items()},
    }


def _headline(report: dict[str, Any]) -> str:
    last = report["scores"][-1]
    of = f"{_format.count(report['cases'], 'case')} of {_format.count(report['groups'], 'group')}"
    score = (
        f'<div class="score"><div class="name">Nested mean {escape(_scores.title(report))}</div>'
        f'<div class="value">{_format.number(last["mean"])}</div><div class="bounds">95 % interval '
        f'<span>{_format.interval(last["interval"])}</span></div><div class="of">{of}, none seen by the search that '
        "scored it</div></div>"
    )
    boxes = "".join(
        f'<div class="{kind}"><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(small)}</small></dd></div>'
        for name, value, small, kind in _tiles(report)
    )
    said = "".join(f'<p style="max-width:84ch">{escape(line)}</p>' for line in _sentences(report))
    badge = '<span class="badge warning">warning</span>'
    lines = "".join(f"<li>{badge} {escape(line)}</li>" for line in report["warnings"])
    warnings = f'<ul class="notes" style="list-style:none;padding:0">{lines}</ul>' if lines else ""
    return f'<div class="headline">{score}<dl class="tiles">{boxes}</dl></div>{said}{warnings}'


def _tiles(report: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Name, value, detail and kind of the small boxes."""
    last, members, stages = report["scores"][-1], report["members"], report["stages"]
    tiles = []
    for key, name in _rivals(report):
        gain = last[key]
        if gain:
            kind = "" if gain["interval"][0] > 0 else "warning"
            tiles.append((f"Over the {name}", signed(gain["mean"]), _verdict(gain), kind))
    optimism = report["fitted"] - last["mean"]
    used = sum(member["weight"] > 0 for member in members)
    averaged = {"logits": "logits", "probability": "probabilities"}[report["space"]]
    return [
        *tiles,
        ("Optimism", signed(optimism), f"{_format.number(report['fitted'])} on the searched cases", ""),
        ("Members with weight", f"{used} of {len(members)}", f"mean of {averaged}", ""),
        ("Stages taken", f"{sum(stage['taken'] for stage in stages)} of {len(stages)}", "", ""),
        ("Cases × classes", f"{report['cases']:,} × {len(report['classes']):,}", "", ""),
    ]


def _rivals(report: dict[str, Any]) -> list[tuple[str, str]]:
    """What the ensemble is held against; the mean of one member is that member."""
    if len(report["members"]) == 1:
        return [("over_mean", "member as it is")]
    return [("over_mean", "plain mean"), ("over_single", "best single")]


def _sentences(report: dict[str, Any]) -> list[str]:
    """The honest result in words."""
    last, metric = report["scores"][-1], _scores.title(report)
    seen = (
        f"On cases that the search did not see, the ensemble scores a mean {metric} of {_format.number(last['mean'])} "
        f"{_format.interval(last['interval'])}. {_compared(report, last)}"
    )
    optimism = round(report["fitted"] - last["mean"], 4)
    excess = (
        f"{_format.number(optimism)} of it is optimism, not to be expected on new cases"
        if optimism > 0
        else "no more than on unseen cases, so the search did not fit itself to them"
    )
    said = [
        f"{seen} On the very cases it was found on, the choice scores {_format.number(report['fitted'])}: {excess}."
    ]
    if report.get("test"):
        row = report["test"][-1]
        said.append(
            f"On the test cases it scores {_format.number(row['mean'])} {_format.interval(row['interval'])}. "
            f"{_compared(report, row)}"
        )
    return [line.strip() for line in said]


def _compared(report: dict[str, Any], row: dict[str, Any]) -> str:
    """The gains of a state over the plain mean and the best single member."""
    said = []
    for key, name in _rivals(report):
        gain = row.get(key)
        if gain:
            numbers = f"{signed(gain['mean'])} {_search_tables.bounds(gain['interval'])}, p = {gain['p']:.4f}"
            of = {"plain mean": " of all members", "best single": " member"}.get(name, "")
            said.append(f"{numbers}, over the {name}{of}: {_verdict(gain)}")
    return f"That is {'; and '.join(said)}." if said else ""


def _verdict(gain: dict[str, Any]) -> str:
    """Whether a gain may be luck."""
    low, high = gain["interval"]
    return "separable from zero" if low > 0 else "a loss separable from zero" if high < 0 else "not separable from zero"


def _nested(report: dict[str, Any]) -> str:
    taken = {stage["stage"]: stage["taken"] for stage in report["stages"]}
    figure = _search_figures.states(report["scores"], taken, _scores.title(report), report["fitted"])
    chart = _html.chart("scores", figure, "nested score of each state, with its interval")
    return chart + _search_tables.states(report["scores"], taken)


def _test(report: dict[str, Any]) -> str:
    rows = report.get("test")
    if not rows:
        return ""
    taken = {stage["stage"]: stage["taken"] for stage in report["stages"]}
    figure = _search_figures.states(rows, taken, _scores.title(report))
    chart = _html.chart("test", figure, "score of each state on the test cases, with its interval")
    return chart + _search_tables.states(rows, taken)


def _members(report: dict[str, Any]) -> str:
    plain = next((row["mean"] for row in report["scores"] if row["of"] == "plain mean"), None)
    figure = _search_figures.members(report["members"], plain, _scores.title(report))
    label = "weight of each member, its score alone, and what is lost without it"
    return _html.chart("members", figure, label) + _search_tables.members(report)


def _about_members(report: dict[str, Any]) -> str:
    if len(report["members"]) == 1:
        return "The only member: weights have nothing to choose from."
    share = " (mean over the classes)" if _search_tables.differ(report) else ""
    return (
        f"Heaviest first. Weight: the share in the mean{share}. Alone: out of fold, cut at 0.5; the dotted line is the "
        "plain mean of all members. Lost without it: what the ensemble's score on the searched cases loses when the "
        "others keep their weights; below zero it does harm, and a dash is a member without weight."
    )


def _agreement_of(report: dict[str, Any]) -> str:
    names = _names(report)
    if len(names) < 2:
        return ""
    if len(names) == 2:
        value = _format.number(float(report["agreement"][0][1]))
        return f"<p>{escape(names[0])} and {escape(names[1])}: {value}</p>"
    figure = _agreement.matrix(names, np.array(report["agreement"], float))
    _search_figures.upright(figure, names)
    chart = _html.chart("agreement", figure, "mean Dice between the masks of each two members")
    return chart + _search_tables.folded("The numbers", ("member", *names), names, report["agreement"])


def _weights(report: dict[str, Any]) -> str:
    if not _search_tables.differ(report):
        return ""
    names, classes = _names(report), report["classes"]
    rows = [report["weights"][name] for name in classes]
    chart = _html.chart("weights", _search_figures.weights(classes, names, rows), "weight of each member in each class")
    return chart + _search_tables.folded("The numbers", ("class", *names), classes, rows, "{:.3f}")


def _names(report: dict[str, Any]) -> Sequence[str]:
    return [member["name"] for member in report["members"]]


def _thresholds(report: dict[str, Any]) -> str:
    figure = _search_figures.curves(report["thresholds"], report["curves"], report["chosen"], _scores.title(report))
    chart = _html.chart("thresholds", figure, "mean score of each class at each threshold, the chosen ones marked")
    places = _search_figures.some(len(report["thresholds"]))
    columns = ("class", *(f"{report['thresholds'][place]:.3g}" for place in places))
    rows = [[report["curves"][name][place] for place in places] for name in report["classes"]]
    return chart + _search_tables.folded("The numbers", columns, report["classes"], rows)


def _about_thresholds(report: dict[str, Any]) -> str:
    said = "With the chosen weights and before any step, on the searched cases; points are the chosen thresholds. "
    if len(report["classes"]) > _search_figures.COLOURED:
        return (
            f"{said}Each line is what its class is short of its own best, so that all can be compared; flat lines do "
            "not care about the threshold. The classes that would lose most at 0.5 have a colour, the others are grey. "
            "Point at a line for its name."
        )
    return f"{said}A flat line does not care about the threshold."


def _about_classes(report: dict[str, Any]) -> str:
    said = "Weakest first. Plain mean, ensemble and gain are nested scores. "
    if _search_tables.differ(report):
        return f"{said}Weights are shown where a class has its own, in per cent, in the order of the map above."
    return said.strip()
