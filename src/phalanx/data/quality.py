"""Integrity and label quality of a data set: what shows only when files are opened and cases are held together."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from phalanx.core import hand
from phalanx.core.case import Case, Dataset, Finding, Polygons
from phalanx.core.errors import DataError
from phalanx.core.labels import LabelSpace
from phalanx.core.progress import track
from phalanx.data import (
    _quality_areas,
    _quality_hand,
    _quality_joints,
    _quality_outlines,
    _quality_places,
    _quality_twins,
)
from phalanx.data import decode as pixels
from phalanx.datasets import _base
from phalanx.mask import moments, wrist

# What the option `unreadable` is about.
SKIPPABLE = (_base.UNREADABLE, _base.TRUNCATED)


@dataclass(frozen=True)
class Checked:
    """What `examine` found.

    Args:
        findings: the reader's, then those of each case in the order of the data set, then those on the whole set.
        leave_out: ids of images that cannot be read and that the caller chose to skip.
        shares: case id -> share of the image each scored class covers, float64 `(scored,)`; labelled cases only, and
            only when files were decoded.
        wrists: case id -> angles of the wrist, of labelled hands.
    """

    findings: list[Finding]
    leave_out: frozenset[str] = frozenset()
    shares: dict[str, np.ndarray] = field(default_factory=dict)
    wrists: dict[str, wrist.Wrist] = field(default_factory=dict)


@dataclass(frozen=True)
class _Look:
    """What was measured on one case; all None of one that could not be read."""

    areas: np.ndarray | None = None
    pixels: int = 0
    bones: Mapping[str, moments.Moments] = field(default_factory=dict)
    thumb: np.ndarray | None = None


def integrity(
    dataset: Dataset,
    rasteriser: str,
    decode: bool = True,
    workers: int | None = None,
    unreadable: Literal["skip", "error"] = "error",
) -> tuple[list[Finding], frozenset[str]]:
    """The findings on a data set and the ids to leave out; arguments as for `examine`."""
    checked = examine(dataset, rasteriser, decode, workers, unreadable)
    return checked.findings, checked.leave_out


def examine(
    dataset: Dataset,
    rasteriser: str,
    decode: bool = True,
    workers: int | None = None,
    unreadable: Literal["skip", "error"] = "error",
) -> Checked:
    """Open the files of every case, check them against their labels, and the labels against each other.

    What depends on the anatomy of the hand is asked of data sets that have all its bones among their classes. The truth
    of test cases is checked as well; it is no part of what is usual for a class.

    Args:
        dataset: what a reader returned.
        rasteriser: how outlines become pixels, one of `mask.polygon.RASTERISERS`.
        decode: decode pixels and labels; otherwise only headers are read and files of the same bytes looked for.
        workers: threads, by default one a core.
        unreadable: `skip`: images that are unreadable or truncated are warnings, and their ids are in `leave_out`.
    """
    failed = {finding.case for finding in dataset.findings if finding.level == "error"}
    cases = [case for case in (*dataset.train, *dataset.test) if case.id not in failed]

    def check(case: Case) -> tuple[list[Finding], _Look]:
        return _check(case, dataset.labels, rasteriser, decode)

    findings, looks = list(dataset.findings), dict[str, _Look]()
    findings += [
        _finding("error", case.id, "a training case has no label", case.id)
        for case in dataset.train
        if case.labels is None
    ]
    with ThreadPoolExecutor(workers or min(8, os.cpu_count() or 1)) as pool:
        for case, (found, look) in zip(cases, track(pool.map(check, cases), "Checking", len(cases)), strict=True):
            findings += found
            looks[case.id] = look
    findings += _among(dataset, cases, looks, findings)
    leave_out = frozenset(item.case for item in findings if unreadable == "skip" and item.kind in SKIPPABLE)
    if leave_out:
        findings = [replace(item, level="warning") if item.kind in SKIPPABLE else item for item in findings]
    shares = {key: look.areas / look.pixels for key, look in looks.items() if look.areas is not None}
    wrists = {key: wrist.of_moments(look.bones) for key, look in looks.items() if set(wrist.BONES) <= set(look.bones)}
    return Checked(_once(findings), leave_out, shares, wrists)


def _finding(level: str, case: str, wrong: str, seen: object, fix: str = "") -> Finding:
    return Finding.of(level, case, DataError(wrong, seen, fix))


def _once(findings: Sequence[Finding]) -> list[Finding]:
    """Without what the reader said of the same case and classes in the same words."""
    seen, kept = set[Any](), []
    for item in findings:
        key = (item.case, item.kind, item.classes) if item.classes else (item.case, item.message)
        if key not in seen:
            kept.append(item)
        seen.add(key)
    return kept


def _check(case: Case, labels: LabelSpace, rasteriser: str, decode: bool) -> tuple[list[Finding], _Look]:
    """Findings on one case, and what was measured on it."""
    try:
        if not decode:
            _base.header(case.image)
            return [], _Look()
        image = pixels.image(case)
        size = image.shape[:2]
        found, thumb = _endless(case), _quality_twins.thumb(image)
        if case.labels is None:
            return found, _Look(thumb=thumb)
        runs = pixels.runs(case, labels, rasteriser, size)
    except DataError as error:
        return [_finding("error", case.id, error.wrong, error.seen, error.fix)], _Look()
    if isinstance(case.labels, Polygons):
        found += _quality_outlines.check(case, case.labels)
    areas = np.array([(run[:, 1] - run[:, 0]).sum() for run in runs], np.float64)
    bones = dict[str, moments.Moments]()
    if hand.shown(labels.scored_names) and areas.any():
        masks = {
            name: run for name, run in zip(labels.scored_names, runs, strict=True) if len(run) and name in hand.NAMES
        }
        bones = {name: item for name, run in masks.items() if (item := moments.of(run, size)) is not None}
        found += _quality_hand.check(case, masks, bones, size)
    return found, _Look(areas, size[0] * size[1], bones, thumb)


def _endless(case: Case) -> list[Finding]:
    """A warning for a JPEG that decodes but lacks its end mark: its last bytes are lost, its pixels are not."""
    content = case.image.read_bytes()
    if not content.startswith(b"\xff\xd8") or pixels.has_end(content):
        return []
    return [
        _finding(
            "warning",
            case.id,
            "a JPEG lacks its end mark",
            case.image.name,
            "its pixels are complete, but fetch it again",
        )
    ]


def _among(
    dataset: Dataset, cases: Sequence[Case], looks: Mapping[str, _Look], findings: Sequence[Finding]
) -> list[Finding]:
    """Findings that need all cases at once."""
    by_id = {case.id: case for case in cases}
    test = frozenset(case.id for case in dataset.test)
    thumbs = {key: look.thumb for key, look in looks.items() if look.thumb is not None}
    found = _quality_twins.check(cases, thumbs, test)
    bones = {key: look.bones for key, look in looks.items() if look.bones}
    found += _quality_places.check(bones)
    found += _quality_joints.check(bones, {(item.case, name) for item in found for name in item.classes})
    sides = {
        key: (_quality_hand.side({name: item.centre for name, item in own.items()}, agreed=True), by_id[key])
        for key, own in bones.items()
    }
    found += _quality_places.mirrored(sides)
    table = {key: look.areas for key, look in looks.items() if look.areas is not None and key not in test}
    if not table:
        return found
    ids, areas, names = list(table), np.stack(list(table.values())), dataset.labels.scored_names
    found += _quality_areas.check(ids, areas, names, _quality_places.cases_of(found))
    told = {item.case for item in findings if item.kind == "classes without an outline"}
    found += _quality_areas.missing(ids, areas, names, told)
    return found + _blanks(areas, names)


def _blanks(areas: np.ndarray, names: Sequence[str]) -> list[Finding]:
    """Warnings for cases without any foreground and for classes that no case has."""
    findings = []
    empty = int((~areas.any(axis=1)).sum())
    if empty:
        findings.append(_finding("warning", "", "training cases without any foreground", f"{empty} of {len(areas)}"))
    for name, column in zip(names, areas.T, strict=True):
        if not column.any():
            findings.append(_finding("warning", "", "a class that no training case has", name, "it cannot be learnt"))
    return findings
