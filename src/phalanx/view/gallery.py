"""Gallery: what the viewer shows, plain data in memory; images and stores are asked for when a case is opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from phalanx.core.errors import PhalanxError
from phalanx.mask import runs as run_lengths
from phalanx.mask.pile import Pile


@dataclass(frozen=True, eq=False)
class Member:
    """The masks of one source.

    Args:
        name: as the page shows it.
        masks: a mask for each case and class, the classes of the first case first.
        present: bool `(cases, classes)`, False where the source has no such row; the mask is empty there.
    """

    name: str
    masks: Pile
    present: np.ndarray


@dataclass(frozen=True, eq=False)
class Doubt:
    """Where a network is undecided.

    Args:
        levels: uint8 `(classes, h, w)`, 255 where the probability p is one half: `4 p (1 - p)`.
        box: `(top, left, bottom, right)` of the image that it covers, the last two exclusive.
    """

    levels: np.ndarray
    box: tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Gallery:
    """All that the viewer shows. Cases and classes are named by their place in the lists.

    Args:
        title: of the page.
        cases: ids.
        sizes: `(height, width)` of each image.
        classes: names.
        colours: `#rrggbb`, one a class.
        members: predictions, at least one.
        truth: labels, if there are any.
        by_columns: whether runs count pixels along columns.
        photo: content and media type of a case's image, as a browser shows it.
        pixels: the same image as uint8 `(h, w)` or `(h, w, 3)`, RGB.
        doubt: where the network of a store is undecided; None: no store.
        notes: what was left out, a sentence each.
    """

    title: str
    cases: Sequence[str]
    sizes: Sequence[tuple[int, int]]
    classes: Sequence[str]
    colours: Sequence[str]
    members: Sequence[Member]
    truth: Member | None
    by_columns: bool
    photo: Callable[[int], tuple[bytes, str]]
    pixels: Callable[[int], np.ndarray]
    doubt: Callable[[int], Doubt] | None = None
    notes: Sequence[str] = field(default=())

    @property
    def sources(self) -> list[Member]:
        """The members, and behind them the truth."""
        return [*self.members, *([self.truth] if self.truth else [])]

    def mask(self, member: Member, case: int, label: int) -> np.ndarray:
        """Row-major runs of one mask.

        Raises:
            PhalanxError: the mask leaves the image.
        """
        runs = member.masks.runs(case * len(self.classes) + label)
        height, width = self.sizes[case]
        if len(runs) and runs[-1, 1] > height * width:
            seen = f"{self.classes[label]} of {self.cases[case]} in {member.name} ends at pixel {runs[-1, 1]}, the "
            seen += f"image is {height} x {width}"
            raise PhalanxError("a mask leaves its image", seen, "name the folder of the images that were predicted")
        return run_lengths.transpose(runs, (width, height)) if self.by_columns and len(runs) else runs
