"""Viewed: what the web viewer shows, read into memory: masks as runs, images and stores when they are asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np

from phalanx.commands import _sources
from phalanx.commands._found import Found
from phalanx.commands._sources import CaseMasks
from phalanx.core.case import Case
from phalanx.core.errors import DataError, StoreError
from phalanx.core.labels import LabelSpace
from phalanx.core.progress import track
from phalanx.data import decode
from phalanx.datasets import _base, _handbone
from phalanx.mask import pile
from phalanx.mask.index import Index
from phalanx.mask.pile import Pile
from phalanx.view.gallery import Doubt, Gallery, Member

# What browsers show pixel by pixel as OpenCV decodes it: eight bits, no alpha.
_SHOWN = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
_MODES = ("1", "L", "P", "RGB")
# Masks that are parsed at once.
_SLICE = 2000


def gallery(predictions: Sequence[Found], truth: Found | None, images: Path, store: Path | None) -> Gallery:
    """Read all masks; find the images; open the store.

    Args:
        predictions: at least one.
        truth: the labels.
        images: the folder of the images.
        store: to show where the network is undecided.

    Raises:
        PhalanxError: something cannot be read, or nothing fits together.
    """
    notes = _base.Notes()
    files = _base.images(images, "folder of images", notes)
    found = [*predictions, *([truth] if truth else [])]
    with ExitStack() as stack:
        # A size is only needed to turn masks, which the readers below do on their own: any will do here.
        opened = _sources.open_all(found, (1, 1), stack)
        chosen, left = _choose(opened.sources[: len(predictions)], files, images)
        sizes = _sizes(chosen)
        classes = _classes(opened.sources, chosen)
        titles = names([item.path for item in predictions]) + ([f"truth ({truth.path.name})"] if truth else [])
        members = [
            Member(title, *_masks(source, chosen, classes, sizes))
            for title, source in zip(titles, track(opened.sources, "reading", len(found)), strict=True)
        ]
    labels = [opened.label if label is None else label for label in classes]
    if truth and not (members[-1].present & np.any([item.present for item in members[:-1]], 0)).any():
        seen = f"{truth.path} has none of {', '.join(titles[:-1])}"
        raise DataError("the truth has no row of the predictions", seen, "check images, classes and the dialect")
    cases = list(chosen)
    photos = _Photos(chosen)
    return Gallery(
        title=" · ".join(titles[: len(predictions)]),
        cases=cases,
        sizes=[sizes[case] for case in cases],
        classes=labels,
        colours=colours(labels),
        members=members[: len(predictions)],
        truth=members[-1] if truth else None,
        by_columns=_by_columns(found),
        photo=lambda place: photos.photo(cases[place]),
        pixels=lambda place: photos.pixels(cases[place]),
        doubt=None if store is None else _doubts(store, cases, labels, sizes),
        notes=left,
    )


def colours(names: Sequence[str]) -> list[str]:
    """A colour for each class: hand bones have theirs, others get theirs by the alphabet, whatever a file's order."""
    if set(names) <= set(_handbone.LABELS.names):
        known = dict(zip(_handbone.LABELS.names, _handbone.LABELS.colours, strict=True))
    else:
        ranked = sorted(names, key=_natural)
        known = dict(zip(ranked, LabelSpace(tuple(ranked)).colours, strict=True))
    return [known[name] for name in names]


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts `bone-2` before `bone-10`."""
    return [(int(part or 0), "") if part.isdigit() else (-1, part) for part in re.split("([0-9]+)", name)]


def names(paths: Sequence[Path]) -> list[str]:
    """Names without folders where those are enough to tell the sources apart."""
    short = [path.stem if path.suffix else path.name for path in paths]
    return short if len(set(short)) == len(short) else [str(path) for path in paths]


def _by_columns(found: Sequence[Found]) -> bool:
    """Whether the sources' runs count along columns, as `_sources.open_all` decides it."""
    return {item.dialect.order for item in found if item.dialect} == {"column"}


def _choose(
    sources: Iterable[Index | CaseMasks], files: Mapping[str, Path], folder: Path
) -> tuple[dict[str, Path], list[str]]:
    """The images of which there is a row and a file, in the order of the first source, and what was left out."""
    wanted = list(dict.fromkeys(image for source in sources for image, _ in source.keys))
    stems: dict[str, list[Path]] = {}
    for name, path in files.items():
        stems.setdefault(Path(name).stem, []).append(path)
    found = {}
    for image in wanted:
        path = files.get(image) or (stems[image][0] if len(stems.get(image, [])) == 1 else None)
        if path is not None:
            found[image] = path
    if not found:
        seen = f"{len(wanted)} in the files, such as {wanted[0]}; {len(files)} in {folder}"
        raise DataError("no image of the submissions is in the folder", seen, _base.hint(wanted[0], list(files)))
    lacking = [image for image in wanted if image not in found]
    few = f"{len(lacking)} of {len(wanted)} images are not in {folder} and left out"
    return found, [f"{few}: {', '.join(lacking[:3])}{' ...' if len(lacking) > 3 else ''}"] if lacking else []


