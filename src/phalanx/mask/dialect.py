"""Dialects: how competitions write a mask as `start length start length ...` in a CSV.

They differ in the columns, in whether pixels are counted along rows or columns, from 0 or from 1, from the image's
start or from the last run's end, in what stands for an empty mask, and in whether a row is a class or an object.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType
from typing import Literal, NamedTuple

from phalanx.core.errors import ConfigError, SubmissionError

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


class Columns(NamedTuple):
    """Names of the columns that matter, in the order in which they are written.

    Args:
        image: the image's key.
        label: the class; None: the file has no such column.
        rle: the mask.
    """

    image: str
    label: str | None
    rle: str


@dataclass(frozen=True)
class Dialect:
    """One way of writing masks into a CSV.

    Args:
        name: what `--dialect` is given.
        competition: where it comes from, a sentence.
        columns: the names of its columns; a plain tuple `(image, label or None, rle)` will do.
        order: `row`: pixels are counted along rows, index `y * width + x`; `column`: `x * height + y`.
        base: the number of the first pixel.
        relative: starts are counted from the end of the run before, the first from the image's first pixel.
        empty: written for a mask without a pixel.
        empties: read as a mask without a pixel.
        unit: what a row is: a `class` of an image, or an `instance`, one connected object.
        keep_suffix: whether image keys carry the file's suffix (`image1.png`).
        joint: what stands between image and class where one column holds both (`image1.jpg_3`).
    """

    name: str
    competition: str
    columns: Columns
    order: Literal["row", "column"] = "row"
    base: Literal[0, 1] = 1
    relative: bool = False
    empty: str = ""
    empties: tuple[str, ...] = ("",)
    unit: Literal["class", "instance"] = "class"
    keep_suffix: bool = True
    joint: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", Columns(*self.columns))

    @property
    def header(self) -> tuple[str, ...]:
        """The columns that are there, in order."""
        return tuple(column for column in self.columns if column is not None)

    @property
    def classes(self) -> bool:
        """Whether rows name a class."""
        return self.joint is not None or self.columns.label is not None

    def key(self, case: str) -> str:
        """How an image of this case id is named in the file."""
        path = PurePath(case)
        return case if self.keep_suffix or path.suffix.lower() not in IMAGE_SUFFIXES else case[: -len(path.suffix)]

    def cells(self, image: str, label: str | None) -> tuple[str, ...]:
        """The cells of a row in front of its mask.

        >>> DIALECTS["severstal"].cells("a_1.jpg", "3")
        ('a_1.jpg_3',)
        """
        if not self.classes:
            return (image,)
        return (f"{image}{self.joint}{label}",) if self.joint is not None else (image, str(label))

    def names(self, image: str, label: str | None = None) -> tuple[str, str | None]:
        """Image and class of a row's cells: where one cell holds both it is cut at the last `joint`.

        Raises:
            SubmissionError: a cell that should hold both does not.
        """
        if self.joint is None:
            return image, label
        name, mark, tail = image.rpartition(self.joint)
        if not mark or not name or not tail:
            fix = f"write the image, '{self.joint}' and the class"
            raise SubmissionError(f"{self.columns.image} does not hold image and class", repr(image[:60]), fix)
        return name, tail


_KNOWN = (
    Dialect(
        "handbone",
        "Hand-bone segmentation (29 overlapping bones, 2048 px): one row an image and class.",
        Columns("image_name", "class", "rle"),
    ),
    Dialect(
        "airbus",
        "Kaggle 2018 Airbus Ship Detection: one row a ship, an image without ships has one blank row.",
        Columns("ImageId", None, "EncodedPixels"),
        order="column",
        unit="instance",
    ),
    Dialect(
        "clouds",
        "Kaggle 2019 Understanding Clouds from Satellite Images: image and class in one cell (`0011165.jpg_Fish`).",
        Columns("Image_Label", None, "EncodedPixels"),
        order="column",
        joint="_",
    ),
    Dialect(
        "contrails",
        "Kaggle 2023 Google Research: Identify Contrails: `-` stands for an image without a contrail.",
        Columns("record_id", None, "encoded_pixels"),
        order="column",
        empty="-",
        empties=("-",),
        keep_suffix=False,
    ),
    Dialect(
        "dsb2018",
        "Kaggle 2018 Data Science Bowl (cell nuclei): one row an object, keys without a suffix.",
        Columns("ImageId", None, "EncodedPixels"),
        order="column",
        unit="instance",
        keep_suffix=False,
    ),
    Dialect(
        "hubmap",
        "Kaggle 2020 HuBMAP: Hacking the Kidney: one row a slide, keys without a suffix.",
        Columns("id", None, "predicted"),
        order="column",
        keep_suffix=False,
    ),
    Dialect(
        "severstal",
        "Kaggle 2019 Severstal Steel Defect Detection: image and class in one cell (`0002cc93b.jpg_1`).",
        Columns("ImageId_ClassId", None, "EncodedPixels"),
        order="column",
        joint="_",
    ),
    Dialect(
        "siim",
        "Kaggle 2019 SIIM-ACR Pneumothorax: starts are gaps from the end of the run before; `-1` for no pneumothorax.",
        Columns("ImageId", None, "EncodedPixels"),
        order="column",
        base=0,
        relative=True,
        empty="-1",
        empties=("-1",),
        keep_suffix=False,
    ),
    Dialect(
        "tgs",
        "Kaggle 2018 TGS Salt Identification: one row an image, keys without a suffix.",
        Columns("id", None, "rle_mask"),
        order="column",
        keep_suffix=False,
    ),
    Dialect(
        "uwmadison",
        "Kaggle 2022 UW-Madison GI Tract: one row an image and organ, along rows, keys without a suffix.",
        Columns("id", "class", "predicted"),
        keep_suffix=False,
    ),
)
DIALECTS: Mapping[str, Dialect] = MappingProxyType({dialect.name: dialect for dialect in _KNOWN})


def named(name: str) -> Dialect:
    """The dialect of a name.

    Raises:
        ConfigError: there is none.
    """
    if name not in DIALECTS:
        close = difflib.get_close_matches(name, DIALECTS) or sorted(DIALECTS)
        raise ConfigError("no dialect has this name", name, f"choose {' or '.join(close)}")
    return DIALECTS[name]
