"""Case, its labels, and Batch: what travels between the rooms.

A reader (`datasets/`) turns a folder into a `Dataset` of `Case`s; `data/` turns cases into a `Batch`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phalanx.core.errors import DataError
from phalanx.core.labels import LabelSpace

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Polygons:
    """Outlines in pixel coordinates, to be rasterised by a rasteriser named in the configuration.

    Args:
        rings: class name -> rings, each float64 `(points, 2)` as `(x, y)`. Several rings of one class are united.
        size: `(height, width)` the annotation claims for its image, or None when it does not say.
    """

    rings: Mapping[str, list[np.ndarray]]
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Runs:
    """Masks as sorted disjoint half-open row-major intervals.

    Args:
        runs: class name -> int64 `(n, 2)`.
        size: `(height, width)` of the image they index.
    """

    runs: Mapping[str, np.ndarray]
    size: tuple[int, int]


@dataclass(frozen=True)
class MaskFiles:
    """Masks in image files, decoded when they are needed.

    Args:
        files: (file, pixel value, class name); value None: every non-zero pixel belongs to the class.
    """

    files: tuple[tuple[Path, int | None, str], ...]


Labels = Polygons | Runs | MaskFiles


@dataclass(frozen=True)
class Case:
    """One image and what is known about it.

    Args:
        id: the key of the image in submissions and stores; never used as a path.
        image: the file to read.
        labels: None when the image is unlabelled.
        group: what must stay together in one fold (a person). The id when nothing better is known.
        metadata: columns of the data set's table (age, side, split ...), for stratifying and reports.
    """

    id: str
    image: Path
    labels: Labels | None = None
    group: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.group:
            object.__setattr__(self, "group", self.id)


@dataclass(frozen=True)
class Finding:
    """Something a reader or a check noticed.

    Args:
        level: `error` stops a run, `warning` does not.
        case: the case's id, or "" for the data set as a whole.
        message: one sentence: what was wrong, what was seen, what was or should be done.
        classes: the classes it concerns, where it concerns some.
        evidence: measured numbers behind the sentence, by name.
        others: ids of further cases it concerns.
        remedy: the entry of a patch file (`data/patch.py`) that would mend it, where one is obvious.
    """

    level: str
    case: str
    message: str
    classes: tuple[str, ...] = ()
    evidence: Mapping[str, float] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    remedy: Mapping[str, Any] | None = None

    @property
    def kind(self) -> str:
        """What was wrong, without what was seen: findings are counted by it."""
        return self.message.partition(": ")[0].rstrip(".")

    @classmethod
    def of(cls, level: str, case: str, error: DataError, classes: Sequence[str] = (), **more: Any) -> Finding:
        """A finding whose sentence has the three parts of an error; `more` are fields."""
        line = str(error).rstrip(".")
        return cls(level, case, line if line.endswith("?") else f"{line}.", tuple(classes), **more)


@dataclass(frozen=True)
class Dataset:
    """What a reader returns.

    Args:
        labels: the label space of all cases.
        train: labelled cases.
        test: cases to predict; they may carry labels, which are then only scored.
        findings: everything that was odd, in reading order.
    """

    labels: LabelSpace
    train: list[Case]
    test: list[Case] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


@dataclass
class Batch:
    """What a method learns from in one step (spec: x, y labelled; weak, strong, box, valid unlabelled).

    Shapes: `b` images, `k` image channels, `c` classes; the spatial axes may be two or three.

    Args:
        x: `(b, k, h, w)` float images.
        y: labels as the label space defines them: `(b, h, w)` indices or `(b, c, h, w)` zeros and ones, uint8. From
            the loader to the device the latter are packed, `LabelSpace.packed_target`; a method never sees that.
        ids: the cases' ids.
        other: labels of the images that were blended in (mixup), in the form of `y`; None: nothing was.
        share: weight of `y` against `other`, in [0, 1]; `Method.judge` weighs the losses by it.
        weak: `(b, k, h, w)` unlabelled images, weakly augmented.
        strong: the strongly augmented views of the same images.
        box: boolean CutMix masks `(b, h, w)`, one for each strong view.
        valid: `(b, h, w)` False on padding.
    """

    x: Tensor
    y: Tensor
    ids: tuple[str, ...] = ()
    weak: Tensor | None = None
    strong: tuple[Tensor, ...] = ()
    box: tuple[Tensor, ...] = ()
    valid: Tensor | None = None
    other: Tensor | None = None
    share: float = 1.0

    def pin_memory(self) -> Batch:
        """Called by PyTorch's loader: page-locked copies, which travel to the device while it computes."""
        self.x, self.y = self.x.pin_memory(), self.y.pin_memory()
        self.other = None if self.other is None else self.other.pin_memory()
        return self
