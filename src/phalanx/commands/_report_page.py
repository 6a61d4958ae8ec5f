"""Report page: gathers what a finished run's report shows, and writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from phalanx.commands import _cases, _environment, _outcome, _run_details
from phalanx.commands._cases import Cases
from phalanx.commands._experiment import Experiment, members
from phalanx.commands._run_folder import MEMORY, TIMINGS
from phalanx.data import decode
from phalanx.ensemble import soft
from phalanx.store.predictions import Store

_SHOWN = 6


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
    made = _environment.read(run)
    if not _run_details.there(run):
        _measure(experiment, cases, run)
    page.write(
        page.Report(
            title=experiment.run,
            command=_command(experiment, made),
            labels=cases.labels,
            scores=scores,
            table=oof,
            curves=_curves(experiment, run),
            data=_facts(experiment, cases),
            findings=cases.findings,
            best=_pictures(order[::-1][:shown], experiment, cases, run, oof),
            worst=_pictures(order[:shown], experiment, cases, run, oof),
            timings=_json(run / TIMINGS),
            config_yaml=(run / "config.yaml").read_text(encoding="utf-8"),
            versions=made[-1]["versions"] if made else _environment.versions(),
            notes=[*_notes(experiment), *_changes(made)],
            cases=_run_details.cases(run),
            areas=_run_details.areas(run),
            confusion=_run_details.confusion(run),
            memory=_json(run / MEMORY),
            machine=made[-1]["machine"] if made else {},
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


def _command(experiment: Experiment, made: list[dict[str, Any]]) -> str:
    """What reproduces the run; a queue's run as if it had been typed alone."""
    return f"python run.py {made[-1]['command']}" if made else f"python run.py config={experiment.run}"


def _changes(made: list[dict[str, Any]]) -> list[str]:
    """A sentence when a run was continued elsewhere or with other versions."""
    notes = []
    versions = [entry["versions"] for entry in made]
    changed = [name for name in (versions[-1] if made else {}) if len({one.get(name) for one in versions}) > 1]
    if changed:
        said = ", ".join(f"{name} {' then '.join(dict.fromkeys(one.get(name, '-') for one in versions))}"
                         for name in changed)  # fmt: skip
        notes.append(f"The run was continued with other versions: {said}.")
    if len({json.dumps(entry["machine"], sort_keys=True) for entry in made}) > 1:
        notes.append("The run was continued on another machine; the last one is named below.")
    return notes


def _measure(experiment: Experiment, cases: Cases, run: Path) -> None:
    """What a run of an earlier version did not keep, from its stores."""
    names = list(members(experiment))
    oof, test = (
        _outcome.combine(run, names, part, "Reading predictions") if wanted else {}
        for part, wanted in (("oof", True), ("test", bool(cases.test)))
    )
    _run_details.write(run, cases, _cases.cache_of(experiment, cases.labels), oof, test)


def _json(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
