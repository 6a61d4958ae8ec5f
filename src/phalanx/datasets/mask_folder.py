"""A folder of images and a folder of masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from phalanx.core.case import Case, Dataset, MaskFiles
from phalanx.core.catalogue import Strict, nearest
from phalanx.core.errors import DataError
from phalanx.core.labels import LabelSpace
from phalanx.datasets import _base


class MaskFolder:
    """Reader of image files whose masks are image files of the same stem.

    Ids are the file names of the images, groups come from `group_pattern`.
    """

    class Config(Strict):
        """Options.

        Args:
            root: the folder that holds both.
            images: folder of the images, below `root`.
            masks: folder of the masks, below `root`.
            kind: what a mask's pixels say. `index`: the grey value is the class. `palette`: so is the palette index.
                `binary`: every non-zero pixel is the only class. `class_files`: one binary file a class, as
                `masks/CLASS/STEM.png` or `masks/STEM_CLASS.png`.
            classes: names. Index and palette: of the values 0, 1, 2 ..., the background first; read from
                `classes_file` when left out. Binary: the one name. Class files: the folders' names when left out.
            classes_file: JSON of `{"0": "background", "1": "nerve"}` or a list of names, below `root`.
            exclusive: whether a pixel has one class only; by default yes for index and palette, no for the others.
            mask_suffix: what a mask's stem has on top of the image's, such as `_mask`.
            group_pattern: regular expression whose first parentheses catch the group (person) in the file's name.
            unlabelled: an image without mask is an error, left out (`skip`), or predicted (`test`).
            test: folder of images to predict, below `root`.
            exclude: file names of images to leave out.
        """

        name: Literal["mask_folder"] = "mask_folder"
        root: Path
        images: Path = Path("images")
        masks: Path = Path("masks")
        kind: Literal["index", "palette", "binary", "class_files"] = "index"
        classes: tuple[str, ...] = ()
        classes_file: Path = Path("classes.json")
        exclusive: bool | None = None
        mask_suffix: str = ""
        group_pattern: _base.GroupPattern = ""
        unlabelled: _base.Unlabelled = "error"
        test: Path | None = None
        exclude: tuple[str, ...] = ()

    def __init__(self, config: Config) -> None:
        self.config = config

    def read(self) -> Dataset:
        """Cases of the folders.

        Raises:
            DataError: a folder is missing or empty, or the classes are not known.
        """
        config = self.config
        notes = _base.Notes(config.exclude)
        _base.folder(config.root, "data folder")
        files = _base.images(config.root / config.images, "folder of images", notes)
        masks = _base.folder(config.root / config.masks, "folder of masks")
        held = _base.walk(masks, _base.SUFFIXES)
        if not held:
            raise DataError("the folder of masks holds no image", masks, f"found {_base.contents(masks)}")
        named = self._named(masks)
        heads = _base.headers(files, notes)
        found = self._match(files, held, named, notes)
        train, bare = [], []
        for name, path in files.items():
            head = heads.get(name)
            entries = found.get(Path(name).stem, ())
            group = _base.group(name, config.group_pattern)
            case = Case(name, path, MaskFiles(entries) if entries else None, group, _base.size_metadata(head))
            if entries:
                train.append(case)
                self._check_masks(case, head, named, notes)
            else:
                bare.append(case)
        test = _base.test_cases(config.root / config.test if config.test else None, config.group_pattern, notes)
        for case in bare:
            stem = Path(case.id).stem + config.mask_suffix
            _base.unlabelled(case, f"no {stem}.png in {config.masks}", config.unlabelled, notes, test)
        _base.check_apart(train, test, notes)
        _base.check_exclude(config.exclude, [path.name for path in _base.walk(config.root, _base.SUFFIXES)], notes)
        return Dataset(self._space(named), train, test, notes.findings)

    def _named(self, masks: Path) -> dict[int, str]:
        """Class names by pixel value; by position for `class_files`."""
        config = self.config
        if config.kind == "binary":
            if len(config.classes) > 1:
                raise DataError("binary masks have one class", ", ".join(config.classes), "name one, or change kind")
            return {1: config.classes[0] if config.classes else "foreground"}
        if config.kind == "class_files":
            names = config.classes or tuple(
                sorted(place.name for place in masks.iterdir() if place.is_dir() and not place.name.startswith("."))
            )
            if not names:
                fix = "give classes, or one folder a class"
                raise DataError("the classes are not known", f"{masks} has no folders", fix)
            return dict(enumerate(names))
        if config.classes:
            return dict(enumerate(config.classes))
        return _read_classes(config.root / config.classes_file)

    def _space(self, named: dict[int, str]) -> LabelSpace:
        by_value = self.config.kind in ("index", "palette")
        exclusive = by_value if self.config.exclusive is None else self.config.exclusive
        names = [name for value, name in sorted(named.items()) if value or not by_value]
        if exclusive:
            names.insert(0, named.get(0, "background") if by_value else "background")
        return LabelSpace(tuple(names), exclusive)

    def _match(
        self, files: dict[str, Path], held: list[Path], named: dict[int, str], notes: _base.Notes
    ) -> dict[str, tuple[tuple[Path, int | None, str], ...]]:
        """Entries of `MaskFiles` by stem of the image."""
        config = self.config
        entries: dict[str, list[tuple[Path, int | None, str]]] = {}
        stems = {Path(name).stem: name for name in files}
        excluded = {Path(name).stem for name in config.exclude}
        strange: set[str] = set()
        for path in held:
            stem, name = self._stem(path, named)
            if name is None:
                strange.add(path.parent.name if config.kind == "class_files" else path.name)
                continue
            if stem in excluded:
                continue
            if stem not in stems:
                notes.warning("", "mask without image", path.name, "its image is missing or named otherwise")
                continue
            if config.kind in ("index", "palette"):
                new = [(path, value, name) for value, name in sorted(named.items())]
            else:
                new = [(path, None, name)]
            if {(name, value) for _, value, name in entries.get(stem, [])} & {(name, value) for _, value, name in new}:
                notes.error(stems[stem], "an image has two masks of the same kind", path.name, "remove one")
                continue
            entries.setdefault(stem, []).extend(new)
        for word in sorted(strange):
            hint = nearest(word, list(named.values())) if config.kind == "class_files" else "check mask_suffix"
            notes.warning("", "a mask file is not understood", word, hint)
        return {stem: tuple(parts) for stem, parts in entries.items()}

    def _stem(self, path: Path, named: dict[int, str]) -> tuple[str, str | None]:
        """Stem of the image a mask belongs to, and the class it holds; None when the name does not fit."""
        config, stem = self.config, path.stem
        name: str | None = named.get(1, "")
        if config.kind == "class_files":
            name = path.parent.name if path.parent.name in named.values() else None
            if name is None:
                # The longest name first: `upper_arm` before `arm`.
                ends = sorted((word for word in named.values() if stem.endswith(f"_{word}")), key=len)
                name = ends[-1] if ends else None
                stem = stem.removesuffix(f"_{name}")
        if config.mask_suffix:
            name = name if stem.endswith(config.mask_suffix) else None
            stem = stem.removesuffix(config.mask_suffix)
        return stem, name

    def _check_masks(self, case: Case, head: _base.Header | None, named: dict[int, str], notes: _base.Notes) -> None:
        """Note what the headers of a case's masks give away."""
        assert isinstance(case.labels, MaskFiles)
        for path in dict.fromkeys(path for path, _, _ in case.labels.files):
            try:
                mask = _base.header(path)
            except DataError as error:
                notes.error(
                    case.id, "a mask cannot be read", f"{path.name} ({error.seen})", "restore it, or exclude the image"
                )
                continue
            if head and mask.size != head.size:
                seen = f"{case.id} is {_base.text(head.size)}, {path.name} is {_base.text(mask.size)}"
                notes.error(case.id, "image and mask of different sizes", seen, "scale one of them")
            if self.config.kind == "palette" and mask.mode != "P":
                notes.warning(
                    case.id,
                    "a mask has no palette",
                    f"{path.name} is of mode {mask.mode}",
                    "its grey values are taken as classes",
                )
            if self.config.kind == "index" and path.suffix.lower() in (".jpg", ".jpeg"):
                notes.warning(case.id, "a mask is a JPEG", path.name, "lossy compression changes class values; use PNG")
        absent = sorted(set(named.values()) - {name for _, _, name in case.labels.files})
        if absent and self.config.kind == "class_files":
            notes.warning(case.id, "classes without a mask file", ", ".join(absent[:6]), "they count as empty masks")


def _read_classes(file: Path) -> dict[int, str]:
    """Class names by value from `{"0": "background", ...}` or a list.

    Raises:
        DataError: no such file, or of another form.
    """
    form = 'it should read {"0": "background", "1": "nerve"}'
    if not file.is_file():
        raise DataError(
            "the classes are not known", f"no {file.name} in {file.parent}", f"give classes, or write it; {form}"
        )
    try:
        document = json.loads(file.read_text(encoding="utf-8-sig"))
        pairs = (
            dict(enumerate(document)) if isinstance(document, list) else {int(key): document[key] for key in document}
        )
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DataError("the file of classes cannot be read", f"{file} ({error})", form) from error
    if not pairs or not all(isinstance(name, str) and name for name in pairs.values()) or min(pairs) < 0:
        raise DataError("the file of classes does not name classes by value", file, form)
    return pairs
