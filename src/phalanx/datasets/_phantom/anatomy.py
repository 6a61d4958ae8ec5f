"""The skeleton and the flesh of one hand, posed and fitted into the unit square.

Everything is independent of the image's size: x and y run from 0 to 1, y down. A right hand lies with the thumb and
the radius on the left, as the back of a hand put on the table; a left hand is its mirror image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from phalanx.datasets._phantom import templates
from phalanx.datasets._phantom.shapes import chain, move, resample, spline, turn, wobble

OUTLINE_POINTS = 400


@dataclass(frozen=True)
class Bone:
    """One bone.

    Args:
        name: class name.
        ring: outline `(OUTLINE_POINTS, 2)`; parts of the forearm lie outside the unit square.
        base: the proximal end of the axis.
        tip: the distal end.
        ridges: bright lines inside, each `(points, 2)`.
        tubular: 1 for a hollow shaft with thick walls, 0 for a spongy block.
    """

    name: str
    ring: np.ndarray
    base: np.ndarray
    tip: np.ndarray
    ridges: tuple[np.ndarray, ...]
    tubular: float

    def moved(self, matrix: np.ndarray) -> Bone:
        """The bone under a `(2, 3)` matrix."""
        base, tip = move(np.array([self.base, self.tip]), matrix)
        ridges = tuple(move(ridge, matrix) for ridge in self.ridges)
        return replace(self, ring=move(self.ring, matrix), base=base, tip=tip, ridges=ridges)


@dataclass(frozen=True)
class Hand:
    """One hand.

    Args:
        bones: the 29 bones in class order.
        flesh: groups of circles `(n, 3)` as (x, y, radius); the hand's silhouette is the union of the groups' hulls.
        sesamoids: outlines of small bones that belong to no class.
        side: `R` or `L`.
        deviation: angle between hand and forearm in degrees, positive towards the little finger.
        scale: units of the design grid in the unit square.
    """

    bones: tuple[Bone, ...]
    flesh: tuple[np.ndarray, ...]
    sesamoids: tuple[np.ndarray, ...]
    side: str
    deviation: float
    scale: float

    def bone(self, name: str) -> Bone:
        """The bone of that name."""
        return self.bones[templates.NAMES.index(name)]


@dataclass(frozen=True)
class Build:
    """What makes a person's hands their own.

    Args:
        stature: size relative to the mean hand.
        breadth: breadth of the bones relative to their length.
        spread: how far the fingers are spread; 1 is at rest.
        gap: joint space in units of the design grid.
        flesh: thickness of the soft tissue relative to the mean.
    """

    stature: float
    breadth: float
    spread: float
    gap: float
    flesh: float


def build_hand(
    build: Build, side: str, deviation: float, shape: np.random.Generator, pose: np.random.Generator
) -> Hand:
    """One hand of a person.

    Args:
        build: the person's proportions.
        side: `R` or `L`.
        deviation: bend of the wrist in degrees, positive towards the little finger.
        shape: draws what both hands of the person share; give both hands a generator of the same seed.
        pose: draws what is this picture's alone.
    """
    rays, joints = _fingers(build, shape, pose)
    blocks = {name: _block(name, build, shape, pose) for name in templates.NAMES if name not in templates.FINGERS}
    flesh, arm_flesh = _flesh(build, joints)
    sesamoids = _sesamoids(rays["finger-3"], shape)

    tilt = _tilt(deviation, pose)
    hand = turn(tilt, templates.CAPITATE_HEAD)
    # The proximal row goes part of the way, and the whole carpus slides towards the thumb's side of the forearm.
    middle = turn(tilt - 0.4 * deviation, templates.CAPITATE_HEAD)
    slide = np.array([[1.0, 0, 14 * np.sin(np.radians(deviation))], [0, 1, 3 * abs(np.sin(np.radians(deviation)))]])
    arm = chain(turn(tilt - deviation, templates.CAPITATE_HEAD), slide)
    bones = {name: bone.moved(hand) for name, bone in rays.items()}
    for name, bone in blocks.items():
        matrix = arm if name in templates.ARM else middle if name in templates.PROXIMAL_ROW else hand
        bones[name] = bone.moved(matrix)
    moved = [_move_circles(circles, hand) for circles in flesh]
    moved_arm = [_move_circles(circles, arm) for circles in arm_flesh]
    # The first of the arm's groups is its end at the wrist, tied to the hand's last group, the heel of the palm.
    moved_arm.append(np.vstack([moved[-1], moved_arm[0]]))

    fit, scale = _fit(np.vstack(moved), build.stature, side, pose)
    return Hand(
        bones=tuple(bones[name].moved(fit) for name in templates.NAMES),
        flesh=tuple(_move_circles(circles, fit) for circles in (*moved, *moved_arm)),
        sesamoids=tuple(move(move(ring, hand), fit) for ring in sesamoids),
        side=side,
        deviation=deviation,
        scale=1.0 / scale,
    )


def _tilt(deviation: float, pose: np.random.Generator) -> float:
    """Direction of the hand on the image; a strong bend is shared between the hand and the forearm."""
    share = pose.uniform(0.40, 0.70)
    return float(share * deviation + pose.normal(0, 3.0))


def _fingers(
    build: Build, shape: np.random.Generator, pose: np.random.Generator
) -> tuple[dict[str, Bone], list[np.ndarray]]:
    """The bones of the five rays on the design grid, and each ray's joints `(bones + 1, 2)`, wrist first."""
    bones: dict[str, Bone] = {}
    joints: list[np.ndarray] = []
    for number, (names, start, angles) in enumerate(templates.RAYS):
        reach = 1 + shape.normal(0, 0.018)
        lean = shape.normal(0, 1.2) + pose.normal(0, 1.2)
        ray = np.array(start) + shape.normal(0, 0.8, 2)
        points = [ray]
        for order, (name, angle) in enumerate(zip(names, angles, strict=True)):
            resting = templates.RAYS[2][2][min(order, 3)]
            wide = build.spread if order else 1 + 0.25 * (build.spread - 1)
            bend = pose.normal(0, 0.6 if order == 0 else 1.8) * (2.2 if number == 0 and order else 1.0)
            direction = resting + (angle - resting) * wide + lean * (order > 0) + bend
            bone = _long(name, ray, direction, reach=reach, build=build, shape=shape)
            bones[name] = bone
            along = (bone.tip - bone.base) / np.linalg.norm(bone.tip - bone.base)
            # Heads of metacarpals sit in a hollow base; the heads of phalanges have a notch for the next one's ridge.
            step = (-3.5 if order == 0 else -0.02 * float(np.linalg.norm(bone.tip - bone.base))) + build.gap
            ray = bone.tip + along * (step + shape.normal(0, 0.5))
            points.append((bone.tip + ray) / 2)
        joints.append(np.array(points))
    return bones, joints


