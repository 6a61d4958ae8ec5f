"""The report of a run: one HTML file that opens anywhere, without a network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phalanx.core import files
from phalanx.core.case import Finding
from phalanx.core.labels import LabelSpace
from phalanx.view import (
    _findings,
    _format,
    _html,
    _report_confusion,
    _report_data,
    _report_run,
    _report_wrists,
    _scores,
    figures,
    picture,
)
from phalanx.view._html import escape
from phalanx.view.case_facts import CaseFacts

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Picture:
    """One case to look at.

    Args:
        case: its id.
        caption: one line beside the id.
        image: uint8 `(h, w)` or `(h, w, 3)`, RGB.
        truth: class name -> int64 runs `(n, 2)` at the image's size.
        predicted: the same for the prediction.
        dice: class name -> Dice.
    """

    case: str
    caption: str
    image: np.ndarray
    truth: Mapping[str, np.ndarray]
    predicted: Mapping[str, np.ndarray]
    dice: Mapping[str, float]


@dataclass(frozen=True)
class Report:
    """What a report shows. Every part may be empty; its section is then left out.

    Args:
        title: name of the run.
        command: what reproduces it.
        labels: classes and colours.
        scores: entries of `scores.json`. Where one has `per_class_interval`, class name -> [low, high], that is shown.
        table: Dice, index case id, columns class names, NaN allowed.
        curves: one a training run, "unet fold 0" -> columns epoch, step, train_loss, val_dice, lr; NaN where absent.
        data: facts of the data set, name -> value.
        findings: what readers and checks noticed.
        best: cases to look at, best first.
        worst: cases to look at, worst first.
        timings: stage -> seconds.
        config_yaml: the resolved configuration.
        versions: package -> version.
        notes: sentences a reader must know to judge the scores.
        cases: facts by case id.
        areas: pixels, case x class, of the same cases.
        confusion: pixels, true class x (classes, `nobody`, `missed`), see `metrics/_confusion.py`.
        memory: stage -> peak in bytes, `host` and `device`.
        machine: what the run was made on, name -> value.
    """

    title: str
    command: str
    labels: LabelSpace
    scores: list[dict[str, Any]]
    table: pd.DataFrame
    curves: dict[str, pd.DataFrame]
    data: dict[str, object]
    findings: list[Finding]
    best: list[Picture]
    worst: list[Picture]
    timings: dict[str, float]
    config_yaml: str
    versions: dict[str, str]
    notes: list[str]
    cases: Mapping[str, CaseFacts] = field(default_factory=dict)
    areas: pd.DataFrame | None = None
    confusion: pd.DataFrame | None = None
    memory: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)


def write(report: Report, path: Path) -> None:
    """Write the page, whole or not at all."""
    files.write_text(path, render(report))


def render(report: Report) -> str:
    """The whole page. Equal reports give equal pages, byte for byte."""
    parts = (
        ("classes", "Classes", _classes(report)),
        ("cases", "Cases", _cases(report)),
        ("confusion", "Confusion", _report_confusion.section(report.confusion)),
        ("wrists", "Straight and bent wrists", _report_wrists.section(report.cases, report.table)),
        ("worst", "Worst cases", _pictures("worst", report.worst, report.labels)),
        ("best", "Best cases", _pictures("best", report.best, report.labels)),
        ("training", "Training", _training(report)),
        ("data", "Data", _report_data.section(report.data, report.cases, report.areas, report.table, report.labels)),
        ("findings", "Findings", _findings.listing(report.findings)),
        (
            "run",
            "Run",
            _report_run.section(
                report.timings, report.memory, report.versions, report.machine, config_yaml=report.config_yaml
            ),
        ),
    )
    shown = [(name, title, body) for name, title, body in parts if body]
    sections = [_html.section(name, title, body, _NOTES.get(name, "")) for name, title, body in shown]
    return _html.page(
        "Phalanx report",
        (report.title, report.command),
        _headline(report),
        [(name, title, section) for (name, title, _), section in zip(shown, sections, strict=True)],
        report.versions.get("phalanx", ""),
    )


_NOTES = {
    "classes": "Weakest first. The large point is the mean, its whisker the 95 % interval where one was measured; the "
    "bar holds the middle half of the cases, the dots are cases (the outer tenth where there are many). The axis "
    "does not start at 0; cases below it are triangles on its left edge.",
    "cases": "How the mean Dice of the cases is spread. In the map, a row is a case and a column a class; an empty "
    "cell has no score.",
    "confusion": _report_confusion.NOTE,
    "wrists": _report_wrists.NOTE,
    "worst": "Grey images are stretched to the full range of greys for display. Point at a picture to see which "
    "classes lie there.",
    "training": "Lines of one colour belong to one model, each fold has its dash; a star marks its best validation. "
    "The Dice axis widens towards 1.",
}


def _headline(report: Report) -> str:
    main = _scores.main(report.scores)
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    listed = f'<ul class="notes">{notes}</ul>' if notes else ""
    every = _scores.listing(report.scores) if len(report.scores) > 1 else ""
    return f'<div class="headline">{_score(main)}<dl class="tiles">{"".join(_tiles(report))}</dl></div>{listed}{every}'


def _score(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return '<div class="score"><div class="name">Score</div><div class="value">–</div>Nothing was scored.</div>'
    bounds = _format.interval(entry.get("interval"))
    spread = f'<div class="bounds">95 % interval <span>{bounds}</span></div>' if bounds else ""
    of = f"{entry.get('of', '')}, {_format.count(int(entry.get('cases') or 0), 'case')}".removeprefix(", ")
    return (
        f'<div class="score"><div class="name">Mean {escape(_scores.title(entry))}</div>'
        f'<div class="value">{_format.number(entry.get("mean"))}</div>{spread}<div class="of">{escape(of)}</div></div>'
    )


def _tiles(report: Report) -> list[str]:
    """The small boxes beside the headline."""

    def tile(name: str, value: str, small: str = "", kind: str = "") -> str:
        detail = f"<small>{escape(small)}</small>" if small else ""
        look = f' class="{kind}"' if kind else ""
        return f"<div{look}><dt>{name}</dt><dd>{value}{detail}</dd></div>"

    tiles = []
    classes = _scores.per_class(_scores.main(report.scores), report.table)
    known = {name: score for name, score in classes.items() if math.isfinite(score)}
    if known:
        weakest = min(known, key=lambda name: known[name])
        tiles.append(tile("Weakest class", escape(weakest), _format.number(known[weakest])))
    means = {str(case): float(mean) for case, mean in report.table.mean(axis=1).dropna().items()}
    if means:
        worst = min(means, key=lambda case: means[case])
        tiles.append(tile("Worst case", escape(_format.short(worst)), _format.number(means[worst])))
    kind = "exclusive" if report.labels.exclusive else "overlapping"
    tiles.append(tile("Cases × classes", f"{len(report.table):,} × {len(report.labels.scored):,}", f"{kind} classes"))
    said, gravest = _findings.tally(report.findings)
    link = f'<a href="#findings">{said}</a>' if report.findings else "nothing odd"
    tiles.append(tile("Findings in the data", link, kind=gravest))
    if report.curves:
        tiles.append(tile("Networks trained", f"{len(report.curves):,}", "members × folds"))
    if report.timings:
        tiles.append(tile("Time", _format.duration(sum(report.timings.values())), _report_run.peak(report.memory)))
    return tiles


def _classes(report: Report) -> str:
    entry = _scores.main(report.scores) or {"metric": "dice"}
    means = _scores.per_class(entry, report.table)
    if not means:
        return ""
    colours = dict(zip(report.labels.names, report.labels.colours, strict=True))
    # The table holds out-of-fold Dice; under the means of anything else its cases would be out of place.
    spread = report.table if entry.get("metric") == "dice" and _scores.out_of_fold(entry) else None
    name = f"{_scores.title(entry)} of a class"
    figure = figures.per_class(means, entry.get("per_class_interval"), spread, colours, name)
    chart = _html.chart("classes", figure, f"{name}, with the spread of the cases")
    return chart + _scores.classes(report.scores, report.table, colours)


def _cases(report: Report) -> str:
    if not report.table.size:
        return ""
    means = report.table.mean(axis=1).tolist()
    spread = _html.chart("spread", figures.distribution(means), "histogram of the mean Dice of the cases")
    if len(report.table.columns) == 1:
        return spread
    return spread + _html.chart("cases", figures.case_heatmap(report.table), "Dice of every case and class")


def _pictures(prefix: str, pictures: list[Picture], labels: LabelSpace) -> str:
    cards = []
    for place, shown in enumerate(pictures, 1):
        body = picture.panels(f"{prefix}-{place}", shown.image, (shown.truth, shown.predicted), shown.dice, labels)
        head = f"<header><h3>{escape(shown.case)}</h3><span>{escape(shown.caption)}</span></header>"
        cards.append(f'<article class="case-card">{head}{body}</article>')
    return "\n".join(cards)


def _training(report: Report) -> str:
    if not report.curves:
        return ""
    return _html.chart("curves", figures.curves(report.curves), "training loss, validation Dice and learning rate")
