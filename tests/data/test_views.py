"""Views: images and masks move together, evaluation never moves, draws depend on the seed alone."""

import cv2
import numpy as np
import pytest

from phalanx.core.errors import ConfigError
from phalanx.data import views as views_module
from phalanx.data.views import Views

MEAN, STD = (0.5,), (0.25,)
TRAIN = [
    {"name": "HorizontalFlip", "p": 0.5},
    {"name": "Affine", "rotate": [-30, 30], "scale": [0.8, 1.2], "p": 1.0},
    {"name": "ElasticTransform", "alpha": 20, "sigma": 5, "p": 0.5},
    {"name": "GridDistortion", "p": 0.5},
    {"name": "OpticalDistortion", "p": 0.5},
    {"name": "OneOf", "p": 1.0, "transforms": [{"name": "CLAHE", "p": 1.0}, {"name": "Sharpen", "p": 1.0}]},
]
# What transforms need beside their name; sizes fit the sample below.
CROP = {"height": 24, "width": 30}
ARGUMENTS = {
    "Affine": {"rotate": [-30, 30], "scale": [0.7, 1.3], "shear": [-10, 10]},
    "CenterCrop": CROP,
    "CoarseDropout": {"fill_mask": 0},
    "Crop": {"x_max": 30, "y_max": 24},
    "CropAndPad": {"px": 3},
    "CropNonEmptyMaskIfExists": CROP,
    "ElasticTransform": {"alpha": 60, "sigma": 5},
    "Erasing": {"fill_mask": 0},
    "GridDropout": {"fill_mask": 0},
    "GridElasticDeform": {"num_grid_xy": [4, 4], "magnitude": 5},
    "LongestMaxSize": {"max_size": 50},
    "Pad": {"padding": 4},
    "PadIfNeeded": {"min_height": 64, "min_width": 70},
    "PixelDropout": {"dropout_prob": 0.3, "mask_drop_value": 0},
    "RandomCrop": CROP,
    "RandomGridShuffle": {"grid": [2, 2]},
    "RandomResizedCrop": {"size": [24, 30]},
    "RandomSizedCrop": {"min_max_height": [20, 30], "size": [24, 30]},
    "Resize": CROP,
    "SmallestMaxSize": {"max_size": 50},
    "Superpixels": {"n_segments": [10, 12], "max_size": 32},
    "XYMasking": {"num_masks_x": 2, "mask_x_length": 9, "fill_mask": 0},
}
# Compositions hold others; these work on colours, which a radiograph has not.
COLOUR = {
    "ChannelDropout", "ChromaticAberration", "HEStain", "ISONoise", "PlanckianJitter", "RandomFog", "RandomGravel",
    "RandomRain", "RandomSnow", "RandomSunFlare", "RedChannel", "Spatter",
}  # fmt: skip
INNER = [{"name": "HorizontalFlip", "p": 0.6}, {"name": "VerticalFlip", "p": 0.6}]


def pack(masks: np.ndarray) -> np.ndarray:
    return np.packbits(masks, axis=-1, bitorder="little")


def unpack(planes: np.ndarray, count: int) -> np.ndarray:
    return np.unpackbits(planes, axis=0, count=count, bitorder="little")


def sample() -> tuple[np.ndarray, np.ndarray]:
    masks = np.zeros((40, 56, 31), np.uint8)
    masks[10:30, 20:28, 4] = 1
    masks[0:8, 40:56, 30] = 1
    image = (masks[..., 4] * 200 + 20).astype(np.uint8)[..., None]
    return image, pack(masks)


def eight() -> np.ndarray:
    """Masks of eight classes that overlap and touch the border."""
    masks = np.zeros((40, 56, 8), np.uint8)
    for place in range(8):
        masks[4 * place : 4 * place + 11, 5 * place : 5 * place + 17, place] = 1
    return masks


def noise(channels: int) -> np.ndarray:
    rough = np.random.default_rng(0).integers(0, 255, (40, 56, channels), np.uint8)
    return cv2.GaussianBlur(rough, (0, 0), 2).reshape(40, 56, channels)


def item(name: str) -> dict:
    given = {"name": name, "p": 1.0, **ARGUMENTS.get(name, {})}
    if issubclass(views_module._kinds()[name], views_module._library().BaseCompose):
        given["transforms"] = INNER
    return given


