"""What the readers share: folders and their errors, image headers, findings, groups.

A finding's message and an error's line have the same shape, `what was wrong: what was seen. What to do.`; the part
before the colon is its kind, by which `phalanx check` groups them.
"""

from __future__ import annotations

import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator

from phalanx.core.case import Case, Finding
from phalanx.core.catalogue import nearest
from phalanx.core.errors import DataError

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

# Where Pillow begins to warn of decompression bombs: 256 MiB of RGB, 9459 x 9459.
MAX_PIXELS = 2**30 // 12

# Choices that a message lists in full.
FEW = 8

# Kinds that the caller of data/quality may choose to live with.
UNREADABLE = "the image cannot be read"
TRUNCATED = "the image file is truncated"

Unlabelled = Literal["error", "skip", "test"]


def _one_group(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"is not a regular expression ({error})") from None
    if pattern and not groups:
        raise ValueError("needs one pair of parentheses around the part that names the group, as in '(patient[0-9]+)_'")
    return pattern


GroupPattern = Annotated[str, AfterValidator(_one_group)]
"""A regular expression whose first parentheses catch the group (person) in a file's name; empty: every case alone."""


class Notes:
    """Findings in reading order; those on excluded cases are dropped.

    Args:
        exclude: ids of the cases that are left out.
    """

    def __init__(self, exclude: Iterable[str] = ()) -> None:
        self.exclude = frozenset(exclude)
        self.findings: list[Finding] = []

    def error(self, case: str, wrong: str, seen: object = "", fix: str = "", **more: Any) -> None:
        """Note something that must stop a run; `more` are fields of the finding, such as `classes`."""
        self._note("error", case, DataError(wrong, seen, fix), more)

    def warning(self, case: str, wrong: str, seen: object = "", fix: str = "", **more: Any) -> None:
        """Note something odd that a run can live with; `more` as for `error`."""
        self._note("warning", case, DataError(wrong, seen, fix), more)

    def _note(self, level: str, case: str, error: DataError, more: Mapping[str, Any]) -> None:
        if case not in self.exclude:
            self.findings.append(Finding.of(level, case, error, **more))


@dataclass(frozen=True)
class Header:
    """What a file says about its image before a pixel is decoded.

    Args:
        size: `(height, width)` as stored, before any EXIF rotation.
        mode: Pillow's name of the pixel type: `L`, `P`, `RGB`, `I;16` ...
        orientation: EXIF orientation, 1 when upright or not stated.
    """

    size: tuple[int, int]
    mode: str
    orientation: int = 1


