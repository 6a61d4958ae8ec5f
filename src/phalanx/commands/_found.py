"""What a name on the command line stands for: a CSV, a data set, a run or a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import numpy as np

    from phalanx.core.case import Case
    from phalanx.core.labels import LabelSpace
    from phalanx.mask.dialect import Dialect


@dataclass(frozen=True)
class Reading:
    """How a folder that is a data set is read; see `phalanx check`.

    Args:
        reader: its name; None: guessed.
        options: of the reader, `key=value`.
        rasteriser: how outlines become pixels.
        patch: corrections of labels that are applied first.
    """

    reader: str | None = None
    options: tuple[str, ...] = ()
    rasteriser: str = "opencv"
    patch: Path | None = None


@dataclass
class Found:
    """What a name on the command line stands for; one of the three is there.

    Args:
        path: the name.
        csv: a CSV, and how it is written.
        stores: stores that are averaged.
        cases: labelled cases, by part of the data set (`train`, `test`), and what decodes them.
    """

    path: Path
    csv: tuple[Path, Dialect] | None = None
    stores: list[Path] = field(default_factory=list)
    cases: tuple[dict[str, list[Case]], tuple[str, ...], Callable[[Case], Masks]] | None = None

    @property
    def dialect(self) -> Dialect | None:
        """How the CSV is written."""
        return self.csv[1] if self.csv else None


# Size of an image, and the runs of its classes.
Masks = tuple[tuple[int, int], "list[np.ndarray]"]


def find(path: Path, dialect: Dialect, reading: Reading) -> Found:
    """Tell what a name stands for.

    Args:
        path: the name.
        dialect: how it is written if it is a CSV; a run knows that of its own.
        reading: how it is read if it is a data set.

    Raises:
        PhalanxError: there is nothing of that name, or no reader fits the folder.
    """
    if not path.is_dir():
        return Found(path, csv=(path, dialect))
    if path.suffix == ".zarr" or (path / "manifest.json").is_file():
        return Found(path, stores=[path])
    if (path / "config.yaml").is_file() and (run := _run(path)):
        return run
    return _dataset(path, reading)


def _run(path: Path) -> Found | None:
    """The out-of-fold predictions of a run folder: the CSV made of all members, or else their stores."""
    from phalanx.core.errors import RunError
    from phalanx.mask import dialect as dialects

    if (path / "oof.csv").is_file():
        return Found(path, csv=(path / "oof.csv", dialects.named(written_by(path))))
    stores = [path / "oof.zarr"] if (path / "oof.zarr").is_dir() else sorted(path.glob("*/oof.zarr"))
    if stores:
        return Found(path, stores=stores)
    if (path / "run.log").is_file():
        raise RunError("the run has no out-of-fold predictions yet", path, "run it again; it goes on where it stopped")
    return None


def written_by(run: Path) -> str:
    """The dialect of a run's submissions; a run that says none writes `handbone`.

    Raises:
        RunError: its configuration cannot be read.
    """
    import yaml

    from phalanx.core.errors import RunError

    try:
        values = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
        return str(((values or {}).get("submit") or {}).get("dialect", "handbone"))
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError) as error:
        raise RunError("the run's configuration cannot be read", run / "config.yaml", "run it again") from error


def decoder(labels: LabelSpace, rasteriser: str) -> Callable[[Case], Masks]:
    """What gives the size of a case's image, and the runs of its classes; an image it cannot read is named."""
    from phalanx.core.errors import DataError
    from phalanx.data import decode
    from phalanx.datasets import _base

    def read(case: Case) -> Masks:
        try:
            size = _base.header(case.image).size
        except DataError as error:
            raise DataError(error.wrong, f"{case.id} ({error.seen})", error.fix) from error
        return size, decode.runs(case, labels, rasteriser, size)

    return read


def _dataset(path: Path, reading: Reading) -> Found:
    from phalanx.commands import check
    from phalanx.core import catalogue
    from phalanx.core.errors import DataError
    from phalanx.data import patch

    dataset = catalogue.build("datasets", check.settings(path, reading.reader, list(reading.options))).read()
    if reading.patch is not None:
        dataset = patch.applied(dataset, patch.load(reading.patch), reading.rasteriser)
    errors = [finding for finding in dataset.findings if finding.level == "error"]
    if errors:
        more = f" (and {len(errors) - 1} more errors)" if len(errors) > 1 else ""
        raise DataError(f"the data set has errors{more}", errors[0].message, "run phalanx check on it to see them all")
    parts = {"train": dataset.train, "test": dataset.test}
    labelled = {name: [case for case in cases if case.labels is not None] for name, cases in parts.items()}
    if not any(labelled.values()):
        raise DataError("no case of the data set has labels", path, "name the data set that has the truth")
    read = decoder(dataset.labels, reading.rasteriser)
    return Found(path, cases=(labelled, dataset.labels.scored_names, read))


def unpatched(found: Sequence[Found], reading: Reading) -> str | None:
    """What to say when a run had its labels corrected and the data set it is held against has not.

    Raises:
        typer.BadParameter: a patch, and no data set to apply it to.
    """
    if reading.patch is not None and not any(item.cases for item in found):
        raise typer.BadParameter("corrects the labels of a data set, and none is named", param_hint="--patch")
    if reading.patch is not None or not any(item.cases for item in found):
        return None
    patches = (_patch_of(item.path) for item in found if not item.cases)
    name = next((patch for patch in patches if patch), None)
    return name and f"The run learnt from labels corrected by {name}; say --patch {name} to hold it against the same."


def _patch_of(path: Path) -> str | None:
    """The patch of the run that something is or lies in; a CSV that merely lies there says nothing of itself."""
    import yaml

    whole = path.resolve()
    folder = next((above for above in (whole, *whole.parents[:2]) if (above / "config.yaml").is_file()), None)
    if folder is None:
        return None
    try:
        named = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))["data"]["patch"]
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError):
        return None
    return None if named is None else str(named)
