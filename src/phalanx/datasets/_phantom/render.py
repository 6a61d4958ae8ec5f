"""The X-ray picture of a hand.

Attenuation adds up along the ray: soft tissue, then every bone with its bright cortex, its darker marrow and the mesh
of its trabeculae, so overlaps are brighter. Scatter blurs it, an exposure curve and a vignette shape it, quantum and
electronic noise end it. Lengths are shares of the image's side: the size only sets the sampling.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from phalanx.datasets._phantom import extras, templates
from phalanx.datasets._phantom.anatomy import Bone, Hand
from phalanx.datasets._phantom.flesh import clouds, smoothstep, thickness

SMALLEST_PX = 768  # smaller pictures are rendered at a multiple and averaged down, or thin cortices would vanish
MESH_PX = 1280  # the threads are about two of these pixels wide


@dataclass(frozen=True)
class Exposure:
    """How a picture was taken.

    Args:
        soft: brightness of soft tissue.
        bone: brightness of bone.
        contrast: steepness of the exposure curve; above 0 darkens the soft tissue against the bone.
        noise: quantum noise.
        blur: focal spot and detector, in image sides.
        fog: background level.
    """

    soft: float
    bone: float
    contrast: float
    noise: float
    blur: float
    fog: float


def draw_exposure(generator: np.random.Generator) -> Exposure:
    """The exposure of one picture."""
    return Exposure(
        soft=generator.normal(1.0, 0.12),
        bone=float(np.clip(generator.normal(1.0, 0.12), 0.7, 1.3)),
        contrast=float(np.clip(generator.normal(0.0, 0.2), -0.4, 0.5)),
        noise=generator.uniform(0.6, 1.5),
        blur=generator.uniform(0.0002, 0.0005),
        fog=generator.uniform(0.010, 0.040),
    )


def render(hand: Hand, things: extras.Extras, size: int, generator: np.random.Generator) -> np.ndarray:
    """A picture of the hand, uint8 `(size, size)`."""
    factor = -(-SMALLEST_PX // size)
    full = size * factor
    exposure = draw_exposure(generator)
    attenuation = thickness(hand, generator, full)
    attenuation *= np.float32(0.22 * exposure.soft)
    mesh, patches = _mesh(generator, full)
    for bone in hand.bones:
        _add_bone(attenuation, bone, mesh, patches, 0.305 * exposure.bone * generator.normal(1.0, 0.04))
    for ring in hand.sesamoids:
        box, cover = extras.coverage(full, [ring])
        attenuation[box] += 0.16 * exposure.bone * cv2.GaussianBlur(cover, (0, 0), 0.0012 * full)
    extras.add_metal(attenuation, hand, things)
    picture = _expose(attenuation, exposure, generator)
    extras.add_frame(picture, hand, things)
    if factor > 1:
        picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    return cv2.convertScaleAbs(picture, alpha=255)


def _mesh(generator: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Trabecular texture, fine bright threads mostly along the hand, and patches of density; float32 around 0."""
    fine, coarse = clouds(generator, (310, 600), MESH_PX), clouds(generator, (110, 220), MESH_PX)
    patchy = clouds(generator, (26, 26), MESH_PX)
    # Where a smooth noise crosses zero runs a thread; the mean of exp(-(x/0.5)^2) over a unit normal is 1/3.
    threads = np.exp(np.float32(-4) * fine * fine) + np.float32(0.6) * np.exp(np.float32(-4) * coarse * coarse)
    threads += np.float32(0.22) * fine - np.float32(1.6 / 3)
    threads *= 1 + np.float32(0.3) * patchy
    threads += np.float32(0.3) * patchy
    mesh, patches = (cv2.resize(field, (size, size), interpolation=cv2.INTER_LINEAR) for field in (threads, patchy))
    return mesh, patches


def _add_bone(canvas: np.ndarray, bone: Bone, mesh: np.ndarray, patches: np.ndarray, density: float) -> None:
    """Add one bone's attenuation to the canvas `(size, size)`."""
    size = len(canvas)
    box, cover = extras.coverage(size, [bone.ring])
    if not cover.size:
        return
    depth = cv2.distanceTransform((cover > 0.5).astype(np.uint8), cv2.DIST_L2, 5) / np.float32(size)
    half = _half_width(depth)
    inner = np.minimum(depth / half, np.float32(1))
    outer = 1 - inner
    solid = 1 - outer * outer * outer
    shaft = _shaft(bone, box, size)
    rim = np.exp(-(((depth - np.float32(0.0012)) / np.float32(0.0015)) ** 2)) * (1 + np.float32(0.45) * patches[box])
    wall = smoothstep(0.0, 0.16, inner) * (1 - smoothstep(0.26, 0.66, inner))
    profile = (0.64 - 0.14 * shaft) * solid + (0.34 - 0.2 * shaft) * rim + shaft * 0.62 * wall
    profile += (0.17 - 0.10 * shaft) * mesh[box] * solid
    profile += _ridges(bone, box, size) * solid
    height = float(np.median(half[cover > 0.5])) if (cover > 0.5).any() else 0.02
    profile *= np.float32(density * (height / 0.02) ** 0.35)
    canvas[box] += profile * cover


