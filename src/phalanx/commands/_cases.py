"""Cases of a run: read, checked, limited, divided into folds, and found in the cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

from phalanx.commands._experiment import Experiment
from phalanx.commands._run_folder import LOG, RunFolder
from phalanx.core import catalogue, files
from phalanx.core.case import Case, Dataset, Finding
from phalanx.core.errors import DataError
from phalanx.core.labels import LabelSpace
from phalanx.core.progress import track
from phalanx.data import folds, patch, quality
from phalanx.data.cache import Cache
from phalanx.data.views import Views


@dataclass(frozen=True)
class Cases:
    """What a run works on.

    Args:
        labels: the label space.
        train: labelled cases, by id.
        test: cases to predict, by id.
        fold_of: fold of each labelled case.
        findings: everything odd that was met.
    """

    labels: LabelSpace
    train: dict[str, Case]
    test: dict[str, Case]
    fold_of: dict[str, int]
    findings: list[Finding]

    def part(self, fold: int, *, held: bool) -> list[Case]:
        """The cases of one fold (`held`), or all the others, in a fixed order."""
        return [case for key, case in self.train.items() if (self.fold_of[key] == fold) == held]


def prepare(experiment: Experiment, folder: RunFolder) -> Cases:
    """Read and check the data set, and divide it.

    Raises:
        DataError: the data set has errors, or too few groups for the folds.
    """
    dataset, patched = read(experiment)
    dataset = _limited(dataset, experiment.data.limit)
    dataset, findings = _checked(dataset, experiment, folder, patched)
    train, test = dataset.train, dataset.test
    settings = experiment.data.folds
    if settings.hold_out and test:
        raise DataError(
            "hold_out is for data sets without a test set",
            f"this one has {len(test)} test cases",
            "set data.folds.hold_out=0",
        )
    if settings.hold_out:
        train, test = folds.hold_out(train, settings.hold_out, experiment.seed)
    if not train:
        raise DataError(
            "no labelled case is left to train on", experiment.data.dataset.name, "run phalanx check on the data set"
        )
    fold_of = folds.assign(train, settings.count, experiment.seed, settings.stratify)
    folds.verify(fold_of, train)
    missing = [fold for fold in settings.train if fold >= settings.count]
    if missing:
        raise DataError(
            "data.folds.train names a fold that does not exist", missing[0], f"use 0 to {settings.count - 1}"
        )
    _record(folder, dataset, fold_of, test, patched)
    LOG.info("%d labelled cases of %d groups in %d folds, %d to predict, %d classes, %d warnings",
             len(train), len({case.group for case in train}), settings.count, len(test), len(dataset.labels.scored),
             sum(finding.level == "warning" for finding in findings))  # fmt: skip
    order = sorted(train, key=lambda case: case.id)
    return Cases(dataset.labels, {case.id: case for case in order}, {case.id: case for case in test}, fold_of, findings)


def read(experiment: Experiment) -> tuple[Dataset, str]:
    """The data set with its patch applied, and the patch's digest; "" without a patch.

    Raises:
        PhalanxError: the data set cannot be read, or the patch does not fit it.
    """
    dataset: Dataset = catalogue.build("datasets", experiment.data.dataset).read()
    if experiment.data.patch is None:
        return dataset, ""
    corrections = patch.load(experiment.data.patch)
    return patch.applied(dataset, corrections, experiment.data.rasteriser), corrections.digest


def fill(cases: Sequence[Case], cache: Cache) -> None:
    """Make the cache entries that are not there yet, on all cores (OpenCV frees the interpreter lock)."""
    with ThreadPoolExecutor() as pool:
        for _ in track(pool.map(lambda case: cache.entry(case).geometry, cases), "Decoding", total=len(cases)):
            pass


def cache_of(member: Experiment, labels: LabelSpace) -> Cache:
    """The cache that a member's networks look into."""
    data = member.data
    channels = getattr(member.model, "channels", 3)
    size = None if data.fit == "native" else data.size
    prepare = member.views.prepare
    views = Views(prepare, (0.0,), (1.0,), section="views.prepare", geometric=False) if prepare else None
    return Cache(data.cache, labels, size, data.fit == "letterbox", channels, data.rasteriser, data.mirror, views)


