"""Sheet: rows of pictures with coloured outlines and captions, as one image."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from phalanx.core import files
from phalanx.core.labels import LabelSpace

# Longer side of a tile, and the space between tiles, in pixels.
_TILE, _GAP, _MARGIN = 300, 10, 24
_PAPER, _INK, _FAINT = (250, 250, 248), (32, 34, 38), (120, 124, 130)
_TITLE, _TEXT, _SMALL = 22, 14, 12


@dataclass(frozen=True)
class Tile:
    """A picture of the sheet.

    Args:
        image: uint8 `(h, w)`, or `(h, w, 3)` in RGB.
        masks: class name -> boolean `(h, w)`, outlined.
        faint: the same for labels of less weight; their outlines are broken.
        caption: a line below the picture.
    """

    image: np.ndarray
    masks: Mapping[str, np.ndarray] = field(default_factory=dict)
    faint: Mapping[str, np.ndarray] = field(default_factory=dict)
    caption: str = ""


def draw(
    title: str, rows: Sequence[tuple[str, Sequence[Tile]]], notes: Sequence[str], labels: LabelSpace
) -> np.ndarray:
    """The whole sheet, uint8 `(h, w, 3)` in RGB.

    Args:
        title: above everything.
        rows: a heading and its tiles each.
        notes: lines of text under the title.
        labels: names and colours of the classes, for outlines and the legend.
    """
    colours = {name: _rgb(colour) for name, colour in zip(labels.names, labels.colours, strict=True)}
    across = max(len(tiles) for _, tiles in rows)
    width = max(2 * _MARGIN + across * (_TILE + _GAP) - _GAP, 900)
    lines = [
        part for note in notes for part in textwrap.wrap(note, (width - 2 * _MARGIN) // 7, subsequent_indent="    ")
    ]
    pictures = [[_picture(tile, colours) for tile in tiles] for _, tiles in rows]
    heights = [max(picture.shape[0] for picture in row) for row in pictures]
    seen = [name for name in labels.scored_names if any(name in tile.masks for _, tiles in rows for tile in tiles)]
    legend = _flow(seen, width - 2 * _MARGIN)
    top = _MARGIN + _TITLE + 14 + len(lines) * (_TEXT + 5) + _GAP
    row_extra = _TEXT + _SMALL + 22
    height = top + sum(heights) + len(rows) * row_extra + (_SMALL + 8) * (legend[-1][2] + 1 if legend else 0) + _MARGIN
    paper = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(paper)
    pen.text((_MARGIN, _MARGIN - 4), title, _INK, ImageFont.load_default(_TITLE))
    for number, line in enumerate(lines):
        pen.text((_MARGIN, _MARGIN + _TITLE + 14 + number * (_TEXT + 5)), line, _FAINT, ImageFont.load_default(_TEXT))
    for (heading, tiles), row, tall in zip(rows, pictures, heights, strict=True):
        pen.text((_MARGIN, top), heading, _INK, ImageFont.load_default(_TEXT))
        for place, (tile, picture) in enumerate(zip(tiles, row, strict=True)):
            left = _MARGIN + place * (_TILE + _GAP)
            paper.paste(Image.fromarray(picture), (left, top + _TEXT + 6))
            below = top + _TEXT + 9 + picture.shape[0]
            pen.text((left, below), tile.caption, _FAINT, ImageFont.load_default(_SMALL))
        top += tall + row_extra
    for name, left, line in legend:
        x, y = _MARGIN + left, top + line * (_SMALL + 8)
        pen.rectangle((x, y + 2, x + 10, y + 12), fill=colours[name])
        pen.text((x + 15, y), name, _INK, ImageFont.load_default(_SMALL))
    return np.asarray(paper)


def write(path: Path, sheet: np.ndarray) -> None:
    """Write a sheet as PNG, whole or not at all."""
    with files.whole(path) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG")


def stretched(image: np.ndarray, like: np.ndarray) -> np.ndarray:
    """A grey image, brightened as its original has to be to use the full range of greys; colours stay as they are.

    Args:
        image: uint8 `(h, w)` or `(h, w, 3)`.
        like: the original; the same stretch for all its views keeps their differences in brightness.
    """
    if image.ndim == 3:
        return image
    low, high = np.percentile(like, (0.5, 99.5))
    if high - low < 8:
        return image
    return np.clip((image.astype(np.float32) - low) * (255 / (high - low)), 0, 255).astype(np.uint8)


def _picture(tile: Tile, colours: Mapping[str, tuple[int, int, int]]) -> np.ndarray:
    """A tile's image at the size of the sheet, with its outlines."""
    scale = _TILE / max(tile.image.shape[:2])
    size = tuple(max(1, round(side * scale)) for side in tile.image.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    picture = cv2.resize(tile.image, size[::-1], interpolation=method)
    picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB) if picture.ndim == 2 else np.ascontiguousarray(picture)
    for masks, broken in ((tile.faint, True), (tile.masks, False)):
        for name, mask in masks.items():
            for ring in _rings(mask, size):
                _outline(picture, ring, colours[name], broken)
    return picture


def _rings(mask: np.ndarray, size: tuple[int, ...]) -> list[np.ndarray]:
    """Outlines of a mask at another size, in sixteenths of a pixel."""
    # Twice the size, and rounded as far as keeps the outline of a lone pixel.
    large = cv2.resize(mask.astype(np.uint8) * 255, (2 * size[1], 2 * size[0]), interpolation=cv2.INTER_NEAREST)
    blur = 0.45 * max(1.0, 2 * size[0] / mask.shape[0])
    smooth = cv2.GaussianBlur(large, (0, 0), blur)
    found, _ = cv2.findContours((smooth > 127).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return [points.reshape(-1, 2) * 8 for points in found]


def _outline(picture: np.ndarray, ring: np.ndarray, colour: tuple[int, int, int], broken: bool) -> None:
    if not broken:
        cv2.polylines(picture, [ring], True, colour, 1, cv2.LINE_AA, shift=4)
        return
    for start in range(0, len(ring), 24):
        cv2.polylines(picture, [ring[start : start + 12]], False, colour, 1, cv2.LINE_AA, shift=4)


def _flow(names: Sequence[str], width: int) -> list[tuple[str, int, int]]:
    """(name, left, line) of each entry of the legend."""
    font, placed, left, line = ImageFont.load_default(_SMALL), [], 0, 0
    for name in names:
        long = round(font.getlength(name)) + 35
        if left + long > width and left:
            left, line = 0, line + 1
        placed.append((name, left, line))
        left += long
    return placed


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return red, green, blue
