"""Out-of-fold predictions of runs, and the truth they are held against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phalanx.core.errors import RunError, StoreError

if TYPE_CHECKING:
    import numpy as np

    from phalanx.commands._found import Reading
    from phalanx.core.case import Case
    from phalanx.store.predictions import Store


@dataclass(frozen=True)
class Truth:
    """Labelled cases.

    Args:
        cases: by id.
        classes: scored classes, in the order of the masks.
        read: the image size and the runs of a case.
        note: what is odd about them; "" if nothing.
    """

    cases: dict[str, Case]
    classes: tuple[str, ...]
    read: Callable[[Case], tuple[tuple[int, int], list[np.ndarray]]]
    note: str = ""

    def of(self, names: Sequence[str]) -> dict[str, list[np.ndarray]]:
        """Runs of these cases, on all cores.

        Raises:
            StoreError: a case without truth.
        """
        from phalanx.core import parallel
        from phalanx.core.progress import track

        lacking = [name for name in names if name not in self.cases]
        if lacking:
            seen = f"{len(lacking)} of {len(names)}, {lacking[0]} first"
            raise StoreError("predicted cases have no truth", seen, "name their data set with --truth")
        found = parallel.ordered(lambda name: self.read(self.cases[name])[1], names)
        return dict(zip(names, track(found, "Reading the truth", len(names)), strict=True))


def stores(paths: Sequence[Path], part: str = "oof") -> list[Path]:
    """The stores that folders stand for: a store itself, a member's folder, or a run with all its members.

    Raises:
        RunError: there is none.
    """
    found = []
    for path in paths:
        if path.suffix == ".zarr" or (path / "manifest.json").is_file():
            found.append(path)
            continue
        own = [path / f"{part}.zarr"] if (path / f"{part}.zarr").is_dir() else sorted(path.glob(f"*/{part}.zarr"))
        if not own:
            fix = "name a run folder that is finished, or a store"
            raise RunError(f"there is no {part}.zarr, neither here nor one folder below", path, fix)
        found += own
    return found


def shared(opened: Sequence[Store], partial: bool) -> list[str]:
    """Cases that all stores have, in order.

    Raises:
        StoreError: some lack cases and `partial` is not set, or no case is in all.
    """
    common = set.intersection(*(set(store) for store in opened))
    for store in opened:
        more = sorted(set(store) - common)
        if more and not partial:
            seen = f"{store.path} has {len(more)} that others lack, {more[0]} first"
            raise StoreError("the stores have different cases", seen, "say --partial to use those that all have")
    if not common:
        raise StoreError("no case is in every store", opened[0].path, "predict the same data set")
    return sorted(common)


def truth(path: Path, told: Path | None, reading: Reading) -> Truth:
    """The truth: a data set that is named, or the one that the run of a store was trained on.

    Args:
        path: a store in a run folder.
        told: a data set.
        reading: how it is read.

    Raises:
        PhalanxError: there is none, or it cannot be read.
    """
    from phalanx.commands import _found
    from phalanx.mask import dialect

    if told is None:
        return _of_run(path)
    found = _found.find(told, dialect.named("handbone"), reading)
    if found.cases is None:
        raise StoreError("a search needs a data set as truth", told, "name its folder")
    parts, names, read = found.cases
    note = _found.unpatched([found, _found.Found(path, stores=[path])], reading) or ""
    return Truth({case.id: case for cases in parts.values() for case in cases}, names, read, note)


def _of_run(store: Path) -> Truth:
    from omegaconf import OmegaConf

    from phalanx.commands import _cases, _found
    from phalanx.commands._experiment import Experiment
    from phalanx.core import config

    folder = next((above for above in store.resolve().parents[:2] if (above / "config.yaml").is_file()), None)
    if folder is None:
        raise RunError("the store lies in no run folder, so its data set is not known", store, "name it with --truth")
    values: Any = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"))
    experiment = config.validate(Experiment, values)
    dataset, _ = _cases.read(experiment)
    cases = {case.id: case for case in (*dataset.train, *dataset.test) if case.labels is not None}
    return Truth(cases, dataset.labels.scored_names, _found.decoder(dataset.labels, experiment.data.rasteriser))


def dialect(path: Path) -> str:
    """How the run that a store or a member's folder lies in writes its submission.

    Raises:
        RunError: its configuration cannot be read.
    """
    from phalanx.commands import _found

    whole = path.resolve()
    for above in (whole, *whole.parents[:2]):
        if (above / "config.yaml").is_file():
            return _found.written_by(above)
    return "handbone"
