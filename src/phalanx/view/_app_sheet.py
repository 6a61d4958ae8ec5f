"""The sheet of picked cases: one PNG, for each case the outlines, and beside them the errors or the disagreement."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from phalanx.core.errors import PhalanxError
from phalanx.mask import contour
from phalanx.mask import runs as run_lengths
from phalanx.view import _format, picture
from phalanx.view._app_scores import Scores
from phalanx.view.gallery import Gallery

# Pixels of the longer side of a panel, panels a row, room around them.
_SIDE, _PANELS, _MARGIN, _LINE = 640, 4, 16, 24
_PAPER, _INK, _QUIET, _BAD = (20, 24, 29), (235, 238, 242), (160, 168, 178), (255, 138, 128)
# As the page has them: missed, extra, missed by one class and extra in another, not of one mind.
_MISSED, _EXTRA, _SWAPPED, _APART = (63, 180, 255), (255, 165, 31), (255, 95, 196), (185, 140, 255)
# Where the picture of the errors is dark, they stand out.
_DIM = 0.45


def png(gallery: Gallery, scores: Scores, picked: Sequence[int]) -> bytes:
    """The sheet of some cases, as the content of a PNG file."""
    cells = [_cell(gallery, scores, place) for place in picked]
    height = max(cell.height for cell in cells)
    columns = min(len(cells), _PANELS // 2)
    rows = -(-len(cells) // columns)
    width = max(cell.width for cell in cells)
    size = (columns * (width + _MARGIN) + _MARGIN, rows * (height + _MARGIN) + _MARGIN + _LINE)
    sheet = Image.new("RGB", size, _PAPER)
    _write(ImageDraw.Draw(sheet), (_MARGIN, 10), _legend(gallery), size[0] - 2 * _MARGIN, _QUIET)
    for rank, cell in enumerate(cells):
        row, column = divmod(rank, columns)
        sheet.paste(cell, (_MARGIN + column * (width + _MARGIN), _MARGIN + _LINE + row * (height + _MARGIN)))
    done, content = cv2.imencode(".png", cv2.cvtColor(np.asarray(sheet), cv2.COLOR_RGB2BGR))
    assert done, "OpenCV cannot write PNG"
    return content.tobytes()


def _legend(gallery: Gallery) -> str:
    name = gallery.members[0].name
    if gallery.truth:
        return f"left: {name} thin, truth wide; right: missed blue, extra orange, wrong class pink"
    if len(gallery.members) > 1:
        return f"left: {name}; right: pixels on which {len(gallery.members)} files are not of one mind"
    return name


def _cell(gallery: Gallery, scores: Scores, place: int) -> Image.Image:
    size = gallery.sizes[place]
    scale = _SIDE / max(size)
    frame = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    try:
        ground = _ground(gallery, place, frame)
        panels = [_outlines(gallery, place, ground.copy()), _errors(gallery, place, ground)]
        trouble = ""
    except PhalanxError as error:
        panels, trouble = [np.zeros((*frame, 3), np.uint8)] * 2, str(error)
    cell = Image.new("RGB", (2 * frame[1] + 4, frame[0] + 2 * _LINE), _PAPER)
    pen = ImageDraw.Draw(cell)
    _write(pen, (0, 0), gallery.cases[place], cell.width, _INK)
    _write(pen, (0, _LINE - 4), trouble or _said(gallery, scores, place), cell.width, _BAD if trouble else _QUIET)
    for at, panel in enumerate(panels):
        cell.paste(Image.fromarray(panel), (at * (frame[1] + 4), 2 * _LINE))
    return cell


def _said(gallery: Gallery, scores: Scores, place: int) -> str:
    parts = []
    dice = scores.dice[0, place]
    if np.isfinite(dice).any():
        worst = int(np.nanargmin(dice))
        parts.append(f"Dice {_format.number(float(scores.of_cases[0, place]))}")
        parts.append(f"weakest {gallery.classes[worst]} {_format.number(float(dice[worst]))}")
    if np.isfinite(scores.apart_of_cases[place]):
        parts.append(f"disagreement {_format.number(float(scores.apart_of_cases[place]))}")
    return ", ".join(parts)


def _write(pen: ImageDraw.ImageDraw, at: tuple[int, int], text: str, width: int, colour: tuple[int, int, int]) -> None:
    """One line, cut at its end where there is no room."""
    text = "".join(mark if mark.isprintable() else "?" for mark in text)
    font = ImageFont.load_default(15)
    while text and font.getlength(text) > width:
        text = text[: max(0, len(text) - 4)].rstrip(".") + "..." if len(text) > 6 else ""
    pen.text(at, text, colour, font)


def _ground(gallery: Gallery, place: int, frame: tuple[int, int]) -> np.ndarray:
    """The image at the panel's size, RGB."""
    image = gallery.pixels(place)
    method = cv2.INTER_AREA if frame[0] < image.shape[0] else cv2.INTER_NEAREST
    small = cv2.resize(image, frame[::-1], interpolation=method)
    return small if small.ndim == 3 else np.repeat(picture.windowed(small)[..., None], 3, 2)


