"""Integrity of a data set: everything that shows only when files are opened."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from phalanx.core.case import Case, Dataset, Finding
from phalanx.core.errors import DataError
from phalanx.core.labels import LabelSpace
from phalanx.core.progress import track
from phalanx.data import decode as pixels
from phalanx.datasets import _base

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
    """

    findings: list[Finding]
    leave_out: frozenset[str] = frozenset()
    shares: dict[str, np.ndarray] = field(default_factory=dict)


def kind(finding: Finding) -> str:
    """What was wrong, without what was seen: findings are counted by it."""
    return finding.message.partition(": ")[0].rstrip(".")


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
    """Open the files of every case and check them against their labels.

    Args:
        dataset: what a reader returned.
        rasteriser: how outlines become pixels, one of `mask.polygon.RASTERISERS`.
        decode: decode pixels and labels; otherwise only headers are read and files of the same bytes looked for.
        workers: threads, by default one a core.
        unreadable: `skip`: images that are unreadable or truncated are warnings, and their ids are in `leave_out`.
    """
    failed = {finding.case for finding in dataset.findings if finding.level == "error"}
    cases = [case for case in (*dataset.train, *dataset.test) if case.id not in failed]

    def check(case: Case) -> tuple[list[Finding], np.ndarray | None]:
        return _check(case, dataset.labels, rasteriser, decode)

    findings, shares = list(dataset.findings), {}
    findings += [
        _finding("error", case.id, "a training case has no label", case.id)
        for case in dataset.train
        if case.labels is None
    ]
    with ThreadPoolExecutor(workers or min(8, os.cpu_count() or 1)) as pool:
        for case, (found, share) in zip(cases, track(pool.map(check, cases), "Checking", len(cases)), strict=True):
            findings += found
            if share is not None:
                shares[case.id] = share
    findings += _twins(cases)
    findings += _blanks(dataset, shares)
    leave_out = frozenset(finding.case for finding in findings if unreadable == "skip" and kind(finding) in SKIPPABLE)
    if leave_out:
        findings = [replace(item, level="warning") if kind(item) in SKIPPABLE else item for item in findings]
    return Checked(findings, leave_out, shares)


def _finding(level: str, case: str, wrong: str, seen: object, fix: str = "") -> Finding:
    return Finding(level, case, str(DataError(wrong, seen, fix)).rstrip(".") + ".")


def _check(case: Case, labels: LabelSpace, rasteriser: str, decode: bool) -> tuple[list[Finding], np.ndarray | None]:
    """Findings on one case, and the share of the image its classes cover."""
    try:
        if not decode:
            _base.header(case.image)
            return [], None
        size = pixels.image(case).shape[:2]
        found = _endless(case)
        if case.labels is None:
            return found, None
        runs = pixels.runs(case, labels, rasteriser, size)
    except DataError as error:
        return [_finding("error", case.id, error.wrong, error.seen, error.fix)], None
    areas = np.array([(run[:, 1] - run[:, 0]).sum() for run in runs], np.float64)
    return found, areas / (size[0] * size[1])


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


def _twins(cases: Sequence[Case]) -> list[Finding]:
    """Warnings for images of the same bytes in different groups: folds cannot keep them together."""
    findings = []
    for same in _same_bytes(cases):
        groups = sorted({case.group for case in same})
        if len(groups) > 1:
            seen = ", ".join(
                f"{case.id} of {case.group}" if case.group != Path(case.id).stem else case.id for case in same
            )
            fix = "exclude all but one, or they are learnt from and scored on"
            findings.append(_finding("warning", same[0].id, "the same image in different groups", seen, fix))
    return findings


def _same_bytes(cases: Iterable[Case]) -> list[list[Case]]:
    by_length: dict[int, list[Case]] = defaultdict(list)
    for case in cases:
        if case.image.is_file():
            by_length[case.image.stat().st_size].append(case)
    by_digest: dict[bytes, list[Case]] = defaultdict(list)
    for group in by_length.values():
        for case in group if len(group) > 1 else ():
            by_digest[hashlib.sha256(case.image.read_bytes()).digest()].append(case)
    return [same for same in by_digest.values() if len(same) > 1]


def _blanks(dataset: Dataset, shares: dict[str, np.ndarray]) -> list[Finding]:
    """Warnings for cases without any foreground and for classes that no case has."""
    train = [shares[case.id] for case in dataset.train if case.id in shares]
    if not train:
        return []
    table = np.stack(train)
    findings = []
    empty = int((~table.any(axis=1)).sum())
    if empty:
        findings.append(_finding("warning", "", "training cases without any foreground", f"{empty} of {len(table)}"))
    for name, column in zip(dataset.labels.scored_names, table.T, strict=True):
        if not column.any():
            findings.append(_finding("warning", "", "a class that no training case has", name, "it cannot be learnt"))
    return findings
