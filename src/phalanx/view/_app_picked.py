"""Tables of the viewer: the picked cases, the classes of a case, and scores by case and class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from phalanx.mask import runs as run_lengths
from phalanx.view._app_scores import Scores
from phalanx.view.gallery import Gallery


def table(gallery: Gallery, scores: Scores, picked: Sequence[int]) -> pd.DataFrame:
    """A row a picked case: mean Dice of each file, the weakest class of the first file, and how far the files differ.

    Columns without a number in any row are left out.
    """
    rows = []
    for place in picked:
        row: dict[str, object] = {"case": gallery.cases[place]}
        row |= {f"Dice {item.name}": scores.of_cases[at, place] for at, item in enumerate(gallery.members)}
        known = scores.dice[0, place]
        if np.isfinite(known).any():
            worst = int(np.nanargmin(known))
            row |= {"weakest class": gallery.classes[worst], "its Dice": known[worst]}
        row["disagreement"] = scores.apart_of_cases[place]
        rows.append(row)
    return pd.DataFrame(rows).dropna(axis="columns", how="all").round(6)


def csv(found: pd.DataFrame) -> bytes:
    """The table as CSV. A spreadsheet takes a cell that begins with `=` for a formula: such names get a quote."""
    text = found.select_dtypes(exclude="number").columns
    safe = found.assign(**{name: found[name].map(_harmless) for name in text})
    return safe.to_csv(index=False, lineterminator="\n").encode()


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def classes(gallery: Gallery, scores: Scores, case: int) -> pd.DataFrame:
    """A row a class of one case: Dice of each file, disagreement, pixels in each source; empty without a row."""
    found: dict[str, object] = {"class": list(gallery.classes)}
    if gallery.truth:
        found |= {f"Dice {item.name}": scores.dice[at, case] for at, item in enumerate(gallery.members)}
    if len(gallery.members) > 1:
        found["disagreement"] = scores.apart[case]
    for member in gallery.sources:
        first = case * len(gallery.classes)
        areas = [run_lengths.area(member.masks.runs(first + label)) for label in range(len(gallery.classes))]
        found[f"pixels {member.name}"] = pd.Series(areas, dtype="Int64").where(pd.Series(member.present[case]))
    return pd.DataFrame(found).round(4)


def frame(gallery: Gallery, numbers: np.ndarray) -> pd.DataFrame:
    """Numbers `(cases, classes)` with their names."""
    return pd.DataFrame(numbers.astype(float), index=pd.Index(gallery.cases), columns=pd.Index(gallery.classes))
