"""What `phalanx store` writes: a submission at another threshold, and exports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import typer

from phalanx.commands import _dialect, _results, _store_listing
from phalanx.core import files
from phalanx.core.errors import SubmissionError
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.core.progress import track
from phalanx.mask import decode
from phalanx.mask import runs as run_lengths
from phalanx.mask.dialect import DIALECTS, Dialect
from phalanx.store import export as exports
from phalanx.store.export import Exported
from phalanx.store.predictions import Store
from phalanx.submit import lint, write

_SUFFIXES = {".npz": "npz", ".nii": "nifti", ".nii.gz": "nifti"}
_WRITERS = {"npz": (exports.write_npz, ".npz"), "nifti": (exports.write_nifti, ".nii.gz")}


@dataclass(frozen=True)
class Plan:
    """What is exported.

    Args:
        path: a file, or a folder.
        form: of the files, when told.
        what: name of the array.
        size: network or original.
        logit: a pixel of a mask is above it.
        overwrite: replace an earlier export.
    """

    path: Path
    form: str | None
    what: str
    size: exports.Size
    logit: float
    overwrite: bool


def submission(store: Store, path: Path, dialect: str | None, logit: float, *, overwrite: bool) -> str:
    """Write every case as a submission that has passed the lint; returns what was done.

    Raises:
        SubmissionError: the file is there, or the dialect cannot hold the masks.
    """
    if path.suffix.lower() != ".csv":
        fix = "must end in .csv; a picture needs --case"
        raise typer.BadParameter(f"{path} {fix}", param_hint="-o")
    _results.check({"-o": path}, [store.path], overwrite)
    written = _dialect.chosen(dialect) if dialect is not None else _own_dialect(store)
    names, sizes = store.labels.scored_names, {}

    def rows() -> Iterator[tuple[str, tuple[int, int], dict[str, np.ndarray]]]:
        for case in track(store, "thresholding", len(store)):
            logits, geometry = store.read(case)
            sizes[case] = geometry.original
            masks = decode.to_runs(logits, geometry, store.labels, logit)
            yield case, geometry.original, dict(zip(names, masks, strict=True))

    with files.whole(path) as temporary:
        count = write.write(temporary, written, rows(), names)
        problems = lint.lint(temporary, written, sizes, names)
        errors = [problem.message for problem in problems if problem.level == "error"]
        if errors:
            fix = "choose another dialect, or report this as a fault"
            raise SubmissionError("the submission does not pass its own lint", errors[0], fix)
    count_of = f"{len(problems)} warning{'s' * (len(problems) != 1)}"
    warned = f", {count_of} (phalanx lint shows them)" if problems else ""
    return f"Wrote {path}: {count:,} rows of {len(store):,} images as {written.name}, lint found no error{warned}"


def _own_dialect(store: Store) -> Dialect:
    """How the run that made the store writes its submission."""
    config = store.attributes.get("config")
    told = config.get("submit") if isinstance(config, dict) else None
    name = told.get("dialect") if isinstance(told, dict) else None
    return DIALECTS.get(str(name), DIALECTS["handbone"])


def export(store: Store, cases: Sequence[str], plan: Plan) -> str:
    """Write a file, or a folder of files; returns what was done.

    Raises:
        PhalanxError: the output is there, or a case is damaged.
        typer.BadParameter: a name that does not fit the rest.
    """
    if not plan.path.name or plan.path.resolve().is_relative_to(store.path.resolve()):
        raise typer.BadParameter(f"{plan.path} is no place for an export; choose another", param_hint="--export")
    suffix = next((known for known in _SUFFIXES if plan.path.name.lower().endswith(known)), "")
    if suffix:
        return _file(store, cases, plan, _SUFFIXES[suffix])
    if plan.path.suffix and not plan.path.is_dir():
        raise typer.BadParameter(f"{plan.path} is neither .npz, .nii, .nii.gz nor a folder", param_hint="--export")
    writer, ending = _WRITERS[plan.form or "npz"]
    names = exports.names(cases, ending)
    exports.check_folder(plan.path, overwrite=plan.overwrite)
    items = (_item(store, case, plan) for case in track(cases, "exporting"))
    exports.write_folder(plan.path, items, names, writer, overwrite=plan.overwrite)
    count = f"{len(cases):,} case{'s' * (len(cases) != 1)}"
    return f"Wrote {plan.path}: {count}, {_said(plan)}; {exports.TABLE} says which file is which case"


def _file(store: Store, cases: Sequence[str], plan: Plan, form: str) -> str:
    if plan.form not in (None, form):
        raise typer.BadParameter(f"{plan.path} is no {plan.form} file", param_hint="--format")
    if len(cases) != 1:
        seen = f"{plan.path} holds one case, not {len(cases)}; say --case ID, or name a folder"
        raise typer.BadParameter(seen, param_hint="--export")
    _results.check({"--export": plan.path}, [store.path], plan.overwrite)
    _WRITERS[form][0](plan.path, _item(store, cases[0], plan))
    return f"Wrote {plan.path}: {_store_listing.plain(cases[0])}, {_said(plan)}"


def _said(plan: Plan) -> str:
    size = "the image's own size" if plan.size == "original" else "the network's size"
    return f"{plan.what} at {size}"


def _item(store: Store, case: str, plan: Plan) -> Exported:
    logits, geometry = store.read(case)
    labels = store.labels
    if plan.what == "mask":
        masks = _masks(logits, geometry, labels, plan)
        return Exported(case, "mask", masks, labels.scored_names, geometry)
    values = exports.logits(logits, geometry, plan.size)
    if plan.what == "probability":
        values = exports.probability(values, labels)
    return Exported(case, plan.what, values, labels.names, geometry)


def _masks(logits: np.ndarray, geometry: Geometry, labels: LabelSpace, plan: Plan) -> np.ndarray:
    """Boolean `(scored, h, w)`."""
    if plan.size == "network":
        return labels.decode(logits if labels.exclusive else logits - np.float32(plan.logit))
    found: list[np.ndarray] = decode.to_runs(logits, geometry, labels, plan.logit)
    return np.stack([run_lengths.to_mask(mask, geometry.original) for mask in found])
