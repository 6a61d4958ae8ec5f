"""The page of `phalanx check`: every kind of finding with pictures, the wrists, the classes; one HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from phalanx import __version__
from phalanx.core.case import Finding
from phalanx.core.labels import LabelSpace
from phalanx.mask import wrist
from phalanx.view import _findings, _format, _html, table_figures
from phalanx.view._html import Cell, escape

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_STYLE = """<style>
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); gap: 18px 16px;
  margin: 12px 0 6px; }
.gallery figure { margin: 0; min-width: 0; break-inside: avoid; }
.gallery svg { display: block; width: 100%; aspect-ratio: 1; background: #000; border-radius: 8px; }
.gallery .pair { display: grid; grid-template-columns: 1fr 1fr; gap: 4px; }
.gallery path { fill: none; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
.gallery path.about { stroke: var(--k); stroke-width: 2.2px; fill: var(--k); fill-opacity: .2; fill-rule: evenodd; }
.gallery path.beside { stroke: #fff; stroke-width: .8px; stroke-opacity: .4; }
.gallery figcaption { display: block; padding: 6px 2px 0; line-height: 1.4; overflow-wrap: anywhere; }
.gallery figcaption code { display: block; color: var(--ink); }
.gallery figcaption i { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin: 0 5px 0 0; }
.gallery figcaption span { margin-right: 10px; white-space: nowrap; }
</style>"""


@dataclass(frozen=True)
class Wrists:
    """Bends of the wrists.

    Args:
        train: degrees, of the labelled cases.
        test: the same of the cases to predict; empty when they are not known.
        said: facts about them, in the order they are shown.
    """

    train: Sequence[float]
    test: Sequence[float]
    said: Mapping[str, object]


@dataclass(frozen=True)
class Quality:
    """What is shown.

    Args:
        title: name of the data set.
        command: that made the page.
        labels: the label space.
        facts: about the data set, in the order they are shown.
        findings: all.
        pictures: (finding, its pictures as `_quality_picture.drawing` makes them); the others are in the list only.
        classes: class name -> share of the image in each labelled case that has it.
        wrists: None of data sets that show no hands.
    """

    title: str
    command: str
    labels: LabelSpace
    facts: Mapping[str, object]
    findings: Sequence[Finding]
    pictures: Sequence[tuple[Finding, Sequence[str]]]
    classes: Mapping[str, Sequence[float]] = field(default_factory=dict)
    wrists: Wrists | None = None


def page(quality: Quality) -> str:
    """The whole page. Equal contents give equal pages, byte for byte."""
    kinds: dict[str, list[tuple[Finding, Sequence[str]]]] = {}
    for finding, pictures in quality.pictures:
        kinds.setdefault(finding.kind, []).append((finding, pictures))
    parts = [("findings", "Findings", _summary(quality), "How many of each kind, and in how many cases.")]
    for place, (kind, members) in enumerate(kinds.items()):
        total = sum(finding.kind == kind for finding in quality.findings)
        note = f"{_format.count(total, 'finding')}; the first {len(members)} are shown." if total > len(members) else ""
        body = f'<div class="gallery">{"".join(_figure(*member, quality.labels) for member in members)}</div>'
        parts.append((f"kind-{place}", f"{kind[:1].upper()}{kind[1:]}", body, note))
    if quality.wrists is not None:
        parts.append(("wrists", "Wrists", _wrists(quality.wrists), _WRISTS))
    if quality.classes:
        parts.append(("classes", "Classes", _classes(quality.classes), "Share of the image, where the class is there."))
    parts.append(("all", "All findings", _findings.listing(quality.findings), ""))
    sections = [(name, title, _html.section(name, title, body, note)) for name, title, body, note in parts]
    headline = _STYLE + _headline(quality)
    return _html.page("Phalanx check", (quality.title, quality.command), headline, sections, __version__)


_WRISTS = (
    "The bend between hand and forearm, positive towards the little finger. From 30 degrees on a wrist counts as bent."
)


def _headline(quality: Quality) -> str:
    _, gravest = _findings.tally(quality.findings)
    counts = [sum(item.level == level for item in quality.findings) for level in ("error", "warning")]
    cases = len({item.case for item in quality.findings if item.case})
    tiles = "".join(
        f'<div class="{name if name == gravest else ""}"><dt>{title}</dt><dd>{value:,}</dd></div>'
        for name, title, value in (
            ("error", "Errors", counts[0]),
            ("warning", "Warnings", counts[1]),
            ("", "Cases with findings", cases),
        )
    )
    return f'<dl class="tiles" style="margin-top:28px">{tiles}</dl>{_html.facts(quality.facts)}'


def _summary(quality: Quality) -> str:
    kinds: dict[tuple[str, str], list[Finding]] = {}
    for item in quality.findings:
        kinds.setdefault((item.level, item.kind), []).append(item)
    if not kinds:
        return "<p>Readers and checks noticed nothing odd.</p>"
    rows = [
        [
            Cell(f'<span class="badge {escape(level)}">{escape(level)}</span>', level),
            Cell.text(kind),
            Cell.number(len(members)),
            Cell.number(len({item.case for item in members if item.case})),
            Cell.number(sum(item.remedy is not None for item in members)),
        ]
        for (level, kind), members in sorted(kinds.items())
    ]
    return _html.table(("level", "kind", "findings", "cases", "with a remedy"), rows)


def _figure(finding: Finding, pictures: Sequence[str], labels: LabelSpace) -> str:
    colours = {name: escape(colour) for name, colour in zip(labels.names, labels.colours, strict=True)}
    drawn = f'<div class="pair">{"".join(pictures)}</div>' if len(pictures) > 1 else "".join(pictures)
    chips = "".join(
        f'<span><i style="background:{colours.get(name, "#888")}"></i>{escape(name)}</span>'
        for name in finding.classes[:8]
    )
    rest = f"<span>and {len(finding.classes) - 8} more</span>" if finding.classes[8:] else ""
    told = finding.message.removeprefix(finding.kind).lstrip(": ")
    return (
        f"<figure>{drawn}<figcaption><code>{escape(finding.case)}</code>{escape(told)}"
        f"{'<br>' if chips else ''}{chips}{rest}</figcaption></figure>"
    )


def _wrists(wrists: Wrists) -> str:
    return _html.chart("wrists", bends(wrists.train, wrists.test), "how many wrists are bent how far") + _html.facts(
        wrists.said
    )


def bends(train: Sequence[float], test: Sequence[float]) -> Figure:
    """Histograms of the bends of two sets of wrists, in degrees, each in per cent of its set."""
    limits = (-wrist.BENT_DEGREES, wrist.BENT_DEGREES)
    sets = {"labelled": train, "to predict": test}
    return table_figures.histogram(sets, "bend of the wrist in degrees", step=5, limits=limits)


def _classes(classes: Mapping[str, Sequence[float]]) -> str:
    rows = []
    for name, shares in classes.items():
        values = np.array(shares, float) * 100
        spans = (values.mean(), values.min(), values.max()) if len(values) else (None, None, None)
        cells = [Cell("-", "") if span is None else Cell(f"{span:.3f} %", float(span)) for span in spans]
        rows.append([Cell.text(name), Cell.number(len(values)), *cells])
    return _html.table(("class", "cases", "mean", "smallest", "largest"), rows)