def _half_width(depth: np.ndarray) -> np.ndarray:
    """Half the local breadth of a bone, from the depth below its surface; smooth, and taken at a coarse scale."""
    height, width = depth.shape
    step = max(1, round(max(height, width) / 64))
    small = cv2.resize(depth, (-(-width // step), -(-height // step)), interpolation=cv2.INTER_AREA)
    reach = max(1, round(float(depth.max()) * 0.9 / max(float(depth.max()), 1e-6) * _widest(small)))
    small = cv2.dilate(small, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
    small = cv2.GaussianBlur(small, (0, 0), max(0.6, reach / 2))
    return np.maximum(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32(1e-4))


def _widest(small: np.ndarray) -> float:
    """Largest depth in a coarse map, in its own pixels."""
    return float(cv2.distanceTransform((small > 0).astype(np.uint8), cv2.DIST_L2, 3).max())


def _shaft(bone: Bone, box: tuple[slice, slice], size: int) -> np.ndarray:
    """1 along the hollow middle of a bone, 0 at its spongy ends."""
    axis = bone.tip - bone.base
    y, x = ((np.arange(part.start, part.stop, dtype=np.float32) + 0.5) / size for part in box)
    along = np.add.outer((y - bone.base[1]) * axis[1], (x - bone.base[0]) * axis[0]).astype(np.float32)
    along /= np.float32(np.dot(axis, axis))
    start, end = ((-1.0, -0.5), (0.68, 0.92)) if bone.name in templates.ARM else ((0.10, 0.36), (0.62, 0.86))
    return np.float32(bone.tubular) * smoothstep(*start, along) * (1 - smoothstep(*end, along))


def _ridges(bone: Bone, box: tuple[slice, slice], size: int) -> np.ndarray:
    """The bright lines inside a bone, float32 on its box."""
    lines = np.zeros((box[0].stop - box[0].start, box[1].stop - box[1].start), np.uint8)
    offset = np.array([box[1].start, box[0].start])
    for ridge in bone.ridges:
        points = ((ridge * size - 0.5 - offset) * 16).astype(np.int32)
        cv2.polylines(lines, [points], False, 255, max(1, round(0.0032 * size)), cv2.LINE_AA, 4)
    return cv2.GaussianBlur(lines, (0, 0), 0.0017 * size).astype(np.float32) * np.float32(0.27 / 255)


def _expose(attenuation: np.ndarray, exposure: Exposure, generator: np.random.Generator) -> np.ndarray:
    """Brightness, about [0, 1], float32 `(size, size)`, of an attenuation map. In place where it can: 16 MB a plane."""
    size = len(attenuation)
    coarse = cv2.resize(attenuation, (128, 128), interpolation=cv2.INTER_AREA)
    haze = cv2.resize(cv2.GaussianBlur(coarse, (0, 0), 5), (size, size), interpolation=cv2.INTER_LINEAR)
    picture = cv2.GaussianBlur(attenuation, (0, 0), max(0.35, exposure.blur * size))
    picture *= np.float32(-1.15)
    np.exp(picture, out=picture)
    np.subtract(1, picture, out=picture)
    scratch = picture - np.float32(0.4)
    scratch *= np.float32(exposure.contrast)
    scratch += np.float32(1.12)
    picture *= scratch
    haze *= np.float32(0.035)
    picture += haze
    picture += np.float32(exposure.fog)
    side = np.linspace(-1, 1, size, dtype=np.float32)
    bowl = 1 - np.float32(0.035) * side**2
    leans = generator.normal(0, 0.05, 2).astype(np.float32)
    picture *= bowl + leans[0] * side
    picture *= (bowl + leans[1] * side)[:, None]
    grain = cv2.GaussianBlur(generator.standard_normal((size, size), np.float32), (0, 0), max(0.3, 0.0004 * size))
    # Fewer quanta pass where more is absorbed; the square root makes the noise of the dark background smallest.
    np.maximum(picture, 0, out=picture)
    np.sqrt(picture, out=scratch)
    grain *= scratch
    grain *= np.float32(0.022 * exposure.noise * np.sqrt(size / 2048))
    picture += grain
    return picture
