"""What came of a study: the best trial beside the noise floor, as plain data, as files and as lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from phalanx.commands import _study_trials
from phalanx.commands._study import StudyConfig
from phalanx.commands._study_space import Space, at
from phalanx.core import config, files
from phalanx.view import study as pages

_STATES = {TrialState.COMPLETE: "done", TrialState.PRUNED: "ended early", TrialState.FAIL: "failed"}


def summary(
    study: Study, repeats: Study, space: Space, settings: StudyConfig, titles: dict[str, Any]
) -> dict[str, Any]:
    """The study so far in plain data; see `view/study.py`.

    Args:
        study: with the trials.
        repeats: with those of the unchanged configuration.
        space: what was searched.
        settings: of the study.
        titles: `title` and `command`.
    """
    trials = [_plain(trial) for trial in _study_trials.finished(study.get_trials(deepcopy=False), settings.retries)]
    default = _repeats(repeats)
    done = [trial for trial in trials if trial["state"] == "done"]
    best = max(done, key=lambda trial: trial["dice"], default=None)
    noise = _noise([one["dice"] for one in default], len(done))
    report = {
        **titles, "objectives": list(settings.objectives), "sampler": settings.sampler.name,
        "pruner": settings.pruner.name, "of": settings.of, "folds": list(settings.folds),
        "axes": [_axis(space, key) for key in space.order],
        "trials": trials, "default": default, "best": best, "noise": noise,
        "gain": best["dice"] - noise["mean"] if best and noise["mean"] is not None else None,
        "front": sorted(trial.user_attrs.get("first", trial.number) for trial in study.best_trials)
        if len(settings.objectives) > 1 and done else [],
        "importance": _importance(study, len(done)),
        "saved": _saved(trials),
        "running": sum(trial.state == TrialState.RUNNING for trial in study.get_trials(deepcopy=False)),
    }  # fmt: skip
    return report | {"verdict": _verdict(report)}


def write(report: dict[str, Any], folder: Path) -> Path:
    """`summary.json` and the page."""
    files.write_text(folder / "summary.json", json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    page = folder / "study.html"
    files.write_text(page, pages.page(report))
    return page


def experiment_text(space: Space, labels: dict[str, Any], report: dict[str, Any], name: str, path: Path) -> str:
    """The best trial as a configuration that `run.py` takes, resolved, with a header that says what it is worth."""
    values = {key: value for key, value in space.values(labels).items() if key not in ("run", "members")}
    best = report["best"]
    shown = _under(path)
    head = [
        f"# Best of {report['title']}: trial {best['number']}.",
        "#",
        f"# Command    python run.py config={name}   (after: cp {shown} configs/{name}.yaml)",
        f"# Score      validation Dice {best['dice']:.4f} on folds {report['folds']}, chosen on these very cases",
        *(f"#            {line}" for line in report["verdict"]),
    ]
    return "\n".join(head) + "\n\n" + config.to_yaml(values)


def changes(space: Space, labels: dict[str, Any]) -> str:
    """What the best trial changes, as YAML."""
    import yaml

    tree: dict[str, Any] = {}
    found = space.values(labels)
    for key in space.order:
        if key in labels:
            *above, last = _shown(key, found)
            inner = tree
            for part in above:
                inner = inner.setdefault(part, {})
            inner[last] = at(found, ".".join([*above, last]))
    return yaml.safe_dump(tree, sort_keys=False, default_flow_style=None, width=110)


def sentences(report: dict[str, Any]) -> list[str]:
    """The outcome in words."""
    said = list(report["verdict"])
    states = [trial["state"] for trial in report["trials"]]
    counts = [f"{states.count(state)} {state}" for state in _STATES.values() if state in states]
    running = f", {report['running']} still running" if report["running"] else ""
    said.append(f"{len(states)} trials: {', '.join(counts) or 'none finished'}{running}")
    if report["saved"] and report["saved"]["epochs"]:
        said.append(f"Ending trials early saved {report['saved']['share']:.0%} of the epochs")
    return said


def _shown(key: str, found: Any) -> list[str]:
    """The path of a key as far as a mapping goes: a list is shown whole."""
    path: list[str] = []
    for part in key.split("."):
        if isinstance(found, list):
            break
        path.append(part)
        found = found.get(part) if isinstance(found, dict) else None
    return path


def _under(path: Path) -> str:
    """A path from here, where it lies below."""
    here = Path.cwd()
    whole = path.resolve()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else path.name


def _plain(trial: FrozenTrial) -> dict[str, Any]:
    notes = trial.user_attrs
    values = trial.values or [None]
    state = _STATES[trial.state]
    gone = "its worker was killed, again and again"
    return {
        "number": notes.get("first", trial.number),
        "state": state,
        "dice": values[0] if state == "done" else None,
        "seconds": notes.get("seconds"),
        "folds": notes.get("folds", []),
        "labels": dict(trial.params),
        "curve": sorted([step, value] for step, value in trial.intermediate_values.items()),
        "epochs": notes.get("epochs"),
        "reason": notes.get("reason", gone) if state == "failed" else "",
        "retries": len(notes.get("retried", ())),
        "host": str(notes.get("host", "")).partition(":")[0],
    }


def _repeats(repeats: Study) -> list[dict[str, Any]]:
    """One entry a seed; the same seed may have been trained twice on two machines that began at once."""
    done = repeats.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    by_seed = {trial.user_attrs["repeat"]: trial for trial in reversed(done)}
    return [
        {"repeat": repeat, "dice": trial.values[0], "seconds": trial.user_attrs.get("seconds")}
        for repeat, trial in sorted(by_seed.items())
    ]


def _noise(dice: Sequence[float], count: int) -> dict[str, Any]:
    """Mean and spread of the unchanged configuration, and what luck alone makes of the best of so many trials."""
    if not dice:
        return {"mean": None, "deviation": None, "luck": None}
    mean = float(np.mean(dice))
    if len(dice) < 2:
        return {"mean": mean, "deviation": None, "luck": None}
    deviation = float(np.std(dice, ddof=1))
    return {"mean": mean, "deviation": deviation, "luck": deviation * expected_best(count)}


def expected_best(count: int) -> float:
    """By how many standard deviations the best of `count` equal trials is above their mean, on average.

    Source: Blom 1958, Statistical Estimates and Transformed Beta-Variables, the approximation with 3/8.

    >>> round(expected_best(1), 3), round(expected_best(20), 2)
    (0.0, 1.87)
    """
    from scipy.stats import norm

    return float(norm.ppf((count - 0.375) / (count + 0.25))) if count > 1 else 0.0


def _axis(space: Space, key: str) -> dict[str, Any]:
    axis, own = space.axes[key], at(space.start, key)
    if isinstance(axis.choices, dict):
        own = next((label for label, value in axis.choices.items() if value == own), None)
    return {
        "key": key, "values": str(axis), "log": axis.log, "choices": [str(label) for label in axis.labels],
        "default": own if isinstance(own, bool | int | float | str) else None,
        "when": {other: str(wanted) for other, wanted in axis.when.items()},
    }  # fmt: skip


def _importance(study: Study, count: int) -> dict[str, float]:
    """Share of the spread of the Dice that each key explains; nothing from fewer than five trials."""
    if count < 5:
        return {}
    try:
        found = optuna.importance.get_param_importances(study, target=lambda trial: trial.values[0])
    except (ValueError, RuntimeError):
        return {}
    return {key: float(value) for key, value in found.items() if np.isfinite(value)}


def _saved(trials: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Epochs that trials ended early did not train."""
    known = [trial["epochs"] for trial in trials if trial["epochs"] and trial["state"] != "failed"]
    planned = sum(epochs[1] for epochs in known)
    missing = planned - sum(epochs[0] for epochs in known)
    return {"epochs": missing, "planned": planned, "share": missing / planned if planned else 0.0}


def _verdict(report: dict[str, Any]) -> list[str]:
    """Best against unchanged, beside the noise floor."""
    best, noise, gain = report["best"], report["noise"], report["gain"]
    if best is None:
        return ["No trial is done yet"]
    lead = f"Best: {best['dice']:.4f} (trial {best['number']})"
    if gain is None:
        return [f"{lead}; the unchanged configuration was not measured (repeats: 0)"]
    against = f"{lead}, unchanged {noise['mean']:.4f}: {gain:+.4f}"
    if noise["deviation"] is None:
        return [against]
    count = len(report["default"])
    floor = (
        f"Noise floor: {count} seeds of the unchanged configuration differ by a standard deviation of "
        f"{noise['deviation']:.4f}; the best of {sum(trial['state'] == 'done' for trial in report['trials'])} equal "
        f"trials would lie {noise['luck']:+.4f} above their mean by luck alone"
    )
    if gain <= noise["luck"]:
        return [against, floor, "The gain is not more than luck gives: keep the configuration as it is"]
    return [against, floor, "The gain is more than luck gives on average; train both with other seeds to be sure"]
