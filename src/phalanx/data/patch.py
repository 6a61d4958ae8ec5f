"""Patch: corrections of labels, written down in a file and applied when the data set is read.

The originals are never touched: leave the patch away and they are back. An entry names a case, the state its labels
are expected in, and what is done. A patch that no longer fits, because the data or the patch changed or because it was
applied before, is refused as a whole.

    format: phalanx-patch/1
    cases:
      image1661392103627.png:
        reason: the labels are mirrored
        expect: {labels: 0f3ac2d1}
        fixes:
          - relabel: {finger-1: finger-3, finger-3: finger-1}
          - swap: [Radius, Ulna]
          - delete: {class: Pisiform, part: 1}
          - redraw: {class: Lunate, points: [[10, 10], [40, 12], [30, 44]]}
      image1664846270124.png:
        expect: {classes: 29}
        exclude: true
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import Field, StringConstraints, model_validator
from yaml import YAMLError

from phalanx.core import catalogue, config, files
from phalanx.core.case import Case, Dataset, Finding
from phalanx.core.catalogue import Strict
from phalanx.core.errors import ConfigError, DataError
from phalanx.data import _patch_fixes, _patch_state
from phalanx.datasets import _base

FORMAT = "phalanx-patch/1"

_Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{8,64}$")]
_Pair = tuple[str, str]


class Expect(Strict):
    """The state a case must be in; every statement that is made must hold, and at least one is made.

    Args:
        labels: first digits of the digest of its labels, see `phalanx check --suggest`.
        image: first digits of the SHA-256 of its image file.
        classes: how many classes have a mask.
        parts: class -> of how many outlines or connected objects it consists; 0: it is not there.
        areas: class -> `[least, most]` pixels.
        larger: `[A, B]`: A has more pixels than B.
        overlap: `[A, B]`: they share pixels.
        nearer: `[A, B, C]`: the centre of A lies nearer to that of C than that of B does.
    """

    labels: _Digest | None = None
    image: _Digest | None = None
    classes: int | None = Field(default=None, ge=0)
    parts: dict[str, Annotated[int, Field(ge=0)]] = {}
    areas: dict[str, tuple[float, float]] = {}
    larger: tuple[_Pair, ...] = ()
    overlap: tuple[_Pair, ...] = ()
    nearer: tuple[tuple[str, str, str], ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_dump(exclude_defaults=True):
            raise ValueError(f"must make at least one statement: {', '.join(type(self).model_fields)}")
        return self


class Part(Strict):
    """Part of a class.

    Args:
        label: the class; written `class`.
        part: which of its outlines, or of its connected objects in reading order, counted from 0.
    """

    label: str = Field(alias="class")
    part: int = Field(default=0, ge=0)


class Outline(Strict):
    """A new outline.

    Args:
        label: the class; written `class`.
        part: which outline or connected object it replaces; all of the class when left out.
        points: `[x, y]` in pixels of the image, at least 3.
    """

    label: str = Field(alias="class")
    part: int | None = Field(default=None, ge=0)
    points: Annotated[tuple[tuple[float, float], ...], Field(min_length=3)]


class Fix(Strict):
    """One correction, exactly one of these.

    Args:
        relabel: what is called the key is called the value, all at once; a name that is taken must be renamed as well.
        swap: two classes exchange their names.
        delete: one outline, or connected object, goes.
        redraw: an outline is drawn anew.
    """

    relabel: dict[str, str] | None = None
    swap: _Pair | None = None
    delete: Part | None = None
    redraw: Outline | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"must be one of {', '.join(type(self).model_fields)}; is {' and '.join(given) or 'none'}")
        return self

    @property
    def classes(self) -> set[str]:
        """The classes it changes."""
        part = self.delete or self.redraw
        names = self.relabel or dict([self.swap] if self.swap else [])
        return {part.label} if part else {*names, *names.values()}


class Entry(Strict):
    """What is done with a case.

    Args:
        expect: the state it must be in.
        reason: why, for people.
        source: who says so, for people.
        optional: pass over the entry, with a warning, when the case is not there or in another state.
        exclude: leave the case out.
        fixes: corrections in this order.
    """

    expect: Expect
    reason: str = ""
    source: str = ""
    optional: bool = False
    exclude: bool = False
    fixes: tuple[Fix, ...] = ()

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.exclude == bool(self.fixes):
            raise ValueError("needs either fixes or exclude: true")
        return self


class PatchFile(Strict):
    """A whole patch file: entries by case id."""

    format: Literal["phalanx-patch/1"]
    cases: dict[str, Entry]


@dataclass(frozen=True)
class Patch:
    """A patch that was read.

    Args:
        path: its file.
        entries: case id -> what is done with it.
        digest: SHA-256 of what the file says; comments and layout do not count.
    """

    path: Path
    entries: Mapping[str, Entry]
    digest: str


def load(path: Path) -> Patch:
    """Read a patch file.

    Raises:
        ConfigError: there is none, or it is no patch: naming the key.
    """
    try:
        # Unlike YAML alone, it refuses a key that stands twice: the first would be lost without a word.
        values: Any = OmegaConf.to_container(OmegaConf.load(path))
    except OSError as error:
        raise ConfigError("the patch cannot be read", f"{path} ({error.strerror})", "name a patch file") from None
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        seen = f"{path} ({' '.join(str(error).split())[:160]})"
        raise ConfigError("the patch is not valid YAML", seen, "mend the file") from None
    if not isinstance(values, dict):
        raise ConfigError("the patch is not a mapping", path, f"begin with format: {FORMAT}")
    try:
        checked = config.validate(PatchFile, values)
    except ConfigError as error:
        raise ConfigError(f"{error.wrong} in {path.name}", error.seen, error.fix) from None
    text = json.dumps(checked.model_dump(mode="json", exclude_defaults=True), sort_keys=True)
    return Patch(path, checked.cases, hashlib.sha256(text.encode()).hexdigest())


def applied(dataset: Dataset, patch: Patch, rasteriser: str) -> Dataset:
    """The data set with the patch applied; the files it was read from stay as they are.

    What the reader noted about the classes that are mended goes with them. To apply a patch twice is refused: after the
    first time the cases are not in the expected state any more.

    Args:
        dataset: what a reader returned.
        patch: what to do.
        rasteriser: how outlines become pixels, one of `mask.polygon.RASTERISERS`.

    Raises:
        DataError: a case is not there, not in the expected state, or does not have the class or the part.
    """
    cases = {case.id: case for case in (*dataset.train, *dataset.test)}
    changed: dict[str, Case | None] = {}
    findings = list[Finding]()
    for key, entry in patch.entries.items():
        problem = _misfit(cases, key, entry, dataset, rasteriser)
        if problem and not entry.optional:
            raise problem
        if problem:
            error = DataError("an optional entry of the patch was left out", f"{key}, {problem.seen}")
            findings.append(Finding.of("warning", key if key in cases else "", error))
            continue
        try:
            changed[key] = None if entry.exclude else _mended(cases[key], entry, dataset, rasteriser)
        except DataError as error:
            raise DataError(f"the patch cannot be applied: {error.wrong}", f"{key}, {error.seen}", error.fix) from None

    def kept(part: Sequence[Case]) -> list[Case]:
        return [case for item in part if (case := changed.get(item.id, item)) is not None]

    left = [item for item in dataset.findings if not _settled(item, patch.entries, changed)]
    return replace(dataset, train=kept(dataset.train), test=kept(dataset.test), findings=[*left, *findings])


def _misfit(cases: Mapping[str, Case], key: str, entry: Entry, dataset: Dataset, rasteriser: str) -> DataError | None:
    """Why an entry does not fit, or None."""
    wrong = "the patch does not fit the data set"
    if key not in cases:
        return DataError(wrong, f"there is no case {key}", catalogue.nearest(key, tuple(cases)[:5000]))
    statements = entry.expect.model_dump(exclude_defaults=True)
    seen = _patch_state.contradiction(cases[key], statements, dataset.labels, rasteriser)
    fix = "was it applied before, or did the data change? Look at the case, then mend the entry or take it out"
    return DataError(wrong, f"{key}: {seen}", fix) if seen else None


def _mended(case: Case, entry: Entry, dataset: Dataset, rasteriser: str) -> Case:
    for fix in entry.fixes:
        if fix.relabel is not None:
            case = _patch_fixes.relabelled(case, fix.relabel, dataset.labels)
        elif fix.swap is not None:
            one, two = fix.swap
            case = _patch_fixes.relabelled(case, {one: two, two: one}, dataset.labels)
        elif fix.delete is not None:
            case = _patch_fixes.deleted(case, fix.delete.label, fix.delete.part, dataset.labels, rasteriser)
        elif fix.redraw is not None:
            outline = _patch_fixes.Drawn(fix.redraw.label, fix.redraw.part, fix.redraw.points)
            case = _patch_fixes.redrawn(case, outline, dataset.labels, rasteriser)
    return case


def _settled(finding: Finding, entries: Mapping[str, Entry], changed: Mapping[str, Case | None]) -> bool:
    """Whether what a reader noted is no longer so."""
    if finding.case not in changed:
        return False
    if changed[finding.case] is None:
        return True
    fixes = entries[finding.case].fixes
    drawn = {name for fix in fixes if fix.delete or fix.redraw for name in fix.classes}
    named = {name for fix in fixes for name in fix.classes}
    about = set(finding.classes)
    # An outline that the reader could not use is not mended by another name; one of an unknown class is.
    return bool(about) and about <= (named if finding.kind in _NAMED else drawn)


# Kinds of the readers that are about names alone.
_NAMED = ("unknown class", "classes without an outline", "two classes share one outline")
# Kinds after which nothing is left of the image.
_UNUSABLE = (_base.UNREADABLE, _base.TRUNCATED)


def suggested(dataset: Dataset, findings: Sequence[Finding]) -> dict[str, Any]:
    """A patch, as plain data, of the findings whose remedy is obvious; each case is expected as it is now.

    Args:
        dataset: the cases.
        findings: on them; of several remedies of a case the first kind of exclude, relabel, swap, delete is taken.
    """
    cases = {case.id: case for case in (*dataset.train, *dataset.test)}
    remedies: dict[str, list[Finding]] = {}
    for item in findings:
        if item.kind in _UNUSABLE:
            item = replace(item, remedy={"exclude": True})
        if item.remedy:
            remedies.setdefault(str(item.remedy.get("case", item.case)), []).append(item)
    entries = {key: entry for key in cases if key in remedies and (entry := _suggestion(cases[key], remedies[key]))}
    return {"format": FORMAT, "cases": entries}


def _suggestion(case: Case, findings: Sequence[Finding]) -> dict[str, Any] | None:
    kinds = ("exclude", "relabel", "swap", "delete")
    kind = next(kind for kind in kinds if any(item.remedy and kind in item.remedy for item in findings))
    chosen = [item for item in findings if item.remedy and kind in item.remedy]
    entry: dict[str, Any] = {"reason": " ".join(dict.fromkeys(item.message for item in chosen))}
    if kind == "exclude":
        if not case.image.is_file():
            return None
        return {**entry, "expect": {"image": files.digest(case.image)[:16]}, "exclude": True}
    if case.labels is None:
        return None
    fixes = [dict(item.remedy) for item in chosen if item.remedy]
    if kind == "delete":
        # From the last part on: the numbers of those that follow would change.
        fixes.sort(key=lambda fix: -fix["delete"]["part"])
        fixes = [fix for place, fix in enumerate(fixes) if fix not in fixes[:place]]
    expected = {"labels": _patch_state.digest(case.labels)[:16]}
    return {**entry, "expect": expected, "fixes": fixes if kind == "delete" else fixes[:1]}
