"""Images that are the same, or nearly: what one fold learns by heart another is scored on.

Near twins are told from small pictures without their slow changes of brightness, compared at every shift of up to a
sixteenth of the image, mirrored as well. Brightness, contrast, noise, another size and strong compression leave the
likeness above 0.99; a crop of 2 % leaves 0.92 in the median and is mostly missed. Of 200 phantom hands the two that are
most alike reach 0.86, of 194 nuclei images 0.29. Among 440 radiographs of FracAtlas, 0.955 is a picture and its
damaged copy, 0.941 are two lateral views with the same bright edge of the detector.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from phalanx.core.case import Case, Finding
from phalanx.core.errors import DataError

_LIKE = 0.95
_SIDE, _COARSE, _BLUR, _SHIFT = 64, 32, 2.0, 4
# Coarse pictures below this are not looked at closely.
_CANDIDATE = 0.6
# A close look takes 0.2 ms.
_MOST = 50_000
_BLOCK = 512


class Thumb(NamedTuple):
    """A picture's coarse `(1024,)` and fine `(4096,)` likeness: float32, of mean 0 and length 1."""

    coarse: np.ndarray
    fine: np.ndarray


def thumb(image: np.ndarray) -> Thumb | None:
    """What is compared of an image uint8 `(h, w)` or `(h, w, 3)`; None of one without any detail."""
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    coarse, fine = _flattened(grey, _COARSE), _flattened(grey, _SIDE)
    return None if coarse is None or fine is None else Thumb(coarse, fine)


def _flattened(grey: np.ndarray, side: int) -> np.ndarray | None:
    small = cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= cv2.GaussianBlur(small, (0, 0), _BLUR)
    small -= small.mean()
    length = float(np.linalg.norm(small))
    return (small / length).ravel() if length > 1 else None


def same_bytes(cases: Iterable[Case]) -> list[list[Case]]:
    """Cases whose image files are equal, two or more each."""
    by_length: dict[int, list[Case]] = defaultdict(list)
    for case in cases:
        if case.image.is_file():
            by_length[case.image.stat().st_size].append(case)
    by_digest: dict[bytes, list[Case]] = defaultdict(list)
    for group in by_length.values():
        for case in group if len(group) > 1 else ():
            by_digest[hashlib.sha256(case.image.read_bytes()).digest()].append(case)
    return [same for same in by_digest.values() if len(same) > 1]


def check(cases: Sequence[Case], thumbs: Mapping[str, Thumb], test: frozenset[str]) -> list[Finding]:
    """Warnings for images that are the same or nearly so and in different groups: folds cannot keep them together.

    Args:
        cases: all of the data set.
        thumbs: case id -> what is compared, of the images that were decoded.
        test: ids of the cases to predict.
    """
    findings, told = [], set()
    for same in same_bytes(cases):
        told |= {frozenset((one.id, two.id)) for one in same for two in same}
        if len({case.group for case in same}) > 1:
            fix = "exclude all but one, or they are learnt from and scored on"
            error = DataError("the same image in different groups", ", ".join(map(_named, same)), fix)
            findings.append(_alike(same, error, 1.0, test))
    by_id = {case.id: case for case in cases}
    for one, two, likeness, flipped in near(thumbs):
        first, second = by_id[one], by_id[two]
        if first.group == second.group or frozenset((one, two)) in told:
            continue
        seen = f"{_named(first)} and {_named(second)}, likeness {likeness:.3f}{', mirrored' if flipped else ''}"
        across = " across train and test" if (one in test) != (two in test) else ""
        error = DataError(f"nearly the same image in different groups{across}", seen, "exclude one of them")
        findings.append(_alike([first, second], error, likeness, test))
    return findings


def _alike(same: Sequence[Case], error: DataError, likeness: float, test: frozenset[str]) -> Finding:
    # A case to predict cannot be left out; of two that are learnt from the second goes.
    extra = next((case.id for case in reversed(same) if case.id not in test), "")
    return Finding.of(
        "warning",
        same[0].id,
        error,
        evidence={"likeness": likeness},
        others=tuple(case.id for case in same[1:]),
        remedy={"exclude": True, "case": extra} if extra else None,
    )


def _named(case: Case) -> str:
    return f"{case.id} of {case.group}" if case.group != Path(case.id).stem else case.id


def near(thumbs: Mapping[str, Thumb]) -> list[tuple[str, str, float, bool]]:
    """Pairs that are nearly alike: both ids, the likeness in (-1, 1], and whether one is mirrored."""
    ids = list(thumbs)
    if len(ids) < 2:
        return []
    coarse = np.stack([item.coarse for item in thumbs.values()])
    mirror = coarse.reshape(-1, _COARSE, _COARSE)[:, :, ::-1].reshape(coarse.shape)
    found = []
    for flipped, other in ((False, coarse), (True, mirror)):
        for one, two in _candidates(coarse, other):
            likeness = _closely(thumbs[ids[one]].fine, thumbs[ids[two]].fine, flipped)
            if likeness > _LIKE:
                found.append((ids[one], ids[two], likeness, flipped))
    return found


def _candidates(coarse: np.ndarray, other: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of rows that deserve a close look, at most `_MOST` of them, in order."""
    pairs, values = [np.empty((0, 2), np.int64)], [np.empty(0, np.float32)]
    for start in range(0, len(coarse), _BLOCK):
        likeness = coarse[start : start + _BLOCK] @ other.T
        found = np.argwhere(likeness > _CANDIDATE)
        found = found[found[:, 0] + start < found[:, 1]]
        values.append(likeness[tuple(found.T)])
        pairs.append(found + np.array([start, 0]))
    alike = np.sort(np.argsort(-np.concatenate(values), kind="stable")[:_MOST])
    return [(one, two) for one, two in np.concatenate(pairs)[alike].tolist()]


def _closely(one: np.ndarray, two: np.ndarray, flipped: bool) -> float:
    """The largest likeness over all shifts."""
    first, second = (item.reshape(_SIDE, _SIDE) for item in (one, two))
    if flipped:
        second = second[:, ::-1]
    product = np.fft.irfft2(np.fft.rfft2(first) * np.conj(np.fft.rfft2(second)), (_SIDE, _SIDE))
    return float(np.roll(product, (_SHIFT, _SHIFT), (0, 1))[: 2 * _SHIFT + 1, : 2 * _SHIFT + 1].max())
