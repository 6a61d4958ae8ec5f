"""Pixels of a case: the image, and its labels as runs.

Everything is in stored pixels: an EXIF rotation is ignored (the readers note it), because annotations are.
"""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np

from phalanx.core.case import Case, MaskFiles, Polygons, Runs
from phalanx.core.errors import DataError
from phalanx.core.labels import LabelSpace
from phalanx.datasets import _base
from phalanx.mask import polygon
from phalanx.mask import runs as run_lengths


def image(case: Case) -> np.ndarray:
    """The image of a case.

    Returns:
        uint8 `(h, w)`, or `(h, w, 3)` in RGB. Alpha is dropped; deeper pixels (16 bit, float) are stretched from their
        own smallest and largest value to 0-255.

    Raises:
        DataError: missing, unreadable, truncated, or larger than `MAX_PIXELS`.
    """
    content = _read(case.image, case.id)
    _header(content, case.id)
    if not has_end(content):
        _judge(content, case.id)
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        _judge(content, case.id)
        raise DataError(_base.UNREADABLE, f"{case.id} (OpenCV refuses it)", "save it as PNG, or leave it out")
    if pixels.dtype != np.uint8:
        pixels = _stretch(pixels, case.id)
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.ascontiguousarray(pixels.reshape(pixels.shape[:2]))
    return np.ascontiguousarray(pixels[..., 2::-1])


def runs(case: Case, labels: LabelSpace, rasteriser: str, size: tuple[int, int]) -> list[np.ndarray]:
    """The labels of a case as runs, one int64 `(n, 2)` a scored class, in their order.

    Args:
        case: a labelled case.
        labels: the label space.
        rasteriser: how outlines become pixels, one of `mask.polygon.RASTERISERS`.
        size: `(height, width)` of the case's image.

    Raises:
        DataError: the labels are of another size, unreadable, or hold a value or name that is no class.
    """
    found = case.labels
    if found is None:
        raise DataError("the case has no label", case.id, "take it out of the labelled cases")
    names = labels.scored_names
    if isinstance(found, MaskFiles):
        return _from_files(found, case.id, names, size)
    if found.size is not None and tuple(found.size) != tuple(size):
        seen = f"{case.id} is {_base.text(size)}, its annotation {_base.text(found.size)}"
        raise DataError("image and annotation of different sizes", seen, "scale one of them")
    held = found.rings if isinstance(found, Polygons) else found.runs
    unknown = sorted(set(held) - set(labels.names))
    if unknown:
        raise DataError("labels of an unknown class", f"{', '.join(unknown)} in {case.id}", "mend the annotation")
    if isinstance(found, Runs):
        return [found.runs.get(name, np.empty((0, 2), np.int64)) for name in names]
    try:
        return [polygon.to_runs(found.rings.get(name, []), size, rasteriser) for name in names]
    except DataError as error:
        raise DataError(f"{error.wrong} ({case.id})", error.seen, error.fix) from error


def has_end(content: bytes) -> bool:
    """Whether a JPEG or PNG carries its end mark. Other formats: False, they have none that can be trusted."""
    if content.startswith(b"\xff\xd8"):
        return content.rstrip(b"\0").endswith(b"\xff\xd9")
    return content.startswith(b"\x89PNG") and b"IEND" in content[-32:]


def _read(file: Path, case: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        seen = f"{case} ({error.strerror or error})"
        raise DataError(_base.UNREADABLE, seen, f"restore {file.name}, or leave it out") from error


def _header(content: bytes, case: str) -> _base.Header:
    try:
        return _base.header(content)
    except DataError as error:
        raise DataError(error.wrong, f"{case} ({error.seen})", error.fix) from error


def _judge(content: bytes, case: str) -> None:
    """Decode with Pillow, which reports missing data where OpenCV (before 5) paints the rest grey and says nothing."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
    except (OSError, SyntaxError, ValueError) as error:
        truncated = "truncated" in str(error).lower() or "incomplete" in str(error).lower()
        wrong = _base.TRUNCATED if truncated else _base.UNREADABLE
        seen = f"{case}, {len(content)} bytes" if truncated else f"{case} ({error})"
        raise DataError(wrong, seen, "fetch it again, or leave it out") from error


def _stretch(pixels: np.ndarray, case: str) -> np.ndarray:
    deep = pixels[..., :3].astype(np.float32) if pixels.ndim == 3 else pixels.astype(np.float32)
    if not np.isfinite(deep).all():
        raise DataError(_base.UNREADABLE, f"{case} holds values that are not finite", "mend the file, or leave it out")
    low, high = float(deep.min()), float(deep.max())
    return np.rint((deep - low) * (255 / (high - low) if high > low else 0)).astype(np.uint8)


def _from_files(found: MaskFiles, case: str, names: tuple[str, ...], size: tuple[int, int]) -> list[np.ndarray]:
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for file in dict.fromkeys(path for path, _, _ in found.files):
        wanted = [(value, name) for path, value, name in found.files if path == file]
        plane = _plane(file, case)
        if plane.shape != tuple(size):
            seen = f"{case} is {_base.text(size)}, {file.name} is {_base.text(plane.shape)}"
            raise DataError("image and mask of different sizes", seen, "scale one of them")
        values = [value for value, _ in wanted]
        if None not in values:
            strange = sorted({int(value) for value in np.unique(plane)} - {0, *values})
            if strange:
                some = ", ".join(map(str, strange[:5]))
                fix = "list the values of all classes, or recode the mask"
                raise DataError("a mask holds values that are no class", f"{some} in {file.name}", fix)
        for value, name in wanted:
            if name in parts:
                parts[name].append(run_lengths.from_mask(plane != 0 if value is None else plane == value))
    return [run_lengths.union(parts[name]) if len(parts[name]) != 1 else parts[name][0] for name in names]


def _plane(file: Path, case: str) -> np.ndarray:
    """Stored values of a mask file, integers `(h, w)`; a palette is not applied."""
    from PIL import Image

    content = _read(file, case)
    _header(content, f"{case}: {file.name}")
    try:
        with Image.open(io.BytesIO(content)) as picture:
            plane = np.asarray(picture)
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(
            "a mask cannot be read", f"{file.name} ({error})", "restore it, or exclude the image"
        ) from error
    if plane.ndim == 3:
        colours = plane[..., : 3 if plane.shape[2] >= 3 else 1]
        if (colours != colours[..., :1]).any():
            fix = "save it as class numbers (grey or palette)"
            raise DataError("a mask is a colour picture", f"{file.name} of {case}", fix)
        plane = colours[..., 0]
    if plane.dtype.kind == "f":
        raise DataError(
            "a mask holds fractions", f"{file.name} of {case}", "save it as class numbers (grey or palette)"
        )
    return plane
