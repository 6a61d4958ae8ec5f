"""Views: Albumentations pipelines from the configuration, one for training and one for evaluation.

Transforms are named as in Albumentations or `data/transforms.py` and looked up among those only. Every sample draws
from a seed of its own, so that neither the number of workers nor a resume changes what is drawn.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from phalanx.core.catalogue import nearest
from phalanx.core.errors import ConfigError


class Views:
    """A pipeline of Albumentations transforms and the normalisation that ends it.

    Args:
        transforms: `{name: ..., arguments}` each; `OneOf` and its like hold further ones in `transforms:`.
        mean: subtracted after scaling to [0, 1], one for all channels or one a channel.
        std: divided by after that.
        section: the configuration key, for error messages.
        geometric: whether transforms may move pixels; not so in evaluation, where predictions must fit the image.

    Raises:
        ConfigError: an unknown transform or argument, or a geometric transform in evaluation.
    """

    def __init__(
        self,
        transforms: Sequence[Mapping[str, Any]],
        mean: Sequence[float],
        std: Sequence[float],
        *,
        section: str = "views.train",
        geometric: bool = True,
    ) -> None:
        self.mean, self.std = np.asarray(mean, np.float32), np.asarray(std, np.float32)
        if (self.std <= 0).any() or len(self.mean) != len(self.std):
            raise ConfigError("views.mean and views.std must be as many, std above zero", f"{mean}, {std}", "mend them")
        self.pipeline = None
        if transforms:
            built = [_build(dict(item), f"{section}[{index}]", geometric) for index, item in enumerate(transforms)]
            self.pipeline = _library().Compose(built)

    def __call__(self, image: np.ndarray, masks: np.ndarray | None, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Transform an image and its masks alike.

        Args:
            image: uint8 `(h, w, k)`.
            masks: uint8 `(h, w, c)` of zeros and ones, or None.
            seed: of this sample.

        Returns:
            float32 `(k, h, w)` and uint8 `(c, h, w)`, or None.
        """
        if self.pipeline is not None:
            self.pipeline.set_random_seed(seed)
            given = {"image": image} if masks is None or not masks.shape[2] else {"image": image, "mask": masks}
            made = self.pipeline(**given)
            image, masks = made["image"], made.get("mask", masks)
        image = image.reshape(*image.shape[:2], -1)
        normalised = (image.astype(np.float32) / 255 - self.mean) / self.std
        planes = None if masks is None else np.ascontiguousarray(masks.transpose(2, 0, 1))
        return np.ascontiguousarray(normalised.transpose(2, 0, 1)), planes


def _build(item: dict[str, Any], key: str, geometric: bool) -> Any:
    albumentations = _library()
    from phalanx.data import transforms

    name = item.pop("name", None)
    kinds = {
        label: kind
        for label, kind in (vars(albumentations) | vars(transforms)).items()
        if isinstance(kind, type) and issubclass(kind, albumentations.BasicTransform | albumentations.BaseCompose)
    }
    if name not in kinds:
        raise ConfigError(f"{key} names no transform", repr(name), nearest(str(name), list(kinds)))
    kind = kinds[name]
    if not geometric and not issubclass(kind, albumentations.ImageOnlyTransform):
        raise ConfigError(
            f"{key} moves or drops pixels", name, "keep it to views.train; predictions must fit the image"
        )
    known = list(inspect.signature(kind.__init__).parameters)[1:]
    unknown = sorted(set(item) - set(known))
    if unknown:
        raise ConfigError(f"{key} ({name}) has no argument of this name", unknown[0], nearest(unknown[0], known))
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in item.items()}
    if "transforms" in item:
        given["transforms"] = [_build(dict(inner), key, geometric) for inner in item["transforms"]]
    try:
        return kind(**given)
    except (ValueError, TypeError) as error:
        line = " ".join(str(error).split())[:160]
        fix = "see the Albumentations page of this transform"
        raise ConfigError(f"{key} ({name}) refuses its arguments", line, fix) from None


def _library() -> Any:
    """Albumentations, kept from asking the network for a newer release of itself."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import albumentations

    return albumentations
