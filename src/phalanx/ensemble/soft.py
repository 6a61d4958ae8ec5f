"""Soft ensemble: the mean of several stores' logits, upsampled once, straight to runs.

One case is in memory at a time, whatever the number of cases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from phalanx.core.errors import StoreError
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.mask import decode
from phalanx.store.predictions import Store


def check(stores: Sequence[Store]) -> LabelSpace:
    """The label space that all stores share.

    Raises:
        StoreError: classes or cases differ, and how.
    """
    first = stores[0]
    for other in stores[1:]:
        if other.labels != first.labels:
            pairs = zip(first.labels.names, other.labels.names, strict=False)
            differing = next((f"{a} against {b}" for a, b in pairs if a != b), "their number, or whether they exclude")
            seen = f"{other.path} and {first.path} differ in {differing}"
            raise StoreError("stores of an ensemble must have the same classes", seen, "predict them with one data set")
        lacking, extra = sorted(set(first) - set(other)), sorted(set(other) - set(first))
        if lacking or extra:
            seen = f"{other.path} lacks {len(lacking)} cases {lacking[:2]} and has {len(extra)} more {extra[:2]}"
            raise StoreError("stores of an ensemble must have the same cases", seen, "predict the same images")
    return first.labels


def mean(
    stores: Sequence[Store], cases: Sequence[str] | None = None
) -> Iterator[tuple[str, Geometry, list[np.ndarray]]]:
    """Each case's id, geometry and runs at its original size: mean of logits, threshold 0.5 (or the largest channel).

    Args:
        stores: the members; all must have the same classes and cases.
        cases: which cases, in which order; all of them, in the order of the first store, when left out.
    """
    labels = check(stores)
    for case in stores[0] if cases is None else cases:
        members = [store.read(case) for store in stores]
        geometry = members[0][1]
        if all(other == geometry for _, other in members):
            logits = np.stack([stack for stack, _ in members]).mean(0)
        else:
            # Members of different sizes meet at the image's own size.
            restored = [np.stack([frame.restore(plane) for plane in stack]) for stack, frame in members]
            logits = np.stack(restored).mean(0)
            geometry = Geometry.fit(geometry.original, geometry.original, keep_aspect=False)
        yield case, geometry, decode.to_runs(logits, geometry, labels)
