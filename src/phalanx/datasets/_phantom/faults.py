"""Faults planted in a phantom data set, each known by its case and kind, to measure what `phalanx check` finds.

The kinds are those that were met in the hand-bone data (spec 1.10) and the slips every annotated folder has.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from phalanx.core import files, hand
from phalanx.core.errors import DataError

LIST = "faults.json"

# The labels of ID058/image1661392103627, spec 1.10: what is drawn -> what it is called there.
MIRRORED = {
    "finger-1": "finger-3", "finger-3": "finger-1", "Trapezium": "Hamate", "Hamate": "Trapezium",
    "Trapezoid": "Capitate", "Capitate": "Trapezoid", "Radius": "Ulna", "Ulna": "Radius",
    "Scaphoid": "Pisiform", "Triquetrum": "Scaphoid", "Lunate": "Triquetrum", "Pisiform": "Lunate",
}  # fmt: skip


@dataclass
class Spot:
    """One case that a fault is planted in.

    Args:
        image: its picture.
        labels: its JSON.
        other: a sound case of another person and the same side, as (picture, JSON).
        generator: of the small choices.
        document: the JSON, parsed; written back after the fault is planted.
        touched: classes the fault concerns.
    """

    image: Path
    labels: Path
    other: tuple[Path, Path]
    generator: np.random.Generator
    document: dict[str, Any] = field(default_factory=dict)
    touched: list[str] = field(default_factory=list)

    @property
    def annotations(self) -> list[dict[str, Any]]:
        """The outlines of the case."""
        return self.document["annotations"]

    @property
    def side_px(self) -> int:
        """Side of the square image in pixels."""
        return int(self.document["metadata"]["width"])

    def pick(self, *names: str) -> dict[str, Any]:
        """The annotation of one of these classes, or of any finger bone or carpal; it is noted as touched."""
        name = str(self.generator.choice(names or hand.NAMES[:-2]))
        self.touched.append(name)
        return next(item for item in self.annotations if item["label"] == name)

    def ring(self, item: dict[str, Any]) -> np.ndarray:
        """Points of an annotation, float64 `(n, 2)`."""
        return np.array(item["points"], float)

    def keep(self, item: dict[str, Any], ring: np.ndarray, *, inside: bool = True) -> None:
        """Give an annotation another ring, in whole pixels."""
        points = np.rint(ring)
        item["points"] = (np.clip(points, 0, self.side_px - 1) if inside else points).astype(int).tolist()

    def rename(self, names: dict[str, str]) -> None:
        """Call what is drawn as one class by another name."""
        self.touched += sorted(names)
        for item in self.annotations:
            item["label"] = names.get(item["label"], item["label"])

    def unit(self) -> float:
        """The hand's measure: the median over its bones of the root of their area, in pixels."""
        return float(np.median([np.sqrt(_area(self.ring(item))) for item in self.annotations]))


def _area(ring: np.ndarray) -> float:
    return abs(float(np.dot(ring[:, 0], np.roll(ring[:, 1], 1)) - np.dot(ring[:, 1], np.roll(ring[:, 0], 1)))) / 2


def _image_gone(spot: Spot) -> None:
    spot.image.unlink()


def _labels_gone(spot: Spot) -> None:
    spot.document = {}
    spot.labels.unlink()


def _unreadable(spot: Spot) -> None:
    spot.image.write_bytes(b"")


def _truncated(spot: Spot) -> None:
    content = spot.image.read_bytes()
    spot.image.write_bytes(content[: int(len(content) * spot.generator.uniform(0.4, 0.9))])


