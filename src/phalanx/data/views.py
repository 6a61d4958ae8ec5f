"""Views: Albumentations pipelines from the configuration, one for training and one for evaluation.

Transforms are named as in Albumentations or `data/transforms.py` and looked up among those only. Every sample draws
from a seed of its own, so that neither the number of workers nor a resume changes what is drawn; in evaluation all
images share one draw, so that a prediction depends on its image alone.

Masks travel packed, eight classes a byte: whatever moves whole pixels moves 29 classes as 4 planes. Measured at 1024 px
with 29 classes, rotation and scaling (`Affine`) take 3 ms instead of 99.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np

from phalanx.core.catalogue import nearest
from phalanx.core.errors import ConfigError

_ENDS = "views normalise last by views.mean and views.std; leave it out"
_BOXES = "it needs bounding boxes; take a crop that does not"
_IMAGES = "it needs further images, which a configuration cannot hold"
# Transforms of the library that cannot work here, and why.
_UNFIT = {
    "AtLeastOneBBoxRandomCrop": _BOXES,
    "BBoxSafeRandomCrop": _BOXES,
    "RandomCropNearBBox": _BOXES,
    "RandomSizedBBoxSafeCrop": _BOXES,
    "FDA": _IMAGES,
    "HistogramMatching": _IMAGES,
    "Mosaic": "it needs further images; take views.cutmix or views.copy_paste",
    "OverlayElements": _IMAGES,
    "PixelDistributionAdaptation": _IMAGES,
    "Lambda": "it needs a function, which a configuration cannot hold",
    "TextImage": "it needs a font and texts, which a configuration cannot hold",
    "ConstrainedCoarseDropout": "it needs a mask of numbered objects; take CoarseDropout",
    "MaskDropout": "it takes a single mask; take CoarseDropout",
    "Compose": "it would draw from a seed of its own; take Sequential",
    "ReplayCompose": "it would draw from a seed of its own; take Sequential",
    "FromFloat": _ENDS,
    "Normalize": _ENDS,
    "ToFloat": _ENDS,
    "ToTensorV2": _ENDS,
    "ToTensor3D": _ENDS,
    "ToRGB": "the channels are model.channels; set them there",
}
# Transforms that compute with the values of a mask instead of moving its pixels: for them masks are unpacked.
_BY_VALUE = {"Morphological"}
_WHOLE = (0, None, cv2.INTER_NEAREST_EXACT)


class Views:
    """A pipeline of Albumentations transforms and the normalisation that ends it.

    Args:
        transforms: `{name: ..., arguments}` each; `OneOf` and its like hold further ones in `transforms:`.
        mean: subtracted after scaling to [0, 1], one for all channels or one a channel.
        std: divided by after that.
        section: the configuration key, for error messages.
        geometric: whether transforms may move pixels; not so in evaluation, where predictions must fit the image, and
            where nothing may be left to chance.

    Raises:
        ConfigError: an unknown transform or argument, or a geometric or random transform in evaluation.
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
        self.section, self.geometric, self.transforms = section, geometric, tuple(transforms)
        self.packed = not any(map(_by_value, transforms))
        self.pipeline = None
        if transforms:
            built = [_build(dict(item), f"{section}[{index}]", geometric) for index, item in enumerate(transforms)]
            self.pipeline = _library().Compose(built)

    def __call__(self, image: np.ndarray, bits: np.ndarray | None, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Transform an image and its masks alike.

        Args:
            image: uint8 `(h, w, k)`.
            bits: uint8 `(h, w, planes)`, masks packed eight a byte (`data.cache.Item`), or None.
            seed: of this sample; not used in evaluation.

        Returns:
            float32 `(k, h, w)` and packed masks uint8 `(planes, h, w)`, or None.

        Raises:
            ConfigError: a transform refuses the image.
        """
        channels = image.shape[2]
        if self.pipeline is not None:
            image, bits = self._transformed(image, bits, seed if self.geometric else 0)
        image = image.reshape(*image.shape[:2], -1)
        if image.shape[2] != channels or image.dtype != np.uint8:
            seen = f"{channels} of uint8 became {image.shape[2]} of {image.dtype}"
            raise ConfigError(f"{self.section} changes the channels", seen, "leave out the transform that does")
        normalised = (image.astype(np.float32) / 255 - self.mean) / self.std
        planes = None if bits is None else np.ascontiguousarray(bits.transpose(2, 0, 1))
        return np.ascontiguousarray(normalised.transpose(2, 0, 1)), planes

    def pixels(self, image: np.ndarray) -> np.ndarray:
        """The transforms alone, without the normalisation: uint8 `(h, w, k)` to the same.

        Raises:
            ConfigError: a transform refuses the image, or changes its shape.
        """
        made = image if self.pipeline is None else self._transformed(image, None, 0)[0].reshape(*image.shape[:2], -1)
        if made.shape != image.shape or made.dtype != np.uint8:
            seen = f"{image.shape} of uint8 became {made.shape} of {made.dtype}"
            raise ConfigError(f"{self.section} changes the channels", seen, "leave out the transform that does")
        return made

    def _transformed(
        self, image: np.ndarray, bits: np.ndarray | None, seed: int
    ) -> tuple[np.ndarray, np.ndarray | None]:
        assert self.pipeline is not None
        self.pipeline.set_random_seed(seed)
        given = {"image": image}
        if bits is not None:
            given["mask"] = bits if self.packed else np.unpackbits(bits, axis=2, bitorder="little")
        try:
            made = self.pipeline(**given)
        except Exception as error:  # Transforms of the library refuse images in many ways, with errors of their own.
            shape = "x".join(map(str, image.shape))
            line = " ".join(str(error).split())[:160]
            fix = "change or leave out the transform that does"
            raise ConfigError(f"{self.section} refuses an image of {shape}", line, fix) from error
        if bits is None:
            return made["image"], None
        masks = made["mask"].reshape(*made["mask"].shape[:2], -1)
        return made["image"], masks if self.packed else np.packbits(masks, axis=2, bitorder="little")


def _build(item: dict[str, Any], key: str, geometric: bool) -> Any:
    albumentations = _library()
    name = item.pop("name", None)
    kinds = _kinds()
    if name in _UNFIT:
        raise ConfigError(f"{key} names a transform that cannot work here", name, _UNFIT[name])
    if name not in kinds:
        raise ConfigError(f"{key} names no transform", repr(name), nearest(str(name), list(kinds)))
    kind = kinds[name]
    holds = issubclass(kind, albumentations.BaseCompose)
    if not geometric:
        _check_fixed(kind, item, key)
    known = list(inspect.signature(kind.__init__).parameters)[1:]
    unknown = sorted(set(item) - set(known))
    if unknown:
        raise ConfigError(f"{key} ({name}) has no argument of this name", unknown[0], nearest(unknown[0], known))
    given: dict[str, Any] = {argument: _tuples(value) for argument, value in item.items()}
    if holds:
        inner = item.get("transforms") or ()
        given["transforms"] = [
            _build(dict(part), f"{key}.transforms[{index}]", geometric) for index, part in enumerate(inner)
        ]
        if not inner:
            raise ConfigError(f"{key} ({name}) holds no transforms", "", "list some under transforms:")
    try:
        return kind(**given)
    except (ValueError, TypeError) as error:
        line = " ".join(str(error).split())[:160]
        fix = "see the Albumentations page of this transform"
        raise ConfigError(f"{key} ({name}) refuses its arguments", line, fix) from None


def _check_fixed(kind: Any, item: Mapping[str, Any], key: str) -> None:
    """Refuse what evaluation may not do: move pixels, or do something to some images alone."""
    albumentations, name = _library(), kind.__name__
    if issubclass(kind, albumentations.BaseCompose) and kind is not albumentations.Sequential:
        raise ConfigError(f"{key} is left to chance", name, "name one transform, or keep it to views.train")
    if not issubclass(kind, albumentations.ImageOnlyTransform | albumentations.Sequential):
        raise ConfigError(
            f"{key} moves or drops pixels", name, "keep it to views.train; predictions must fit the image"
        )
    chance = item.get("p", inspect.signature(kind.__init__).parameters["p"].default)
    if chance != 1:
        raise ConfigError(f"{key} ({name}) is left to chance", f"p is {chance}", f"write p: 1.0 in {key}")


@cache
def _kinds() -> dict[str, Any]:
    """Transforms and compositions by name."""
    albumentations = _library()
    from phalanx.data import transforms

    bases = (albumentations.BasicTransform, albumentations.BaseCompose)
    abstract = (*bases, albumentations.DualTransform, albumentations.ImageOnlyTransform)
    return {
        name: kind
        for name, kind in (vars(albumentations) | vars(transforms)).items()
        if isinstance(kind, type)
        and issubclass(kind, bases)
        and not issubclass(kind, albumentations.Transform3D)
        and kind not in abstract
        and name not in _UNFIT
    }


def _by_value(item: Mapping[str, Any]) -> bool:
    """Whether a transform, or one inside it, does more to masks than moving pixels or clearing them."""
    fills = (item.get(argument) for argument in ("fill_mask", "mask_fill_value"))
    return (
        item.get("name") in _BY_VALUE
        or item.get("mask_interpolation") not in _WHOLE
        or any(fill not in (0, None) for fill in fills)
        or any(map(_by_value, item.get("transforms") or ()))
    )


def _tuples(value: Any) -> Any:
    """Lists of YAML as the tuples that Albumentations wants."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _library() -> Any:
    """Albumentations, kept from asking the network for a newer release of itself."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import albumentations

    return albumentations
