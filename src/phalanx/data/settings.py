"""The `data:` and `views:` sections of a configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from phalanx.core import catalogue
from phalanx.core.case import Case
from phalanx.core.catalogue import Strict, nearest
from phalanx.core.errors import ConfigError
from phalanx.data.mixing import CopyPaste, CutMix, MixUp
from phalanx.data.windows import Window


class FoldsConfig(Strict):
    """How cases are divided; people are never split.

    Args:
        count: folds.
        train: which folds to train, all when empty (`data.folds.train=[0]` for a quick try).
        stratify: a metadata column whose values are spread evenly over the folds.
        hold_out: share of the labelled cases set aside as a test set, for data sets that come without one.
    """

    count: int = Field(default=5, ge=2)
    train: tuple[int, ...] = ()
    stratify: str | None = None
    hold_out: float = Field(default=0.0, ge=0, lt=1)


class Mirror(Strict):
    """Which cases are shown with left and right swapped, so that all of them show one side of the body.

    A network then has half as much to learn. It holds for training, validation and prediction alike, and logits are
    turned back before anything else sees them; flips in `views.train` and `predict.flips` would undo the gain. Cases
    whose column is empty or unknown are shown as they are.

    Args:
        column: of the metadata.
        value: of that column, in the cases that are mirrored.
    """

    column: str = "side"
    value: str = "left"

    def of(self, metadata: Mapping[str, Any]) -> bool:
        """Whether a case with this metadata is mirrored."""
        return str(metadata.get(self.column)) == self.value

    def check(self, cases: Iterable[Case]) -> None:
        """Refuse a column or a value that no case has.

        Raises:
            ConfigError: naming the nearest ones.
        """
        tables = [case.metadata for case in cases]
        columns = sorted({column for table in tables for column in table})
        if self.column not in columns:
            raise ConfigError("data.mirror.column is not in the metadata", self.column, nearest(self.column, columns))
        values = sorted({str(table.get(self.column)) for table in tables})
        if self.value not in values:
            raise ConfigError(f"no case has this {self.column} (data.mirror)", self.value, nearest(self.value, values))


class DataConfig(Strict):
    """Where cases come from and how they are shown to the network.

    Args:
        dataset: a reader of the catalogue and its own keys.
        rasteriser: how polygons become pixels.
        size: `[height, width]` of the network's frame: of its input, unless it is shown windows.
        fit: `stretch` to that size; `letterbox`: keep the aspect and pad; or `native`: every image keeps its own size,
            whatever `size` says, and `window` says what the network learns from.
        window: what part of an image a training sample shows; all of it when left out. `predict.window` is the same
            for predictions.
        mirror: which cases are shown mirrored, for instance left hands as right ones.
        cache: folder of decoded images and masks.
        limit: keep only the first N groups (people), for quick tries.
        patch: file of corrections that are applied to the labels when they are read; see `data/patch.py`.
        unreadable: what to do with images that cannot be decoded: `skip` them with a warning, or stop (`error`).
    """

    dataset: catalogue.choice("datasets")  # type: ignore[valid-type]
    rasteriser: Literal["opencv", "coco"] = "opencv"
    size: tuple[int, int] = (512, 512)
    fit: Literal["stretch", "letterbox", "native"] = "stretch"
    window: Window | None = None
    mirror: Mirror | None = None
    cache: Path = Path("data/.cache")
    limit: int | None = Field(default=None, ge=1)
    patch: Path | None = None
    unreadable: Literal["skip", "error"] = "error"
    folds: FoldsConfig = FoldsConfig()

    @model_validator(mode="after")
    def _windows(self) -> DataConfig:
        if self.fit == "native" and self.window is None:
            raise ValueError("fit: native needs data.window: images of different sizes make no batch")
        if self.fit != "native" and self.window and any(map(int.__gt__, self.window.size, self.size)):
            raise ValueError(f"window.size {list(self.window.size)} is larger than data.size {list(self.size)}")
        return self


class ViewsConfig(Strict):
    """What is done to an image before the network sees it.

    Args:
        prepare: transforms of every whole image, in training, validation and prediction alike, before windows are cut
            and before anything else; done once and kept in the cache. Of pixels only, all with `p: 1.0`. What looks at
            the whole image (contrast, CLAHE) belongs here when training sees windows.
        train: Albumentations transforms by name, each `{name: ..., its arguments}`, drawn anew for each sample.
        copy_paste: objects of one image of a batch pasted into another, after `train`.
        cutmix: a box of one image of a batch put into another, after that.
        mixup: images of a batch blended in pairs, after that.
        multi_scale: smallest and largest factor of a training batch's size, drawn anew for each batch; sides stay
            multiples of 32.
        evaluate: transforms for validation and prediction: of pixels only, all with `p: 1.0`, and with the same draw
            for every image.
        mean: subtracted after scaling to [0, 1], one for all channels or one a channel.
        std: divided by after that.
    """

    prepare: tuple[dict[str, Any], ...] = ()
    train: tuple[dict[str, Any], ...] = ()
    copy_paste: CopyPaste | None = None
    cutmix: CutMix | None = None
    mixup: MixUp | None = None
    multi_scale: tuple[float, float] | None = None
    evaluate: tuple[dict[str, Any], ...] = ()
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.5,)

    @model_validator(mode="after")
    def _scales(self) -> ViewsConfig:
        if self.multi_scale is not None and not 0 < self.multi_scale[0] <= self.multi_scale[1] <= 4:
            raise ValueError(f"views.multi_scale must rise and lie in (0, 4], is {list(self.multi_scale)}")
        return self
