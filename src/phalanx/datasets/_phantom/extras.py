"""What lies on the hand and on the film besides bone and flesh: rings, pins, plates, nail art, markers, collimators."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from phalanx.datasets._phantom.anatomy import Hand

METAL = 2.2


@dataclass(frozen=True)
class Extras:
    """Additions to one picture; angles and positions come from `seed`.

    Args:
        ring: name of the finger bone that wears a ring, or "".
        pin: name of the bone that a wire or a screwed plate holds, or "".
        plate: the pin is a plate with screws.
        bracelet: a thin chain round the wrist.
        nails: nail art.
        marker: a letter R or L is on the film.
        collimated: the edges of the film were not exposed.
        seed: of the small choices.
    """

    ring: str = ""
    pin: str = ""
    plate: bool = False
    bracelet: bool = False
    nails: bool = False
    marker: bool = False
    collimated: bool = False
    seed: int = 0


def coverage(size: int, rings: list[np.ndarray]) -> tuple[tuple[slice, slice], np.ndarray]:
    """Box `(rows, columns)` round rings of the unit square, and how much of each of its pixels they cover.

    Returns:
        The box, and float32 in [0, 1]; an empty array when nothing lies in the image.
    """
    points = np.concatenate(rings) * size
    low = np.clip(np.floor(points.min(0)).astype(int) - 3, 0, size)
    high = np.clip(np.ceil(points.max(0)).astype(int) + 4, 0, size)
    box = (slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0])))
    mask = np.zeros((max(0, high[1] - low[1]), max(0, high[0] - low[0])), np.uint8)
    if mask.size:
        fixed = [((ring * size - 0.5 - low) * 16).astype(np.int32) for ring in rings]
        cv2.fillPoly(mask, fixed, 255, cv2.LINE_AA, 4)
    return box, mask.astype(np.float32) * np.float32(1 / 255)


def _quad(start: np.ndarray, end: np.ndarray, half: float) -> np.ndarray:
    """A bar from `start` to `end`, `half` wide to either side."""
    along = (end - start) / max(float(np.linalg.norm(end - start)), 1e-9)
    across = np.array([-along[1], along[0]]) * half
    return np.array([start + across, end + across, end - across, start - across])


def _oval(centre: np.ndarray, along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """An ellipse with two half-axes."""
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)[:, None]
    return centre + np.cos(angle) * along + np.sin(angle) * across


def add_metal(canvas: np.ndarray, hand: Hand, things: Extras) -> None:
    """Add rings, pins, plates, bracelets and nails to an attenuation map."""
    generator = np.random.default_rng(things.seed)
    unit = 1.0 / hand.scale
    if things.ring:
        _ring(canvas, hand, things.ring, generator, unit)
    if things.pin:
        (_plate if things.plate else _wire)(canvas, hand, things.pin, generator, unit)
    if things.bracelet:
        _bracelet(canvas, hand, generator, unit)
    if things.nails:
        for name in ("finger-1", "finger-4", "finger-8", "finger-12", "finger-16"):
            _nail(canvas, hand, name, generator, unit)


def _add(canvas: np.ndarray, rings: list[np.ndarray], amount: float) -> None:
    box, cover = coverage(len(canvas), rings)
    canvas[box] += np.float32(amount) * cover


def _ring(canvas: np.ndarray, hand: Hand, name: str, generator: np.random.Generator, unit: float) -> None:
    """A band round a proximal phalanx, seen almost from the side."""
    bone = hand.bone(name)
    axis = bone.tip - bone.base
    along = axis / np.linalg.norm(axis)
    across = np.array([-along[1], along[0]]) * 28 * unit
    centre = bone.base + axis * generator.uniform(0.38, 0.5)
    width, tilt = generator.uniform(3.0, 7.0) * unit, generator.uniform(1.0, 4.0) * unit
    edges = [_oval(centre + along * shift, across, along * tilt) for shift in (-width, width)]
    _add(canvas, [cv2.convexHull(np.concatenate(edges).astype(np.float32))[:, 0].astype(float)], METAL)
    if generator.random() < 0.3:
        stone = centre + along * width
        _add(canvas, [_oval(stone, along * 6 * unit, across / 30 / unit * 7 * unit)], METAL)


def _wire(canvas: np.ndarray, hand: Hand, name: str, generator: np.random.Generator, unit: float) -> None:
    """One or two wires through a bone."""
    bone = hand.bone(name)
    axis = bone.tip - bone.base
    for _ in range(int(generator.integers(1, 3))):
        shift = np.array([-axis[1], axis[0]]) * generator.normal(0, 0.02)
        start, end = bone.base + axis * generator.uniform(-0.12, 0.1), bone.base + axis * generator.uniform(0.8, 1.05)
        _add(canvas, [_quad(start + shift, end - shift * 2, 1.5 * unit)], METAL)


def _plate(canvas: np.ndarray, hand: Hand, name: str, generator: np.random.Generator, unit: float) -> None:
    """A plate along a bone with screws across."""
    bone = hand.bone(name)
    axis = bone.tip - bone.base
    long = float(np.linalg.norm(axis))
    along = axis / long
    across = np.array([-along[1], along[0]])
    low, high = (0.62, 0.88) if name == "Radius" else (0.2, 0.75)
    start, end = bone.base + axis * low, bone.base + axis * high
    caps = [_oval(point, along * 5.5 * unit, across * 5.5 * unit) for point in (start, end)]
    bar = cv2.convexHull(np.concatenate(caps).astype(np.float32))[:, 0].astype(float)
    _add(canvas, [bar], 0.45 * METAL)
    for step in np.linspace(0.08, 0.92, int(generator.integers(4, 7))):
        centre = start + (end - start) * step
        _add(canvas, [_oval(centre, along * 4.2 * unit, across * 4.2 * unit)], METAL)
        lean = across * generator.uniform(5, 13) * unit + along * generator.normal(0, 2) * unit
        _add(canvas, [_quad(centre, centre + lean, 1.7 * unit)], 0.5 * METAL)


def _bracelet(canvas: np.ndarray, hand: Hand, generator: np.random.Generator, unit: float) -> None:
    """A thin chain round the forearm, an open ellipse."""
    bone = hand.bone("Radius")
    axis = bone.tip - bone.base
    along = axis / np.linalg.norm(axis)
    across = np.array([-along[1], along[0]])
    ulna = hand.bone("Ulna")
    middle = (bone.tip + ulna.tip) / 2 - along * generator.uniform(60, 110) * unit
    outer = _oval(middle, across * 98 * unit, along * 15 * unit)
    inner = _oval(middle, across * 96 * unit, along * 12.5 * unit)
    _add(canvas, [np.vstack([outer, outer[:1], inner[::-1], inner[-1:]])], 0.7 * METAL)


def _nail(canvas: np.ndarray, hand: Hand, name: str, generator: np.random.Generator, unit: float) -> None:
    """A painted nail: a faint plate over the finger tip, sometimes with a stone."""
    bone = hand.bone(name)
    axis = bone.tip - bone.base
    along = axis / np.linalg.norm(axis)
    across = np.array([-along[1], along[0]])
    centre = bone.tip - along * 3 * unit
    _add(canvas, [_oval(centre, along * 15 * unit, across * 11 * unit)], generator.uniform(0.04, 0.12))
    for _ in range(int(generator.integers(0, 3))):
        spot = centre + along * generator.normal(0, 4) * unit + across * generator.normal(0, 4) * unit
        _add(canvas, [_oval(spot, along * 2.2 * unit, across * 2.2 * unit)], 0.5 * METAL)


def add_frame(picture: np.ndarray, hand: Hand, things: Extras) -> None:
    """Add the film's marker and unexposed edges to a finished picture `(size, size)`, float32 in [0, 1]."""
    generator = np.random.default_rng(things.seed + 1)
    size = len(picture)
    if things.marker:
        left = (hand.side == "R") == (hand.deviation > 25)
        x, y = (0.06 if left else 0.88) + generator.normal(0, 0.01), generator.uniform(0.72, 0.94)
        scale, light = size * generator.uniform(0.0016, 0.0026), np.float32(generator.uniform(0.6, 0.95) / 255)
        plane = np.zeros((size, size), np.uint8)
        where = (round(x * size), round(y * size))
        pen = max(1, round(3 * scale))
        cv2.putText(plane, hand.side, where, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, pen, cv2.LINE_AA)
        np.maximum(picture, plane.astype(np.float32) * light, out=picture)
    if things.collimated:
        width = np.round(generator.uniform(0.0, 0.045, 4) * size).astype(int)
        shade = np.float32(0.0)
        picture[: width[0]] *= shade
        picture[size - width[1] :] *= shade
        picture[:, : width[2]] *= shade
        picture[:, size - width[3] :] *= shade