def header(source: Path | bytes) -> Header:
    """Read an image's header, from a file or from its bytes.

    Raises:
        DataError: not an image, or one that claims more pixels than Pillow deems safe.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            # PNG may carry EXIF behind the pixels; Pillow would decode them to look.
            exif = image.getexif() if image.format in ("JPEG", "MPO", "TIFF") else {}
            found = Header((image.height, image.width), image.mode, int(exif.get(0x0112, 1)))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # Pillow's own message repeats the full path, or the address of the buffer.
        seen = "not an image file" if "cannot identify" in str(error) else error
        raise DataError(UNREADABLE, seen, "replace the file, or leave it out") from error
    if found.size[0] * found.size[1] > MAX_PIXELS:
        seen = f"it claims {text(found.size)} pixels"
        raise DataError(UNREADABLE, seen, f"cut it into parts of at most {MAX_PIXELS} pixels, or leave it out")
    return found


def headers(files: Mapping[str, Path], notes: Notes) -> dict[str, Header]:
    """Headers of the images by id; unreadable ones are noted and left out."""
    found = {}
    for case, file in files.items():
        try:
            found[case] = header(file)
        except DataError as error:
            notes.error(case, error.wrong, f"{file.name} ({error.seen})", error.fix)
            continue
        if found[case].orientation not in (0, 1):
            notes.warning(
                case,
                "EXIF orientation ignored",
                f"{file.name} asks for orientation {found[case].orientation}",
                "annotations are taken to be in stored pixels; rotate the file where they are not",
            )
    return found


def folder(path: Path, what: str) -> Path:
    """The path, if it is a folder.

    Raises:
        DataError: it is not there or not a folder; names the folders that are there instead.
    """
    if path.is_dir():
        return path
    if path.exists():
        raise DataError(f"the {what} is a file", path, "name the folder that holds it")
    parent = next(place for place in path.parents if place.is_dir())
    missing = path.relative_to(parent).parts[0]
    raise DataError(f"the {what} does not exist", path, _instead(parent, missing))


def file(path: Path, what: str) -> Path:
    """The path, if it is a file.

    Raises:
        DataError: it is not there; names the files of that kind which are there instead.
    """
    if path.is_file():
        return path
    if path.is_dir():
        raise DataError(f"the {what} is a folder", path, "name the file inside it")
    if not path.parent.is_dir():
        folder(path.parent, f"folder of the {what}")
    kin = sorted(item.name for item in path.parent.iterdir() if item.is_file() and item.suffix == path.suffix)
    fix = hint(path.name, kin) if kin else f"there is no {path.suffix or 'such'} file in {path.parent}"
    raise DataError(f"the {what} does not exist", path, fix)


def _instead(parent: Path, missing: str) -> str:
    folders = sorted(item.name for item in parent.iterdir() if item.is_dir() and not item.name.startswith("."))
    if not folders:
        return f"there is no folder in {parent}"
    return f"in {parent}: {hint(missing, folders)}"


def hint(word: str, choices: Sequence[str]) -> str:
    """The nearest of many choices, or the first few of them when none is near."""
    few = nearest(word, list(choices))
    if few.startswith("did you mean") or len(choices) <= FEW:
        return few
    return f"there are {', '.join(choices[:FEW])} and {len(choices) - FEW} more"


def images(place: Path, what: str, notes: Notes) -> dict[str, Path]:
    """Image files below a folder by id (the bare file name), sorted by id; excluded ones are left out.

    Raises:
        DataError: the folder is missing, or holds no image.
    """
    files = sorted(walk(folder(place, what), SUFFIXES), key=lambda path: (path.name, str(path)))
    if not files:
        raise DataError(f"the {what} holds no image", place, f"expected {', '.join(SUFFIXES)}; found {contents(place)}")
    return unique(files, notes)


def unique(files: Sequence[Path], notes: Notes) -> dict[str, Path]:
    """Files by bare name; a repeated name is an error finding and its later files are left out."""
    found: dict[str, Path] = {}
    for path in files:
        if path.name in found:
            seen = f"{path.parent.name}/{path.name} and {found[path.name].parent.name}/{path.name}"
            notes.error(path.name, "two images have the same name", seen, "rename one: the name is the image's key")
        elif path.name not in notes.exclude:
            found[path.name] = path
    return found


def walk(place: Path, suffixes: Sequence[str]) -> list[Path]:
    """Files below a folder whose suffix is one of `suffixes`, sorted; hidden files and folders are passed over."""
    found = []
    for parent, folders, names in os.walk(place):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(parent, name) for name in names if name.lower().endswith(tuple(suffixes)) and name[0] != "."]
    return sorted(found)


def contents(place: Path) -> str:
    """What is in a folder and below, in a few words: `2 folders, 14 .dcm, 1 .txt`."""
    folders, kinds = 0, Counter[str]()
    for _, names, files in os.walk(place):
        folders += len(names)
        kinds.update(Path(name).suffix.lower() or "without suffix" for name in files)
    words = [f"{folders} folders"] * bool(folders) + [f"{count} {kind}" for kind, count in kinds.most_common(4)]
    return ", ".join(words) or "nothing"


def check_frame(
    rings: Sequence[np.ndarray], size: tuple[int, int], case: str, where: str, notes: Notes, *, name: str = ""
) -> None:
    """Note rings `(points, 2)` that leave the image: by up to a pixel is the habit of many tools, more is refused."""
    classes = [name] if name else []
    for ring in rings:
        low, high = ring.min(axis=0), ring.max(axis=0)
        if high.min() < 0 or low[0] > size[1] or low[1] > size[0]:
            fix = "redraw it, or exclude the image"
            notes.error(case, "an outline lies outside the image", where, fix, classes=classes)
        elif low.min() < -1 or high[0] > size[1] + 1 or high[1] > size[0] + 1:
            corner = f"it spans x {low[0]:g} to {high[0]:g}, y {low[1]:g} to {high[1]:g} in {text(size)}"
            fix = "redraw it, or exclude the image"
            notes.error(case, "an outline leaves the image", f"{where}, {corner}", fix, classes=classes)


def group(name: str, pattern: str) -> str:
    """The group of a file by name: what the pattern's first parentheses catch, else the stem."""
    match = re.search(pattern, name) if pattern else None
    return (match and match.group(1)) or Path(name).stem


def size_metadata(head: Header | None) -> dict[str, int]:
    """The image's size as metadata columns; nothing when its header cannot be read."""
    return {"image_height": head.size[0], "image_width": head.size[1]} if head else {}


def whole_size(height: object, width: object) -> tuple[int, int] | None:
    """A size stated in a stranger's file, if it is two positive whole numbers."""
    if isinstance(height, int) and isinstance(width, int) and height > 0 and width > 0:
        return height, width
    return None


def text(size: tuple[int, int]) -> str:
    """A size for people: `2048 x 1024` is height by width."""
    return f"{size[0]} x {size[1]}"


def unlabelled(case: Case, what: str, rule: str, notes: Notes, test: list[Case]) -> None:
    """Note an image that has no label and put it where the reader's option `unlabelled` says."""
    if rule == "test":
        test.append(case)
    elif rule == "skip":
        notes.warning(case.id, "image without label left out", what)
    else:
        notes.error(
            case.id, "image without label", what, "add it, exclude the image, or set unlabelled to skip or test"
        )


def test_cases(place: Path | None, pattern: str, notes: Notes) -> list[Case]:
    """Unlabelled cases of the reader's option `test`, a folder of images to predict."""
    if place is None:
        return []
    files = images(place, "folder of test images", notes)
    heads = headers(files, notes)
    return [
        Case(name, path, group=group(name, pattern), metadata=size_metadata(heads.get(name)))
        for name, path in files.items()
    ]


def check_exclude(exclude: Sequence[str], known: Iterable[str], notes: Notes) -> None:
    """Warn of excluded ids that no image has: most likely a slip of the pen."""
    known = sorted(known)
    for case in exclude:
        if case not in known:
            notes.warning("", "an excluded id is no image", case, hint(case, known[:5000]))


def check_apart(train: Sequence[Case], test: Sequence[Case], notes: Notes) -> None:
    """Note ids and groups that are both in train and in test."""
    ids = {case.id for case in train}
    groups = {case.group for case in train}
    for case in test:
        if case.id in ids:
            notes.error(case.id, "an image is both in train and in test", case.id, "remove one of the two files")
    for name in sorted(groups & {case.group for case in test}):
        notes.warning("", "a group is both in train and in test", name, "scores on it would be too good")
