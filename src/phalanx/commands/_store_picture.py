"""A picture of one case of a store: the masks over the image, and where the network is undecided."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from phalanx.commands._store_case import UNDECIDED, Shown, title
from phalanx.core import files
from phalanx.core.case import Case
from phalanx.core.errors import DataError
from phalanx.data import decode
from phalanx.datasets import _base
from phalanx.mask import contour
from phalanx.mask import runs as run_lengths
from phalanx.view import picture

# Pixels of the longer side of a panel.
_SIDE = 900
_GROUND, _PAPER, _INK, _QUIET = (38, 44, 52), (24, 28, 34), (235, 238, 242), (160, 168, 178)
# Okabe & Ito 2008, orange: apart from the greys with every kind of colour blindness.
_DOUBT = (255, 165, 31)
_MARGIN, _LINE, _ENTRY = 16, 22, 230


def write(shown: Shown, path: Path, images: Path | None) -> None:
    """Write the picture as PNG, whole or not at all.

    Raises:
        DataError: the image is not in the folder, or not of the size that was predicted.
    """
    ground = None if images is None else _image(shown, images)
    drawn = render(shown, ground)
    with files.whole(path) as temporary:
        drawn.save(temporary, "PNG")


def render(shown: Shown, ground: np.ndarray | None) -> Image.Image:
    """Left the masks, right the largest probability of any scored class, undecided pixels in orange.

    Args:
        shown: the case.
        ground: uint8 `(h, w)` or `(h, w, 3)`, RGB, of the image's size; None: plain.
    """
    panels = (_masks(shown, ground), _doubts(shown))
    height, width = panels[0].shape[:2]
    columns = max(1, (2 * width + _MARGIN) // _ENTRY)
    rows = -(-len(shown.masks) // columns)
    whole = (max(2 * width + 3 * _MARGIN, 520), height + (rows + 3) * _LINE + 2 * _MARGIN)
    sheet = Image.new("RGB", whole, _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_MARGIN, 10), _fitted(title(shown), whole[0] - 2 * _MARGIN, 15), _INK, _font(15))
    for place, panel in enumerate(panels):
        sheet.paste(Image.fromarray(panel), (_MARGIN + place * (width + _MARGIN), _MARGIN + _LINE))
    below = _MARGIN + _LINE + height + 6
    kept = "likeliest class" if shown.labels.exclusive else f"above {shown.threshold:g}"
    for place, words in enumerate(
        (f"masks: {kept}", f"largest probability; orange: {UNDECIDED[0]:g} to {UNDECIDED[1]:g}")
    ):
        at = (_MARGIN + place * (width + _MARGIN), below)
        pen.text(at, _fitted(words, width, 13), _QUIET, _font(13))
    _legend(pen, shown, below + _LINE, columns)
    return sheet


def _legend(pen: ImageDraw.ImageDraw, shown: Shown, top: int, columns: int) -> None:
    names, colours = shown.labels.scored_names, shown.labels.colours[shown.labels.scored.start :]
    for place, (name, colour, mask) in enumerate(zip(names, colours, shown.masks, strict=True)):
        x, y = _MARGIN + place % columns * _ENTRY, top + place // columns * _LINE
        pen.rectangle((x, y + 3, x + 14, y + 15), fill=colour)
        words = _fitted(f"{name} {run_lengths.area(mask):,}", _ENTRY - 30, 13)
        pen.text((x + 21, y), words, _INK if len(mask) else _QUIET, _font(13))


def _fitted(text: str, width: int, size: int) -> str:
    """The text, its middle left out where there is no room."""
    text = "".join(mark if mark.isprintable() else "?" for mark in text)
    font = _font(size)
    kept = len(text)
    while (
        font.getlength(short := text if kept >= len(text) else f"{text[: kept // 2]}...{text[-(kept // 2) :]}") > width
    ):
        kept -= 2
        if kept < 4:
            return ""
    return short


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _frame(size: tuple[int, int]) -> tuple[int, int]:
    """`(height, width)` at which an image is shown: small ones by a whole factor."""
    longest = max(size)
    scale = _SIDE // longest if longest <= _SIDE else _SIDE / longest
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _masks(shown: Shown, ground: np.ndarray | None) -> np.ndarray:
    """RGB: each class tinted and outlined in its colour, large ones first."""
    size = shown.geometry.original
    frame = _frame(size)
    canvas = np.full((*frame, 3), _GROUND, np.uint8) if ground is None else _scaled(ground, frame)
    colours = [_rgb(shown.labels.colours[channel]) for channel in shown.labels.scored]
    for place in sorted(range(len(colours)), key=lambda one: -run_lengths.area(shown.masks[one])):
        mask = run_lengths.to_mask(shown.masks[place], size).astype(np.float32)
        share = _scaled(mask, frame, colour=False)[..., None] * (0.28 if ground is not None else 0.5)
        canvas = np.round(canvas * (1 - share) + np.array(colours[place], np.float32) * share).astype(np.uint8)
    canvas = np.ascontiguousarray(canvas)
    for mask, colour in zip(shown.masks, colours, strict=True):
        cv2.polylines(canvas, _rings(mask, size, frame), True, colour, 1, cv2.LINE_AA)
    return canvas


def _rings(mask: np.ndarray, size: tuple[int, int], frame: tuple[int, int]) -> list[np.ndarray]:
    """Outlines in pixels of the frame."""
    factor = frame[0] // size[0]
    if factor > 1:
        # Outlines run through the middle of the border pixels, which in an enlarged picture is visibly too narrow.
        large = run_lengths.to_mask(mask, size).repeat(factor, 0).repeat(factor, 1)
        mask, size = run_lengths.from_mask(large), (size[0] * factor, size[1] * factor)
    scale = np.array([frame[1] / size[1], frame[0] / size[0]])
    return [np.floor((ring + 0.5) * scale).astype(np.int32) for ring in contour.outlines(mask, size)]


def _doubts(shown: Shown) -> np.ndarray:
    """RGB: the largest probability as grey, undecided pixels of any class in orange."""
    frame = _frame(shown.geometry.original)
    largest = shown.probability[list(shown.labels.scored)].max(0)
    grey = np.round(_GROUND[0] * (1 - largest) + 225 * largest).astype(np.uint8)
    drawn = np.repeat(grey[..., None], 3, 2)
    drawn[shown.undecided().any(0)] = _DOUBT
    return cv2.resize(drawn, frame[::-1], interpolation=cv2.INTER_NEAREST)


def _scaled(image: np.ndarray, frame: tuple[int, int], colour: bool = True) -> np.ndarray:
    """An image at the size of the frame; with `colour`, RGB, a grey one over the full range of greys."""
    smaller = frame[0] < image.shape[0]
    scaled = cv2.resize(image, frame[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_NEAREST)
    if not colour or scaled.ndim == 3:
        return scaled
    return np.repeat(picture.windowed(scaled)[..., None], 3, 2)


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return red, green, blue


def _image(shown: Shown, folder: Path) -> np.ndarray:
    """The case's image, found by its id or, where that has no suffix, by its stem."""
    notes = _base.Notes()
    found = _base.images(folder, "folder of images", notes)
    stems = [path for name, path in found.items() if Path(name).stem == shown.case]
    path = found.get(shown.case) or (stems[0] if len(stems) == 1 else None)
    if path is None:
        raise DataError(
            "the folder has no image of the case", f"{shown.case} in {folder}", _base.hint(shown.case, list(found))
        )
    image = decode.image(Case(shown.case, path))
    if image.shape[:2] != shown.geometry.original:
        seen = f"{path} is {_base.text(image.shape[:2])}, predicted was {_base.text(shown.geometry.original)}"
        raise DataError("the image is not the one that was predicted", seen, "name the folder of the store's images")
    return image
