"""Pictures of a case: the image with the outlines of truth and prediction, and beside it where the two differ.

Outlines are vectors, so that they stay sharp on any screen and every class can be pointed at; differences are small
transparent images, exact to the pixel they are shown at.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from phalanx.core.labels import LabelSpace
from phalanx.mask import contour
from phalanx.mask import runs as run_lengths
from phalanx.view import _format
from phalanx.view._html import escape

# A picture is half a page wide: about 550 px on most screens.
_SIDE = 700
_IMAGE_BYTES = 100_000
_OUTLINE_BYTES = 48_000
# The longer side of the drawing in its own units: a quarter of a shown pixel, so that whole numbers are fine enough.
_UNITS = 4 * _SIDE
# Okabe & Ito 2008: blue, orange and pink stay apart with every kind of colour blindness and on grey.
_ERRORS = (
    ("missed", "missed ({0} only)", "#3fb4ff"),
    ("extra", "extra ({1} only)", "#ffa51f"),
    ("swapped", "wrong class", "#ff5fc4"),
)
_LINES = (("truth", "{0}", "band"), ("predicted", "{1}", "line"), ("image", "image", "photo"))
_WEAKEST = 6


def panels(
    name: str,
    image: np.ndarray,
    masks: tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]],
    dice: Mapping[str, float],
    labels: LabelSpace,
    *,
    titles: tuple[str, str] = ("truth", "prediction"),
) -> str:
    """HTML of one case: outlines left, errors right, layers to switch on and off, the weakest classes.

    Args:
        name: unique in the page, letters, digits and dashes.
        image: uint8 `(h, w)` or `(h, w, 3)`, RGB.
        masks: truth and prediction, class name -> int64 runs `(n, 2)` at the image's size.
        dice: class name -> Dice, for the words beside the picture.
        labels: colours, and the order of the classes.
        titles: what truth and prediction are called, where two predictions are held against each other.
    """
    size = (image.shape[0], image.shape[1])
    truths, predictions = (
        {item: part.get(item, run_lengths.empty()) for item in labels.scored_names} for part in masks
    )
    masks = (truths, predictions)
    view = f"0 0 {round(size[1] * _unit(size))} {round(size[0] * _unit(size))}"
    # Large classes first: a small bone that lies on a large one stays within reach of the pointer.
    order = sorted(labels.scored_names, key=lambda item: -max(run_lengths.area(part[item]) for part in masks))
    truth, predicted = _outlines(masks, order, size)
    colours = dict(zip(labels.names, map(escape, labels.colours), strict=True))
    index = {item: place for place, item in enumerate(labels.names)}
    words = {item: escape(f"{item}: Dice {_format.number(dice.get(item))}") for item in order}

    def layer(kind: str, paths: Mapping[str, str]) -> str:
        drawn = "".join(
            f'<path class="{kind}" data-class="{index[item]}" style="--k:{colours[item]}" d="{path}">'
            f"<title>{words[item]}</title></path>"
            for item, path in paths.items()
        )
        return f'<g data-layer="{kind}"><g id="{name}-{kind}">{drawn}</g></g>'

    pixels = ' class="pixels"' if max(size) < 128 else ""
    place = f'width="100%" height="100%" preserveAspectRatio="none"{pixels}'
    veils = _differences(masks, order, size)
    errors = "".join(f'<image data-layer="{kind}" {place} href="{uri}"/>' for kind, uri in veils.items())
    errors_of = [(kind, escape(title.format(*titles)), look) for kind, title, look in _ERRORS if kind in veils]
    legend = _switches(errors_of) or "no pixel differs"
    lines = [(kind, escape(title.format(*titles)), look) for kind, title, look in _LINES]
    return (
        f'<div class="panels"><figure><svg viewBox="{view}" role="img" aria-label="{escape(" and ".join(titles))}">'
        f'<g data-layer="image"><image id="{name}-image" {place} href="{_jpeg(image)}"/></g>'
        f"{layer('truth', truth)}{layer('predicted', predicted)}</svg>"
        f"<figcaption>{_switches(lines)}</figcaption></figure>"
        f'<figure class="errors"><svg viewBox="{view}" role="img" aria-label="differences">'
        f'<use href="#{name}-image" class="dim"/><use href="#{name}-truth" class="trace"/>{errors}</svg>'
        f"<figcaption>{legend}</figcaption></figure></div>{_weakest(dice, colours, index)}"
    )


def _switches(layers: Sequence[tuple[str, str, str]]) -> str:
    """A legend whose entries show and hide their layer."""
    entries = []
    for kind, title, look in layers:
        sample = f'<i style="background:{look}"></i>' if look.startswith("#") else f'<i class="{look}"></i>'
        entries.append(f'<label><input type="checkbox" checked data-switch="{kind}">{sample}{title}</label>')
    return "".join(entries)


def _weakest(dice: Mapping[str, float], colours: Mapping[str, str], index: Mapping[str, int]) -> str:
    """The classes that pull the case down, each with its colour; pointing at one lights it up in the picture."""
    known = sorted((score, item) for item, score in dice.items() if math.isfinite(score) and item in index)
    chips = (
        f'<li data-class="{index[item]}"><i style="background:{colours[item]}"></i>{escape(item)} '
        f"<b>{_format.number(score)}</b></li>"
        for score, item in known[:_WEAKEST]
    )
    rest = f'<li class="rest">and {len(known) - _WEAKEST} more</li>' if len(known) > _WEAKEST else ""
    return f'<ul class="chips">{"".join(chips)}{rest}</ul>'


def _unit(size: tuple[int, int]) -> float:
    """Units of the drawing in a pixel of the image."""
    return _UNITS / max(size)


def _outlines(
    masks: tuple[Mapping[str, np.ndarray], ...], order: list[str], size: tuple[int, int]
) -> tuple[dict[str, str], dict[str, str]]:
    """SVG paths of truth and prediction by class; simplified just as far as the size limit asks."""
    rings = [{item: _rings(part[item], size) for item in order if len(part[item])} for part in masks]
    tolerance = 1.0
    while True:
        paths = [{item: _path(outlines, tolerance) for item, outlines in part.items()} for part in rings]
        spent = sum(len(path) for part in paths for path in part.values())
        # 32 units are 8 shown pixels: what does not fit by then is noise of thousands of specks, and stays whole.
        if spent <= _OUTLINE_BYTES or tolerance >= 32:
            return paths[0], paths[1]
        tolerance *= 1.6


def _rings(runs: np.ndarray, size: tuple[int, int]) -> list[np.ndarray]:
    """Outlines of a mask in units of the drawing."""
    # Outlines run through the middle of the border pixels. In a small image that is visibly too narrow, and a lone
    # pixel has no outline at all; enlarged first, they run close to the pixels' edges.
    factor = max(1, _SIDE // max(size))
    if factor > 1:
        large = run_lengths.to_mask(runs, size).repeat(factor, 0).repeat(factor, 1)
        runs, size = run_lengths.from_mask(large), (size[0] * factor, size[1] * factor)
    found = contour.outlines(runs, size)
    return [np.round((ring + 0.5) * _unit(size)).astype(np.int32) for ring in found]


def _path(rings: list[np.ndarray], tolerance: float) -> str:
    """Closed rings as one SVG path in whole units, each point relative to the one before, which is shorter."""
    parts = []
    for ring in rings:
        simple = cv2.approxPolyDP(ring.reshape(-1, 1, 2), tolerance, True).reshape(-1, 2)
        # A speck would collapse into a line, which has no inside to point at.
        points = simple if len(simple) > 2 else ring
        moves = np.diff(points, axis=0, prepend=np.zeros((1, 2), np.int32))
        steps = " ".join(f"{x} {y}" for x, y in moves[1:].tolist()).replace(" -", "-")
        parts.append(f"M{moves[0, 0]} {moves[0, 1]}l{steps or '1 0'}z")
    return "".join(parts)


def _differences(
    masks: tuple[Mapping[str, np.ndarray], ...], order: list[str], size: tuple[int, int]
) -> dict[str, str]:
    """Transparent pictures of the pixels missed, extra, and both at once: of the wrong class."""
    missed, extra = np.zeros(size, bool), np.zeros(size, bool)
    for item in order:
        truth, predicted = (run_lengths.to_mask(part[item], size) for part in masks)
        missed |= truth & ~predicted
        extra |= predicted & ~truth
    planes = {"missed": missed & ~extra, "extra": extra & ~missed, "swapped": missed & extra}
    return {kind: _veil(planes[kind], colour) for kind, _, colour in _ERRORS if planes[kind].any()}


def _veil(mask: np.ndarray, colour: str) -> str:
    """A mask as a picture of one colour; where several pixels become one, their share is its opacity."""
    height, width = _shown(mask.shape[:2])
    share = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    # The root lifts a sliver that fills a tenth of a pixel to a third of full colour; 7 levels compress well.
    opacity = np.round(np.sqrt(share) * 7) * 36
    veil = np.empty((height, width, 4), np.uint8)
    veil[..., :3] = [int(colour[place : place + 2], 16) for place in (5, 3, 1)]
    veil[..., 3] = opacity
    # Above 100 WebP is lossless; measured at half the size of PNG and five times as fast.
    return _uri(".webp", veil, [cv2.IMWRITE_WEBP_QUALITY, 101])


def _jpeg(image: np.ndarray) -> str:
    """The image at its shown size, as good as the limit of bytes allows."""
    height, width = _shown(image.shape[:2])
    flat = image[..., 0] if image.ndim == 3 and (image[..., :1] == image).all() else image
    small = cv2.resize(flat, (width, height), interpolation=cv2.INTER_AREA)
    small = windowed(small) if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    uri = ""
    for quality in (92, 84, 76, 66, 54, 42, 30):
        uri = _uri(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if len(uri) <= _IMAGE_BYTES:
            break
    return uri


def windowed(plane: np.ndarray) -> np.ndarray:
    """A grey image over the full range of greys; radiographs use a part of it, often the darkest third."""
    low, high = np.percentile(plane, (0.5, 99.5))
    if high - low < 8:
        return plane
    return np.clip((plane.astype(np.float32) - low) * (255 / (high - low)), 0, 255).astype(np.uint8)


def _shown(size: tuple[int, ...]) -> tuple[int, int]:
    scale = min(1.0, _SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _uri(kind: str, image: np.ndarray, options: list[int]) -> str:
    done, data = cv2.imencode(kind, image, options)
    assert done, f"OpenCV cannot write {kind}"
    mime = {".jpg": "jpeg", ".webp": "webp"}[kind]
    return f"data:image/{mime};base64,{base64.b64encode(data.tobytes()).decode('ascii')}"
