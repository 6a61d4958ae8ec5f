"""Images that are the same, or nearly: what one fold learns by heart another is scored on.

Near twins are told from pictures of 64 x 64 px without their slow changes of brightness, mirrored as well. Brightness,
contrast, another size and strong compression leave the likeness above 0.98; moving the picture by a hundredth of its
side, or cutting off as much, leaves 0.9 or less and is missed. Of 200 phantom hands the two that are most alike reach
0.78, of 194 nuclei images 0.25. Among 440 radiographs of FracAtlas, what is above the limit are copies; below it come
lateral views with the same bright edge of the detector.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from phalanx.core.case import Case, Finding
from phalanx.core.errors import DataError

_LIKE = 0.95
_SIDE, _BLUR = 64, 2.0
_BLOCK = 512


def thumb(image: np.ndarray) -> np.ndarray | None:
    """What is compared of an image uint8 `(h, w)` or `(h, w, 3)`: float32 `(4096,)` of mean 0 and length 1.

    None of an image without any detail.
    """
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
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


def check(cases: Sequence[Case], thumbs: Mapping[str, np.ndarray], test: frozenset[str]) -> list[Finding]:
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


def near(thumbs: Mapping[str, np.ndarray]) -> list[tuple[str, str, float, bool]]:
    """Pairs that are nearly alike: both ids, the likeness in (-1, 1], and whether one is mirrored."""
    ids = list(thumbs)
    if len(ids) < 2:
        return []
    plain = np.stack(list(thumbs.values()))
    mirror = plain.reshape(-1, _SIDE, _SIDE)[:, :, ::-1].reshape(plain.shape)
    found = []
    for start in range(0, len(ids), _BLOCK):
        for flipped, other in ((False, plain), (True, mirror)):
            likeness = plain[start : start + _BLOCK] @ other.T
            for one, two in (np.argwhere(likeness > _LIKE) + np.array([start, 0])).tolist():
                if one < two:
                    found.append((ids[one], ids[two], float(likeness[one - start, two]), flipped))
    return found
