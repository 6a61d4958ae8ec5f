"""Tables of a search: states, stages, members and classes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from phalanx.view import _format, _html, _scores
from phalanx.view._html import Cell, escape


def signed(value: float | None) -> str:
    """A difference with its sign, four decimals; zero has none."""
    if value is None or not math.isfinite(value):
        return _format.NONE
    return f"{value:+.4f}" if round(value, 4) else "0.0000"


def bounds(interval: Sequence[float]) -> str:
    """The interval of a difference."""
    return f"[{signed(interval[0])}, {signed(interval[1])}]"


def differ(report: Mapping[str, Any]) -> bool:
    """Whether two classes weigh the members differently."""
    return len({_key(row) for row in report["weights"].values()}) > 1


def states(rows: Sequence[Mapping[str, Any]], taken: Mapping[str, bool]) -> str:
    """Score of each state, and how it compares."""
    keys = {"over_mean": "over plain mean", "over_single": "over best single"}
    shown = {key: name for key, name in keys.items() if any(row.get(key) for row in rows)}
    columns = ["state", "mean", "95 % interval"]
    for name in shown.values():
        columns += [name, "p"]
    body = []
    for row in rows:
        cells = [
            Cell(_state(row["of"], row is rows[-1], taken.get(row["of"], True)), row["of"].casefold()),
            Cell.number(row["mean"]), _interval(_format.interval(row["interval"]), row["mean"]),
        ]  # fmt: skip
        for key in shown:
            gain = row.get(key)
            mean = gain["mean"] if gain else math.nan
            cells += [Cell(_gain(gain), mean), Cell.number(gain["p"] if gain else None)]
        body.append(cells)
    return _html.table(columns, body, sortable=False)


def _gain(gain: Mapping[str, Any] | None) -> str:
    """A gain and its interval, which goes to a second line where the page is narrow."""
    if not gain:
        return _format.NONE
    interval = bounds(gain["interval"]).replace(" ", "\N{NO-BREAK SPACE}")
    return f'<span style="white-space:normal">{signed(gain["mean"])} {interval}</span>'


def _state(name: str, last: bool, taken: bool) -> str:
    told = f"<b>{escape(name)}</b>" if last else escape(name)
    badge = "" if taken else ' <span class="badge other">not taken</span>'
    return f'<span class="name-cell">{told}{badge}</span>'


def stages(report: Mapping[str, Any]) -> str:
    """What each stage was worth on other groups, and why it was taken or not."""
    rows = [
        [
            Cell(_state(stage["stage"], False, True), stage["stage"].casefold()),
            _signed(stage["gain"]), _interval(bounds(stage["interval"]), stage["gain"]),
            Cell.text("taken") if stage["taken"] else Cell('<span class="badge other">not taken</span>', "not taken"),
            Cell.number(int(stage["classes"])), Cell.text(_why(stage)),
        ]
        for stage in report["stages"]
    ]  # fmt: skip
    columns = ("stage", "gain on other groups", "95 % interval", "taken", "classes changed", "why")
    return _html.table(columns, rows, sortable=False) if rows else ""


def _why(stage: Mapping[str, Any]) -> str:
    gain, low = stage["gain"], stage["interval"][0]
    if stage["taken"]:
        return "the gain is separable from zero" if low > 0 else "as told to; the gain may be luck"
    if low > 0:
        return "it gains on other groups, but fitted on all cases it changes nothing"
    if gain > 0:
        return "the gain may be luck: its interval holds zero"
    return "no gain on other groups" if gain < 0 else "nothing better was found"


def members(report: Mapping[str, Any]) -> str:
    """Weight, score alone and leave-one-out of each member, in the order given; temperatures where one is not 1."""
    warm = any(member["temperature"] != 1 for member in report["members"])
    rows = []
    for member in report["members"]:
        weight, heat = float(member["weight"]), float(member["temperature"])
        rows.append(
            [
                Cell.text(member["name"]), Cell(f"{weight:.3f}", weight), Cell.number(member["score"]),
                _signed(member["lost"]), *([Cell(f"{heat:.3f}", heat)] if warm else []),
            ]
        )  # fmt: skip
    alone = f"{_scores.title(report)} alone"
    return _html.table(("member", "weight", alone, "lost without it", *(["temperature"] if warm else [])), rows)


def classes(report: Mapping[str, Any]) -> str:
    """Threshold, own weights, steps and nested scores of each class, the weakest by the plain mean first."""
    before = next((row for row in report["scores"] if row["of"] == "plain mean"), report["scores"][0])["per_class"]
    after = report["scores"][-1]["per_class"]
    common = Counter(map(_key, report["weights"].values())).most_common(1)[0][0]
    own, stepped = differ(report), any(report["steps"].values())
    rows = []
    for name in sorted(report["classes"], key=lambda name: before[name]):
        threshold, weights = float(report["chosen"][name]), report["weights"][name]
        shares = _format.NONE if _key(weights) == common else " · ".join(f"{100 * share:.0f}" for share in weights)
        rows.append(
            [
                Cell.text(name), Cell(f"{threshold:.2f}", threshold), *([Cell.text(shares)] if own else []),
                *([Cell.text(", ".join(report["steps"][name]) or _format.NONE)] if stepped else []),
                Cell.number(before[name]), Cell.number(after[name]), _signed(after[name] - before[name]),
            ]
        )  # fmt: skip
    optional = [*(["own weights, %"] if own else []), *(["steps"] if stepped else [])]
    return _html.table(("class", "threshold", *optional, "plain mean", "ensemble", "gain"), rows)


def folded(
    summary: str, columns: Sequence[str], names: Sequence[str], rows: Sequence[Sequence[float]], form: str = "{:.4f}"
) -> str:
    """A table of plain numbers behind a heading that opens it."""
    body = [
        [Cell.text(name), *(Cell(form.format(value), float(value)) for value in row)]
        for name, row in zip(names, rows, strict=True)
    ]
    return f"<details><summary>{escape(summary)}</summary>{_html.table(columns, body)}</details>"


def _key(weights: Sequence[float]) -> tuple[float, ...]:
    """Shares that are told apart: those that differ beyond rounding."""
    return tuple(round(share, 6) for share in weights)


def _signed(value: float | None) -> Cell:
    return Cell(signed(value), math.nan if value is None else float(value))


def _interval(text: str, order: float) -> Cell:
    return Cell(text or _format.NONE, float(order))
