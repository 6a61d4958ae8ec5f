"""Settings of the property tests, and phantom hands."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import settings

from phalanx.datasets._phantom import people
from phalanx.datasets._phantom.shapes import clip_to_frame, pixels
from phalanx.mask import polygon

# A busy machine is no fault of the code: no deadline for one example.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


def phantoms(count: int, size: int) -> Iterator[dict[str, np.ndarray]]:
    for place in people.roster(count, 0):
        for side in "RL":
            hand = people.draw_hand(3, place, side)[0]
            rings = {bone.name: pixels(clip_to_frame(bone.ring), size) for bone in hand.bones}
            yield {name: polygon.to_runs([ring], (size, size), "opencv") for name, ring in rings.items()}


@pytest.fixture(scope="session")
def hands() -> list[dict[str, np.ndarray]]:
    """Masks of 24 phantom hands of 512 x 512 px."""
    return list(phantoms(12, 512))
