"""The load: submissions of 300 phantom hands at 2048 px, 29 bones each, as several models might have written them.

Made once into a folder and used again.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from phalanx.core import files, progress
from phalanx.datasets._phantom import people, shapes
from phalanx.mask import pile
from phalanx.mask.dialect import named
from phalanx.submit import practice, write

SIZE = (2048, 2048)


def submissions(folder: Path, members: int, images: int) -> list[Path]:
    """Paths of the members' CSVs, made where they are not there yet: about 22 MB each for 300 images."""
    paths = [folder / f"member{member}_{images}.csv" for member in range(members)]
    missing = [member for member, path in enumerate(paths) if not path.is_file()]
    if not missing:
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    work = partial(_hand, missing)
    with ProcessPoolExecutor() as pool:
        hands = list(progress.track(pool.map(work, range(images), chunksize=4), "making submissions", images))
    for place, member in enumerate(missing):
        with files.whole(paths[member]) as temporary:
            temporary.write_bytes(write.header(named("handbone")) + b"".join(hand[place] for hand in hands))
    return paths


def outlines(image: int, size: int) -> dict[str, list[np.ndarray]]:
    """The true outlines of one hand, in pixels of a square image: class name -> rings of `(x, y)`."""
    person = image // 2 + 1
    place = people.Place(person, person, "test", bent=person % 9 == 0)
    hand = people.draw_hand(0, place, "RL"[image % 2])[0]
    return {bone.name: [shapes.clip_to_frame(bone.ring) * size] for bone in hand.bones}


def _hand(members: list[int], image: int) -> list[bytes]:
    """The lines of one image, as each member writes them."""
    rings = outlines(image, SIZE[0])
    keys = [(f"image{1_661_000_000_000 + image}.png", name) for name in rings]
    drawn = (practice.masks(rings, SIZE, (member, image)) for member in members)
    return [write.lines(keys, pile.of(list(masks.values())), named("handbone")) for masks in drawn]
