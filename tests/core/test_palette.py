"""Colours of classes that bring none: apart, and the same whatever follows."""

import cv2
import numpy as np

from phalanx.core import palette

# Vienot, Brettel & Mollon 1999: another simulation of deuteranopia than the palette's own, on linear RGB.
DEUTAN = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])


def lab(colours: tuple[str, ...], eye: np.ndarray | None = None) -> np.ndarray:
    rgb = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in colours]) / 255
    if eye is not None:
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ eye.T
        rgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)
    return cv2.cvtColor(rgb.clip(0, 1).astype(np.float32)[None], cv2.COLOR_RGB2LAB)[0]


def smallest(points: np.ndarray) -> float:
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    return float(distance[np.triu_indices(len(points), 1)].min())


def test_29_colours_are_apart_for_every_eye():
    colours = palette.colours(29)
    assert len(set(colours)) == 29
    # Hues spread evenly over the circle have 3.7 and 1.5.
    assert smallest(lab(colours)) > 17
    assert smallest(lab(colours, DEUTAN)) > 7


def test_the_first_colours_do_not_depend_on_how_many_follow():
    assert palette.colours(29)[:7] == palette.colours(7)
    assert palette.colours(0) == ()


def test_colours_show_on_black_and_on_white():
    lightness = lab(palette.colours(60))[:, 0]
    assert lightness.min() > 35
    assert lightness.max() < 95
