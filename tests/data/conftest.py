"""Masks of phantom hands, drawn once for the tests of label quality."""

from typing import NamedTuple

import numpy as np
import pytest

from phalanx.core import hand
from phalanx.datasets._phantom import people
from phalanx.datasets._phantom.shapes import clip_to_frame, pixels
from phalanx.mask import moments, polygon


class Drawn(NamedTuple):
    """A hand: the outline of each bone, its runs and its moments, and the side."""

    rings: dict[str, np.ndarray]
    masks: dict[str, np.ndarray]
    moments: dict[str, moments.Moments]
    side: str


SIZE = (192, 192)


@pytest.fixture(scope="session")
def hands() -> list[Drawn]:
    """Twenty-four hands of twelve people, three of them with bent wrists."""
    found = []
    for place in people.roster(12, 4):
        for side in "RL":
            bones = people.draw_hand(8, place, side)[0].bones
            rings = {bone.name: pixels(clip_to_frame(bone.ring), SIZE[0]).astype(float) for bone in bones}
            masks = {name: polygon.to_runs([rings[name]], SIZE, "opencv") for name in hand.NAMES}
            measured = {name: item for name in hand.NAMES if (item := moments.of(masks[name], SIZE)) is not None}
            found.append(Drawn(rings, masks, measured, side))
    return found
