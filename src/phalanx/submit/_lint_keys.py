"""Lint of keys: images and classes against those there must be, or against one another."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from phalanx.mask.dialect import IMAGE_SUFFIXES
from phalanx.mask.sheet import Key
from phalanx.submit._lint_seen import Seen, name


def check(seen: Seen) -> None:
    """Unknown, missing and surplus rows, and their order."""
    images = dict.fromkeys(image for image, _ in seen.expected)
    if not images and isinstance(seen.sizes, Mapping):
        images = dict.fromkeys(seen.sizes)
    classes = dict.fromkeys(_classes(seen))
    before = len(seen.problems)
    if not seen.expected or seen.lines.keys() != seen.expected.keys():
        _check_unknown(seen, images, classes)
        if not images:
            _check_suffixes(seen)
        there = images or dict.fromkeys(image for image, _ in seen.lines)
        every: dict[Key, int] = dict.fromkeys(((image, label) for image in there for label in classes), 0)
        _check_missing(seen, seen.expected or every, seen.source if images else "file")
    _check_number(seen, len(seen.problems) - before)
    _check_order(seen)
    _check_sizes(seen, images)


def _check_number(seen: Seen, told: int) -> None:
    """How many rows there are, where no single problem has told it."""
    if seen.source == "sample" and seen.dialect.unit == "class" and told > 1:
        have, want = len(seen.keys), len(seen.expected)
        if have != want:
            said = f"{have} where the sample has {want}"
            seen.error(0, "", "a wrong number of rows", said, "write one row for each of the sample")


def _check_order(seen: Seen) -> None:
    shared = [key for key in seen.lines if key in seen.expected]
    wanted = [key for key in seen.expected if key in seen.lines]
    if shared != wanted:
        have, want = next(pair for pair in zip(shared, wanted, strict=True) if pair[0] != pair[1])
        said = f"{name(have)} where the {seen.source} has {name(want)}"
        seen.warning(seen.lines[have], name(have), f"rows in another order than the {seen.source}'s", said, "sort them")


def _check_sizes(seen: Seen, images: Mapping[str, None]) -> None:
    """Images that are wanted, and whose size nobody knows: their runs are held to no image."""
    if not isinstance(seen.sizes, Mapping):
        return
    absent = [image for image in images if image not in seen.sizes]
    if absent:
        said = f"{len(absent)}, the first {absent[0]}"
        seen.warning(0, "", "some images have no size, their runs were not held to it", said, "look for their files")


def _check_unknown(seen: Seen, images: Mapping[str, None], classes: Mapping[str, None]) -> None:
    """Names that nothing expects, each reported once with the first of its lines."""
    unknown: dict[tuple[str, str], list[int]] = {}
    for (image, label), line in seen.lines.items():
        strange_image = image not in images if images else not image or _is_path(image)
        strange_class = bool(classes) and label is not None and label not in classes
        if strange_image:
            unknown.setdefault(("image", image), []).append(line)
        if strange_class:
            unknown.setdefault(("class", str(label)), []).append(line)
        if seen.expected and not strange_image and not strange_class and (image, label) not in seen.expected:
            seen.error(line, name((image, label)), f"a row that the {seen.source} does not have", "", "remove it")
    for (kind, text), lines in unknown.items():
        said = f"{text!r} in {len(lines)} row{'s' if len(lines) > 1 else ''}"
        seen.error(lines[0], text, f"an unknown {kind}", said, _hint(text, images if kind == "image" else classes))


def _check_suffixes(seen: Seen) -> None:
    """Keys that are not written as the dialect writes them, when nobody says which images there are."""
    keep = seen.dialect.keep_suffix
    odd = {image: line for (image, _), line in seen.lines.items() if image.lower().endswith(IMAGE_SUFFIXES) != keep}
    if odd:
        image, line = next(iter(odd.items()))
        said = f"{image} and {len(odd) - 1} more" if len(odd) > 1 else image
        fix = f"the dialect {seen.dialect.name} writes image1{'.png' * keep}"
        seen.warning(line, image, f"a file suffix {'missing' if keep else 'too many'} in the key", said, fix)


def _check_missing(seen: Seen, expected: Mapping[Key, int], source: str) -> None:
    absent: dict[str, list[str | None]] = {}
    for image, label in expected:
        if (image, label) not in seen.lines:
            absent.setdefault(image, []).append(label)
    if not absent:
        return
    count: dict[str, int] = {}
    for image, _ in expected:
        count[image] = count.get(image, 0) + 1
    for image, labels in absent.items():
        if len(labels) == count[image]:
            said = f"{len(labels)} row{'s' if len(labels) > 1 else ''} of the {source}"
            seen.error(0, image, "an image is missing", said, "add every row of it")
        else:
            some = ", ".join(map(str, labels[:4])) + (", ..." if len(labels) > 4 else "")
            seen.error(0, image, "classes of an image are missing", f"{len(labels)} ({some})", "add their rows")


def _classes(seen: Seen) -> Sequence[str]:
    """The classes there must be: those given or the sample's; else those that at least half of the images have."""
    if seen.class_names is not None:
        return seen.class_names
    named = [label for _, label in seen.expected if label is not None]
    if named:
        return named
    count: dict[str, int] = {}
    for _, label in seen.lines:
        if label is not None:
            count[label] = count.get(label, 0) + 1
    images = len({image for image, _ in seen.lines})
    return [label for label, number in count.items() if 2 * number >= images]


def _is_path(image: str) -> bool:
    return "/" in image or "\\" in image


def _hint(text: str, known: Mapping[str, None]) -> str:
    bare = text.strip().replace("\\", "/").rsplit("/", 1)[-1]
    stems = {suffix for suffix in ("", *IMAGE_SUFFIXES) if bare + suffix in known}
    if stems:
        return f"write {bare}{sorted(stems)[0]}"
    if _is_path(text):
        return "write the bare file name"
    stem = bare.rsplit(".", 1)[0]
    close = [stem] if stem in known else difflib.get_close_matches(text, list(known)[:1000], n=1)
    return f"did you mean {close[0]}?" if close else "remove its rows"
