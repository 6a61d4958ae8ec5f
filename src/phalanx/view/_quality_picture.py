"""A small picture of what a finding is about: the stretch of the image round its classes, with their outlines."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from phalanx.core.labels import LabelSpace
from phalanx.mask import contour
from phalanx.mask import runs as run_lengths
from phalanx.view import picture
from phalanx.view._html import escape

_SIDE = 360
_QUALITY = 72
# The stretch is larger than what it is about by this share of it, and no smaller than this share of the image.
_MARGIN, _LEAST = 0.6, 0.18
# Other outlines give the eye a hold; hundreds of nuclei would not.
_BESIDE = 40


def drawing(image: np.ndarray, masks: Mapping[str, np.ndarray], about: Sequence[str], labels: LabelSpace) -> str:
    """SVG of the square stretch of an image that holds some classes; the whole image without any.

    Args:
        image: uint8 `(h, w)` or `(h, w, 3)`, RGB.
        masks: class name -> runs of the labels.
        about: the classes.
        labels: their colours.
    """
    colours = {name: escape(colour) for name, colour in zip(labels.names, labels.colours, strict=True)}
    size = (image.shape[0], image.shape[1])
    top, left, side = _stretch(masks, about, size)
    crop = _cropped(image, top, left, side)
    factor = min(1.0, _SIDE / side)
    small = cv2.resize(crop, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else crop
    small = picture.windowed(small) if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert done, "OpenCV cannot write JPEG"
    uri = f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode('ascii')}"
    paths = [
        f'<path class="beside" d="{path}"/>'
        for name, mask in (masks.items() if about else ())
        if name not in about and (path := _path(mask, size, top, left, factor, limit=_BESIDE))
    ]
    # Large ones first, so that a small one is seen on them.
    for name in sorted(about, key=lambda name: -run_lengths.area(masks.get(name, run_lengths.empty()))):
        if path := _path(masks.get(name, run_lengths.empty()), size, top, left, factor):
            paths.append(f'<path class="about" style="--k:{colours.get(name, "#ffffff")}" d="{path}"/>')
    unit = round(side * factor, 2)
    return (
        f'<svg viewBox="0 0 {unit} {unit}" role="img" aria-label="the labels in question">'
        f'<image width="{unit}" height="{unit}" preserveAspectRatio="none" href="{uri}"/>{"".join(paths)}</svg>'
    )


def _stretch(masks: Mapping[str, np.ndarray], about: Sequence[str], size: tuple[int, int]) -> tuple[int, int, int]:
    """Top, left and side of the square that is shown; it may reach beyond the image."""
    boxes = np.array([run_lengths.box(masks[name], size) for name in about if len(masks.get(name, ()))])
    if not len(boxes):
        side = max(size)
        return (size[0] - side) // 2, (size[1] - side) // 2, side
    (top, left), (bottom, right) = boxes[:, :2].min(0), boxes[:, 2:].max(0)
    side = int(min(max(size), max((1 + _MARGIN) * max(bottom - top, right - left), _LEAST * max(size), 16)))
    centre = np.array([(top + bottom) / 2, (left + right) / 2])
    corner = np.rint(centre - side / 2).astype(int)
    # Inside the image where it fits.
    room = np.maximum(np.array(size) - side, 0)
    corner = np.where(np.array(size) >= side, np.clip(corner, 0, room), (np.array(size) - side) // 2)
    return int(corner[0]), int(corner[1]), side


def _cropped(image: np.ndarray, top: int, left: int, side: int) -> np.ndarray:
    canvas = np.zeros((side, side, *image.shape[2:]), np.uint8)
    rows, columns = (
        range(max(start, 0), min(start + side, end)) for start, end in ((top, image.shape[0]), (left, image.shape[1]))
    )
    part = image[rows.start : rows.stop, columns.start : columns.stop]
    canvas[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = part
    return canvas


def _path(
    mask: np.ndarray, size: tuple[int, int], top: int, left: int, factor: float, *, limit: int | None = None
) -> str:
    """A mask's outlines as an SVG path in pixels of the small picture."""
    parts = []
    rings = contour.outlines(mask, size) if len(mask) else []
    for ring in rings[:limit]:
        points = (ring + 0.5 - [left, top]) * factor
        kept = cv2.approxPolyDP(points.astype(np.float32).reshape(-1, 1, 2), 0.4, True).reshape(-1, 2)
        steps = " ".join(f"{x:.1f} {y:.1f}" for x, y in (kept if len(kept) > 2 else points).tolist())
        parts.append(f"M{steps}z")
    return "".join(parts)
