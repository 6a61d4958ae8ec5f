"""The data section of a report: facts, folds, image sizes and the areas of the classes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from phalanx.core.labels import LabelSpace
from phalanx.metrics import _summary
from phalanx.view import _format, _html, run_figures
from phalanx.view._html import Cell
from phalanx.view.case_facts import CaseFacts

if TYPE_CHECKING:
    import pandas as pd

# More sizes than this are summed up.
_SIZES = 8
_AREAS = "Median, middle half and all but the outer 5 % of the labelled cases that have the class."


def section(
    facts: Mapping[str, object],
    cases: Mapping[str, CaseFacts],
    areas: pd.DataFrame | None,
    table: pd.DataFrame,
    labels: LabelSpace,
) -> str:
    """HTML of the section; what is not known is left out.

    Args:
        facts: name -> value.
        cases: facts by case id.
        areas: case x class, pixels.
        table: Dice, case x class, of the cases that were scored.
        labels: the classes' colours.
    """
    parts = [_html.facts(facts)] if facts else []
    if cases:
        parts.append(f'<div class="pair">{_folds(cases, table)}{_sizes(cases)}</div>')
    if areas is not None:
        parts.append(_areas(cases, areas, labels))
    return "".join(parts)


def _folds(cases: Mapping[str, CaseFacts], table: pd.DataFrame) -> str:
    folds: dict[str, list[str]] = {}
    for case, fact in cases.items():
        if fact.part == "train":
            folds.setdefault(fact.fold, []).append(case)
    scores = dict(zip(map(str, table.index), table.to_numpy(float), strict=True))
    rows = []
    for fold in sorted(folds, key=lambda fold: (len(fold), fold)):
        scored = [case for case in folds[fold] if case in scores]
        mean, bounds = None, ""
        if scored:
            values = np.stack([scores[case] for case in scored])
            mean = float(_summary.over_all(_summary.over_cases(values)))
            bounds = _format.interval(_summary.interval(values, [cases[case].group for case in scored]))
        rows.append(
            [
                Cell(_html.escape(fold), float(fold) if fold.isdigit() else fold),
                Cell.number(len(folds[fold])),
                Cell.number(len({cases[case].group for case in folds[fold]})),
                Cell.number(mean),
                Cell(bounds or _format.NONE, float("nan") if mean is None else mean),
            ]
        )
    if not rows:
        return ""
    listed = _html.table(("fold", "cases", "groups", "Dice", "95 % interval"), rows)
    return f"<div><h3>Folds</h3>{listed}</div>"


def _sizes(cases: Mapping[str, CaseFacts]) -> str:
    counts = Counter(fact.size for fact in cases.values())
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rows = [[Cell.text(f"{height} × {width}"), Cell.number(count)] for (height, width), count in ordered[:_SIZES]]
    rest = ordered[_SIZES:]
    if rest:
        said = _format.count(len(rest), "other size")
        rows.append([Cell.text(said), Cell.number(sum(count for _, count in rest))])
    listed = _html.table(("height × width in px", "cases"), rows, sortable=False)
    return f"<div><h3>Image sizes</h3>{listed}</div>"


def _areas(cases: Mapping[str, CaseFacts], areas: pd.DataFrame, labels: LabelSpace) -> str:
    labelled = [case for case, fact in cases.items() if fact.masks == "truth" and case in areas.index]
    pixels = areas.loc[labelled].to_numpy(float).reshape(len(labelled), len(areas.columns))
    if not (pixels > 0).any():
        return ""
    import pandas

    names = [str(name) for name in areas.columns]
    shares = 100 * pixels / np.array([math.prod(cases[case].size) for case in labelled], float)[:, None]
    colours = dict(zip(labels.names, labels.colours, strict=True))
    figure = run_figures.areas(pandas.DataFrame(shares, columns=names), colours)
    chart = _html.chart("areas", figure, "share of the image that each class covers")
    rows = []
    for place, name in enumerate(names):
        there = pixels[:, place] > 0
        share = float(np.median(shares[there, place])) if there.any() else math.nan
        marks = np.percentile(pixels[there, place], (50, 0, 100)).tolist() if there.any() else [math.nan] * 3
        rows.append(
            [
                Cell.text(name),
                Cell(f"{share:.3g}" if there.any() else _format.NONE, share),
                *(Cell(f"{mark:,.0f}" if there.any() else _format.NONE, mark) for mark in marks),
                Cell.number(int(there.sum())),
            ]
        )
    columns = ("class", "median % of the image", "median px", "smallest", "largest", "cases with it")
    table = f"<details><summary>Areas in numbers</summary>{_html.table(columns, rows)}</details>"
    return f'<h3>Areas of the classes</h3><p class="lead">{_AREAS}</p>{chart}{table}'