def _long(
    name: str, start: np.ndarray, direction: float, *, reach: float, build: Build, shape: np.random.Generator
) -> Bone:
    """A long bone from `start`, `direction` degrees from upright, on the design grid."""
    template, length, factor, finger = templates.SEGMENTS[name]
    length *= reach * (1 + shape.normal(0, 0.012))
    breadth = factor * build.breadth * (1 + shape.normal(0, 0.035))
    ends, waist = 1 + shape.normal(0, 0.05), 1 + shape.normal(0, 0.04)
    bow = shape.normal({0: 0.012, 4: -0.012}.get(finger, 0.0), 0.006)

    def place(points: np.ndarray) -> np.ndarray:
        u, v = points[:, 0] / 1000 * breadth, np.clip(points[:, 1] / 1000, -0.1, 1.1)
        middle = np.clip(4 * v * (1 - v), 0, 1)
        u = u * (ends + (waist - ends) * middle) + bow * middle * (1 if template.startswith("metacarpal") else 0.4)
        upright = np.column_stack([u, -v]) * length
        return move(upright, turn(direction)) + start

    ring = wobble(resample(spline(templates.LONG[template]), OUTLINE_POINTS), shape, 0.004 * 1000)
    axis = place(np.array([[0.0, 0.0], [0.0, 1000.0]]))
    ridges = tuple(place(_open_curve(ridge)) for ridge in templates.LONG_RIDGES[template])
    return Bone(name, place(ring), axis[0], axis[1], ridges, 0.55 if template == "distal" else 1.0)


def _open_curve(points: Sequence[tuple[float, float]]) -> np.ndarray:
    """A line through a few points, with intermediate points."""
    corner = np.array(points, float)
    at = np.linspace(0, len(corner) - 1, 8 * len(corner))
    return np.column_stack([np.interp(at, np.arange(len(corner)), corner[:, axis]) for axis in (0, 1)])


def _block(name: str, build: Build, shape: np.random.Generator, pose: np.random.Generator) -> Bone:
    """A carpal or forearm bone on the design grid: its template, grown, turned and pushed a little."""
    control = np.array(templates.CARPALS[name], float)
    centre = control.mean(0)
    arm = name in templates.ARM
    swelling = 1.0 if arm else {"Pisiform": 1.0, "Triquetrum": 1.03}.get(name, 1.08)  # areas of spec 1.9
    grown = swelling * (1 + 0.5 * (build.breadth - 1)) * (1 + shape.normal(0, 0.02 if arm else 0.035, 2))
    turned = shape.normal(0, 0.4 if arm else 2.5) + pose.normal(0, 0.3 if arm else 1.5)
    shifted = shape.normal(0, 0.6, 2) + pose.normal(0, 0.4, 2)
    if arm:
        centre, grown = np.array([345.0, 600.0]), np.array([grown[0], 1.0])
    matrix = turn(turned) @ np.vstack([np.column_stack([np.diag(grown), -grown * centre]), [0, 0, 1]])
    matrix[:, 2] += centre + shifted
    ring = wobble(resample(spline(control), OUTLINE_POINTS), shape, 0.8)
    top, bottom = control[control[:, 1].argmin()], control[control[:, 1].argmax()]
    ridges = tuple(_open_curve(ridge) for ridge in templates.CARPAL_RIDGES[name])
    return Bone(name, ring, bottom, top, ridges, 0.85 if arm else 0.0).moved(matrix)


