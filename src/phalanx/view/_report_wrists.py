"""The wrist section of a report: straight against bent, and what the test set's share of bent wrists would cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from phalanx.mask.wrist import BENT_DEGREES
from phalanx.metrics import _summary
from phalanx.metrics._summary import Draws
from phalanx.view import _format, _html, run_figures
from phalanx.view._html import Cell, escape
from phalanx.view.case_facts import CaseFacts

if TYPE_CHECKING:
    import pandas as pd

NOTE = (
    f"A wrist is bent when hand and forearm are {BENT_DEGREES:.0f} degrees or more apart, to either side. Angles are "
    "those of the truth masks, positive towards the little finger; of test images without truth, those of the "
    "predicted masks. Intervals draw people."
)
_LINES = "A line is dotted where the 95 % interval of the difference holds 0."


@dataclass(frozen=True)
class Strata:
    """Scores of straight and of bent wrists.

    Args:
        counts: cases of each.
        groups: people of each.
        means: mean Dice of each.
        bounds: its 95 % interval.
        per_class: class name -> (straight, bent).
        gap: class name -> 95 % interval of bent less straight; under "" that of all classes.
        test_share: share of bent wrists among the test cases; None without any.
        weighted: mean and interval of the Dice at that share.
    """

    counts: tuple[int, int]
    groups: tuple[int, int]
    means: tuple[float, float]
    bounds: tuple[tuple[float, float], tuple[float, float]]
    per_class: dict[str, tuple[float, float]]
    gap: dict[str, tuple[float, float]]
    test_share: float | None
    weighted: tuple[float, float, float] | None


def measure(cases: Mapping[str, CaseFacts], table: pd.DataFrame) -> Strata | None:
    """Compare the scored cases; None unless there are two people or more with straight and with bent wrists.

    Args:
        cases: facts by case id.
        table: Dice, case x class.
    """
    known = [str(case) for case in table.index if _bend(cases, case) is not None]
    groups = [cases[case].group for case in known]
    bent = np.array([abs(_bend(cases, case) or 0) >= BENT_DEGREES for case in known], bool)
    people = [len({group for group, chosen in zip(groups, part, strict=True) if chosen}) for part in (~bent, bent)]
    if min(people) < 2:
        return None
    scores, draws = table.loc[known].to_numpy(float), Draws(groups)
    parts = [np.where(part[:, None], scores, np.nan) for part in (~bent, bent)]
    means = [_summary.over_cases(scores[part]) for part in (~bent, bent)]
    drawn = [draws.means(part) for part in parts]
    # A draw may have nobody with a bent wrist in it.
    whole = np.isfinite(drawn[0]).any(1) & np.isfinite(drawn[1]).any(1)
    drawn = [part[whole] for part in drawn]
    totals = [_summary.over_all(part) for part in drawn]
    names = [str(name) for name in table.columns]
    gaps = _summary.bounds(drawn[1] - drawn[0]).T.tolist()
    test = [abs(fact.bend) >= BENT_DEGREES for fact in cases.values() if fact.part == "test" and fact.bend is not None]
    share = sum(test) / len(test) if test else None
    overall = [float(_summary.over_all(mean)) for mean in means]
    weighted = None
    if share is not None:
        low, high = _summary.bounds((1 - share) * totals[0] + share * totals[1]).tolist()
        weighted = ((1 - share) * overall[0] + share * overall[1], low, high)
    return Strata(
        counts=(int((~bent).sum()), int(bent.sum())),
        groups=(people[0], people[1]),
        means=(overall[0], overall[1]),
        bounds=(tuple(_summary.bounds(totals[0]).tolist()), tuple(_summary.bounds(totals[1]).tolist())),
        per_class=dict(zip(names, zip(*(mean.tolist() for mean in means), strict=True), strict=True)),
        gap={"": tuple(_summary.bounds(totals[1] - totals[0]).tolist()),
             **{name: (low, high) for name, (low, high) in zip(names, gaps, strict=True)}},
        test_share=share,
        weighted=weighted,
    )  # fmt: skip


def section(cases: Mapping[str, CaseFacts], table: pd.DataFrame) -> str:
    """HTML of the section; empty when no wrist of a scored case was measured."""
    means = dict(zip(map(str, table.index), table.mean(axis=1).tolist(), strict=True))
    train = {case: (bend, mean) for case, mean in means.items() if (bend := _bend(cases, case)) is not None}
    if not train:
        return ""
    test = [fact.bend for fact in cases.values() if fact.part == "test" and fact.bend is not None]
    chart = _html.chart("bends", run_figures.bends(train, test, BENT_DEGREES), "Dice by the bend of the wrist")
    found = measure(cases, table)
    if found is None:
        return f"<p>Fewer than two people have straight or bent wrists; they are not compared.</p>{chart}"
    pair = run_figures.two_groups(found.per_class, found.gap, ("straight", "bent"))
    classes = _html.chart("wrists", pair, "Dice of every class for straight and for bent wrists")
    numbers = f"<details><summary>Classes in numbers</summary>{_classes(found)}</details>"
    by_class = f'<h3>Class by class</h3><p class="lead">{_LINES}</p>{classes}{numbers}'
    return f"{_table(found)}{_sentences(found)}{chart}{by_class}"


def _bend(cases: Mapping[str, CaseFacts], case: object) -> float | None:
    fact = cases.get(str(case))
    return None if fact is None else fact.bend


def _table(found: Strata) -> str:
    rows = [
        [
            Cell.text(name),
            Cell.number(found.counts[place]),
            Cell.number(found.groups[place]),
            Cell.number(found.means[place]),
            Cell(_format.interval(found.bounds[place]) or _format.NONE, found.means[place]),
        ]
        for place, name in enumerate(("straight", "bent"))
    ]
    return _html.table(("wrist", "cases", "people", "Dice", "95 % interval"), rows, sortable=False)


def _sentences(found: Strata) -> str:
    gap = found.means[1] - found.means[0]
    low, high = found.gap[""]
    said = [f"Bent less straight: {gap:+.4f}, 95 % interval [{low:+.4f}, {high:+.4f}]."]
    if found.weighted is not None and found.test_share is not None:
        share = found.counts[1] / sum(found.counts)
        mean, low, high = found.weighted
        said.append(
            f"{100 * share:.1f} % of the scored cases are bent and {100 * found.test_share:.1f} % of the test cases; "
            f"at that share the Dice would be {mean:.4f} [{low:.4f}, {high:.4f}]."
        )
    return f'<ul class="notes">{"".join(f"<li>{escape(line)}</li>" for line in said)}</ul>'


def _classes(found: Strata) -> str:
    rows = []
    for name, (straight, bent) in found.per_class.items():
        low, high = found.gap[name]
        rows.append(
            [
                Cell.text(name),
                Cell.number(straight),
                Cell.number(bent),
                Cell(f"{bent - straight:+.4f}", bent - straight),
                Cell(f"[{low:+.4f}, {high:+.4f}]", bent - straight),
            ]
        )
    return _html.table(("class", "straight", "bent", "difference", "95 % interval"), rows)