def test_images_and_masks_move_together() -> None:
    image, bits = sample()
    views = Views(TRAIN[:2], MEAN, STD)
    for seed in range(5):
        moved, planes = views(image, bits, seed)
        assert moved.shape == (1, 40, 56)
        assert planes.shape == (4, 40, 56)
        bright, mask = moved[0] > (120 / 255 - 0.5) / 0.25, unpack(planes, 31)[4]
        both = (bright & (mask > 0)).sum()
        assert 2 * both / (bright.sum() + mask.sum()) > 0.95


def test_the_same_seed_draws_the_same_view() -> None:
    image, bits = sample()
    views, others = Views(TRAIN, MEAN, STD), Views(TRAIN, MEAN, STD)
    first = views(image, bits, 7)
    views(image, bits, 8)
    again = others(image, bits, 7)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], views(image, bits, 8)[0])


def test_no_class_appears_from_nowhere() -> None:
    image, bits = sample()
    for seed in range(10):
        _, planes = Views(TRAIN, MEAN, STD)(image, bits, seed)
        assert planes.dtype == np.uint8
        masks = unpack(planes, 32)
        assert not masks[[channel for channel in range(32) if channel not in (4, 30)]].any()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", [name for name in views_module._kinds() if name != "SelectiveChannelTransform"])
def test_every_transform_moves_packed_masks_as_it_moves_each_class(name: str) -> None:
    masks = eight()
    views = Views([item(name)], MEAN, STD)
    image = noise(3 if name in COLOUR else 1)
    moved = False
    for seed in range(4):
        shown, planes = views(image, pack(masks), seed)
        moved |= not np.array_equal(planes, pack(masks).transpose(2, 0, 1))
        if not views.packed:
            continue
        for place, mask in enumerate(unpack(planes, 8)):
            alone, plane = views(image, masks[..., place : place + 1], seed)
            # What looks for the mask before it draws, draws otherwise for another mask.
            if name != "CropNonEmptyMaskIfExists":
                assert np.array_equal(plane[0], mask)
                assert np.array_equal(alone, shown)
    library = views_module._library()
    still = issubclass(views_module._kinds()[name], library.ImageOnlyTransform) or name == "NoOp"
    assert moved is not still


def test_colour_channels_may_be_transformed_alone() -> None:
    inner = [{"name": "RandomGamma", "p": 1.0}]
    views = Views([{"name": "SelectiveChannelTransform", "channels": [1], "transforms": inner, "p": 1.0}], MEAN, STD)
    shown, _ = views(noise(3), None, 3)
    plain, _ = Views([], MEAN, STD)(noise(3), None, 3)
    assert [bool((a != b).any()) for a, b in zip(shown, plain, strict=True)] == [False, True, False]


@pytest.mark.parametrize(
    "transform",
    [
        {"name": "Morphological", "operation": "dilation", "scale": [3, 3], "p": 1.0},
        {"name": "Affine", "rotate": [20, 20], "mask_interpolation": 1, "p": 1.0},
        {"name": "Sequential", "transforms": [{"name": "Morphological", "p": 1.0, "scale": [3, 3]}], "p": 1.0},
    ],
)
def test_transforms_that_compute_with_masks_see_each_class(transform: dict) -> None:
    masks = eight()
    views = Views([transform], MEAN, STD)
    assert not views.packed
    _, planes = views(noise(1), pack(masks), 1)
    for place, mask in enumerate(unpack(planes, 8)):
        _, alone = views(noise(1), pack(masks[..., place : place + 1]), 1)
        assert np.array_equal(unpack(alone, 1)[0], mask)
        assert mask.any()


@pytest.mark.parametrize("name", sorted(views_module._UNFIT))
def test_what_cannot_work_says_why(name: str) -> None:
    assert hasattr(views_module._library(), name)
    with pytest.raises(ConfigError, match=rf"views.train\[0\] names a transform that cannot work here: {name}\. \w"):
        Views([{"name": name, "p": 1.0}], MEAN, STD)


def test_normalisation_by_hand() -> None:
    image = np.array([[[0], [255], [51]]], np.uint8)
    normalised, masks = Views([], MEAN, STD)(image, None, 0)
    np.testing.assert_allclose(normalised, [[[-2.0, 2.0, -1.2]]], atol=1e-6)
    assert masks is None


