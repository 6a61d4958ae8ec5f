"""Report page: gathers what a finished run's report shows, and writes it."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

from phalanx.commands import _cases
from phalanx.commands._cases import Cases
from phalanx.commands._experiment import Experiment, members
from phalanx.data import decode
from phalanx.ensemble import soft
from phalanx.store.predictions import Store

_SHOWN = 6
_PACKAGES = (
    "torch",
    "lightning",
    "segmentation-models-pytorch",
    "timm",
    "albumentations",
    "numpy",
    "opencv-python-headless",
    "zarr",
)


def write(experiment: Experiment, cases: Cases, run: Path) -> Path:
    """Gather what the report shows and write `RUN/report.html`."""
    import pandas

    from phalanx.view import report as page

    scores = json.loads((run / "scores.json").read_text())
    table = pandas.read_csv(run / "scores.csv", dtype={"case": str, "of": str}, keep_default_na=False)
    oof = table[table["of"] == "out-of-fold"].set_index("case")
    oof = pandas.DataFrame(oof[list(cases.labels.scored_names)].astype(float))
    order = list(oof.mean(axis=1).sort_values(kind="stable").index)
    shown = min(_SHOWN, len(order) // 2)
    timings = run / "timings.json"
    page.write(
        page.Report(
            title=experiment.run,
            command=f"python run.py config={experiment.run}",
            labels=cases.labels,
            scores=scores,
            table=oof,
            curves=_curves(experiment, run),
            data=_facts(experiment, cases),
            findings=cases.findings,
            best=_pictures(order[::-1][:shown], experiment, cases, run, oof),
            worst=_pictures(order[:shown], experiment, cases, run, oof),
            timings=json.loads(timings.read_text()) if timings.is_file() else {},
            config_yaml=(run / "config.yaml").read_text(encoding="utf-8"),
            versions=_versions(),
            notes=_notes(experiment),
        ),
        run / "report.html",
    )
    return run / "report.html"


def _curves(experiment: Experiment, run: Path) -> dict[str, Any]:
    import pandas

    curves: dict[str, Any] = {}
    for name in members(experiment):
        for file in sorted((run / name).glob("fold*/metrics.csv")):
            curves[f"{name} {file.parent.name}".strip()] = pandas.read_csv(file)
    return curves


def _facts(experiment: Experiment, cases: Cases) -> dict[str, object]:
    facts: dict[str, object] = {
        "Reader": experiment.data.dataset.name,  # type: ignore[attr-defined]
        "Labelled cases": len(cases.train),
        "Groups": len({case.group for case in cases.train.values()}),
        "Cases to predict": len(cases.test),
        "Classes": len(cases.labels.scored),
        "Labels": "exclusive" if cases.labels.exclusive else "overlapping",
        "Folds": experiment.data.folds.count,
        "Rasteriser": experiment.data.rasteriser,
    }
    for name, member in members(experiment).items():
        model = member.model
        height, width = member.data.size
        text = f"{model.name}, {getattr(model, 'encoder', '')}, {height} x {width} px"  # type: ignore[attr-defined]
        facts[f"Member {name}".strip() if name else "Network"] = text
    return facts


def _notes(experiment: Experiment) -> list[str]:
    notes = ["Out-of-fold: every case is scored by networks that did not learn from it, nor from its group (person)."]
    if any(member.train.keep == "best" for member in members(experiment).values()):
        notes.append(
            "The weights of each fold were chosen by the Dice of the same held-out cases (train.keep=best), so the "
            "out-of-fold score is slightly optimistic; train.keep=last removes that choice."
        )
    return notes


def _pictures(keys: list[str], experiment: Experiment, cases: Cases, run: Path, table: Any) -> list[Any]:
    from phalanx.view.report import Picture

    names = list(members(experiment))
    stores = [Store((run / name if name else run) / "oof.zarr") for name in names]
    cache = _cases.cache_of(experiment, cases.labels)
    pictures = []
    for key, _, runs in soft.mean(stores, keys):
        case, classes = cases.train[key], cases.labels.scored_names
        dice = {name: float(table.loc[key, name]) for name in classes}
        pictures.append(
            Picture(
                case=key,
                caption=f"Dice {sum(dice.values()) / len(dice):.4f}, group {case.group}, fold {cases.fold_of[key]}",
                image=decode.image(case),
                truth=dict(zip(classes, cache.item(case).truth or [], strict=True)),
                predicted=dict(zip(classes, runs, strict=True)),
                dice=dice,
            )
        )
    return pictures


def _versions() -> dict[str, str]:
    versions = {"phalanx": importlib.metadata.version("phalanx"), "Python": platform.python_version()}
    return versions | {name: importlib.metadata.version(name) for name in _PACKAGES}
