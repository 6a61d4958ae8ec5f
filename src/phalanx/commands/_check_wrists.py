"""The wrists of a data set: how they are bent, and what a run's score is on the bends to predict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from phalanx.core.case import Dataset
from phalanx.data import shift
from phalanx.mask.wrist import Wrist
from phalanx.view import quality as view

if TYPE_CHECKING:
    from phalanx.commands._check_run import Judged


def compared(dataset: Dataset, wrists: Mapping[str, Wrist], judged: Judged | None) -> view.Wrists:
    """Bends of the labelled and of the other wrists, and what follows from them.

    The wrists to predict are those a run predicted, or else those of the test cases that have labels.

    Args:
        dataset: the cases.
        wrists: of the cases with labels.
        judged: what a run says.
    """
    known = {case.id: wrists[case.id] for case in dataset.train if case.id in wrists}
    labelled = {case.id: wrists[case.id] for case in dataset.test if case.id in wrists}
    wanted = judged.wrists if judged and judged.wrists else labelled
    train, test = list(known.values()), list(wanted.values())
    said: dict[str, object] = {"Wrists measured": len(train)}
    if train:
        said["Bent among the labelled"] = f"{shift.bent_share(train):.1%}"
    if train and test:
        found = shift.between(train, test)
        source = "predicted by the run" if wanted is not labelled else "from their labels"
        said["Wrists to predict"] = f"{len(test)}, {source}"
        said["Bent among them"] = f"{found.bent[1]:.1%}"
        said["Rotation to train with"] = f"{found.rotation} degrees either way"
        said |= _scores(known, test, judged)
    elif train:
        said["Wrists to predict"] = "not known; name a run with --run"
    bends = [[item.bend for item in part] for part in (train, test)]
    return view.Wrists(bends[0], bends[1], said)


def _scores(known: Mapping[str, Wrist], test: list[Wrist], judged: Judged | None) -> dict[str, object]:
    """The run's Dice on the labelled cases as they are, and weighted to the bends to predict."""
    from phalanx.commands import _check_run

    ids = [case for case in judged.ids if case in known] if judged else []
    if judged is None or not ids:
        return {}
    weight = shift.weights([known[case] for case in ids], test)
    plain = _check_run.weighted(judged, known, dict.fromkeys(ids, 1.0))
    shifted = _check_run.weighted(judged, known, dict(zip(ids, weight.tolist(), strict=True)))
    bent = np.array([abs(known[case].bend) >= shift.wrist.BENT_DEGREES for case in ids])
    rows = np.array([judged.ids.index(case) for case in ids])
    said: dict[str, object] = {
        "Out-of-fold Dice": _scored(*plain),
        "The same, weighted to the bends to predict": _scored(*shifted),
        "Worth as many equal cases as": f"{shift.effective(weight):.0f} of {len(ids)}",
    }
    for name, chosen in (("straight", ~bent), ("bent", bent)):
        if chosen.any():
            said[f"Dice of {name} wrists"] = f"{judged.dice[rows[chosen]].mean():.4f}, {int(chosen.sum())} cases"
    return said


def _scored(mean: float, bounds: list[float]) -> str:
    return f"{mean:.4f} [{bounds[0]:.4f}, {bounds[1]:.4f}]"


def told(wrists: view.Wrists) -> str:
    """What is said of the wrists, a line each."""
    return "Wrists:\n" + "\n".join(f"  {name}: {value}" for name, value in wrists.said.items())