def test_one_mean_a_channel() -> None:
    image = np.full((2, 3, 3), 255, np.uint8)
    normalised, _ = Views([], (0.0, 0.5, 1.0), (1.0, 0.5, 2.0))(image, None, 0)
    assert normalised[:, 0, 0].tolist() == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        ({"name": "HorizontalFlop"}, "HorizontalFlip"),
        ({"name": "os.system"}, "names no transform"),
        ({"name": "DualTransform"}, "names no transform"),
        ({"name": "RandomCrop3D", "size": [1, 2, 3]}, "names no transform"),
        ({"name": "CLAHE", "clip_limt": 2.0}, "clip_limit"),
        ({"name": "CLAHE", "clip_limit": "high"}, "refuses its arguments"),
        ({"name": "RandomCrop"}, "refuses its arguments"),
        ({"name": "OneOf", "transforms": [{"name": "Shapren"}]}, r"views.train[0].transforms[0] names no transform"),
        ({"name": "OneOf", "p": 1.0}, "holds no transforms"),
        ({"p": 1.0}, "names no transform"),
    ],
)
def test_a_wrong_transform_is_named(transform: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=r"views\.train\[0\]") as error:
        Views([transform], MEAN, STD)
    assert message in str(error.value)
    assert error.value.fix or error.value.seen


def test_a_transform_that_refuses_an_image_is_one_line() -> None:
    crop = Views([{"name": "RandomCrop", "height": 90, "width": 90, "p": 1.0}], MEAN, STD)
    with pytest.raises(ConfigError, match=r"views\.train refuses an image of 40x56x1: .*Change or leave out"):
        crop(noise(1), None, 0)
    with pytest.raises(ConfigError, match="refuses an image of 40x56x1"):
        Views([{"name": "RandomRain", "p": 1.0}], MEAN, STD)(noise(1), None, 0)


def test_evaluation_may_not_move_pixels() -> None:
    with pytest.raises(ConfigError, match=r"views\.evaluate\[0\] moves or drops pixels: HorizontalFlip"):
        Views([{"name": "HorizontalFlip"}], MEAN, STD, section="views.evaluate", geometric=False)
    Views([{"name": "CLAHE", "p": 1.0}], MEAN, STD, section="views.evaluate", geometric=False)


@pytest.mark.parametrize(
    "transform",
    [
        {"name": "CLAHE"},
        {"name": "CLAHE", "p": 0.5},
        {"name": "OneOf", "p": 1.0, "transforms": [{"name": "CLAHE", "p": 1.0}, {"name": "Sharpen", "p": 1.0}]},
        {"name": "Sequential", "p": 1.0, "transforms": [{"name": "CLAHE"}]},
    ],
)
def test_evaluation_leaves_nothing_to_chance(transform: dict) -> None:
    with pytest.raises(ConfigError, match=r"views\.evaluate\[0\].*is left to chance"):
        Views([transform], MEAN, STD, section="views.evaluate", geometric=False)


def test_evaluation_shows_an_image_alike_wherever_it_stands() -> None:
    # Of two numbers one is drawn, and CLAHE's single clip limit means from 1 to that.
    transforms = [{"name": "RandomGamma", "gamma_limit": [50, 150], "p": 1.0}, {"name": "CLAHE", "p": 1.0}]
    views = Views(transforms, MEAN, STD, section="views.evaluate", geometric=False)
    shown = [views(noise(1), None, seed)[0] for seed in range(3)]
    assert np.array_equal(shown[0], shown[1])
    assert np.array_equal(shown[0], shown[2])
    drawn = [Views(transforms, MEAN, STD)(noise(1), None, seed)[0] for seed in range(3)]
    assert not np.array_equal(drawn[0], drawn[1])


def test_std_must_be_positive() -> None:
    with pytest.raises(ConfigError, match="std above zero"):
        Views([], (0.5,), (0.0,))


def test_dark_background_turns_bright_images_only() -> None:
    views = Views([{"name": "DarkBackground", "p": 1.0}], (0.0,), (1.0,), geometric=False)
    bright = np.full((4, 6, 3), 250, np.uint8)
    bright[1, 2] = (10, 20, 30)
    turned, _ = views(bright, None, 0)
    assert np.allclose(turned[:, 1, 2] * 255, [245, 235, 225])
    assert np.allclose(turned[:, 0, 0] * 255, 5)
    dark = 255 - bright
    assert np.allclose(views(dark, None, 0)[0] * 255, dark.transpose(2, 0, 1))


def test_red_is_shown_alone_and_needs_colour() -> None:
    views = Views([{"name": "RedChannel", "p": 1.0}], (0.0,), (1.0,), geometric=False)
    image = np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8)
    assert (views.pixels(image) == image[..., :1]).all() and views.pixels(image).shape == (5, 7, 3)
    with pytest.raises(ConfigError, match="RedChannel needs colour"):
        views.pixels(image[..., :1])
