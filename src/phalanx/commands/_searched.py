"""Searched: the work of `phalanx search`, and how its outcome is said."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from phalanx.commands import _oof, _search_recipe
from phalanx.commands._found import Reading
from phalanx.core import files
from phalanx.core.errors import StoreError
from phalanx.ensemble import band as bands
from phalanx.ensemble import calibrate, search
from phalanx.ensemble.band import Space
from phalanx.ensemble.choice import Choice, Scorer
from phalanx.ensemble.members import StoreMember
from phalanx.ensemble.search import Found, Search
from phalanx.metrics import _paired, _summary
from phalanx.metrics._summary import Draws
from phalanx.store.predictions import Store
from phalanx.view import search as pages

if TYPE_CHECKING:
    from rich.table import Table

# A score on the very cases that were searched that is this much above the nested one is called optimistic.
_OPTIMISTIC = 0.002


@dataclass(frozen=True)
class Settings:
    """What `phalanx search` was told; see its options."""

    space: Space
    metric: str
    stages: tuple[str, ...]
    folds: int
    seed: int
    always: bool
    calibrate: bool
    limit: float
    partial: bool
    dialect: str | None


@dataclass(frozen=True)
class Searched:
    """A search that is done.

    Args:
        found: its outcome.
        report: the same in plain data, for the page and the terminal; see `view/search.py`.
    """

    found: Found
    report: dict[str, Any]


def stages(told: str | None) -> tuple[str, ...]:
    """Names of stages, in the order of the search.

    Raises:
        typer.BadParameter: no stage has this name.
    """
    if told is None:
        return search.STAGES
    named = [name.strip().replace("_", " ") for name in told.split(",") if name.strip()]
    unknown = [name for name in named if name not in search.STAGES]
    if unknown or not named:
        seen = f"{unknown[0] if unknown else told!r} is no stage; choose of {', '.join(search.STAGES)}"
        raise typer.BadParameter(seen, param_hint="--stages")
    return tuple(stage for stage in search.STAGES if stage in named)


def work(
    runs: Sequence[Path], told: Path | None, reading: Reading, settings: Settings, output: Path
) -> Searched:  # fmt: skip
    """Search, and write the recipe and its page.

    Args:
        runs: run folders, members' folders or stores.
        told: the data set with the truth; None: that of the run.
        reading: how it is read.
        settings: of the search.
        output: the recipe's name.

    Raises:
        PhalanxError: an input is at fault.
    """
    paths = _oof.stores(runs)
    # In the order of what they say, so that a search does not depend on how its members were listed.
    named = sorted((Store(path) for path in paths), key=lambda store: store.digest())
    # A copy says nothing new, and would count twice in the plain mean.
    opened = list({store.digest(): store for store in reversed(named)}.values())[::-1]
    cases = _oof.shared(opened, settings.partial)
    truth = _oof.truth(paths[0], told, reading)
    members = [StoreMember(store, opened[0].labels) for store in opened]
    _check_classes(opened[0], truth.classes)
    known = truth.of(cases)
    temperatures = [1.0] * len(members)
    if settings.calibrate:
        first = bands.build(members, known, limit=settings.limit)
        # As the recipe will have them.
        temperatures = [round(one, 4) for one in calibrate.temperatures(first)]
    band = bands.build(members, known, space=settings.space, temperatures=temperatures, limit=settings.limit)
    scorer = Scorer(band, list(known.values()), settings.metric)
    groups = [truth.cases[name].group for name in cases]
    kept = output.with_name(f".{output.stem}.search-{_digest(opened, known, settings)}.json")
    found = Search(
        scorer, groups, stages=settings.stages, folds=settings.folds, seed=settings.seed, always=settings.always
    ).run(kept)
    report = _report(scorer, found, groups, [store.path for store in opened], temperatures)
    report["warnings"] += [
        f"{store.path} is a copy of another member and was left out" for store in named if store not in opened
    ]
    report["warnings"] += [truth.note] if truth.note else []
    if settings.calibrate:
        report["warnings"].append("temperatures were fitted on all cases; the nested scores are not blind to them")
    recipe = _search_recipe.described(
        band, found.choice, opened, temperatures, report=report, dialect=settings.dialect, folder=output.parent
    )
    files.write_text(output, _search_recipe.text(recipe, output))
    files.write_text(output.with_suffix(".html"), pages.page(report))
    kept.unlink(missing_ok=True)
    return Searched(found, report)


def _digest(opened: Sequence[Store], known: Mapping[str, Sequence[np.ndarray]], settings: Settings) -> str:
    """What a search depends on, its truth included, as a short name."""
    total = hashlib.sha256(f"{[store.digest() for store in opened]} {settings}".encode())
    for name, masks in known.items():
        total.update(name.encode())
        for mask in masks:
            total.update(len(mask).to_bytes(8, "little") + mask.tobytes())
    return total.hexdigest()[:12]


def _check_classes(store: Store, classes: tuple[str, ...]) -> None:
    if store.labels.scored_names != classes:
        seen = (
            f"{store.path} has {', '.join(store.labels.scored_names[:3])} ..., the truth {', '.join(classes[:3])} ..."
        )
        raise StoreError("predictions and truth have different classes", seen, "name the right data set with --truth")


def _report(
    scorer: Scorer, found: Found, groups: Sequence[str], paths: Sequence[Path], temperatures: Sequence[float]
) -> dict[str, Any]:
    band, choice, draws = scorer.band, found.choice, Draws(groups)
    shares = np.array([np.array(row) / sum(row) for row in choice.weights])
    lost = search.leave_one_out(scorer, choice)
    singles = [scorer.table(Choice.plain(band, row)).mean() for row in np.eye(band.members, dtype=int).tolist()]
    names = _names(paths)
    curves = scorer.all_curves(choice.weights).mean(1, dtype=np.float64)
    report: dict[str, Any] = {
        "title": "Search of an ensemble", "metric": scorer.metric.config.name, "space": band.space,
        "cases": len(groups), "groups": len(set(groups)), "classes": band.classes,
        "members": [
            {
                "name": name, "weight": float(shares[:, place].mean()), "score": float(singles[place]),
                "lost": None if np.isnan(lost[place]) else float(lost[place]), "temperature": temperatures[place],
            }
            for place, name in enumerate(names)
        ],
        "agreement": band.agreement().tolist(),
        "stages": [
            {**vars(verdict), "interval": list(verdict.interval)} for verdict in found.verdicts
        ],
        "scores": _states(found, scorer.metric.config.name, band.classes, draws),
        "fitted": float(found.fitted.mean(0).mean()),
        "thresholds": band.thresholds.tolist(),
        "curves": dict(zip(band.classes, curves.tolist(), strict=True)),
        "chosen": {name: float(band.thresholds[at]) for name, at in zip(band.classes, choice.thresholds, strict=True)},
        "weights": dict(zip(band.classes, shares.tolist(), strict=True)),
        "steps": {
            name: [_search_recipe.said(step) for step in row]
            for name, row in zip(band.classes, choice.steps, strict=True)
        },
    }  # fmt: skip
    return report | {"warnings": _warnings(report, paths)}


def _states(found: Found, metric: str, classes: Sequence[str], draws: Draws) -> list[dict[str, Any]]:
    """Nested scores of each state, and how they compare with the plain mean and the best single member."""
    single, mean = found.nested["best single"], found.nested["plain mean"]
    rows = []
    for name, table in found.nested.items():
        entry = _summary.scores(metric, table, classes, draws) | {"of": name}
        against = {"over_mean": mean, "over_single": single}
        for key, other in against.items():
            entry[key] = None if other is table else _paired.difference(table, other, classes, draws)
        rows.append(entry)
    return rows


def _warnings(report: dict[str, Any], paths: Sequence[Path]) -> list[str]:
    last, found = report["scores"][-1], []
    optimism = report["fitted"] - last["mean"]
    if optimism > _OPTIMISTIC:
        found.append(
            f"the score on the searched cases, {report['fitted']:.4f}, is optimistic by {optimism:.4f}; expect the "
            "nested one"
        )
    gain = last["over_mean"]
    if gain and gain["interval"][0] <= 0:
        found.append(f"the gain over the plain mean, {gain['mean']:+.4f}, is not separable from zero")
    if len(paths) == 1:
        found.append("there is one member only; weights have nothing to choose from")
    agreement = np.array(report["agreement"])
    same = [(a, b) for a, b in zip(*np.nonzero(np.triu(agreement > 1 - 1e-6, 1)), strict=True)]
    names = [member["name"] for member in report["members"]]
    found += [f"{names[a]} and {names[b]} predict the same" for a, b in same]
    return found


def _names(paths: Sequence[Path]) -> list[str]:
    """Short names that tell the stores apart."""
    parts = [path.resolve().with_suffix("").parts for path in paths]
    last = {part[-1] for part in parts}
    parts = [part[:-1] for part in parts] if len(last) == 1 and len(paths) > 1 else parts
    depth = next((depth for depth in range(1, 9) if len({part[-depth:] for part in parts}) == len(parts)), 9)
    return ["/".join(part[-depth:]) for part in parts]


def states(done: Searched) -> Table:
    """The nested score of each state."""
    from rich.table import Table

    table = Table("nested", "score", "95 %", "over plain mean", "95 %", "p", box=None, pad_edge=False)
    taken = {stage["stage"]: stage["taken"] for stage in done.report["stages"]}
    for column in table.columns[1:]:
        column.justify = "right"
    for row in done.report["scores"]:
        gain, (low, high) = row["over_mean"], row["interval"]
        said = ["", "", ""]
        if gain:
            said = [f"{gain['mean']:+.4f}", "{:+.4f} to {:+.4f}".format(*gain["interval"]), f"{gain['p']:.4f}"]
        name = row["of"] if taken.get(row["of"], True) else f"{row['of']} (not taken)"
        table.add_row(name, f"{row['mean']:.4f}", f"{low:.4f} to {high:.4f}", *said)
    return table


def members(done: Searched) -> Table:
    """The members, heaviest first."""
    from rich.table import Table

    table = Table("member", "weight", "alone", "lost without it", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for member in sorted(done.report["members"], key=lambda one: -one["weight"]):
        lost = "" if member["lost"] is None else f"{member['lost']:+.4f}"
        table.add_row(member["name"], f"{member['weight']:.3f}", f"{member['score']:.4f}", lost)
    return table


def sentences(done: Searched) -> list[str]:
    """The outcome in words, and what to be careful about."""
    last = done.report["scores"][-1]
    low, high = last["interval"]
    cases, groups = done.report["cases"], done.report["groups"]
    said = [
        f"Honest {done.report['metric']}: {last['mean']:.4f} [{low:.4f}, {high:.4f}] on {cases} cases of {groups} "
        f"groups, each scored by a search that did not see it; {done.report['fitted']:.4f} on the cases it was made on"
    ]
    return said + [f"warning: {line}" for line in done.report["warnings"]]
