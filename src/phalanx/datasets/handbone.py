"""Hand X-rays with 29 overlapping bones, in the layout of the original competition."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from phalanx.core.case import Dataset
from phalanx.core.catalogue import Strict
from phalanx.datasets import _base, _handbone


class HandBone:
    """Reader of the hand-bone layout; see `_handbone` for the files it expects.

    Ids are the bare file names (`image1661130828152_R.png`), groups the people (`ID001`), metadata the side and the
    columns of `meta_data.xlsx`. Test images carry labels where `test_truth/outputs_json` has them.
    """

    class Config(Strict):
        """Options.

        Args:
            root: the folder that holds `train` and `test`.
            exclude: file names of images to leave out.
            missing_class: whether an image without an outline of some bone is a warning or an error.
            unlabelled: a training image without JSON is an error, left out (`skip`), or predicted (`test`).
        """

        name: Literal["handbone"] = "handbone"
        root: Path
        exclude: tuple[str, ...] = ()
        missing_class: Literal["warn", "error"] = "warn"
        unlabelled: _base.Unlabelled = "error"

    def __init__(self, config: Config) -> None:
        self.config = config

    def read(self) -> Dataset:
        """Cases of the folder.

        Raises:
            DataError: the folder is missing, of another layout, or has no image.
        """
        config = self.config
        return _handbone.read_folder(config.root, config.exclude, config.missing_class, config.unlabelled)