def _sizes(chosen: Mapping[str, Path]) -> dict[str, tuple[int, int]]:
    """`(height, width)` of each image, from the files' headers."""
    sizes = {}
    for case, path in chosen.items():
        try:
            sizes[case] = _base.header(path).size
        except DataError as error:
            raise DataError(error.wrong, f"{path} ({error.seen})", "replace the file, or remove it") from error
    return sizes


def _classes(sources: Sequence[Index | CaseMasks], chosen: Mapping[str, Path]) -> list[str | None]:
    return list(dict.fromkeys(label for source in sources for image, label in source.keys if image in chosen))


def _masks(
    source: Index | CaseMasks,
    cases: Iterable[str],
    classes: Sequence[str | None],
    sizes: Mapping[str, tuple[int, int]],
) -> tuple[Pile, np.ndarray]:
    """A mask for each case and class, held to the image's size, and which of them the source has."""
    grid = [(case, label) for case in cases for label in classes]
    there = set(source.keys)
    keys = [key for key in grid if key in there]
    source.follow(keys)
    parts = []
    for first in range(0, len(keys), _SLICE):
        end = min(first + _SLICE, len(keys))
        parts.append(source.masks(first, end, [sizes[case] for case, _ in keys[first:end]]))
    masks = pile.join(parts)
    present = np.array([key in there for key in grid]).reshape(-1, len(classes))
    if len(keys) < len(grid):
        held = iter(range(len(keys)))
        empty = np.empty((0, 2), np.int64)
        masks = pile.of([masks.runs(next(held)) if here else empty for here in present.ravel().tolist()])
    return masks, present


class _Photos:
    """Images by case.

    Args:
        files: case -> file.
    """

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files

    def pixels(self, case: str) -> np.ndarray:
        """The image as uint8.

        Raises:
            DataError: missing, unreadable or truncated.
        """
        return decode.image(Case(case, self._files[case]))

    def photo(self, case: str) -> tuple[bytes, str]:
        """The file as it is where a browser shows the same pixels, else a PNG of them; with the media type.

        Raises:
            DataError: missing, unreadable or truncated.
        """
        kind = self._kind(self._files[case])
        if kind is not None:
            content = self._files[case].read_bytes()
            if decode.has_end(content) or kind == "image/webp":
                return content, kind
        pixels = self.pixels(case)
        swapped = pixels[..., ::-1] if pixels.ndim == 3 else pixels
        done, content = cv2.imencode(".png", np.ascontiguousarray(swapped), [cv2.IMWRITE_PNG_COMPRESSION, 1])
        assert done, "OpenCV cannot write PNG"
        return content.tobytes(), "image/png"

    @staticmethod
    def _kind(path: Path) -> str | None:
        """Media type of a file that a browser shows as it is."""
        from PIL import Image

        try:
            with Image.open(path) as image:
                plain = image.mode in _MODES and "transparency" not in image.info
                return _SHOWN.get(str(image.format)) if plain else None
        except (OSError, SyntaxError, ValueError):
            return None


def _doubts(
    path: Path, cases: Sequence[str], names: Sequence[str], sizes: Mapping[str, tuple[int, int]]
) -> Callable[[int], Doubt]:
    """What reads where the network of a store is undecided.

    Raises:
        StoreError: no store, or one of other images or classes.
    """
    from phalanx.store import export
    from phalanx.store.predictions import Store

    store = Store(path)
    known = {Path(case).stem: case for case in store} | {case: case for case in store}
    keys = [known.get(case) or known.get(Path(case).stem) for case in cases]
    if not any(keys):
        raise StoreError("the store has none of the images", f"{path}, wanted {cases[0]}", "name the store of the CSV")
    channels = {name: store.labels.names.index(name) for name in store.labels.scored_names}
    if not set(channels) & set(names):
        raise StoreError("the store has none of the classes", f"{path}, wanted {names[0]}", "name the store of the CSV")

    def doubt(place: int) -> Doubt:
        key = keys[place]
        if key is None:
            raise StoreError("the store lacks the image", f"{cases[place]} in {path}", "name the store of the CSV")
        logits, geometry = store.read(key)
        if geometry.original != sizes[cases[place]]:
            seen = f"{_base.text(sizes[cases[place]])}, predicted was {_base.text(geometry.original)}"
            raise StoreError(
                "the image is not the one that was predicted", f"{cases[place]} is {seen}", "name its store"
            )
        height, width = geometry.inner
        probability = export.probability(logits[:, :height, :width], store.labels)
        levels = np.rint(255 * 4 * probability * (1 - probability)).astype(np.uint8)
        empty = np.zeros((height, width), np.uint8)
        planes = [levels[channels[name]] if name in channels else empty for name in names]
        return Doubt(np.stack(planes), geometry.crop or (0, 0, *geometry.original))

    return doubt
