"""Gathers what the page of `phalanx check` shows, and writes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from phalanx.core import files, parallel
from phalanx.core.case import Case, Dataset, Finding
from phalanx.core.errors import DataError
from phalanx.core.progress import track
from phalanx.data import decode
from phalanx.data.quality import Checked
from phalanx.view import _quality_picture
from phalanx.view import quality as view

# Pictures of one kind, and of a page in all: 25 KB each keep it below 5 MB.
_OF_KIND, _IN_ALL = 12, 140


def write(
    target: Path, dataset: Dataset, checked: Checked, *, rasteriser: str, title: str, command: str,
    facts: Mapping[str, object], wrists: view.Wrists | None,
) -> None:  # fmt: skip
    """Write the page to `target`."""
    chosen = list(_chosen(checked.findings))
    cases = {case.id: case for case in (*dataset.train, *dataset.test)}
    # Each picture is cut out as soon as its image is decoded: 140 radiographs of 2048 px would take 600 MB.
    drawn = parallel.ordered(lambda item: _drawn(item, cases, dataset, rasteriser), chosen)
    shown = zip(chosen, track(drawn, "Pictures", len(chosen)), strict=True)
    pictures = [(item, drawings) for item, drawings in shown if drawings]
    shares = [checked.shares[case.id] for case in dataset.train if case.id in checked.shares]
    classes = {
        name: [float(row[place]) for row in shares if row[place] > 0]
        for place, name in enumerate(dataset.labels.scored_names)
    }
    quality = view.Quality(
        title, command, dataset.labels, facts, checked.findings, pictures, classes if shares else {}, wrists
    )
    files.write_text(target, view.page(quality))


def _chosen(findings: list[Finding]) -> Iterator[Finding]:
    """The findings that get a picture: some of each kind, errors first."""
    counts: Counter[str] = Counter()
    ordered = sorted(findings, key=lambda item: item.level != "error")
    for item in ordered:
        if item.case and counts[item.kind] < _OF_KIND and counts.total() < _IN_ALL:
            counts[item.kind] += 1
            yield item


def _drawn(finding: Finding, cases: Mapping[str, Case], dataset: Dataset, rasteriser: str) -> list[str]:
    """Pictures of the case of a finding, and of the first other one."""
    keys = [key for key in (finding.case, *finding.others[:1]) if key in cases]
    return [drawing for key in keys if (drawing := _picture(cases[key], finding, dataset, rasteriser))]


def _picture(case: Case, finding: Finding, dataset: Dataset, rasteriser: str) -> str:
    try:
        image = decode.image(case)
    except DataError:
        return ""
    masks: dict[str, np.ndarray] = {}
    if case.labels is not None:
        try:
            runs = decode.runs(case, dataset.labels, rasteriser, (image.shape[0], image.shape[1]))
            masks = dict(zip(dataset.labels.scored_names, runs, strict=True))
        except DataError:
            # The finding is about the labels; the image is shown without them.
            masks = {}
    return _quality_picture.drawing(image, masks, finding.classes, dataset.labels)
