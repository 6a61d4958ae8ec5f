"""The load: submissions of 300 phantom hands at 2048 px, 29 bones each, as several models might have written them.

A member's outlines are the true ones moved by smooth noise of 2 to 5 px, with specks beside and holes inside the bones,
and a mask in 250 is empty. Made once into a folder and used again.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from phalanx.core import files, progress
from phalanx.datasets._phantom import people, shapes, templates
from phalanx.mask import pile, polygon, runs
from phalanx.mask.dialect import named
from phalanx.submit import write

SIZE = (2048, 2048)
EMPTY_SHARE, SPECKS, HOLES = 0.004, 2, 1


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


def _hand(members: list[int], image: int) -> list[bytes]:
    """The lines of one image, as each member writes them."""
    person = image // 2 + 1
    place = people.Place(person, person, "test", bent=person % 9 == 0)
    hand = people.draw_hand(0, place, "RL"[image % 2])[0]
    name = f"image{1_661_000_000_000 + image}.png"
    keys = [(name, label) for label in templates.NAMES]
    return [
        write.lines(
            keys,
            pile.of([_predicted(bone.ring, np.random.default_rng([member, image, index]))
                     for index, bone in enumerate(hand.bones)]),
            named("handbone"),
        )
        for member in members
    ]  # fmt: skip


def _predicted(ring: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Runs of a bone as a model sees it."""
    if generator.random() < EMPTY_SHARE:
        return runs.empty()
    outline = shapes.clip_to_frame(ring) * SIZE[0]
    noise = gaussian_filter1d(generator.normal(size=outline.shape), 8, axis=0, mode="wrap")
    noise *= generator.uniform(2, 5) / noise.std()
    points = np.clip(outline + noise, 0, SIZE[0] - 1).round()
    mask = polygon.to_runs([points], SIZE, "opencv")
    blots = [_blot(points, generator, reach) for reach in [60] * SPECKS + [0] * HOLES]
    mask = runs.union([mask, *blots[:SPECKS]])
    holes = runs.union(blots[SPECKS:])
    return _without(mask, holes)


def _blot(points: np.ndarray, generator: np.random.Generator, reach: float) -> np.ndarray:
    """A small disc near the outline, or at its middle."""
    centre = points.mean(0) if reach == 0 else points[generator.integers(len(points))]
    centre = centre + generator.uniform(-1, 1, 2) * (reach or 5)
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    disc = centre + generator.uniform(1.5, 4) * np.stack([np.cos(angle), np.sin(angle)], 1)
    return polygon.to_runs([np.clip(disc, 0, SIZE[0] - 1).round()], SIZE, "opencv")


def _without(mask: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Pixels of the mask that are in no hole."""
    outside = np.concatenate([[0], holes.ravel(), [SIZE[0] * SIZE[1]]]).reshape(-1, 2)
    return runs.intersect(mask, outside[outside[:, 0] < outside[:, 1]])
