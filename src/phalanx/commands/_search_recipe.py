"""What a search chose, as a recipe for `phalanx ensemble`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from phalanx.commands import _oof
from phalanx.ensemble.band import Band
from phalanx.ensemble.choice import Choice
from phalanx.store.predictions import Store

_SCORES = ("metric", "mean", "interval", "of", "cases")


def described(
    band: Band, choice: Choice, stores: Sequence[Store], temperatures: Sequence[float], *, report: dict[str, Any],
    dialect: str | None, folder: Path,
) -> dict[str, Any]:  # fmt: skip
    """The recipe as plain values, its members' paths from `folder`. Members without weight are left out."""
    used = [place for place in range(band.members) if any(row[place] for row in choice.weights)]
    weights = [[row[place] for place in used] for row in choice.weights]
    common = _commonest(weights)
    threshold, steps = _commonest(choice.thresholds), _commonest(choice.steps)
    classes: dict[str, Any] = {}
    for name, row, at, own in zip(band.classes, weights, choice.thresholds, choice.steps, strict=True):
        values: dict[str, Any] = {} if row == common else {"weights": row}
        values |= {} if at == threshold else {"threshold": float(band.thresholds[at])}
        values |= {} if own == steps else {"steps": [dict(step) for step in own]}
        classes |= {name: values} if values else {}
    members = [
        _member(stores[place], weight, temperatures[place], folder) for place, weight in zip(used, common, strict=True)
    ]
    found = {
        "kind": "soft", "space": band.space, "dialect": dialect or _oof.dialect(stores[0].path), "members": members,
        "threshold": float(band.thresholds[threshold]), "steps": [dict(step) for step in steps], "classes": classes,
        "scores": _scores(report),
    }  # fmt: skip
    return {key: value for key, value in found.items() if value not in ([], {})}


def text(recipe: dict[str, Any], path: Path) -> str:
    """The recipe as YAML."""
    head = (
        f"# Found by phalanx search. The submission: phalanx ensemble {path.name} -o OUT.csv\n"
        f"# How it was found, and what it gains: {path.with_suffix('.html').name}\n"
    )
    return head + yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)


def said(step: tuple[tuple[str, Any], ...]) -> str:
    """A step in a few words."""
    values = dict(step)
    name = str(values.pop("name")).replace("_", " ")
    return f"{name} ({', '.join(f'{key} {value}' for key, value in values.items())})" if values else name


def _commonest(rows: Sequence[Any]) -> Any:
    """What most classes have; the first of equals."""
    counts = Counter(repr(row) for row in rows)
    best = max(counts.values())
    return next(row for row in rows if counts[repr(row)] == best)


def _member(store: Store, weight: int, temperature: float, folder: Path) -> dict[str, Any]:
    whole = store.path.resolve()
    values: dict[str, Any] = {"weight": weight}
    if temperature != 1:
        values["temperature"] = temperature
    if whole.name != "oof.zarr":
        return {"store": os.path.relpath(whole, folder.resolve()), **values, "sha256": store.digest()}
    digests = {"oof": store.digest()}
    if (whole.parent / "test.zarr").is_dir():
        digests["test"] = Store(whole.parent / "test.zarr").digest()
    return {"run": os.path.relpath(whole.parent, folder.resolve()), **values, "sha256": digests}


def _scores(report: dict[str, Any]) -> list[dict[str, Any]]:
    nested = [entry | {"of": f"nested, {entry['of']}"} for entry in report["scores"]]
    nested[-1]["of"] = "nested"
    fitted = {"metric": report["metric"], "mean": report["fitted"], "of": "out-of-fold", "cases": report["cases"]}
    chosen = [entry for entry in nested if entry["of"] in ("nested", "nested, plain mean", "nested, best single")]
    rows = [*chosen, fitted]
    return [{key: _rounded(entry[key]) for key in _SCORES if key in entry} for entry in rows]


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return round(value, 6) if isinstance(value, float) else value
