"""Checkpoints of a run as a member of an ensemble: predicted into a store that lives as long as the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from phalanx.commands import _cases, _experiment
from phalanx.commands._member import Member
from phalanx.commands._run_folder import RunFolder
from phalanx.core import config
from phalanx.core.errors import RunError
from phalanx.store.predictions import Store


def predicted(path: Path, folds: tuple[int, ...], part: Literal["oof", "test"], scratch: Path) -> Store:
    """Predict the test cases of a run with the networks of its folds, or each held-out case with its own.

    Args:
        path: the folder of one network, with `fold0`, `fold1` ...
        folds: whose networks; all that were trained when empty.
        part: `test` or `oof`.
        scratch: where the store is made.

    Raises:
        RunError: the folder holds no such networks.
    """
    from omegaconf import OmegaConf

    root = next((one for one in (path, path.parent) if (one / "config.yaml").is_file()), None)
    if root is None:
        raise RunError("there is no run with checkpoints", path, "name the folder of a network of a run")
    values: Any = OmegaConf.to_container(OmegaConf.load(root / "config.yaml"))
    experiment = config.validate(_experiment.Experiment, values)
    name = "" if root == path else path.name
    known = _experiment.members(experiment)
    if name not in known:
        raise RunError("the run has no such member", path, f"name one of {', '.join(known) or root}")
    folder = RunFolder(root, values)
    try:
        member = Member(name, known[name], _cases.prepare(experiment, folder), folder)
        chosen = folds or member.folds
        for fold in chosen:
            if not (member.folder / f"fold{fold}" / "fold.json").is_file():
                raise RunError("the fold is not trained", member.folder / f"fold{fold}", "finish the run first")
        number = len(list(scratch.iterdir()))
        return Store(member.predict_into(scratch / f"{number}-{part}.zarr", part, tuple(chosen)))
    finally:
        folder.close()
