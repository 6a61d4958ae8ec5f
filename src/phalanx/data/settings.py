"""The `data:` and `views:` sections of a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from phalanx.core import catalogue
from phalanx.core.catalogue import Strict


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


class DataConfig(Strict):
    """Where cases come from and how they are shown to the network.

    Args:
        dataset: a reader of the catalogue and its own keys.
        rasteriser: how polygons become pixels.
        size: `[height, width]` of the network's input.
        fit: `stretch` to that size, or `letterbox`: keep the aspect and pad.
        cache: folder of decoded images and masks.
        limit: keep only the first N groups (people), for quick tries.
        patch: file of corrections that are applied to the labels when they are read; see `data/patch.py`.
        unreadable: what to do with images that cannot be decoded: `skip` them with a warning, or stop (`error`).
    """

    dataset: catalogue.choice("datasets")  # type: ignore[valid-type]
    rasteriser: Literal["opencv", "coco"] = "opencv"
    size: tuple[int, int] = (512, 512)
    fit: Literal["stretch", "letterbox"] = "stretch"
    cache: Path = Path("data/.cache")
    limit: int | None = Field(default=None, ge=1)
    patch: Path | None = None
    unreadable: Literal["skip", "error"] = "error"
    folds: FoldsConfig = FoldsConfig()


class ViewsConfig(Strict):
    """What is done to an image before the network sees it.

    Args:
        train: Albumentations transforms by name, each `{name: ..., its arguments}`, drawn anew for each sample.
        evaluate: the same for validation and prediction; pixel transforms only, the same in every run.
        mean: subtracted after scaling to [0, 1], one for all channels or one a channel.
        std: divided by after that.
    """

    train: tuple[dict[str, Any], ...] = ()
    evaluate: tuple[dict[str, Any], ...] = ()
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.5,)