def _outlines(gallery: Gallery, place: int, canvas: np.ndarray) -> np.ndarray:
    scale = canvas.shape[0] / gallery.sizes[place][0]
    drawn = [(gallery.truth, 4, 0.5), (gallery.members[0], 1, 1.0)]
    for member, width, opacity in drawn:
        if member is None:
            continue
        layer = canvas.copy()
        for label, colour in enumerate(gallery.colours):
            runs = gallery.mask(member, place, label)
            # Sixteenths of a pixel, so that a line does not jump from pixel to pixel.
            rings = [np.rint((ring + 0.5) * scale * 16 - 8).astype(np.int32)
                     for ring in contour.outlines(runs, gallery.sizes[place])]  # fmt: skip
            cv2.polylines(layer, rings, True, _rgb(colour), width, cv2.LINE_AA, shift=4)
        canvas = cv2.addWeighted(layer, opacity, canvas, 1 - opacity, 0)
    return canvas


def _errors(gallery: Gallery, place: int, ground: np.ndarray) -> np.ndarray:
    """Errors of the first member, or where there is no truth the disagreement of all."""
    dim = ground.astype(np.float32) * _DIM
    planes = _wrong(gallery, place) if gallery.truth else [(_mixed(gallery, place), _APART)]
    for plane, colour in planes:
        share = cv2.resize(plane.astype(np.float32), dim.shape[1::-1], interpolation=cv2.INTER_AREA)[..., None]
        # The root keeps slivers visible, as in the report.
        dim += np.sqrt(share) * (np.array(colour, np.float32) - dim)
    return np.rint(dim).clip(0, 255).astype(np.uint8)


def _wrong(gallery: Gallery, place: int) -> list[tuple[np.ndarray, tuple[int, int, int]]]:
    size = gallery.sizes[place]
    missed, extra = np.zeros(size, bool), np.zeros(size, bool)
    assert gallery.truth
    for label in range(len(gallery.classes)):
        pair = (gallery.truth, gallery.members[0])
        truth, given = (run_lengths.to_mask(gallery.mask(member, place, label), size) for member in pair)
        missed |= truth & ~given
        extra |= given & ~truth
    return [(missed & ~extra, _MISSED), (extra & ~missed, _EXTRA), (missed & extra, _SWAPPED)]


def _mixed(gallery: Gallery, place: int) -> np.ndarray:
    """Pixels that some members mark and others do not."""
    size = gallery.sizes[place]
    mixed = np.zeros(size, bool)
    for label in range(len(gallery.classes)):
        masks = [run_lengths.to_mask(gallery.mask(member, place, label), size) for member in gallery.members]
        mixed |= np.any(masks, 0) & ~np.all(masks, 0)
    return mixed


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return red, green, blue
