"""A page of cases: what one or two predictions say of each, against the truth or against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from phalanx import __version__
from phalanx.core import files
from phalanx.core.labels import LabelSpace
from phalanx.mask import runs
from phalanx.metrics.dice import Dice
from phalanx.view import _format, _html, picture
from phalanx.view._html import escape

Masks = Mapping[str, np.ndarray]
# Letters of a case id that the list of contents has room for.
_LINK = 20


@dataclass(frozen=True)
class Shown:
    """A case and the masks to hold against each other.

    Args:
        case: its id.
        image: uint8 `(h, w)` or `(h, w, 3)`, RGB.
        masks: name of the source -> class name -> int64 runs `(n, 2)` at the image's size. The first is what the others
            are held against: the truth, where there is one.
    """

    case: str
    image: np.ndarray
    masks: Mapping[str, Masks]


def write(cases: Sequence[Shown], labels: LabelSpace, title: str, path: Path) -> None:
    """Write the page, whole or not at all; see `render`."""
    files.write_text(path, render(cases, labels, title))


def render(cases: Sequence[Shown], labels: LabelSpace, title: str) -> str:
    """A page that opens anywhere, a section a case.

    Args:
        cases: in the order of the page.
        labels: colours, and the order of the classes.
        title: of the page.
    """
    parts = []
    for place, shown in enumerate(cases, 1):
        name = f"case-{place}"
        parts.append(
            (
                name,
                escape(_format.short(shown.case, _LINK)),
                _html.section(name, shown.case, _pairs(name, shown, labels)),
            )
        )
    sources = list(dict.fromkeys(name for shown in cases for name in shown.masks))
    return _html.page("Phalanx cases", (title, ", ".join(sources)), "", parts, __version__)


def inline(page: str, height: int = 900) -> str:
    """A page as an element of a notebook, apart from the notebook's own styles.

    Args:
        page: what `render` gives.
        height: of the element in pixels.
    """
    # IPython warns of an <iframe> that stands alone.
    frame = f'<iframe srcdoc="{escape(page)}" style="width:100%;height:{height}px;border:0"></iframe>'
    return f"<div>{frame}</div>"


def dice(one: Masks, two: Masks, labels: LabelSpace) -> dict[str, float]:
    """Dice of every class of two sources; a class that both lack is 1."""
    empty, score = runs.empty(), Dice()
    pairs = [(one.get(name, empty), two.get(name, empty)) for name in labels.scored_names]
    counts = [(runs.overlap(a, b), runs.area(a), runs.area(b)) for a, b in pairs]
    return dict(zip(labels.scored_names, score(np.array(counts)).tolist(), strict=True))


def _pairs(name: str, shown: Shown, labels: LabelSpace) -> str:
    (first, against), *others = shown.masks.items()
    cards = []
    for place, (title, masks) in enumerate(others, 1):
        scores = dice(against, masks, labels)
        caption = f"mean Dice {_format.number(float(np.mean(list(scores.values()))))}"
        body = picture.panels(f"{name}-{place}", shown.image, (against, masks), scores, labels, titles=(first, title))
        head = f"<header><h3>{escape(title)}</h3><span>{escape(f'against {first}, {caption}')}</span></header>"
        cards.append(f'<article class="case-card">{head}{body}</article>')
    return "\n".join(cards)
