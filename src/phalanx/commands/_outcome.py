"""Outcome: the members' stores combined, scored on cases they did not learn from, and written as a submission."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from phalanx.commands import _run_details
from phalanx.commands._cases import Cases, cache_of
from phalanx.commands._experiment import Experiment, members
from phalanx.commands._run_folder import LOG, RunFolder
from phalanx.core import catalogue, files
from phalanx.core.case import Case
from phalanx.core.errors import SubmissionError
from phalanx.core.progress import track
from phalanx.data.cache import Cache
from phalanx.ensemble import soft
from phalanx.mask import dialect as dialects
from phalanx.metrics import _counts, _summary
from phalanx.store.predictions import Store
from phalanx.submit import lint, write

Masks = dict[str, tuple[tuple[int, int], list[np.ndarray]]]


@dataclass(frozen=True)
class Scored:
    """Scores of one set of predictions.

    Args:
        of: what was scored (`out-of-fold`, `out-of-fold, member unet`, `test`).
        cases: ids, in the order of the tables.
        tables: metric -> scores `(cases, scored classes)`.
    """

    of: str
    cases: list[str]
    tables: dict[str, np.ndarray]


def conclude(experiment: Experiment, cases: Cases, run: RunFolder) -> list[dict[str, Any]]:
    """Combine, score, write the tables, `oof.csv` and `submission.csv`; returns the scores."""
    names = list(members(experiment))
    cache = cache_of(experiment, cases.labels)
    oof = combine(run.path, names, "oof", "Combining out-of-fold predictions")
    scored = [score("out-of-fold", oof, cases.train, cache, cases)]
    if len(names) > 1:
        singles = {name: combine(run.path, [name], "oof", f"Scoring {name}") for name in names}
        scored += [
            score(f"out-of-fold, member {name}", masks, cases.train, cache, cases) for name, masks in singles.items()
        ]
    _submit(experiment, run.path / "oof.csv", oof, cases, None)
    test: Masks = {}
    if cases.test:
        test = combine(run.path, names, "test", "Combining test predictions")
        if all(case.labels is not None for case in cases.test.values()):
            scored.append(score("test", test, cases.test, cache, cases))
        sample = _sample(experiment)
        _submit(experiment, run.path / "submission.csv", test, cases, sample)
    _run_details.write(run.path, cases, cache, oof, test)
    everyone = {**cases.train, **cases.test}
    summary = [entry for part in scored for entry in _entries(part, cases, everyone)]
    files.write_text(run.path / "scores.json", json.dumps(summary, indent=1) + "\n")
    files.write_text(run.path / "scores.csv", _table(scored, cases))
    return summary


def combine(path: Path, names: Iterable[str], kind: str, title: str) -> Masks:
    """Runs of every case: the plain mean of the members' logits, at the images' own sizes."""
    stores = [Store((path / name if name else path) / f"{kind}.zarr") for name in names]
    return {case: (size, runs) for case, size, runs in track(soft.mean(stores), title, total=len(stores[0]))}


def score(of: str, masks: Masks, known: dict[str, Case], cache: Cache, cases: Cases) -> Scored:
    """Every metric of every predicted case against its truth at the original size."""
    keys = sorted(masks)
    counts = np.stack([_counts.of(masks[key][1], cache.item(known[key]).truth or []) for key in keys])
    metrics = {name: catalogue.entry("metrics", name) for name in ("dice", "iou")}
    return Scored(of, keys, {name: metric()(counts) for name, metric in metrics.items()})


def _entries(part: Scored, cases: Cases, known: dict[str, Case]) -> list[dict[str, Any]]:
    groups = [known[key].group for key in part.cases]
    return [
        {**_summary.scores(name, table, cases.labels.scored_names, groups), "of": part.of}
        for name, table in part.tables.items()
    ]


def _table(scored: list[Scored], cases: Cases) -> str:
    """Case x class Dice of the whole run's predictions, as CSV."""
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["of", "case", "fold", "mean", *cases.labels.scored_names])
    for part in scored:
        if "member" in part.of:
            continue
        for key, row in zip(part.cases, part.tables["dice"], strict=True):
            numbers = [f"{value:.6f}" for value in (row.mean(), *row)]
            writer.writerow([part.of, key, cases.fold_of.get(key, ""), *numbers])
    return text.getvalue()


def _submit(experiment: Experiment, path: Path, masks: Masks, cases: Cases, sample: Path | None) -> None:
    """Write a submission and have it linted; one that its own lint refuses does not keep its name."""
    dialect = dialects.named(experiment.submit.dialect)
    names = cases.labels.scored_names
    rows = ((key, size, dict(zip(names, runs, strict=True))) for key, (size, runs) in masks.items())
    count = write.write(path, dialect, rows, names, overwrite=True)
    problems = lint.lint(path, dialect, {key: size for key, (size, _) in masks.items()}, names, sample)
    errors = [problem for problem in problems if problem.level == "error"]
    if errors:
        refused = path.with_suffix(".refused.csv")
        path.replace(refused)
        raise SubmissionError(
            "the submission does not pass its own lint", f"{refused}: {errors[0].message}", "report this as a fault"
        )
    LOG.info("%s: %d rows, lint found no error", path, count)


def _sample(experiment: Experiment) -> Path | None:
    """The data set's sample submission, where it has one and the run covers all its images."""
    config = experiment.data.dataset
    root = getattr(catalogue.build("datasets", config), "root", getattr(config, "root", None))
    named = experiment.submit.sample
    if named is None or root is None or experiment.data.limit is not None:
        return None
    sample = root / named
    return sample if sample.is_file() else None