def _wrong_size(spot: Spot) -> None:
    spot.document["metadata"] = {"height": spot.side_px // 2, "width": spot.side_px // 2}


def _unknown_class(spot: Spot) -> None:
    item = spot.pick(*hand.NAMES[:19])
    item["label"] = item["label"].replace("-", "")


def _outline_twice(spot: Spot) -> None:
    spot.annotations.append({**spot.pick(), "id": "again"})


def _outline_copied(spot: Spot) -> None:
    one, two = _joined(spot)
    two["points"] = one["points"]


def _crossed(spot: Spot) -> None:
    """Turn a stretch of the outline back to front, as points that were clicked in the wrong order."""
    item = spot.pick()
    ring = spot.ring(item)
    count = len(ring)
    ring = np.roll(ring, int(spot.generator.integers(count)), axis=0)
    ring[: count // 2] = ring[: count // 2][::-1].copy()
    spot.keep(item, ring)


def _out_of_frame(spot: Spot) -> None:
    item = spot.pick()
    ring = spot.ring(item)
    spot.keep(item, ring + np.array([spot.side_px - ring[:, 0].mean(), 0]), inside=False)


def _tiny(spot: Spot) -> None:
    item = spot.pick()
    x, y = np.rint(spot.ring(item).mean(0)).astype(int).tolist()
    item["points"] = [[x, y], [x + 1, y], [x, y + 1]]


def _class_gone(spot: Spot) -> None:
    spot.annotations.remove(spot.pick())


def _stray(spot: Spot) -> None:
    """Draw a second outline of a carpal over the forearm."""
    item, arm = spot.pick(*hand.CARPALS), spot.pick("Radius", "Ulna")
    ring = spot.ring(item)
    spot.annotations.append({**item, "id": "stray"})
    spot.keep(spot.annotations[-1], ring - ring.mean(0) + spot.ring(arm).mean(0))


def _labels_mirrored(spot: Spot) -> None:
    spot.rename(MIRRORED)


def _flipped(spot: Spot) -> None:
    """Mirror the picture and its outlines: a right hand in the file of a left one."""
    _save(spot.image, _grey(spot.image)[:, ::-1])
    for item in spot.annotations:
        spot.keep(item, spot.ring(item) * [-1, 1] + np.array([spot.side_px - 1, 0]))


def _forearm_swapped(spot: Spot) -> None:
    spot.rename({"Radius": "Ulna", "Ulna": "Radius"})


def _finger_order(spot: Spot) -> None:
    ray = hand.RAYS[int(spot.generator.integers(5))]
    place = int(spot.generator.integers(len(ray) - 1))
    spot.rename({ray[place]: ray[place + 1], ray[place + 1]: ray[place]})


def _fingers_swapped(spot: Spot) -> None:
    number = int(spot.generator.integers(1, 4))
    place = int(spot.generator.integers(4))
    one, two = hand.RAYS[number][place], hand.RAYS[number + 1][place]
    spot.rename({one: two, two: one})


def _carpals_swapped(spot: Spot) -> None:
    pairs = [pair for pair in hand.NEIGHBOURS if set(pair) <= set(hand.CARPALS)]
    one, two = pairs[int(spot.generator.integers(len(pairs)))]
    spot.rename({one: two, two: one})


def _too_large(spot: Spot) -> None:
    item = spot.pick()
    ring = spot.ring(item)
    spot.keep(item, (ring - ring.mean(0)) * spot.generator.uniform(1.35, 1.6) + ring.mean(0))


def _cut_off(spot: Spot) -> None:
    """Leave out the points of a half of the bone."""
    item = spot.pick()
    ring = spot.ring(item)
    centre = ring.mean(0)
    axis = np.linalg.svd(ring - centre, full_matrices=False)[2][0]
    spot.keep(item, ring[(ring - centre) @ axis > -0.15 * np.ptp(ring @ axis)])


def _displaced(spot: Spot) -> None:
    item = spot.pick(*hand.NAMES[:27])
    angle = spot.generator.uniform(0, 2 * np.pi)
    step = spot.unit() * spot.generator.uniform(1.0, 2.0)
    spot.keep(item, spot.ring(item) + step * np.array([np.cos(angle), np.sin(angle)]))


def _near_duplicate(spot: Spot) -> None:
    """Give the case the picture and the outlines of another person, a little brighter, noisier and compressed."""
    image, labels = spot.other
    picture = _grey(image).astype(float)
    picture = 255 * (picture / 255) ** spot.generator.uniform(0.8, 1.2) * spot.generator.uniform(0.9, 1.05)
    picture += spot.generator.normal(0, 2, picture.shape)
    jpeg = cv2.imencode(".jpg", np.clip(picture, 0, 255).astype(np.uint8), (cv2.IMWRITE_JPEG_QUALITY, 80))[1]
    squeezed = cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)
    assert squeezed is not None
    _save(spot.image, squeezed)
    spot.document = {**json.loads(labels.read_text()), "filename": spot.image.name}


def _grey(image: Path) -> np.ndarray:
    picture = cv2.imread(str(image), cv2.IMREAD_GRAYSCALE)
    assert picture is not None, image
    return picture


def _save(image: Path, plane: np.ndarray) -> None:
    image.write_bytes(cv2.imencode(".png", cv2.merge([plane, plane, plane]))[1].tobytes())


def _joined(spot: Spot) -> tuple[dict[str, Any], dict[str, Any]]:
    one, two = hand.NEIGHBOURS[int(spot.generator.integers(len(hand.NEIGHBOURS)))]
    return spot.pick(one), spot.pick(two)


KINDS: dict[str, Callable[[Spot], None]] = {
    "image gone": _image_gone,
    "labels gone": _labels_gone,
    "unreadable": _unreadable,
    "truncated": _truncated,
    "wrong size": _wrong_size,
    "unknown class": _unknown_class,
    "outline twice": _outline_twice,
    "outline copied": _outline_copied,
    "crossed": _crossed,
    "out of frame": _out_of_frame,
    "tiny": _tiny,
    "class gone": _class_gone,
    "stray": _stray,
    "labels mirrored": _labels_mirrored,
    "flipped": _flipped,
    "forearm swapped": _forearm_swapped,
    "finger order": _finger_order,
    "fingers swapped": _fingers_swapped,
    "carpals swapped": _carpals_swapped,
    "too large": _too_large,
    "cut off": _cut_off,
    "displaced": _displaced,
    "near duplicate": _near_duplicate,
}


def check_count(count: int, cases: int) -> None:
    """Refuse more faults than a data set of so many labelled cases can have: most must stay sound.

    Raises:
        DataError: that.
    """
    if not 0 <= count <= cases // 3:
        fix = f"ask for at most {cases // 3}, or write more people"
        raise DataError("too many faults for the labelled cases", f"{count} for {cases}", fix)


def plant(folder: Path, count: int, seed: int) -> list[dict[str, Any]]:
    """Plant faults in the training part of a phantom, each kind in turn, one a case; the list goes to `faults.json`.

    Args:
        folder: a phantom data set.
        count: how many; at most a third of the cases, so that there is a sound majority to tell them by.
        seed: the same seed plants the same faults.

    Returns:
        `{"case", "kind", "classes", "other"}` of each; `other` is the case that a near duplicate was made of.

    Raises:
        DataError: the folder has too few cases, or has faults already.
    """
    if (folder / LIST).is_file():
        raise DataError("faults are planted here already", folder / LIST, "write another phantom")
    images = sorted(folder.glob("train/DCM/*/*.png"))
    check_count(count, len(images))
    generator = np.random.default_rng([seed, len(images)])
    order = generator.permutation(len(images))
    sound = order[count:]
    planted = []
    for number, place in enumerate(order[:count]):
        kind = list(KINDS)[number % len(KINDS)]
        image = images[place]
        # Two images a person, right hand first: cases of one parity show one side.
        others = [images[far] for far in sound if far % 2 == place % 2 and images[far].parent != image.parent]
        other = others[int(generator.integers(len(others)))]
        spot = Spot(image, _json(image), (other, _json(other)), generator)
        spot.document = json.loads(spot.labels.read_text())
        KINDS[kind](spot)
        if spot.document:
            files.write_text(spot.labels, json.dumps(spot.document, separators=(",", ":")))
        twin = [other.name] if kind == "near duplicate" else []
        planted.append({"case": image.name, "kind": kind, "classes": spot.touched, "other": twin})
    files.write_text(folder / LIST, json.dumps(planted, indent=1) + "\n")
    return planted


def _json(image: Path) -> Path:
    return image.parents[2] / "outputs_json" / image.parent.name / f"{image.stem}.json"