def _flesh(build: Build, joints: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Circles of the hand (the heel of the palm last) and of the forearm (its wrist end first), on the design grid."""
    hand: list[np.ndarray] = []
    rays: list[np.ndarray] = []
    for points, radii in zip(joints, templates.FLESH, strict=True):
        points = points.copy()
        tip = points[-1] - points[-2]
        points[-1] -= tip / np.linalg.norm(tip) * (radii[-1] - 12.0)  # the pad reaches 12 units beyond the bone
        ray = np.column_stack([points, np.array(radii) * build.flesh])
        rays.append(ray)
        hand += [ray[order : order + 2] for order in range(1, len(ray) - 1)]
    knuckles = np.array([ray[1] for ray in rays[1:]])
    webs = np.array([[*(0.66 * ray[1, :2] + 0.34 * ray[2, :2]), 0.8 * ray[2, 2]] for ray in rays[1:]])
    roots = np.array([ray[0] for ray in rays[1:]])
    hand.append(np.vstack([knuckles, roots]))
    hand += [np.vstack([webs[order : order + 2], knuckles[order : order + 2]]) for order in range(3)]
    thumb, index, little = rays[0], rays[1], rays[4]
    commissure = np.array([[*(0.58 * index[1, :2] + 0.42 * index[0, :2]), 20.0 * build.flesh]])
    hand.append(np.vstack([thumb[:2], commissure, index[:1]]))
    hand.append(np.vstack([little[:2], [[438.0, 570.0, 30.0 * build.flesh]]]))
    heel = np.array([[303.0, 562.0, 40.0], [424.0, 566.0, 36.0]]) * (1, 1, build.flesh)
    hand += [np.vstack([thumb[:1], heel]), np.vstack([roots, heel]), heel]
    wrist = np.array([[307.0, 640.0, 38.0], [398.0, 640.0, 42.0]]) * (1, 1, build.flesh)
    arm = np.array([[294.0, 800.0, 48.0], [394.0, 800.0, 52.0]]) * (1, 1, build.flesh)
    elbow = np.array([[285.0, 1180.0, 80.0], [395.0, 1180.0, 84.0]]) * (1, 1, build.flesh)
    return hand, [wrist, np.vstack([wrist, arm]), np.vstack([arm, elbow])]


def _sesamoids(metacarpal: Bone, shape: np.random.Generator) -> list[np.ndarray]:
    """The small bone beside the head of the thumb's metacarpal; spec 1.10 tells how the labels waver about it."""
    if shape.random() > 0.8:
        return []
    axis = metacarpal.tip - metacarpal.base
    across = np.array([-axis[1], axis[0]])
    centre = metacarpal.base + 0.93 * axis + across * shape.uniform(0.15, 0.21)
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radii = shape.uniform(4.5, 7.5, 2)
    return [centre + np.column_stack([np.cos(angle) * radii[0], np.sin(angle) * radii[1]])]


def _move_circles(circles: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Circles under a similarity."""
    scale = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    return np.column_stack([move(circles[:, :2], matrix), circles[:, 2] * scale])


def _fit(circles: np.ndarray, stature: float, side: str, pose: np.random.Generator) -> tuple[np.ndarray, float]:
    """The matrix from the design grid into the unit square, and its scale.

    The hand is shown whole and the forearm leaves the image; every picture is taken at the same magnification unless
    the hand would not fit.
    """
    low = (circles[:, :2] - circles[:, 2:]).min(0)
    high = (circles[:, :2] + circles[:, 2:]).max(0)
    scale = min(stature / templates.GRID, 0.94 / (high[0] - low[0]), 0.84 / (high[1] - low[1]))
    room = 1.0 - scale * (high - low)
    left = room[0] * np.clip(0.5 + pose.normal(0, 0.10), 0.1, 0.9)
    wrist = scale * (templates.CAPITATE_HEAD[1] - low[1])  # the wrist lies at about the same height in every picture
    top = float(np.clip(pose.uniform(0.68, 0.74) - wrist, 0.025, max(0.025, room[1] - 0.1)))
    matrix = np.array([[scale, 0, left - scale * low[0]], [0, scale, top - scale * low[1]]])
    if side == "L":
        matrix = chain(np.array([[-1.0, 0, 1], [0, 1, 0]]), matrix)
    return matrix, scale
