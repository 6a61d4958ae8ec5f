"""Views: images and masks move together, evaluation never moves, draws depend on the seed alone."""

import numpy as np
import pytest

from phalanx.core.errors import ConfigError
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


def sample() -> tuple[np.ndarray, np.ndarray]:
    masks = np.zeros((40, 56, 31), np.uint8)
    masks[10:30, 20:28, 4] = 1
    masks[0:8, 40:56, 30] = 1
    image = (masks[..., 4] * 200 + 20).astype(np.uint8)[..., None]
    return image, masks


def test_images_and_masks_move_together() -> None:
    image, masks = sample()
    views = Views(TRAIN[:2], MEAN, STD)
    for seed in range(5):
        moved, planes = views(image, masks, seed)
        assert moved.shape == (1, 40, 56)
        assert planes.shape == (31, 40, 56)
        bright = moved[0] > (120 / 255 - 0.5) / 0.25
        both = (bright & (planes[4] > 0)).sum()
        assert 2 * both / (bright.sum() + planes[4].sum()) > 0.95


def test_the_same_seed_draws_the_same_view() -> None:
    image, masks = sample()
    views, others = Views(TRAIN, MEAN, STD), Views(TRAIN, MEAN, STD)
    first = views(image, masks, 7)
    views(image, masks, 8)
    again = others(image, masks, 7)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], views(image, masks, 8)[0])


def test_masks_stay_zeros_and_ones() -> None:
    image, masks = sample()
    for seed in range(10):
        _, planes = Views(TRAIN, MEAN, STD)(image, masks, seed)
        assert planes.dtype == np.uint8
        assert set(np.unique(planes)) <= {0, 1}


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
        ({"name": "CLAHE", "clip_limt": 2.0}, "clip_limit"),
        ({"p": 1.0}, "names no transform"),
    ],
)
def test_a_wrong_transform_is_named(transform: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=r"views\.train\[0\]") as error:
        Views([transform], MEAN, STD)
    assert message in str(error.value)


def test_evaluation_may_not_move_pixels() -> None:
    with pytest.raises(ConfigError, match=r"views\.evaluate\[0\] moves or drops pixels: HorizontalFlip"):
        Views([{"name": "HorizontalFlip"}], MEAN, STD, section="views.evaluate", geometric=False)
    Views([{"name": "CLAHE", "p": 1.0}], MEAN, STD, section="views.evaluate", geometric=False)


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
