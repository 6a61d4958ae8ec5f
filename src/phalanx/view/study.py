"""The page of a study: what tuning gained, beside what luck alone gives; one HTML file that opens anywhere."""

from __future__ import annotations

from typing import Any

from phalanx import __version__
from phalanx.view import _format, _html, _study_figures
from phalanx.view._html import Cell, escape

_NOTES = {
    "history": "Each point is a trial; the line is the best so far. The dotted line and the band are the unchanged "
    "configuration with several seeds: mean and one standard deviation. Crosses were ended early, at a Dice that a "
    "whole training would have passed.",
    "importance": "The share of the spread between good and other trials that each key explains (PED-ANOVA, Watanabe "
    "et al. 2023). Keys that matter little may be left at their defaults.",
    "parallel": "Each line is a finished trial, blue the good ones. Keys that only some trials have are left out.",
    "slices": "Each key alone, darker points are later trials; the dotted line is the unchanged configuration.",
    "curves": "Validation Dice while trials were trained. A trial ended early stops before the others do.",
    "front": "Trials on the front are beaten by no other in both Dice and time.",
    "trials": "Click a heading to sort. Seeds are no parameter: all trials have the same one.",
    "unchanged": "The configuration as it is, trained with several seeds on the same folds.",
}


def page(report: dict[str, Any]) -> str:
    """The whole page. Equal reports give equal pages, byte for byte.

    Args:
        report: plain data, as `summary.json` holds it.

            - `title`, `command`, `objectives`, `sampler`, `pruner`, `of`, `folds`, `verdict`: as they say.
            - `axes`: `key`, `values`, `log`, `choices`, `default` and `when` of each.
            - `trials`: `number`, `state` (done, ended early, failed), `dice`, `seconds`, `labels`, `curve`, `epochs`,
              `reason`, `retries` of each.
            - `default`: `repeat`, `dice`, `seconds` of the unchanged configuration with each seed.
            - `noise`: `mean` and `deviation` of these, and `luck`.
            - `best`, `gain`, `front`, `importance`, `saved`, `running`: as they say.
    """
    done = [trial for trial in report["trials"] if trial["state"] == "done"]
    parts = (
        ("history", "History", _chart("history", report, bool(report["trials"]), "Dice of each trial in its order")),
        ("unchanged", "Noise floor", _unchanged(report)),
        ("importance", "Importance", _importance(report)),
        ("parallel", "Parallel coordinates", _chart("parallel", report, len(done) > 1, "trials as lines")),
        ("slices", "Slices", _chart("slices", report, len(done) > 1, "Dice over each key")),
        ("curves", "While they trained", _chart("curves", report, _has_curves(report), "Dice of each validation")),
        ("front", "Dice and time", _chart("front", report, bool(report["front"]), "Dice over seconds")),
        ("trials", "Trials", _trials(report)),
    )
    shown = [(name, title, _html.section(name, title, body, _NOTES[name])) for name, title, body in parts if body]
    titles = (f"{report['title'][:1].upper()}{report['title'][1:]}", report["command"])
    return _html.page("Phalanx study", titles, _headline(report), shown, __version__)


def _chart(name: str, report: dict[str, Any], there: bool, label: str) -> str:
    return _html.chart(name, getattr(_study_figures, name)(report), label) if there else ""


def _has_curves(report: dict[str, Any]) -> bool:
    return any(trial["curve"] for trial in report["trials"])


def _headline(report: dict[str, Any]) -> str:
    best, noise = report["best"], report["noise"]
    value = _format.number(best["dice"]) if best else "-"
    of = f"trial {best['number']}, on the cases it was chosen on" if best else "no trial is done"
    score = (
        f'<div class="score"><div class="name">Best validation Dice</div><div class="value">{value}</div>'
        f'<div class="of">{escape(of)}</div></div>'
    )
    tiles = []
    if report["gain"] is not None:
        kind = "warning" if noise["luck"] is not None and report["gain"] <= noise["luck"] else ""
        tiles.append(("Over the unchanged", f"{report['gain']:+.4f}", f"it reaches {noise['mean']:.4f}", kind))
    if noise["deviation"] is not None:
        tiles.append(("Spread of its seeds", f"{noise['deviation']:.4f}", f"{len(report['default'])} seeds", ""))
        tiles.append(("Gain by luck alone", f"{noise['luck']:+.4f}", "expected of the best of so many", ""))
    states = [trial["state"] for trial in report["trials"]]
    counts = f"{states.count('ended early')} ended early, {states.count('failed')} failed"
    tiles.append(("Trials", str(len(states)), counts, "warning" if "failed" in states else ""))
    if report["saved"] and report["saved"]["epochs"]:
        epochs = f"{report['saved']['epochs']:,} of {report['saved']['planned']:,} epochs"
        tiles.append(("Saved by ending early", f"{report['saved']['share']:.0%}", epochs, ""))
    tiles.append(("Sampler, pruner", f"{report['sampler']}, {report['pruner']}", "", ""))
    boxes = "".join(
        f'<div class="{kind}"><dt>{escape(name)}</dt><dd>{escape(said)}<small>{escape(small)}</small></dd></div>'
        for name, said, small, kind in tiles
    )
    said = "".join(f'<p style="max-width:84ch">{escape(line)}.</p>' for line in report["verdict"])
    return f'<div class="headline">{score}<dl class="tiles">{boxes}</dl></div>{said}'


def _unchanged(report: dict[str, Any]) -> str:
    rows = [
        (Cell.number(entry["repeat"]), Cell.number(entry["dice"]), _seconds(entry["seconds"]))
        for entry in report["default"]
    ]
    return _html.table(("seed + ", "Dice", "seconds"), rows) if rows else ""


def _importance(report: dict[str, Any]) -> str:
    shares = report["importance"]
    if not shares:
        return ""
    chart = _html.chart("importance", _study_figures.importance(shares), "importance of each key")
    return chart + _html.table(
        ("key", "share"), [(Cell.text(key), Cell.number(share)) for key, share in shares.items()]
    )


def _trials(report: dict[str, Any]) -> str:
    if not report["trials"]:
        return ""
    keys = [axis["key"] for axis in report["axes"]]
    rows = []
    for trial in report["trials"]:
        state = f"{trial['state']}: {trial['reason']}" if trial["reason"] else trial["state"]
        again = f", retried {_format.count(trial['retries'], 'time')}" if trial["retries"] else ""
        values = [_value(trial["labels"].get(key)) for key in keys]
        cells = [Cell.number(trial["number"]), Cell.number(trial["dice"]), _seconds(trial["seconds"])]
        rows.append((*cells, *values, Cell.text(state + again)))
    return _html.table(("trial", "Dice", "seconds", *keys, "state"), rows)


def _seconds(value: float | None) -> Cell:
    return Cell.number(None) if value is None else Cell(f"{value:,.0f}", float(value))


def _value(value: Any) -> Cell:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Cell(f"{value:.4g}", float(value))
    return Cell.text("-" if value is None else value)