def _limited(dataset: Dataset, limit: int | None) -> Dataset:
    """The first `limit` groups of the training and of the test cases."""
    if limit is None:
        return dataset
    kept = {group for part in (dataset.train, dataset.test) for group in sorted({case.group for case in part})[:limit]}
    ids = {case.id for part in (dataset.train, dataset.test) for case in part if case.group in kept}
    return replace(
        dataset,
        train=[case for case in dataset.train if case.group in kept],
        test=[case for case in dataset.test if case.group in kept],
        findings=[finding for finding in dataset.findings if finding.case in ids or not finding.case],
    )


def _checked(
    dataset: Dataset, experiment: Experiment, folder: RunFolder, patched: str
) -> tuple[Dataset, list[Finding]]:
    """The data set without unreadable images, and all findings. A run decodes everything once, at its start."""
    kept = folder.path / "check.json"
    digest = _digest([*dataset.train, *dataset.test]) + patched
    if kept.is_file() and (known := json.loads(kept.read_text(encoding="utf-8")))["digest"] == digest:
        findings, left_out = [_finding(item) for item in known["findings"]], set(known["left_out"])
    else:
        settings = experiment.data
        findings, left_out = quality.integrity(dataset, settings.rasteriser, unreadable=settings.unreadable)
        _refuse(findings)
        record = {"digest": digest, "findings": [asdict(item) for item in findings], "left_out": sorted(left_out)}
        files.write_text(kept, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    train = [case for case in dataset.train if case.id not in left_out]
    test = [case for case in dataset.test if case.id not in left_out]
    return replace(dataset, train=train, test=test), findings


def _finding(kept: Any) -> Finding:
    """A finding of `check.json`; a run begun with an earlier version has three words of it."""
    if isinstance(kept, list):
        return Finding(*kept)
    return Finding(**{**kept, "classes": tuple(kept["classes"]), "others": tuple(kept["others"])})


def _refuse(findings: Sequence[Finding]) -> None:
    """Say the warnings; stop at an error."""
    warnings = [finding for finding in findings if finding.level == "warning"]
    for finding in warnings[:20]:
        LOG.warning("warning: %s", _named(finding))
    if len(warnings) > 20:
        LOG.warning("... and %d more warnings; all are in the report", len(warnings) - 20)
    errors = [finding for finding in findings if finding.level == "error"]
    if errors:
        more = f" (and {len(errors) - 1} more errors)" if len(errors) > 1 else ""
        raise DataError(f"the data set has errors{more}", _named(errors[0]), "run phalanx check on it to see them all")


def _named(finding: Finding) -> str:
    """The finding's sentence, with the case where it does not name it itself."""
    return finding.message if finding.case in finding.message else f"{finding.case}: {finding.message}"


def _record(folder: RunFolder, dataset: Dataset, fold_of: dict[str, int], test: list[Case], patched: str) -> None:
    """Keep the division in the run folder, and refuse to go on when it is no longer the same."""
    record: dict[str, Any] = {
        "classes": list(dataset.labels.names),
        "exclusive": dataset.labels.exclusive,
        "folds": dict(sorted(fold_of.items())),
        "test": [case.id for case in test],
        "digest": _digest([*dataset.train, *test]),
    }
    if patched:
        record["patch"] = patched
        LOG.info("Labels are corrected by the patch %s...", patched[:12])
    folder.settle("cases.json", record)


def _digest(cases: Sequence[Case]) -> str:
    """Digest of the images' ids and sizes in bytes: cheap, and enough to notice another data set."""
    text = "\n".join(sorted(f"{case.id} {case.image.stat().st_size}" for case in cases))
    return hashlib.sha256(text.encode()).hexdigest()
